# SPDX-License-Identifier: Apache-2.0
"""The probe `stream`: the first token decides, its time is shown, and the rest is not read."""

import contextlib
import http.server
import json
import threading
import time

import pytest

from program import wait_for

KEY = "sk-canary-provider-0123456789"


def deployment(name, model, base, **more):
    return {"model_name": name,
            "litellm_params": {"model": model, "api_base": base, "api_key": KEY},
            "model_info": {"id": "id-" + name, "mode": "chat", "llmhealth": {"probe": "stream"}, **more}}


@contextlib.contextmanager
def provider(pieces, status=200, kind="text/event-stream", end=True):
    """Sends the pieces, a number being seconds to wait; `end`: the last chunk comes, too."""
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            seen.append((self.path, json.loads(body), dict(self.headers)))
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            try:
                for piece in pieces:
                    if isinstance(piece, (int, float)):
                        time.sleep(piece)
                        continue
                    data = piece.encode()
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                    self.wfile.flush()
                if end:
                    self.wfile.write(b"0\r\n\r\n")
            except OSError:
                seen.append("gone")
            self.close_connection = True

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def chat(content):
    return "data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": content}}]}) + "\n\n"


def entry_of(llmhealth, config):
    done = llmhealth.check(config, "--json")
    body = json.loads(done.stdout)
    assert KEY not in done.stdout + done.stderr
    entries = body["healthy_endpoints"] + body["unhealthy_endpoints"]
    assert len(entries) == 1, body
    return done.returncode, entries[0]


def test_the_first_token_decides(llmhealth):
    with provider([chat(""), 0.3, chat("hi"), 20, chat("there")]) as (base, seen):
        begun = time.monotonic()
        status, entry = entry_of(llmhealth, {"model_list": [deployment("a", "openai/m", base + "/v1")]})
        assert (status, entry["state"]) == (0, "healthy"), entry
        assert time.monotonic() - begun < 15
        assert 300 <= entry["time_to_first_token_ms"] <= entry["latency_ms"] < 15000
        path, body, _ = seen[0]
        assert (path, body["stream"], body["max_tokens"]) == ("/v1/chat/completions", True, 16)


@pytest.mark.parametrize("model, path, pieces", [
    ("anthropic/c", "/v1/messages", [
        'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":9}}}\n\n', 0.2,
        'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"H"}}\n\n', 20]),
    ("gemini/g", "/models/g:streamGenerateContent?alt=sse", [
        0.2, 'data: {"candidates":[{"content":{"parts":[{"text":"H"}]}}]}\r\n\r\n', 20]),
])
def test_other_formats(llmhealth, model, path, pieces):
    with provider(pieces) as (base, seen):
        status, entry = entry_of(llmhealth, {"model_list": [deployment("a", model, base)]})
        assert (status, entry["state"]) == (0, "healthy"), entry
        assert 200 <= entry["time_to_first_token_ms"] < 15000
        assert seen[0][0].partition("&key=")[0].partition("?key=")[0] == path


@pytest.mark.parametrize("pieces, kind, end, reason, words", [
    ([], "text/event-stream", True, "bad_response", "the stream is empty"),
    ([chat("")], "text/event-stream", True, "bad_response", "cut off before any content"),
    ([chat("")], "text/event-stream", False, "connect", "cut off"),
    (["data: {\n\n", 20], "text/event-stream", True, "bad_response", "an event is no JSON"),
    ([chat(""), 'data: {"error":{"message":"Rate limit reached"}}\n\n', 20], "text/event-stream", True,
     "rate_limited", "Rate limit reached"),
    (['{"choices":[{"message":{"content":"hi"}}]}'], "application/json", True, "bad_response",
     "no stream of events (content-type application/json)"),
    (["data: " + "x" * 70000, 20], "text/event-stream", True, "bad_response", "longer than any is"),
])
def test_what_is_no_stream(llmhealth, pieces, kind, end, reason, words):
    with provider(pieces, kind=kind, end=end) as (base, _):
        status, entry = entry_of(llmhealth, {"model_list": [deployment("a", "openai/m", base)]})
        assert (status, entry["reason"]) == (1, reason), entry
        assert words in entry["detail"] and "time_to_first_token_ms" not in entry, entry


def test_one_that_never_comes(llmhealth):
    with provider([chat(""), 30]) as (base, _):
        status, entry = entry_of(llmhealth, {"model_list": [
            deployment("a", "openai/m", base, health_check_timeout=1)]})
        assert (status, entry["reason"]) == (1, "timeout"), entry


def test_shown(llmhealth, standin):
    standin.behaviour("m", "drip=60/30")
    config = {"model_list": [deployment("a", "openai/m", standin.url)]}
    table = llmhealth.check(config)
    assert table.returncode == 0 and "first token after " in table.stdout, table.stdout
    daemon = llmhealth.serve({**config, "general_settings": {"background_health_checks": True}})
    wait_for(lambda: daemon.health()["healthy_count"] == 1)
    entry = daemon.health()["healthy_endpoints"][0]
    assert 0 < entry["time_to_first_token_ms"] <= entry["latency_ms"]
    line = next(line for line in daemon.get("/metrics").text.splitlines()
                if line.startswith("llmhealth_deployment_time_to_first_token_seconds{"))
    assert abs(float(line.split()[-1]) * 1000 - entry["time_to_first_token_ms"]) < 0.01
    assert standin.requests()[0]["headers"]["authorization"] == "Bearer " + KEY


def test_refused(llmhealth):
    done = llmhealth.validate({"model_list": [
        {"model_name": "e", "litellm_params": {"model": "openai/e", "api_key": KEY},
         "model_info": {"mode": "embedding", "llmhealth": {"probe": "stream"}}}]})
    assert done.returncode == 2
    assert "the probe `stream` is not known of provider openai in mode embedding" in done.stdout
