# SPDX-License-Identifier: Apache-2.0
"""GET /health/events: what listeners are told, how they come again, and that they hold up nobody."""

import json
import os
import re
import signal
import socket
import time

import pytest

from exposition import parse
from program import descriptors, wait_for
from test_http import BACKGROUND, KEY, Front, read_all

HEARTBEAT = "llmhealth.events.heartbeat=100ms"


@pytest.fixture
def front(builddir, tmp_path):
    program = builddir / "http_front"
    if not program.exists():
        pytest.skip("http_front is not built")
    f = Front(program, tmp_path)
    yield f
    f.stop()


class Listener:
    """A strict reader of an event stream."""

    def __init__(self, front, last_id=None, key=KEY, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", front.port))
        headers = f"Authorization: Bearer {key}\r\n" if key else ""
        if last_id is not None:
            headers += f"Last-Event-ID: {last_id}\r\n"
        self.socket.sendall(f"GET /health/events HTTP/1.1\r\nHost: a\r\n{headers}\r\n".encode())
        self.data, self.id, self.comments, self.ended = b"", None, [], False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def more(self):
        data = self.socket.recv(65536)
        self.ended = not data
        self.data += data

    def until(self, end):
        while end not in self.data and not self.ended:
            self.more()
        if end not in self.data:
            return None
        part, self.data = self.data.split(end, 1)
        return part.decode()

    def head(self):
        head = self.until(b"\r\n\r\n")
        assert head is not None
        status, *lines = head.split("\r\n")
        return int(status.split()[1]), {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}

    def block(self):
        """The fields of the next block; None at the end."""
        text = self.until(b"\n\n")
        if text is None:
            return None
        fields = {}
        for line in text.split("\n"):
            if line.startswith(":"):
                self.comments.append(line)
                continue
            name, value = line.split(": ", 1)
            assert name in ("id", "event", "data", "retry") and name not in fields
            fields[name] = value
        self.id = fields.get("id", self.id)
        return fields

    def event(self):
        while True:
            fields = self.block()
            if fields is None or "data" in fields:
                return fields and (fields.get("event"), json.loads(fields["data"]))


def listen(front, *args, **kwargs):
    listener = Listener(front, *args, **kwargs)
    status, headers = listener.head()
    assert status == 200 and headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-store" and "content-length" not in headers
    if args:
        return listener
    fields = listener.block()
    assert fields["retry"] == "2000" and re.fullmatch(r"[0-9a-f]+-\d+", fields["id"])
    return listener


def flip(front, times=1):
    """Changes verdicts one by one, each seen before the next."""
    for _ in range(times):
        before = told(front)
        front.process.send_signal(signal.SIGUSR2)
        wait_for(lambda: told(front) > before)


def metric(front, name):
    return parse(front.get("/metrics").body)[name].get()


@pytest.fixture
def small_quarantine(monkeypatch):
    """Freed memory does not stay with AddressSanitizer, so that what is left is what is held."""
    options = os.environ.get("ASAN_OPTIONS", "")
    monkeypatch.setenv("ASAN_OPTIONS", (options + ":" if options else "") + "quarantine_size_mb=1")


def told(front):
    return metric(front, "llmhealth_events_total")


def test_a_change_is_told_once_to_all(front):
    front.start()
    with listen(front) as a, listen(front) as b:
        flip(front)
        for listener in (a, b):
            kind, data = listener.event()
            assert kind == "verdict"
            assert (data["model_id"], data["model_name"]) == ("deployment-000000", "group-000")
            assert (data["from"], data["to"], data["reason"]) == ("healthy", "unhealthy", "auth")
            assert data["exception_status"] == 401 and data["provider"] == "openai" and "no such key" in data["error"]
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", data["at"])
        assert a.id == b.id
        front.process.send_signal(signal.SIGUSR1)  # deployment 0 has the result that it had at first
        assert b.event()[1]["to"] == "healthy"
        front.process.send_signal(signal.SIGUSR1)  # deployment 1 has it already: nothing to tell
        flip(front)
        seen = [a.event()[1] for _ in range(2)]
        assert [(d["model_id"][-1], d["from"], d["to"]) for d in seen] == [
            ("0", "unhealthy", "healthy"), ("1", "healthy", "unhealthy")]
        assert metric(front, "llmhealth_event_listeners") == 2


def test_replay(front):
    front.start()
    with listen(front) as first:
        flip(front, 5)
        ids = []
        for _ in range(5):
            first.event()
            ids.append(first.id)
    assert len(set(ids)) == 5
    with listen(front, ids[1]) as again:
        assert again.block()["id"] == ids[1]
        assert [again.event()[1]["model_id"] for _ in range(3)] == [f"deployment-00000{i}" for i in (2, 3, 4)]
        assert again.id == ids[4]
        flip(front)
        assert again.event()[1]["model_id"] == "deployment-000005"
    with listen(front, ids[4]) as current:
        assert current.block()["id"] == ids[4]
        assert current.event()[1]["model_id"] == "deployment-000005"


@pytest.mark.parametrize("last_id", ["0-1", "x", "-", "1-2-3", "9" * 300, "1a1fd65c8ae-10", "ffffffffffffffffffff-1"])
def test_an_unknown_id_gets_a_reset_and_what_there_is(front, last_id):
    front.start(settings=(BACKGROUND, "llmhealth.events.history=3"))
    flip(front, 5)
    with listen(front, last_id) as listener:
        assert listener.event()[0] == "reset"
        assert [listener.event()[1]["model_id"] for _ in range(3)] == [f"deployment-00000{i}" for i in (2, 3, 4)]


def test_ids_of_this_process_that_are_too_old_or_too_new(front):
    front.start(settings=(BACKGROUND, "llmhealth.events.history=3"))
    with listen(front) as listener:
        start = listener.id
    flip(front, 5)
    nonce, number = start.split("-")
    for last, events in ((start, ["reset", "verdict", "verdict", "verdict"]),
                         (f"{nonce}-{int(number) + 2}", ["verdict"] * 3), (f"{nonce}-{int(number) + 4}", ["verdict"]),
                         (f"{nonce}-{int(number) + 6}", ["reset", "verdict", "verdict", "verdict"]),
                         (f"{nonce}-99999999999999999999", ["reset", "verdict", "verdict", "verdict"])):
        with listen(front, last) as listener:
            assert [listener.event()[0] for _ in events] == events, last


def test_heartbeats(front):
    front.start(settings=(BACKGROUND, HEARTBEAT))
    with listen(front) as listener:
        for _ in range(3):
            assert listener.block() == {}
        assert listener.comments[1:] == [": heartbeat"] * 3


def test_who_may_listen(front):
    front.start()
    with Listener(front, key=None) as listener:
        assert listener.head()[0] == 401
    assert front.get("/health/events", method="POST").status == 405
    front.stop()
    front.start(key=None)
    with listen(front, key=None) as listener:
        front.process.send_signal(signal.SIGUSR2)
        assert "api_base" not in json.dumps(listener.event())
    front.stop()
    front.start(settings=(BACKGROUND, "general_settings.health_check_details=false"))
    with listen(front) as listener:
        flip(front)
        assert set(listener.event()[1]) == {"model_id", "model_name", "from", "to", "reason", "exception_status",
                                            "checked_at", "at"}


def test_the_number_of_listeners_is_bounded(front):
    front.start(settings=(BACKGROUND, "llmhealth.events.listeners=2"))
    with listen(front), listen(front):
        answer = front.get("/health/events")
        assert answer.status == 503 and answer.json == {"detail": "Too many listeners"}
        assert answer.headers["retry-after"] == "10"
        assert front.get("/health").status == 200
    wait_for(lambda: front.get("/health/liveliness").status == 200 and
             metric(front, "llmhealth_event_listeners") == 0)
    with listen(front):
        assert metric(front, "llmhealth_event_listeners") == 1


def test_a_client_that_does_not_read_is_dropped_with_a_comment(front, small_quarantine):
    front.start("--deployments", 100, "--flips", 20, settings=(BACKGROUND, "llmhealth.events.history=500"))
    with listen(front, receive_buffer=4096) as slow, listen(front) as good:
        front.process.send_signal(signal.SIGUSR2)
        end = time.monotonic() + 30
        before = front.rss_kb()
        # The good one reads all along, and misses nothing.
        numbers = []
        while told(front) < 40000 and time.monotonic() < end:
            for _ in range(500):
                kind, data = good.event()
                assert kind == "verdict"
                numbers.append(int(good.id.split("-")[1]))
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert front.rss_kb() - before < 4096
        while slow.event():
            pass
        assert slow.ended and slow.comments[-1].startswith(": dropped")
        assert metric(front, "llmhealth_event_listeners_dropped_total") == 1
        last = slow.id
    with listen(front, last) as again:
        assert again.event()[0] == "reset"


def test_a_client_that_never_reads_again_is_closed(front):
    front.start("--deployments", 100, "--flips", 20,
                settings=(BACKGROUND, "llmhealth.events.history=500", "llmhealth.http.idle=500ms"))
    with listen(front, receive_buffer=4096):
        front.process.send_signal(signal.SIGUSR2)
        wait_for(lambda: metric(front, "llmhealth_event_listeners_dropped_total") == 1)
        wait_for(lambda: metric(front, "llmhealth_event_listeners") == 0)


def test_a_thousand_listeners(front, small_quarantine):
    front.start("--deployments", 10, settings=(BACKGROUND, HEARTBEAT))
    front.get("/metrics")
    before, open_before = front.rss_kb(), len(descriptors(front.process.pid))
    listeners = [Listener(front) for _ in range(1000)]
    wait_for(lambda: metric(front, "llmhealth_event_listeners") == 1000)
    assert front.rss_kb() - before < 8192
    flip(front, 3)
    for listener in listeners:
        listener.head()
        assert [listener.event()[1]["model_id"][-1] for _ in range(3)] == ["0", "1", "2"]
    for listener in listeners[:500]:
        listener.socket.close()
    wait_for(lambda: metric(front, "llmhealth_event_listeners") == 500)
    flip(front)
    for listener in listeners[500:]:
        assert listener.event()[1]["model_id"] == "deployment-000003"
        listener.socket.close()
    wait_for(lambda: len(descriptors(front.process.pid)) <= open_before + 1)


def test_what_a_listener_sends_is_not_looked_at(front):
    front.start()
    with listen(front) as listener:
        listener.socket.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n" * 1000)
        flip(front)
        assert listener.event()[0] == "verdict"


def test_the_end(front):
    front.start()
    with listen(front) as listener:
        front.process.send_signal(signal.SIGTERM)
        rest = read_all(listener.socket)
        assert rest == b": shutting down\n\n"
    front.process.wait(10)


def test_of_a_running_daemon(llmhealth, standin):
    entry = {"model_name": "good", "litellm_params": {"model": "openai/ok", "api_base": standin.url, "api_key": "sk-1"},
             "model_info": {"id": "id-ok"}}
    other = dict(entry, model_info={"id": "id-other"})
    config = {"model_list": [entry, other], "general_settings": {"master_key": KEY, "background_health_checks": True},
              "llmhealth": {"workers": 1, "grace": "100ms"}}
    daemon = llmhealth.serve(config)
    with listen(daemon, "0-0") as listener:
        assert listener.event()[0] == "reset"
        seen = [listener.event() for _ in range(2)]
        assert {(k, d["model_id"], d["from"], d["to"]) for k, d in seen} == {
            ("verdict", "id-ok", "unknown", "healthy"), ("verdict", "id-other", "unknown", "healthy")}
        config["model_list"] = [entry]
        daemon.reload(config)
        kind, data = listener.event()
        assert (kind, data["model_id"], data["model_name"]) == ("removed", "id-other", "good")
        daemon.send(signal.SIGTERM)
        assert read_all(listener.socket) == b": shutting down\n\n"


def test_the_log_tells_each_change_with_its_reason(llmhealth, standin):
    """Who only reads the log learns what broke, why, and that it works again; not that all is well at the start."""
    def entry(name, model):
        return {"model_name": name, "litellm_params": {"model": "openai/" + model, "api_base": standin.url, "api_key": "sk-1"},
                "model_info": {"id": "id-" + name}}
    config = {"model_list": [entry("good", "ok"), entry("bad", "flaky")],
              "general_settings": {"master_key": KEY, "background_health_checks": True, "health_check_interval": 1},
              "llmhealth": {"workers": 1, "grace": "0s", "recheck": "200ms", "log": {"format": "json"}}}
    standin.behaviour("flaky", "wrongkey")
    daemon = llmhealth.serve(config)

    def once(pairs):
        assert len(dict(pairs)) == len(pairs), f"a name twice in {pairs}"
        return dict(pairs)

    def verdicts():
        lines = [json.loads(x, object_pairs_hook=once) for x in daemon.stderr.splitlines(True) if x.endswith("\n")]
        return [x for x in lines if x["event"] == "verdict"]
    wait_for(verdicts, 10, "no verdict in the log")
    first = verdicts()[0]
    assert {k: first[k] for k in ("level", "role", "model", "id", "from", "to", "reason")} == {
        "level": "warning", "role": "front", "model": "bad", "id": "id-bad", "from": "unknown", "to": "unhealthy", "reason": "auth"}
    assert "401" in first["why"] and "sk-1" not in first["why"]
    standin.behaviour("flaky", "ok")
    wait_for(lambda: len(verdicts()) == 2, 10, "not told that it works again")
    assert [verdicts()[1][k] for k in ("level", "id", "from", "to", "reason", "why")] == [
        "notice", "id-bad", "unhealthy", "healthy", "ok", ""]


def test_a_storm_of_changes_does_not_fill_the_log(front):
    front.start("--deployments", 100, "--flips", 20, settings=(BACKGROUND,))
    told(front)  # it takes signals now
    began = time.monotonic()
    front.process.send_signal(signal.SIGUSR2)
    wait_for(lambda: told(front) > 2000)
    lines = front.errors.splitlines()
    verdicts = [x for x in lines if " verdict " in x]
    left = [x for x in lines if " verdicts_left_out lines_a_second=200 " in x]
    seconds = int(time.monotonic() - began) + 2
    assert 100 <= len(verdicts) <= 200 * seconds and 1 <= len(left) <= seconds


def test_a_state_file_that_cannot_be_is_told_at_the_start(llmhealth, standin):
    config = {"model_list": [{"model_name": "m", "litellm_params": {"model": "openai/ok", "api_base": standin.url, "api_key": "sk-1"}}],
              "llmhealth": {"workers": 1, "grace": "0s", "state_file": "/proc/none/state", "state_interval": "1h"}}
    daemon = llmhealth.serve(config)
    wait_for(lambda: "state_not_saved path=/proc/none/state" in daemon.stderr, 5, "no word of it")
