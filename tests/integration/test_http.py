# SPDX-License-Identifier: Apache-2.0
"""HTTP clients of every kind against the real HTTP code (http_front: no workers, made-up verdicts):
slow, broken, greedy and rude ones, and the good ones that must not notice them."""

import concurrent.futures
import json
import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time

import pytest

from program import descriptors, http_request, judge_output, wait_for

KEY = "sk-test"
BACKGROUND = "general_settings.background_health_checks=true"


class Front:
    def __init__(self, program, directory):
        self.program, self.directory, self.process = program, directory, None

    def start(self, *args, key=KEY, settings=(BACKGROUND,), debug=False):
        command = [str(self.program), *map(str, args)]
        if key:
            command += ["--key", key]
        for setting in settings:
            command += ["--set", setting]
        self.err = open(self.directory / "stderr", "w+")
        env = dict(os.environ)
        if debug:
            env["DEBUG"] = "1"
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.err, text=True, env=env)
        line = self.process.stdout.readline()
        assert line.startswith("port "), self.errors
        self.port = int(line.split()[1])
        return self

    @property
    def errors(self):
        self.err.flush()
        return (self.directory / "stderr").read_text()

    def stop(self):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(10)
        finally:
            self.process.kill()
            self.process.stdout.close()
        judge_output(self.errors)
        assert status == 0, self.errors
        self.process = None

    def connect(self, timeout=10):
        s = socket.create_connection(("127.0.0.1", self.port), timeout)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def get(self, path, headers=None, key=KEY, method="GET", body=None):
        headers = dict(headers or {})
        if key:
            headers.setdefault("Authorization", "Bearer " + key)
        return http_request("127.0.0.1", self.port, method, path, headers, body)

    def say(self, data, half_close=False):
        """What comes back for these bytes until the other side closes."""
        with self.connect() as s:
            s.sendall(data)
            if half_close:
                s.shutdown(socket.SHUT_WR)
            return read_all(s)

    def rss_kb(self):
        with open(f"/proc/{self.process.pid}/status") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def read_all(s):
    data = b""
    while True:
        try:
            more = s.recv(65536)
        except ConnectionResetError:
            return data
        if not more:
            return data
        data += more


def read_answer(s):
    """One answer from a connection that stays open."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = s.recv(1)
        assert more, data
        data += more
    length = int(re.search(rb"content-length: (\d+)", data).group(1)) if b"content-length" in data else 0
    body = b""
    while len(body) < length:
        more = s.recv(length - len(body))
        assert more, (data, body)
        body += more
    return int(data.split()[1]), data.decode(), body


def status_of(answer):
    assert answer.startswith(b"HTTP/1.1 "), answer
    return int(answer[9:12])


def body_of(answer):
    return json.loads(answer.split(b"\r\n\r\n", 1)[1])


@pytest.fixture
def front(builddir, tmp_path):
    program = builddir / "http_front"
    if not program.exists():
        pytest.skip("http_front is not built")
    f = Front(program, tmp_path)
    yield f
    f.stop()


ALIVE = b"GET /health/liveliness HTTP/1.1\r\nHost: a\r\n\r\n"


# What is served.

def test_every_list_adds_up(front):
    front.start("--deployments", 25)
    body = front.get("/health").json
    assert list(body)[:4] == ["healthy_endpoints", "unhealthy_endpoints", "healthy_count", "unhealthy_count"]
    assert (body["healthy_count"], body["unhealthy_count"]) == (23, 2)
    assert (body["unknown_count"], body["disabled_count"]) == (0, 0)
    assert body["progress"] == {"checked": 25, "total": 25}
    ids = [e["model_id"] for e in body["healthy_endpoints"]]
    assert ids == sorted(ids) and len(ids) == 23
    one = front.get("/health?model_id=deployment-000009")
    assert one.status == 503 and one.json["unhealthy_endpoints"][0]["exception_status"] == 401
    group = front.get("/health?model=group-001")
    assert group.status == 200 and group.json["healthy_count"] == 4
    by_model = front.get("/health?model=openai%2Fok").json
    assert by_model["healthy_count"] == 23


def test_a_large_fleet_is_joined_in_pieces(front):
    """More deployments than one turn of the loop looks at: every one of them once, in order."""
    front.start("--deployments", 1700)
    answer = front.get("/health")
    body = answer.json
    assert body["progress"] == {"checked": 1700, "total": 1700}
    for name in ("healthy", "unhealthy", "unknown", "disabled"):
        ids = [e["model_id"] for e in body[f"{name}_endpoints"]]
        assert len(ids) == body[f"{name}_count"] and ids == sorted(set(ids))
    assert body["healthy_count"] > 1000 and body["unhealthy_count"] > 100
    assert body["healthy_count"] + body["unhealthy_count"] == 1700
    for entry in (body["healthy_endpoints"][-1], body["unhealthy_endpoints"][0]):
        one = front.get(f"/health?model_id={entry['model_id']}").json
        assert entry in one["healthy_endpoints"] + one["unhealthy_endpoints"]
    again = front.get("/health")
    assert again.body == answer.body and again.headers["etag"] == answer.headers["etag"]


def test_a_large_fleet_that_changes_while_it_is_joined(front):
    """Each answer is of one moment: lists and counts agree, whoever else asks or has gone away."""
    front.start("--deployments", 2600, "--churn", 2000)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            for n in range(4):
                with socket.create_connection(("127.0.0.1", front.port)) as s:
                    s.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + KEY.encode() + b"\r\n\r\n")
            for answer in pool.map(lambda _: front.get("/health"), range(4)):
                body = answer.json
                assert body["progress"]["total"] == 2600
                assert len(body["healthy_endpoints"]) == body["healthy_count"]
                assert len(body["unhealthy_endpoints"]) == body["unhealthy_count"]
                assert body["healthy_count"] + body["unhealthy_count"] + body["unknown_count"] == 2600


def test_before_the_first_round(front):
    front.start("--deployments", 3, "--unasked")
    body = front.get("/health").json
    assert body["healthy_endpoints"] == body["unhealthy_endpoints"] == []
    assert body["unknown_count"] == 3 and body["progress"] == {"checked": 0, "total": 3}
    assert {e["state"] for e in body["unknown_endpoints"]} == {"unknown"}
    assert front.get("/health?model=group-000").status == 503


def test_no_deployments(front):
    front.start("--deployments", 0)
    assert front.get("/health").json["healthy_count"] == 0
    assert front.get("/health?model=x").status == 503
    assert front.get("/health?model_id=x").status == 404
    assert front.get("/v1/models").json == {"data": [], "object": "list"}
    assert front.get("/model/info").json == {"data": []}


@pytest.mark.parametrize("query", ["model=", "model", "model_id=", "model_id=&model=group-000"])
def test_empty_parameters_are_refused(front, query):
    front.start()
    answer = front.get("/health?" + query)
    assert answer.status == 400 and "must not be empty" in answer.json["detail"]["error"]


def test_without_a_master_key_nobody_is_admin(front):
    front.start(key=None)
    answer = front.get("/health", key=None)
    assert answer.status == 200
    assert "api_base" not in answer.text.replace("raw_request_api_base", "")
    assert answer.headers["litellm-health-field-notice"].startswith("api_base, ")
    info = front.get("/model/info", key=None).json["data"][0]
    assert info["litellm_params"] == {"model": "openai/ok"}
    assert "litellm-health-field-notice" not in front.get("/health/liveliness", key=None).headers


def test_details_off(front):
    front.start(settings=(BACKGROUND, "general_settings.health_check_details=false"))
    body = front.get("/health").json
    assert set(body["healthy_endpoints"][0]) == {"model", "model_id", "model_name", "state", "checked_at", "since"}
    assert "error" not in body["unhealthy_endpoints"][0]


def test_readiness_details(front):
    fields = ["status", "db", "cache", "litellm_version", "success_callbacks", "use_aiohttp_transport", "log_level",
              "is_detailed_debug", "show_no_redis_warning", "show_env_credential_login_warning"]
    front.start(settings=(BACKGROUND, "general_settings.allow_public_health_readiness_details=true"))
    for path, key in (("/health/readiness/details", KEY), ("/health/readiness", None)):
        body = front.get(path, key=key).json
        assert list(body)[:len(fields)] == fields
        assert body["status"] == "healthy" and body["log_level"] == "WARNING"
    assert front.get("/health/readiness/details", key=None).status == 401


def test_etag(front):
    front.start()
    first = front.get("/health")
    tag = first.headers["etag"]
    again = front.get("/health", {"If-None-Match": f'"other", {tag}'})
    assert again.status == 304 and again.body == b"" and again.headers["etag"] == tag
    assert "content-length" not in again.headers
    front.process.send_signal(signal.SIGUSR1)
    wait_for(lambda: front.get("/health", {"If-None-Match": tag}).status == 200)
    changed = front.get("/health")
    assert changed.headers["etag"] != tag and changed.json["healthy_count"] == first.json["healthy_count"]


def test_on_demand_probes_what_is_asked_for(front):
    front.start("--unasked", "--ask-ms", 50, settings=())
    body = front.get("/health?model=group-001").json
    assert body["healthy_count"] == 4
    everything = front.get("/health").json
    assert (everything["healthy_count"], everything["unhealthy_count"], everything["unknown_count"]) == (9, 1, 0)
    front.stop()
    assert "asks made=2 cancelled=0" in front.errors


def test_a_client_that_goes_cancels_what_it_asked_for(front):
    front.start("--unasked", "--ask-ms", 60000, settings=())
    before = len(descriptors(front.process.pid))
    asking = []
    for _ in range(5):
        s = front.connect()
        s.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer sk-test\r\n\r\n")
        asking.append(s)
    wait_for(lambda: len(descriptors(front.process.pid)) == before + 5)
    assert front.get("/health/liveliness").status == 200
    for s in asking:
        s.close()
    wait_for(lambda: len(descriptors(front.process.pid)) == before)
    front.stop()
    assert "asks made=5 cancelled=5" in front.errors


def test_pipelined_requests_wait_for_the_one_that_is_asked(front):
    front.start("--unasked", "--ask-ms", 100, settings=())
    ask = b"GET /health?model_id=deployment-000001 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer sk-test\r\n\r\n"
    with front.connect() as s:
        s.sendall(ask + ALIVE + ask + ALIVE)
        answers = [read_answer(s) for _ in range(4)]
    assert [a[0] for a in answers] == [200] * 4
    assert answers[1][2] == answers[3][2] == b'"I\'m alive!"'
    assert b"deployment-000001" in answers[0][2]


def test_unix_socket(front, tmp_path):
    path = str(tmp_path / "s")
    front.start("--unix", path)
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(ALIVE)
        assert read_answer(s)[0] == 200


def test_request_id_and_the_access_log(front):
    front.start(debug=True)
    assert front.get("/health?x=secret-query", {"x-request-id": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert front.get("/health", {"x-request-id": "a b<"}).headers["x-request-id"] != "a b<"
    assert re.fullmatch(r"[0-9a-f]{16}", front.get("/health").headers["x-request-id"])
    front.stop()
    lines = [line for line in front.errors.splitlines() if "http_request" in line]
    assert len(lines) == 3 and "id=abc-1" in lines[0] and "status=200" in lines[0]
    assert "secret-query" not in front.errors and KEY not in front.errors


# What is refused.

@pytest.mark.parametrize("request_, status", [
    (b"nonsense\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    (b"GET / HTTP/1.1\n\n", 400),
    (b"GET /health/liveliness HTTP/1.1\r\n\r\n", 400),
    (b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: the impossible\r\n\r\n", 417),
    (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: br\r\n\r\n", 501),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 101 + b"\r\n", 431),
    (b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"a" * 20000 + b"\r\n\r\n", 431),
    (b"GET /" + b"a" * 1000000, 431),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n", 413),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", 413),
], ids=lambda value: str(value)[2:30] if isinstance(value, bytes) else str(value))
def test_refused_in_shape(front, request_, status):
    front.start()
    answer = front.say(request_)
    assert status_of(answer) == status, answer
    assert isinstance(body_of(answer)["detail"], str)
    assert b"connection: close" in answer
    assert front.get("/health/liveliness").status == 200


def test_a_whole_body_too_large_still_gets_its_answer(front):
    """The client sends it all before it reads: the answer must survive that."""
    front.start(settings=("llmhealth.http.body=1000",))
    with front.connect() as s:
        s.sendall(b"POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000000)
        assert status_of(read_all(s)) == 413


def test_bodies_are_read_and_the_connection_goes_on(front):
    front.start()
    with front.connect() as s:
        s.sendall(b"POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + ALIVE)
        assert read_answer(s)[0] == 405
        assert read_answer(s)[0] == 200
        s.sendall(b"GET /health/liveliness HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")
        time.sleep(0.05)
        s.sendall(b"lo\r\n0\r\n\r\n" + ALIVE)
        assert read_answer(s)[0] == 200
        assert read_answer(s)[0] == 200


def test_expect_continue(front):
    front.start()
    with front.connect() as s:
        s.sendall(b"POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert s.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        s.sendall(b"{}")
        assert read_answer(s)[0] == 405


def test_head_is_not_allowed_and_has_no_body(front):
    front.start()
    answer = front.say(b"HEAD /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert status_of(answer) == 405 and answer.endswith(b"\r\n\r\n") and b"content-length: 31" in answer


def test_http_1_0(front):
    front.start()
    answer = front.say(b"GET /health/liveliness HTTP/1.0\r\n\r\n")
    assert status_of(answer) == 200 and b"connection: close" in answer
    with front.connect() as s:
        for _ in range(2):
            s.sendall(b"GET /health/liveliness HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert "connection: keep-alive" in read_answer(s)[1]


def test_empty_lines_before_a_request(front):
    front.start()
    with front.connect() as s:
        s.sendall(b"\r")
        time.sleep(0.05)
        s.sendall(b"\n\r\n" + ALIVE)
        assert read_answer(s)[0] == 200


# Who is slow, silent or many.

def test_byte_by_byte(front):
    front.start()
    with front.connect() as s:
        for i in range(len(ALIVE)):
            s.sendall(ALIVE[i:i + 1])
        assert read_answer(s)[0] == 200


def test_slow_request_is_ended_however_it_drips(front):
    front.start(settings=("llmhealth.http.request=300ms",))
    with front.connect() as s:
        s.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n")
        answer = b""
        s.settimeout(0.05)
        for i in range(200):
            try:
                s.sendall(b"A")
                answer += s.recv(4096)
                if answer:
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        assert status_of(answer) == 408
    with front.connect() as s:
        s.sendall(b"POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        assert status_of(read_all(s)) == 408


def test_idle_connections_end(front):
    front.start(settings=("llmhealth.http.idle=200ms",))
    with front.connect() as never, front.connect() as after:
        after.sendall(ALIVE)
        assert read_answer(after)[0] == 200
        assert read_all(never) == b"" and read_all(after) == b""


def test_ten_thousand_idle_connections(front, monkeypatch):
    """Each costs little, a second flood costs no more, and who has work to do is served meanwhile."""
    n = 10_000
    # Freed memory does not stay with AddressSanitizer.
    monkeypatch.setenv("ASAN_OPTIONS", os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=0:"
                       "thread_local_quarantine_size_kb=0")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < n + 100:
        pytest.skip(f"only {hard} descriptors are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, n + 100), hard))
    idle = []
    try:
        front.start(settings=("llmhealth.http.idle=5m", f"llmhealth.http.connections={n + 10}"))
        none = len(descriptors(front.process.pid))
        assert front.get("/health").status == 200
        wait_for(lambda: len(descriptors(front.process.pid)) == none)
        before, grown = front.rss_kb(), []
        for flood in range(2):
            for i in range(n):
                idle.append(front.connect())
                if i % 100 == 0: # half a head, after which nothing comes
                    idle[-1].sendall(b"GET /health HTTP/1.1\r\nHost: a\r\nX-Half: ")
            wait_for(lambda: len(descriptors(front.process.pid)) == none + n, 20)
            grown.append(front.rss_kb() - before)
            assert front.get("/health").status == 200
            while idle:
                idle.pop().close()
            wait_for(lambda: len(descriptors(front.process.pid)) == none, 20)
        assert grown[0] < n * 4, grown
        assert grown[1] < grown[0] + 2000, grown
    finally:
        for s in idle:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_who_does_not_read_is_cut_off(front):
    front.start("--deployments", 20000, settings=(BACKGROUND, "llmhealth.http.idle=300ms"))
    before = len(descriptors(front.process.pid))
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect(("127.0.0.1", front.port))
    with s:
        s.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer sk-test\r\n\r\n" * 20)
        wait_for(lambda: len(descriptors(front.process.pid)) == before + 1)
        wait_for(lambda: len(descriptors(front.process.pid)) == before)


def test_slow_reader_gets_all(front):
    front.start("--deployments", 5000)
    want = front.get("/health").body
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    s.settimeout(10)
    s.connect(("127.0.0.1", front.port))
    with s:
        s.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer sk-test\r\n\r\n" * 3)
        for _ in range(3):
            assert read_answer(s)[2] == want


def test_half_closed_clients_are_answered(front):
    front.start()
    answer = front.say(ALIVE * 3, half_close=True)
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert front.say(b"GET /health HTTP/1.1\r\nHost: a\r\n", half_close=True) == b""
    assert front.say(b"", half_close=True) == b""


def test_thousands_of_pipelined_requests(front):
    front.start()
    n = 5000
    with front.connect() as s:
        s.settimeout(20)
        sender = threading.Thread(target=lambda: s.sendall(ALIVE * n))
        sender.start()
        got = b""
        while got.count(b"I'm alive!") < n:
            more = s.recv(1 << 20)
            assert more
            got += more
        sender.join()
    assert got.count(b"HTTP/1.1 200 OK") == n


def test_too_many_connections(front):
    front.start(settings=(BACKGROUND, "llmhealth.http.connections=20"))
    held = [front.connect() for _ in range(20)]
    held[-1].sendall(ALIVE)
    read_answer(held[-1])
    with front.connect() as s:
        answer = read_all(s)
    assert status_of(answer) == 503 and body_of(answer) == {"detail": "Too many connections"}
    for s in held:
        s.close()
    wait_for(lambda: front.say(ALIVE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")).startswith(
        b"HTTP/1.1 200"))


def test_a_crowd_of_rude_clients_costs_nothing_lasting(front):
    front.start()
    front.get("/health")
    pid = front.process.pid
    before = len(descriptors(pid))

    def crowd():
        clients = []
        for i in range(200):
            s = front.connect()
            s.sendall([b"", b"GET /he", b"\0" * 100, ALIVE[:-2], b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"][i % 5])
            clients.append(s)
        assert front.get("/health/liveliness").status == 200
        for i, s in enumerate(clients):
            if i % 2:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            s.close()
        wait_for(lambda: len(descriptors(pid)) <= before)
    crowd()
    memory = front.rss_kb()
    for _ in range(5):
        crowd()
    assert front.rss_kb() < memory + 20000


# The end.

def test_drain(front):
    front.start()
    with front.connect() as kept, front.connect() as idle:
        kept.sendall(ALIVE)
        assert read_answer(kept)[0] == 200
        front.process.send_signal(signal.SIGTERM)
        wait_for(lambda: front.get("/health/liveliness").status == 503)
        answer = front.get("/health/readiness")
        assert answer.status == 503 and answer.json == {"status": "shutting_down"}
        assert front.get("/health").status == 200
        assert read_all(idle) == b""
        assert read_all(kept) == b""
    assert front.process.wait(5) == 0
    with pytest.raises(ConnectionRefusedError):
        front.connect()


def test_drain_lets_a_request_end(front):
    front.start("--unasked", "--ask-ms", 500, settings=())
    with front.connect() as s:
        s.sendall(b"GET /health?model_id=deployment-000001 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer sk-test\r\n\r\n" + ALIVE)
        time.sleep(0.05)
        front.process.send_signal(signal.SIGTERM)
        status, head, body = read_answer(s)
        assert status == 200 and "connection: close" in head
        assert read_all(s) == b""
    assert front.process.wait(5) == 0
