# SPDX-License-Identifier: Apache-2.0
"""POST /chat/completions: one deployment asked by hand, its answer as it comes, and nothing else."""

import gzip
import http.client
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import threading
import time

import pytest

from openapi import describe
from program import http_request, wait_for

MASTER, VIEWER, SCRAPER = "sk-master-of-all", "sk-only-reads", "sk-only-scrapes"
KEY = "sk-canary-provider-key-0123456789"
CHAT = "/chat/completions"
HELLO = [{"role": "user", "content": "hello"}]


class Provider:
    """Does with each request what `act` says: it gets the handler and the request's JSON."""

    def __init__(self):
        self.seen = []
        self.act = None
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                provider.seen.append((self.path, dict(self.headers), body))
                try:
                    provider.act(self, json.loads(body))
                except OSError:
                    provider.broken.set()
                    self.close_connection = True

            def head(self, status=200, kind="application/json", length=None, **headers):
                self.send_response(status)
                self.send_header("content-type", kind)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                if length is None:
                    self.send_header("connection", "close")
                    self.close_connection = True
                else:
                    self.send_header("content-length", str(length))
                self.end_headers()

            def answer(self, status, body, **headers):
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.head(status, length=len(data), **headers)
                self.wfile.write(data)

            def event(self, text):
                self.wfile.write(f"data: {text}\n\n".encode())
                self.wfile.flush()

            def log_message(self, *args):
                pass

        self.broken = threading.Event()
        self.go = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.go.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def provider():
    p = Provider()
    yield p
    p.close()


def deployment(name, ident, base, model="openai/m", params=None, **info):
    return {"model_name": name,
            "litellm_params": {"model": model, "api_base": base, "api_key": KEY, **(params or {})},
            "model_info": {"disable_background_health_check": True, "id": ident, **info}}


@pytest.fixture
def config(provider, standin):
    return {"model_list": [
        deployment("group", "one", provider.url, params={"temperature": 0.5, "user": "config"}),
        deployment("group", "two/with slash", provider.url),
        deployment("group", "free", provider.url, llmhealth={"probe": "models"}),
        deployment("stand-in", "standin", standin.url, "openai/ok"),
        deployment("stand-in", "standin-azure", standin.url.removesuffix("/v1"), "azure/ok",
                   {"api_version": "2024-10-21"}),
        deployment("bad", "e429", standin.url, "openai/e429,retry=7"),
        deployment("bad", "e500", standin.url, "openai/e500"),
        deployment("bad", "echo", standin.url, "openai/echokey"),
        deployment("bad", "nobody", "http://127.0.0.1:9/v1"),
        deployment("other", "vector", standin.url, "openai/text-embedding-3-small", mode="embedding"),
        deployment("other", "claude", standin.url, "bedrock/amazon.titan-text-express-v1",
                   {"aws_access_key_id": "AKIA", "aws_secret_access_key": KEY, "aws_region_name": "us-east-1"}),
        deployment("other/*", "wild", standin.url, "openai/*"),
        {"model_name": "lost", "litellm_params": {"model": "nobody-knows"}, "model_info": {"id": "lost"}}],
        "general_settings": {"master_key": MASTER, "background_health_checks": True},
        "llmhealth": {"workers": 1, "passthrough": {"concurrent": 3}, "keys": {
            "on-call": {"role": "viewer", "key": VIEWER}, "prom": {"role": "metrics", "key": SCRAPER}}}}


@pytest.fixture
def daemon(llmhealth, config):
    return describe(llmhealth.serve(config))


def ask(daemon, model, key=MASTER, path=CHAT, headers=None, **more):
    return daemon.request("POST", path, key, body={"model": model, "messages": HELLO, **more}, headers=headers)


def metric(daemon, name):
    line = re.search(rf"(?m)^{re.escape(name)} (\S+)$", http_request(
        daemon.host, daemon.port, "GET", "/metrics", {"Authorization": "Bearer " + SCRAPER}).text)
    return float(line[1])


def in_flight(daemon):
    return metric(daemon, "llmhealth_passthrough_in_flight")


class Stream:
    """An answer that is read as it comes."""

    def __init__(self, daemon, model, receive_buffer=None, **more):
        self.connection = http.client.HTTPConnection(daemon.host, daemon.port, timeout=20)
        self.connection.connect()
        if receive_buffer:
            self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.connection.request("POST", CHAT, json.dumps({"model": model, "messages": HELLO, **more}),
                                {"Authorization": "Bearer " + MASTER})
        self.response = None

    def head(self):
        self.response = self.connection.getresponse()
        return self.response

    def close(self):
        if self.response:
            self.response.close()
        self.connection.close()


def test_the_request_and_the_answer(daemon, provider):
    said = {"id": "chatcmpl-1", "choices": [{"message": {"content": "Grüße\u2028"}}]}
    provider.act = lambda h, body: h.answer(200, said, x_request_id="req-1", x_ratelimit_remaining_requests="9",
                                            set_cookie="a=b", server_timing="x", Connection="x-secret")
    answer = ask(daemon, "one", headers={"x-request-id": "mine-7"}, temperature=0.1, max_tokens=5, tools=[{"a": 1}],
                 unknown={"b": [12345678901234567890, "é", None], "c": "os.environ/HOME"})
    assert answer.status == 200 and answer.json == said
    assert answer.body == json.dumps(said).encode()
    assert answer.headers["content-type"] == "application/json"
    assert {k: v for k, v in answer.headers.items() if k.startswith("x-litellm-") and k != "x-litellm-response-duration-ms"} == {
        "x-litellm-call-id": "mine-7", "x-litellm-model-id": "one", "x-litellm-model-name": "openai/m",
        "x-litellm-model-group": "group", "x-litellm-model-api-base": provider.url,
        "x-litellm-attempted-retries": "0", "x-litellm-attempted-fallbacks": "0"}
    assert re.fullmatch(r"\d+\.\d{3}", answer.headers["x-litellm-response-duration-ms"])
    assert answer.headers["llm_provider-x-request-id"] == "req-1" and answer.headers["x-request-id"] == "mine-7"
    assert answer.headers["x-ratelimit-remaining-requests"] == "9"
    assert "set-cookie" not in answer.headers and "server-timing" not in answer.headers
    path, headers, body = provider.seen[-1]
    assert path == "/v1/chat/completions" and headers["Authorization"] == "Bearer " + KEY
    assert MASTER not in str(headers) and "mine-7" not in str(headers)
    # The caller's come before the deployment's own; nothing of the probe is in it.
    assert json.loads(body) == {"model": "m", "messages": HELLO, "temperature": 0.1, "max_tokens": 5,
                                "tools": [{"a": 1}], "unknown": {"b": [12345678901234567890, "é", None], "c": "os.environ/HOME"},
                                "user": "config"}
    assert b"[12345678901234567890," in body
    assert metric(daemon, 'llmhealth_passthrough_requests_total{outcome="answered"}') == 1
    assert metric(daemon, 'llmhealth_passthrough_bytes_total{direction="out"}') == len(answer.body)
    assert re.search(r'passthrough .*deployment=one.*status=200.*outcome=answered.*request_id=mine-7', daemon.stderr)


def test_the_headers_tell_no_secret_and_how_long_it_took(llmhealth, config, provider):
    host = provider.url.removeprefix("http://")
    config["model_list"] = [deployment("größe", "user", f"http://name:{KEY}@{host}"),
                            deployment("long" * 20000, "long", provider.url),
                            deployment("group", "nobody", "http://127.0.0.1:9/v1")]
    daemon = llmhealth.serve(config)

    def late(h, body):
        time.sleep(0.3)
        h.answer(200, {})
    provider.act = late
    answer = ask(daemon, "user")
    assert answer.status == 200 and KEY not in str(answer.headers)
    assert host in answer.headers["x-litellm-model-api-base"]
    assert float(answer.headers["x-litellm-response-duration-ms"]) >= 300
    # What is no ASCII cannot stand in a head.
    assert "x-litellm-model-group" not in answer.headers
    assert answer.headers["x-litellm-call-id"] == answer.headers["x-request-id"]
    answer = ask(daemon, "long")
    assert answer.status == 200 and answer.headers["x-litellm-model-id"] == "long" and "x-litellm-model-group" not in answer.headers
    failed = ask(daemon, "nobody", headers={"x-litellm-call-id": "theirs"})
    assert failed.status >= 500 and failed.headers["x-litellm-call-id"] == "theirs"
    assert failed.headers["x-litellm-model-group"] == "group" and failed.headers["x-litellm-model-api-base"] == "http://127.0.0.1:9/v1"


def test_names_of_deployments(daemon, provider):
    provider.act = lambda h, body: h.answer(200, {"choices": [body["model"]]})
    for path in CHAT, "/v1" + CHAT:
        assert ask(daemon, "two/with slash", path=path).json == {"choices": ["m"]}
    for path in "/openai/deployments/two/with%20slash" + CHAT, "/engines/one" + CHAT:
        assert ask(daemon, "what stands here means nothing", path=path).json == {"choices": ["m"]}
    assert ask(daemon, "free").json == {"choices": ["m"]}
    assert provider.seen[-1][0] == "/v1/chat/completions"
    assert ask(daemon, "standin").json["object"] == "chat.completion"
    assert ask(daemon, "standin-azure").json["object"] == "chat.completion"
    # An id is never another's: `model` twice, and spelt so that a careless reader misses it.
    body = '{"model": "one", "mod\\u0065l": "one", "messages": [], "model": "one"}'
    assert daemon.request("POST", CHAT, MASTER, body=body).status == 200
    assert json.loads(provider.seen[-1][2]) == {"model": "m", "messages": [], "temperature": 0.5, "user": "config"}


def test_who_may(daemon, provider):
    provider.act = lambda h, body: h.answer(200, {})
    assert ask(daemon, "one", key=None).status == 401
    assert ask(daemon, "one", key="sk-wrong").status == 400
    assert ask(daemon, "one", key=VIEWER).status == 403
    assert ask(daemon, "one", key=SCRAPER).status == 403
    assert daemon.get(CHAT, MASTER).status == 405
    assert provider.seen == []


def test_without_any_key_nobody_may(llmhealth, config, provider):
    del config["general_settings"]["master_key"], config["llmhealth"]["keys"]
    daemon = llmhealth.serve(config)
    assert ask(daemon, "one", key=None).status == 403 and provider.seen == []


def test_what_is_refused(daemon, provider):
    def refused(status, said, answer):
        assert answer.status == status, answer.text
        error = answer.json["error"]
        assert error["code"] == str(status) and re.search(said, error["message"]), error
        assert set(error) == {"message", "type", "param", "code"}
    refused(400, "group of 3 deployments.*not a gateway.*one, two/with slash, free", ask(daemon, "group"))
    refused(400, "Invalid model name.*gpt-nothing.*not a gateway.*/v1/model/info", ask(daemon, "gpt-nothing"))
    refused(400, "Invalid model name", ask(daemon, "\u0000\x1f\"" + "x" * 10000))
    for body in "", "[]", "{", '"x"', '{"model": 7}', "{}", b'{"model": "one\xff"}', '{"a":' * 100 + "1" + "}" * 100:
        refused(400, "JSON object|must be the id", daemon.request("POST", CHAT, MASTER, body=body))
    for name in "api_base", "api_key", "base_url", "extra_headers", "organization":
        refused(400, name + " is the deployment's own", ask(daemon, "one", **{name: "http://127.0.0.1:9"}))
    refused(400, "cannot be asked.*nobody-knows", ask(daemon, "lost"))
    refused(501, "mode is embedding", ask(daemon, "vector"))
    refused(501, "deployment of bedrock", ask(daemon, "claude"))
    refused(501, "wildcard", ask(daemon, "wild"))
    assert provider.seen == []


def test_errors_of_the_provider(daemon):
    answer = ask(daemon, "e429")
    assert answer.status == 429 and answer.headers["retry-after"] == "7" and "Rate limit" in answer.json["error"]["message"]
    answer = ask(daemon, "e500")
    assert answer.status == 500 and "error" in answer.json["error"]["message"]
    # Its answer holds the key: the fixture looks for it in all that was said.
    answer = ask(daemon, "echo")
    assert answer.status == 401 and "Bearer" in answer.text
    answer = ask(daemon, "nobody")
    assert answer.status == 500 and "refused" in answer.json["error"]["message"]
    assert answer.headers["x-litellm-model-id"] == "nobody"
    assert metric(daemon, 'llmhealth_passthrough_requests_total{outcome="answered"}') == 3
    assert metric(daemon, 'llmhealth_passthrough_requests_total{outcome="failed"}') == 1


def test_events_as_they_come(daemon, provider):
    steps = threading.Semaphore(0)

    def act(h, body):
        assert body["stream"] is True
        h.head(kind="text/event-stream")
        for i in range(3):
            h.event(json.dumps({"n": i}))
            assert steps.acquire(timeout=10)
        h.event("[DONE]")
    provider.act = act
    stream = Stream(daemon, "one", stream=True)
    response = stream.head()
    assert response.headers["content-type"] == "text/event-stream"
    for i in range(3):
        assert response.readline() == b'data: {"n": %d}\n' % i and response.readline() == b"\n"
        assert in_flight(daemon) == 1
        steps.release()
    assert response.read() == b"data: [DONE]\n\n"
    wait_for(lambda: in_flight(daemon) == 0)
    # The connection goes on.
    provider.act = lambda h, body: h.answer(200, {"choices": []})
    stream.connection.request("POST", CHAT, json.dumps({"model": "one", "messages": []}),
                              {"Authorization": "Bearer " + MASTER})
    assert stream.head().read() == b'{"choices": []}'
    stream.close()


def test_a_key_in_pieces(daemon, provider):
    """A provider that sends the key back, in pieces of every length, as an event and as JSON."""
    def act(h, body):
        h.head(kind="text/event-stream")
        text = f"data: Bearer {KEY}, sk-canar and sk- and {KEY}\n\n".encode()
        for at in range(0, len(text), body["step"]):
            h.wfile.write(text[at:at + body["step"]])
            h.wfile.flush()
            time.sleep(0.002)
    provider.act = act
    for step in 1, 2, 3, 7, 1000:
        text = ask(daemon, "one", step=step).text
        assert KEY not in text and text.startswith("data: Bearer ") and text.endswith("\n\n")
        assert "sk-canar and sk- and" in text
        daemon.bodies.pop()
    provider.act = lambda h, body: h.answer(200, {}, x_request_id=KEY, x_ratelimit_limit_tokens="a " + KEY + " b")
    answer = ask(daemon, "one")
    assert KEY not in str(answer.headers) and "llm_provider-x-request-id" not in answer.headers


def test_a_compressed_answer_is_not_passed_on(daemon, provider):
    """Nobody asked for it, and the key that may be in it cannot be seen."""
    def act(h, body):
        data = gzip.compress(f"You sent {KEY}".encode())
        h.send_response(body["status"])
        h.send_header("content-type", "application/json")
        for encoding in body["encodings"]:
            h.send_header("content-encoding", encoding)
        h.send_header("content-length", str(len(data)))
        h.end_headers()
        h.wfile.write(data)
    provider.act = act
    for status in 200, 401, 500:
        for encodings in ["gzip"], ["identity, gzip"], ["identity", "gzip"], ["identityx"], ["br", "identity"]:
            answer = ask(daemon, "one", status=status, encodings=encodings)
            assert answer.status == 500, (status, encodings, answer)
            assert "compressed" in answer.json["error"]["message"]
    provider.act = lambda h, body: h.answer(401, {"error": {"message": "no"}}, content_encoding="Identity")
    assert ask(daemon, "one").status == 401


def test_large_both_ways(daemon, provider):
    def act(h, body):
        h.answer(200, {"all": body["filler"] * 3})
    provider.act = act
    filler = "x" * 3_000_000
    answer = ask(daemon, "one", filler=filler)
    assert answer.status == 200 and answer.json == {"all": filler * 3}
    assert daemon.request("POST", CHAT, MASTER, {"Content-Length": "11000000"}, "").status == 413
    # Who may not does not get the larger limit.
    assert daemon.request("POST", CHAT, VIEWER, {"Content-Length": "3000000"}, "").status == 413


def memory(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


def test_a_slow_reader_holds_the_provider_back(daemon, provider):
    sent = [0]

    def act(h, body):
        h.head(kind="text/event-stream")
        for _ in range(100_000_000 // 50_000):
            h.event("y" * 50_000)
            sent[0] += 50_000
    provider.act = act
    front, worker = daemon.front, daemon.workers[0]
    before = memory(front), memory(worker)
    stream = Stream(daemon, "one", stream=True)
    stream.head()

    def stands():
        now = sent[0]
        time.sleep(0.5)
        return now > 0 and sent[0] == now
    wait_for(stands, 30)
    assert sent[0] < 30_000_000
    assert memory(front) - before[0] < 20_000 and memory(worker) - before[1] < 20_000
    # The others do not notice.
    assert ask(daemon, "standin").status == 200
    # It goes on where it stood.
    at = sent[0]
    assert len(stream.response.read(20_000_000)) == 20_000_000
    assert sent[0] > at
    stream.close()
    assert provider.broken.wait(10)
    wait_for(lambda: in_flight(daemon) == 0)
    assert metric(daemon, 'llmhealth_passthrough_requests_total{outcome="cancelled"}') == 1


def test_a_client_that_never_reads_is_dropped(llmhealth, config, provider):
    config["llmhealth"]["http"] = {"idle": "500ms"}
    daemon = llmhealth.serve(config)

    def act(h, body):
        h.head(kind="text/event-stream")
        while True:
            h.event("y" * 50_000)
    provider.act = act
    stream = Stream(daemon, "one", receive_buffer=8192, stream=True)
    assert provider.broken.wait(20)
    wait_for(lambda: in_flight(daemon) == 0)
    stream.close()


@pytest.mark.parametrize("headed", [False, True])
def test_a_client_that_goes_cancels(daemon, provider, headed):
    def act(h, body):
        if headed:
            h.head(kind="text/event-stream")
        provider.go.set()
        for _ in range(1000):
            if headed:
                h.event("y")
            elif h.connection.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK) == b"":
                raise OSError
            time.sleep(0.02)

    def patient(h, body):
        try:
            act(h, body)
        except BlockingIOError:
            time.sleep(0.02)
            patient(h, body)
    provider.act = patient
    stream = Stream(daemon, "one", stream=True)
    if headed:
        stream.head().readline()
    assert provider.go.wait(10)
    stream.close()
    assert provider.broken.wait(10)
    wait_for(lambda: in_flight(daemon) == 0)


def test_so_many_at_a_time(daemon, provider, standin):
    def act(h, body):
        provider.go.wait(20)
        h.answer(200, {})
    provider.act = act
    streams = [Stream(daemon, "one") for _ in range(3)]
    wait_for(lambda: in_flight(daemon) == 3)
    answer = ask(daemon, "two/with slash")
    assert answer.status == 429 and answer.headers["retry-after"] == "1"
    assert answer.json["error"]["type"] == "throttling_error"
    assert metric(daemon, 'llmhealth_passthrough_requests_total{outcome="busy"}') == 1
    # Probes do not wait for them.
    answer = daemon.request("POST", "/health/test_connection", MASTER, body={"litellm_params": {"model": "stand-in"}})
    assert answer.json["status"] == "success"
    provider.go.set()
    for stream in streams:
        assert stream.head().status == 200
        stream.response.read()
        stream.close()


def test_off(llmhealth, config, provider):
    config["llmhealth"]["passthrough"] = {"concurrent": 0}
    daemon = llmhealth.serve(config)
    assert ask(daemon, "one").status == 403 and provider.seen == []


def test_time_limits(llmhealth, config, provider):
    config["model_list"][0]["litellm_params"]["timeout"] = 0.5
    config["llmhealth"]["passthrough"]["timeout"] = "1s"
    daemon = llmhealth.serve(config)

    def act(h, body):
        if body.get("stream"):
            h.head(kind="text/event-stream")
            h.event("{}")
        provider.go.wait(20)
    provider.act = act
    for model in "one", "two/with slash":
        answer = ask(daemon, model)
        assert answer.status == 408 and answer.json["error"]["type"] == "timeout_error", answer.text
        lines = ask(daemon, model, stream=True).text.split("\n\n")
        assert lines[0] == "data: {}" and json.loads(lines[1].removeprefix("data: "))["error"]["code"] == "408"


@pytest.mark.parametrize("kind, first, clear", [
    ("text/event-stream", "data: {}\n\n", True), ("text/event-stream", "data: {}\n\ndata: {\"a", False),
    ("application/json", "{\"a", False)])
def test_a_worker_that_dies_in_the_middle(daemon, provider, kind, first, clear):
    def act(h, body):
        h.head(kind=kind)
        h.wfile.write(first.encode())
        h.wfile.flush()
        provider.go.set()
        for _ in range(1000):
            time.sleep(0.02)
            if h.connection.recv(1, socket.MSG_PEEK) == b"":
                return
    provider.act = act
    stream = Stream(daemon, "one", stream=True)
    response = stream.head()
    assert response.read(len(first)) == first.encode()
    os.kill(daemon.workers[0], signal.SIGKILL)
    if clear:
        rest = response.read().decode()
        assert rest.startswith("data: ") and rest.endswith("\n\n")
        assert "has died" in json.loads(rest.removeprefix("data: "))["error"]["message"]
    else:
        with pytest.raises(http.client.IncompleteRead):
            response.read()
    stream.close()
    wait_for(lambda: in_flight(daemon) == 0)
    provider.act = lambda h, body: h.answer(200, {})
    wait_for(lambda: ask(daemon, "one").status == 200)


def test_a_worker_that_dies_before_the_answer(daemon, provider):
    def act(h, body):
        provider.go.set()
        h.connection.recv(1)
    provider.act = act
    stream = Stream(daemon, "one")
    assert provider.go.wait(10)
    os.kill(daemon.workers[0], signal.SIGKILL)
    response = stream.head()
    assert response.status == 502 and "has died" in json.loads(response.read())["error"]["message"]
    stream.close()
    # It was not asked again: the first may have been paid for.
    assert len(provider.seen) == 1


def test_a_front_that_dies_ends_it(daemon, provider):
    def act(h, body):
        provider.go.set()
        if h.connection.recv(1) == b"":
            raise OSError
    provider.act = act
    stream = Stream(daemon, "one")
    assert provider.go.wait(10)
    os.kill(daemon.front, signal.SIGKILL)
    assert provider.broken.wait(10)
    stream.close()


def test_answers_that_break_off(daemon, provider):
    def act(h, body):
        h.head(kind=body["kind"], length=1000)
        h.wfile.write(body["text"].encode())
        h.wfile.flush()
        h.connection.shutdown(socket.SHUT_RDWR)
        h.close_connection = True
    provider.act = act
    text = ask(daemon, "one", kind="text/event-stream", text="data: {}\n\n").text
    assert text.startswith("data: {}\n\ndata: ") and '"error"' in text
    with pytest.raises(http.client.IncompleteRead):
        ask(daemon, "one", kind="application/json", text="{")
    assert metric(daemon, 'llmhealth_passthrough_requests_total{outcome="cut"}') == 2


def test_redirects(daemon, provider):
    other = Provider()
    other.act = lambda h, body: h.answer(200, {"choices": ["stolen"]})

    def act(h, body):
        if h.path.startswith("/v1"):
            h.answer(307, {}, location=body["to"])
        else:
            h.answer(200, {"choices": ["here"]})
    provider.act = act
    answer = ask(daemon, "one", to=other.url)
    assert answer.status == 500 and "not followed" in answer.json["error"]["message"] and other.seen == []
    assert "location" not in answer.headers
    assert ask(daemon, "one", to="/elsewhere").json == {"choices": ["here"]}
    other.close()


def test_packed_answers_are_refused(daemon, provider):
    provider.act = lambda h, body: h.answer(200, b"\x1f\x8b", content_encoding="gzip")
    answer = ask(daemon, "one")
    assert answer.status == 500 and "compressed" in answer.json["error"]["message"]
    assert "Accept-Encoding" not in provider.seen[-1][1]


HOSTILE = {
    "garbage": {500}, "nothttp": {500}, "hugeheaders=100000": {500}, "manyheaders=3000": {200}, "close": {500},
    "reset": {500}, "cutheaders": {500}, "gzip": {500}, "badlength": {500}, "twolengths": {None},
    "half": {None}, "cut=3": {None}, "badjson": {200}, "badutf8": {200}, "emptyobj": {200}, "empty": {200},
    "deep=100000": {200}, "huge=3000000": {200}, "chunked": {200}, "drip=7/1": {200}, "status=204": {500},
    "status=304": {500}, "status=299": {299}, "status=999": {500}, "e402": {402}, "html502": {502},
    "redirect=http://169.254.169.254/": {500}, "stall100": {200}}


@pytest.mark.parametrize("stream", [False, True])
def test_hostile_providers(llmhealth, standin, stream):
    """Whatever a provider sends, the client gets an answer in HTTP, or sees that it broke off (None)."""
    model_list = [deployment("hostile", word, standin.url, "openai/" + word) for word in HOSTILE]
    daemon = llmhealth.serve({"model_list": model_list, "general_settings": {"master_key": MASTER},
                              "llmhealth": {"passthrough": {"timeout": "3s"}}})
    found = {}
    for word in HOSTILE:
        try:
            answer = http_request(daemon.host, daemon.port, "POST", CHAT, {"Authorization": "Bearer " + MASTER},
                                  {"model": word, "messages": HELLO, "stream": stream})
            daemon.bodies.append(str(answer.headers) + answer.body[:100000].decode(errors="replace"))
            found[word] = answer.status
        except http.client.IncompleteRead:
            found[word] = None
    wrong = {word: found[word] for word in HOSTILE if found[word] not in HOSTILE[word]}
    # As a stream some of them come otherwise; that there is an end is what counts.
    assert stream or not wrong
    assert daemon.get("/health/liveliness").status == 200


def test_reload_and_drain_in_the_middle(llmhealth, config, provider):
    daemon = llmhealth.serve(config)

    def act(h, body):
        h.head(kind="text/event-stream")
        h.event("1")
        provider.go.wait(20)
        h.event("2")
    provider.act = act
    stream = Stream(daemon, "one", stream=True)
    assert stream.head().readline() == b"data: 1\n"
    del config["model_list"][0]
    daemon.reload(config)
    wait_for(lambda: '"one"' not in daemon.get("/v1/model/info", MASTER).text)
    assert ask(daemon, "one").status == 400
    daemon.send(signal.SIGTERM)
    time.sleep(0.3)
    provider.go.set()
    assert stream.response.read() == b"\ndata: 2\n\n"
    stream.close()
    daemon.wait()


def test_old_clients(daemon, provider):
    """HTTP/1.0 knows no chunks: the answer ends with the connection."""
    provider.act = lambda h, body: h.answer(200, {"choices": []})
    body = json.dumps({"model": "one", "messages": []})
    with socket.create_connection((daemon.host, daemon.port), timeout=10) as s:
        s.sendall(f"POST {CHAT} HTTP/1.0\r\nAuthorization: Bearer {MASTER}\r\n"
                  f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
        text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
    assert "transfer-encoding" not in text and text.endswith('\r\n\r\n{"choices": []}')


def test_nothing_is_left(daemon, provider):
    """No descriptor, and no key in the front's memory."""
    provider.act = lambda h, body: h.answer(200, {"choices": [], "key": h.headers["authorization"]})
    assert ask(daemon, "one").status == 200
    with daemon.same_descriptors():
        for _ in range(20):
            assert ask(daemon, "one").status == 200
    maps = pathlib.Path(f"/proc/{daemon.front}/maps")
    try:
        regions = [line.split() for line in maps.read_text().splitlines()]
        with open(f"/proc/{daemon.front}/mem", "rb") as memory_of:
            for region in regions:
                start, end = (int(x, 16) for x in region[0].split("-"))
                if "rw" not in region[1] or end - start > 1 << 30:
                    continue
                memory_of.seek(start)
                try:
                    assert KEY.encode() not in memory_of.read(end - start)
                except OSError:
                    continue
    except PermissionError:
        pytest.skip("the front's memory cannot be read here")
