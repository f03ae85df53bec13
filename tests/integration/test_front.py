# SPDX-License-Identifier: Apache-2.0
"""The front alone: the test is its supervisor and its workers."""

import hashlib
import http.client
import json
import os
import socket
import subprocess
import time

import pytest

from frames import Child, Gone, settings
from program import http_request

IDS = ["first", "second", "third"]


@pytest.fixture
def program(builddir):
    path = builddir / "llmhealth-front"
    if not path.exists():
        pytest.skip("llmhealth-front is not built")
    return path


class Front(Child):
    def __init__(self, program, status=0, flags=0, memory=None, path=""):
        super().__init__(program, status=status)
        self.send("start", index=0, log_level=7, log_format=0, flags=flags)
        if memory is not None:
            self.send("state", fd=memory, path=str(path))
        self.listener = None

    def listen(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self.send("listener", fd=listener.fileno(), address=f"127.0.0.1:{self.port}")
        listener.close()

    def configure(self, generation=1, ids=IDS, wait=True, problems=(), key_digest=b"", **changed):
        self.send("conf_begin", generation=generation, full=True, settings=settings(**changed), key_digest=key_digest)
        for i, ident in enumerate(ids):
            problem = {"problem_reason": 15, "problem_status": 400, "problem": "no key"} if ident in problems else {}
            self.send("conf_deployment", generation=generation, handle=i + 1, position=i, id=ident,
                      model_name="group", model="openai/gpt", provider="openai", mode="chat",
                      host="http://127.0.0.1:9", timeout_ms=5000, info="{}",
                      display={"model": '"openai/gpt"'}, **problem)
        self.send("conf_commit", generation=generation, count=len(ids))
        if wait:
            assert self.receive("ready")["generation"] == generation

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()


def answer(worker, job, healthy=True, **more):
    worker.send("result", job=job["job"], generation=job["generation"], handle=job["handle"], healthy=healthy,
                reason=0 if healthy else 13, http_status=200 if healthy else 500,
                exception_status=200 if healthy else 500, error="" if healthy else "litellm.InternalServerError: no",
                total_us=1000, retry_after_ms=-1, checked_at_ms=int(time.time() * 1000), **more)


def answer_all(worker, unhealthy=(), count=3):
    for _ in range(count):
        job = worker.receive("job")
        answer(worker, job, job["handle"] not in unhealthy)


def counts(front):
    body = front.get("/health")[1]
    return body["healthy_count"], body["unhealthy_count"]


def until(condition, seconds=5):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


def test_by_hand(program):
    done = subprocess.run([program], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_nobody_is_served_before_there_is_a_key(program):
    """A client that comes first waits; without this it would be an admin, because no key was known yet."""
    with Front(program) as front:
        front.listen()
        with socket.create_connection(("127.0.0.1", front.port)) as client:
            client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            client.settimeout(0.3)
            with pytest.raises(TimeoutError):
                client.recv(1)
            front.configure(key_digest=hashlib.sha256(b"sk-master").digest())
            client.settimeout(10)
            assert client.recv(100).startswith(b"HTTP/1.1 401 ")


def test_verdicts_outlive_a_killed_front(program):
    memory = os.memfd_create("state")
    with Front(program, memory=memory) as front:
        front.listen()
        front.configure(BACKGROUND="true")
        worker = front.give_peer()
        answer_all(worker, unhealthy=[2])
        until(lambda: counts(front) == (2, 1))
        before = front.get("/health")[1]
        front.kill()
    with Front(program, memory=memory) as front:
        front.listen()
        front.configure(BACKGROUND="true")
        # There is no worker yet: what it says is what the other one knew.
        after = front.get("/health")[1]
        assert after["healthy_endpoints"] == before["healthy_endpoints"]
        assert after["unhealthy_endpoints"] == before["unhealthy_endpoints"]
        # And nobody is asked twice for it.
        assert front.give_peer().silent(0.5)
    os.close(memory)


def test_reload_while_probes_run(program):
    with Front(program) as front:
        front.listen()
        front.configure(BACKGROUND="true")
        worker = front.give_peer()
        jobs = [worker.receive("job") for _ in IDS]
        # The second one goes, a fourth comes: its job is cancelled, the others' results count.
        front.configure(generation=2, ids=["first", "third", "fourth"], wait=False, BACKGROUND="true")
        # Another handle for the same id would be the supervisor's mistake; here "third" has 2 now.
        assert front.receive("ready")["generation"] == 2
        new = worker.receive("job", generation=2)
        for job in jobs:
            answer(worker, job)
        answer(worker, new)
        until(lambda: counts(front)[0] >= 2)


def test_wrong_configuration_ends_it(program):
    with Front(program, status=3) as front:
        front.send("conf_begin", generation=1, full=True, settings=settings())
        front.send("conf_commit", generation=1, count=5)
        assert front.closed()


def test_round(program):
    with Front(program, flags=1) as front:
        front.configure(problems=["third"])
        worker = front.give_peer()
        front.send("round", generation=1)
        answer_all(worker, unhealthy=[1], count=2)
        verdicts = [front.receive("round_verdict") for _ in IDS]
        done = front.receive("round_done")
        assert (done["healthy"], done["unhealthy"]) == (1, 2)
        # In the order in which they came: the one that cannot be asked needs no probe.
        assert [v["handle"] for v in verdicts] == [3, 1, 2]
        assert [v["healthy"] for v in verdicts] == [False, False, True]
        assert verdicts[0]["error"] == "no key"
        assert json.loads(verdicts[1]["entry"])["model_id"] == "first"
        progress = front.receive("round_progress", done=3)
        assert (progress["total"], progress["healthy"]) == (3, 1)


def test_round_without_deployments(program):
    with Front(program, flags=1) as front:
        front.configure(ids=[])
        front.send("round", generation=1)
        assert front.receive("round_done")["healthy"] == 0


def test_round_of_many(program):
    number = 3000
    with Front(program, flags=1) as front:
        front.configure(ids=[f"id-{i}" for i in range(number)])
        worker = front.give_peer()
        front.send("round", generation=1)
        for _ in range(number):
            answer(worker, worker.next())
        handles = {front.receive("round_verdict")["handle"] for _ in range(number)}
        assert len(handles) == number
        assert front.receive("round_done")["healthy"] == number


def test_stop(program, tmp_path):
    state = tmp_path / "state"
    with Front(program, memory=os.memfd_create("state"), path=state) as front:
        front.listen()
        front.configure(BACKGROUND="true")
        worker = front.give_peer()
        answer_all(worker)
        until(lambda: counts(front) == (3, 0))
        front.send("stop", grace_ms=500, drain_ms=5000)
        until(lambda: front.get("/health/liveliness")[0] == 503)
        assert front.get("/health/liveliness")[1] == {"status": "shutting_down"}
        assert counts(front) == (3, 0)
        assert front.wait() == 0
        with pytest.raises(OSError):
            front.get("/health/liveliness")
    assert state.stat().st_size > 100
    # The next one reads it.
    with Front(program, memory=os.memfd_create("state"), path=state) as front:
        front.listen()
        front.configure(BACKGROUND="true")
        assert counts(front) == (3, 0)


def test_stop_waits_for_probes(program):
    with Front(program) as front:
        front.configure()
        worker = front.give_peer()
        jobs = [worker.receive("job") for _ in IDS]
        front.send("stop", grace_ms=0, drain_ms=5000)
        time.sleep(0.2)
        assert front.process.poll() is None
        for job in jobs:
            answer(worker, job)
        assert front.wait(2) == 0


def test_state_is_saved_in_time(program, tmp_path):
    state = tmp_path / "state"
    with Front(program, memory=os.memfd_create("state"), path=state) as front:
        front.configure(STATE_INTERVAL="100ms")
        answer_all(front.give_peer())
        until(state.exists)


def test_foreign_state_file(program, tmp_path):
    state = tmp_path / "state"
    state.write_text("this was never a state file\n")
    with Front(program, memory=os.memfd_create("state"), path=state) as front:
        front.listen()
        front.configure(BACKGROUND="true")
        answer_all(front.give_peer())
        until(lambda: counts(front) == (3, 0))
        assert "state_file_set_aside" in front.log()
    assert [p.read_text() for p in tmp_path.glob("state.bad-*")] == ["this was never a state file\n"]
    assert state.exists()


def test_worker_that_talks_nonsense(program):
    with Front(program) as front:
        front.listen()
        front.configure(BACKGROUND="true")
        bad, good = front.give_peer(0), front.give_peer(1)
        bad.receive("job")
        bad.send_bytes(b"\xff" * 100)
        with pytest.raises(Gone):
            while True:
                bad.next()
        answer_all(good)
        until(lambda: counts(front) == (3, 0))


def test_a_worker_does_not_write_the_heads(program):
    """A worker that has been taken over names headers and statuses that would move an answer's end."""
    key = "sk-master"
    with Front(program) as front:
        front.listen()
        front.configure(key_digest=hashlib.sha256(key.encode()).digest())
        worker = front.give_peer()
        until(lambda: "\nllmhealth_workers 1\n" in http_request(
            "127.0.0.1", front.port, "GET", "/metrics", {"Authorization": "Bearer " + key}).text)

        def ask(status, headers):
            connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=10)
            connection.request("POST", "/chat/completions", json.dumps({"model": "first", "messages": []}),
                               {"Authorization": "Bearer " + key})
            ident = worker.receive("pass")["pass"]
            worker.send("pass_head", **{"pass": ident}, status=status, headers=headers)
            worker.send("pass_piece", **{"pass": ident}, bytes="answer")
            worker.send("pass_end", **{"pass": ident}, outcome=0)
            response = connection.getresponse()
            try:
                return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
            finally:
                connection.close()
        status, found, body = ask(200, {
            "content-length": "2", "transfer-encoding": "identity", "connection": "close", "set-cookie": "a=b",
            "location": "http://127.0.0.1:9/", "x-evil": "1", "x-ratelimit-a\r\nx-evil": "1", "x-ratelimit-a b": "1",
            "content-encoding": "gzip", "retry-after": "1\r\nx-evil: 1", "content-type": "text/plain", "": "x"})
        assert (status, body) == (200, b"answer")
        assert found["transfer-encoding"] == "chunked" and found["content-type"] == "text/plain"
        assert not {"content-length", "connection", "set-cookie", "location", "x-evil", "content-encoding",
                    "retry-after"} & set(found), found
        assert not any(name.startswith("x-ratelimit") for name in found)
        for status in 0, 100, 101, 199, 204, 205, 304, 600, 2 ** 32 - 1:
            assert ask(status, {})[::2] == (502, b"answer")
