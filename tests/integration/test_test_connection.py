# SPDX-License-Identifier: Apache-2.0
"""POST /health/test_connection by friends and by thieves: no configured key may leave for a caller's
address, and no address that a caller must not reach is asked."""

import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from openapi import describe
from program import wait_for

MASTER, VIEWER = "sk-master-of-all", "sk-only-reads"
CONFIGURED = "sk-configured-key-7"
PATH = "/health/test_connection"


class Thief:
    """A server that writes down all that it is sent, and answers as it is told."""

    def __init__(self):
        self.seen = []
        self.answer = (200, {}, {"choices": [{"message": {"content": "hi"}}]})
        thief = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                thief.seen.append((self.path, str(self.headers), body.decode()))
                status, headers, answer = thief.answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                data = json.dumps(answer).encode()
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def text(self):
        return "".join(map(str, self.seen))


@pytest.fixture
def thief():
    t = Thief()
    yield t
    t.server.shutdown()
    t.server.server_close()


@pytest.fixture
def config(standin):
    def deployment(name, model, ident, **more):
        return {"model_name": name, "litellm_params": {"model": model, "api_base": standin.url,
                "api_key": CONFIGURED, **more}, "model_info": {"id": ident}}
    slow = deployment("slow", "openai/latency=2000", "id-slow")
    slow["model_info"]["disable_background_health_check"] = True
    return {"model_list": [deployment("good", "openai/ok", "id-good"), deployment("bad", "openai/e401", "id-bad"),
                           deployment("mine/*", "openai/*", "id-any"),
                           slow,
                           {"model_name": "lost", "litellm_params": {"model": "nobody-knows"},
                            "model_info": {"id": "id-lost"}}],
            "general_settings": {"master_key": MASTER, "background_health_checks": True},
            "llmhealth": {"keys": {"on-call": {"role": "viewer", "key": VIEWER}}}}


@pytest.fixture
def daemon(llmhealth, config):
    d = describe(llmhealth.serve(config))
    yield d
    if d.process.poll() is None:
        d.stop()
    assert CONFIGURED not in "".join(d.bodies) + d.stderr + d.stdout


def ask(daemon, key=MASTER, **body):
    answer = daemon.request("POST", PATH, key, body=body)
    assert answer.status == 200, answer.text
    return answer.json["status"], answer.json["result"]


def test_deployments(daemon):
    assert ask(daemon, litellm_params={"model": "good"})[0] == "success"
    status, result = ask(daemon, litellm_params={}, model_info={"id": "id-bad"})
    assert status == "error" and result["reason"] == "auth" and result["exception_status"] == 401
    status, result = ask(daemon, litellm_params={"model": "openai/e503"}, model_info={"id": "id-good"})
    assert status == "error" and result["reason"] == "server_error" and result["model"] == "openai/e503"
    status, result = ask(daemon, litellm_params={"model": "good"}, mode="embedding")
    assert status == "success" and result["latency_ms"] > 0
    status, result = ask(daemon, litellm_params={"model": "lost"})
    assert status == "error" and "nobody-knows" in result["error"]
    assert ask(daemon, litellm_params={"model": "anthropic/claude"}, model_info={"id": "id-good"})[0] == "error"


def test_nothing_of_it_is_kept(daemon):
    wait_for(lambda: daemon.health(MASTER)["unknown_count"] == 0)
    before = daemon.health(MASTER)["healthy_endpoints"]
    ask(daemon, litellm_params={"model": "openai/e503"}, model_info={"id": "id-good"})
    assert daemon.health(MASTER)["healthy_endpoints"] == before


def test_a_stolen_base_gets_no_configured_key(daemon, thief):
    for params in ({"model": "good", "api_base": thief.url + "/v1"},
                   {"model": "openai/ok", "api_base": thief.url + "/v1"},
                   {"model": "good", "base_url": thief.url}, {"model": "openai/x", "api_base": thief.url},
                   {"model": "good", "api_base": thief.url, "organization": "x"},
                   {"model": "good", "api_base": thief.url, "litellm_credential_name": "any"}):
        for info in ({}, {"id": "id-good"}):
            status, result = ask(daemon, litellm_params=params, model_info=info)
            assert status == "error" and result["reason"] == "config", params
    assert thief.seen == []
    status, _ = ask(daemon, litellm_params={"model": "good", "api_base": thief.url + "/v1", "api_key": "sk-of-caller"})
    assert status == "success" and "Bearer sk-of-caller" in thief.text()
    assert CONFIGURED not in thief.text()


def test_a_credential_by_its_name(llmhealth, thief):
    """It goes where the configuration sends it, with the model that was asked for, and nowhere else."""
    stored = {"model_name": "stored", "litellm_params": {"model": "openai/emb", "litellm_credential_name": "cred"},
              "model_info": {"id": "id-stored", "mode": "embedding"}}
    other = {"model_name": "other", "litellm_params": {"model": "openai/ok", "api_base": thief.url + "/other",
             "api_key": "sk-of-other"}}
    d = llmhealth.serve({"model_list": [other, stored], "general_settings": {
        "master_key": MASTER, "background_health_checks": False},
        "credential_list": [{"credential_name": "cred", "credential_values": {
            "api_base": thief.url + "/stored", "api_key": CONFIGURED}}]})
    for params in ({"model": "openai/ok"}, {"model": "other"}, {"model": "openai/new"}):
        thief.seen.clear()
        status, result = ask(d, litellm_params={**params, "litellm_credential_name": "cred"})
        assert status == "success", result
        (path, headers, body), = thief.seen
        assert path == "/stored/chat/completions" and f"Bearer {CONFIGURED}" in headers
        assert json.loads(body)["model"] == params["model"].replace("other", "ok").removeprefix("openai/")
        assert result["model"] == params["model"] and "api_base" not in result
    thief.seen.clear()
    for params in ({"model": "openai/ok", "litellm_credential_name": "nobody's"},
                   {"model": "groq/ok", "litellm_credential_name": "cred"},
                   {"model": "openai/ok", "litellm_credential_name": "cred", "api_base": thief.url},
                   {"model": "openai/ok", "litellm_credential_name": "cred", "extra_headers": {"a": "b"}},
                   {"model": "openai/ok", "litellm_credential_name": ["cred"]}):
        status, result = ask(d, litellm_params=params)
        assert status == "error", params
    assert thief.seen == []


@pytest.mark.parametrize("extra", [{"api_version": "1"}, {"custom_llm_provider": "openai"}, {"never_heard_of": "x"},
                                   {"extra_headers": {"x-forwarded-for": "1"}}, {"ssl_verify": False}])
def test_any_other_parameter_drops_the_configured_key(daemon, standin, extra):
    status, result = ask(daemon, litellm_params={"model": "openai/ok", **extra}, model_info={"id": "id-good"})
    assert status == "error" and "api_key" in result["error"] + result.get("detail", "") or extra == {
        "extra_headers": {"x-forwarded-for": "1"}}
    assert CONFIGURED not in json.dumps(result)


def test_redirects_carry_no_key(daemon, thief, standin):
    other = Thief()
    try:
        for status in (301, 302, 303, 307, 308):
            thief.answer = (status, {"location": other.url + "/v1/chat/completions"}, {})
            said, result = ask(daemon, litellm_params={"model": "openai/x", "api_base": thief.url, "api_key": "sk-c"})
            assert said == "error", result
        for place in ("http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "gopher://127.0.0.1:1/x"):
            thief.answer = (307, {"location": place}, {})
            assert ask(daemon, litellm_params={"model": "openai/x", "api_base": thief.url, "api_key": "k"})[0] == "error"
        assert other.seen == []
        said, _ = ask(daemon, litellm_params={"model": f"openai/redirect={other.url}"}, model_info={"id": "id-good"})
        assert said == "error" and other.seen == []
    finally:
        other.server.shutdown()
        other.server.server_close()


@pytest.mark.parametrize("base", [
    "http://169.254.169.254/latest", "http://2852039166/", "http://0xa9fea9fe/", "http://0251.0376.0251.0376/",
    "http://[fe80::1]/", "http://[::ffff:169.254.169.254]/", "http://user@169.254.169.254/", "http://169.254.1.1:80"])
def test_link_local_is_refused(daemon, base):
    status, result = ask(daemon, litellm_params={"model": "openai/x", "api_base": base, "api_key": "k", "timeout": 3})
    assert status == "error"
    assert "link-local" in result["detail"] or "metadata" in result["detail"], result


@pytest.mark.parametrize("base", ["file:///etc/passwd", "ftp://127.0.0.1/", "127.0.0.1", "http://", "http://a b/",
                                  "http://127.0.0.1#x", "unix:/run/x", "http://h\r\nx: y/", "\u0000"])
def test_no_url(daemon, base):
    assert ask(daemon, litellm_params={"model": "openai/x", "api_base": base, "api_key": "k"})[0] == "error"


def test_a_name_that_resolves_to_link_local(llmhealth, config, tmp_path):
    """Its own /etc/hosts needs a mount namespace of its own."""
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-m", "true"], capture_output=True).returncode != 0:
        pytest.skip("no mount namespace can be made here")
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n169.254.169.254 metadata.example.test\nfe80::1 six.example.test\n")
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(f"#!/bin/sh\nexec {unshare} -m sh -c 'mount --bind {hosts} /etc/hosts && exec \"$0\" \"$@\"' "
                       f"{llmhealth.program} \"$@\"\n")
    wrapper.chmod(0o755)
    llmhealth.program = wrapper
    d = llmhealth.serve(config)
    for name in ("metadata.example.test", "six.example.test"):
        status, result = ask(d, litellm_params={"model": "openai/x", "api_base": f"http://{name}/v1", "api_key": "k"})
        assert status == "error" and "link-local" in result["detail"] + "" or "metadata" in result["detail"], result


@pytest.mark.parametrize("body", [
    {"litellm_params": {"model": "openai/ok", "api_key": "os.environ/HOME"}},
    {"litellm_params": {"model": "os.environ/HOME"}}, {"model_info": {"a": [{"b": ["os.environ/HOME"]}]}},
    {"os.environ/HOME": 1}])
def test_environ_is_refused(daemon, body):
    answer = daemon.request("POST", PATH, MASTER, body=body)
    assert answer.status == 400
    assert answer.json["detail"]["error"].startswith("Environment variable references are not permitted")


def test_environ_is_refused_however_it_is_spelt(daemon):
    for text in (r'{"litellm_params":{"model":"openai/ok","api_key":"\u006fs.environ/HOME"}}',
                 r'{"litellm_params":{"model":"openai/ok","api_key":"os.environ\/HOME"}}'):
        assert daemon.request("POST", PATH, MASTER, body=text).status == 400


@pytest.mark.parametrize("text, status", [
    ("[]", 422), ("{", 422), ('{"litellm_params":[]}', 422), ('{"mode":"x"}', 422), ('{"mode":5}', 422), ("nul", 422),
    ('{"litellm_params":{"model":"openai/x","api_key":"k","headers":{"Host":"x"}}}', 400),
    ('{"litellm_params":{"model":"openai/x","api_key":"k","headers":{"a":"b\\r\\nc: d"}}}', 400),
    ('{"litellm_params":{"model":"openai/x","api_key":"k","headers":{"a b":"c"}}}', 400),
    ('{"litellm_params":{"model":"openai/x","api_key":"k","headers":7}}', 400),
    ("[" * 100000, 422), ('{"a":"' + "\\ud800" + '"}', 422), ("x" * 1100000, 413),
    ('{"litellm_params":{"model":"openai/x",' + ",".join(f'"p{i}":1' for i in range(100)) + "}}", 400)],
    ids=lambda value: repr(value)[:40])
def test_wrong_bodies(daemon, text, status):
    answer = daemon.request("POST", PATH, MASTER, body=text)
    assert answer.status == status, answer.text
    assert "detail" in answer.json


def test_a_key_with_a_line_break_is_not_sent(daemon, thief):
    status, _ = ask(daemon, litellm_params={"model": "openai/x", "api_base": thief.url, "api_key": "k\r\nx-evil: 1"})
    assert status == "error" and "x-evil" not in thief.text()


def test_who_may(llmhealth, daemon, config):
    body = {"litellm_params": {"model": "good"}}
    assert daemon.request("POST", PATH, VIEWER, body=body).status == 403
    assert daemon.request("POST", PATH, "sk-nobody", body=body).status == 400
    assert daemon.request("POST", PATH, body=body).status == 401
    del config["general_settings"]["master_key"], config["llmhealth"]["keys"]
    d = llmhealth.serve(config)
    assert d.request("POST", PATH, body=body).status == 403


def test_chunked_body(daemon):
    text = json.dumps({"litellm_params": {"model": "good"}}).encode()
    with socket.create_connection((daemon.host, daemon.port), 10) as s:
        s.sendall(f"POST {PATH} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {MASTER}\r\n"
                  "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode())
        for byte in text:
            s.sendall(b"1\r\n" + bytes([byte]) + b"\r\n")
        s.sendall(b"0\r\n\r\n")
        answer = b""
        while more := s.recv(65536):
            answer += more
    assert b" 200 OK" in answer and b'"status":"success"' in answer


def test_a_client_that_goes_ends_its_test(daemon):
    body = json.dumps({"litellm_params": {}, "model_info": {"id": "id-slow"}}).encode()
    for _ in range(20):
        with socket.create_connection((daemon.host, daemon.port), 10) as s:
            s.sendall(f"POST {PATH} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {MASTER}\r\n"
                      f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
            time.sleep(0.02)
    # More than may run at a time have come and gone; there is room again.
    wait_for(lambda: daemon.get("/health/backlog", MASTER).json["in_flight_requests"] == 1)
    assert ask(daemon, litellm_params={"model": "good"})[0] == "success"


def test_too_many_at_a_time(daemon):
    body = json.dumps({"litellm_params": {}, "model_info": {"id": "id-slow"}}).encode()
    request = (f"POST {PATH} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {MASTER}\r\n"
               f"Content-Length: {len(body)}\r\n\r\n").encode() + body
    clients = [socket.create_connection((daemon.host, daemon.port), 10) for _ in range(16)]
    for s in clients:
        s.sendall(request)
    wait_for(lambda: daemon.get("/health/backlog", MASTER).json["in_flight_requests"] == 17)
    assert daemon.request("POST", PATH, MASTER, body=body.decode()).status == 429
    for s in clients:
        s.close()


def test_a_worker_that_dies_meanwhile(daemon):
    for pid in daemon.workers:
        answers = []
        thread = threading.Thread(target=lambda: answers.append(
            ask(daemon, litellm_params={}, model_info={"id": "id-slow"})))
        thread.start()
        wait_for(lambda: daemon.get("/health/backlog", MASTER).json["in_flight_requests"] == 2)
        os.kill(pid, signal.SIGKILL)
        thread.join(20)
        assert answers and answers[0][0] == "success"
