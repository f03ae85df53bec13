# SPDX-License-Identifier: Apache-2.0
"""The worker alone, driven over its sockets, against the stand-in provider: every way in which an answer
can be right, wrong, late or cut; TLS, proxies, redirects; two-phase targets; peers that misbehave."""

import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import threading
import time

import pytest

from program import need_localhost
from frames import HEADER, MESSAGES, Child, Gone, encode, settings

KEY = "sk-canary-7f3a9c1e5b2d8046"
REASONS = re.findall(r'^REASON\(\w+, "(\w+)"', (pathlib.Path(__file__).resolve().parents[2] /
                                              "shared" / "reasons.def").read_text(), re.M)
REUSED, TLS, RESUMED = 1, 2, 4
WRONG_GENERATION, UNKNOWN, STOPPING = 1, 2, 3


class Worker(Child):
    """Started, configured with targets, and with a front."""

    def __init__(self, builddir, **options):
        super().__init__(builddir / "llmhealth-worker", **options)
        self.send("start", index=0, log_level=7)
        self.generation = 0
        self.jobs = 0
        self.front = None

    def configure(self, *targets, full=True, count=None, remove=(), **changed):
        self.generation += 1
        self.send("conf_begin", generation=self.generation, full=full, settings=settings(**changed))
        for handle in remove:
            self.send("conf_remove", generation=self.generation, handle=handle)
        for target in targets:
            self.send("conf_target", **{**target, "generation": self.generation})
        self.send("conf_commit", generation=self.generation, count=len(targets) if count is None else count)
        assert self.receive("ready")["generation"] == self.generation
        if self.front is None:
            self.front = self.give_peer()

    def start_job(self, handle=0, **values):
        self.jobs += 1
        self.front.send("job", **{"job": self.jobs, "generation": self.generation, "handle": handle, **values})
        return self.jobs

    def probe(self, handle=0, seconds=10):
        job = self.start_job(handle)
        result = self.front.receive("result", seconds, job=job)
        result["reason"] = REASONS[result["reason"]]
        assert KEY not in json.dumps(result)
        return result


def target(base, model="ok", handle=0, **values):
    return {"handle": handle, "id": f"id-{handle}", "provider": "openai", "dialect": "openai", "mode": 0,
            "model": model, "api_base": base, "secrets": {"api_key": KEY}, "max_tokens": 16, "timeout_ms": 5000,
            "ssl_verify": True, **values}


@pytest.fixture
def worker(builddir):
    with Worker(builddir) as child:
        yield child


def test_a_healthy_answer(worker, standin):
    worker.configure(target(standin.url))
    result = worker.probe()
    assert result["healthy"] and result["reason"] == "ok" and result["http_status"] == 200
    assert result["error"] == result["detail"] == result["raw_request"] == ""
    assert result["tokens_in"] > 0 and result["tokens_out"] > 0
    assert 0 < result["connect_us"] < result["total_us"] and 0 < result["first_byte_us"] < result["total_us"]
    assert result["dns_us"] == result["tls_us"] == 0 and result["flags"] == 0
    assert abs(result["checked_at_ms"] / 1000 - time.time()) < 60
    assert result["headers"]["x-ratelimit-remaining-requests"] == "99"
    assert all(name.startswith("x-ratelimit-") for name in result["headers"])
    [request] = standin.requests()
    assert request["method"] == "POST" and request["path"] == "/v1/chat/completions"
    assert request["headers"]["authorization"] == "Bearer " + KEY
    assert request["headers"]["content-type"] == "application/json"
    assert request["json"]["max_tokens"] == 16 and "expect" not in request["headers"]


def test_both_greetings_are_sent_over_one_kept_connection(worker, standin):
    worker.configure(target(standin.url))
    flags = [worker.probe()["flags"] for _ in range(40)]
    assert flags == [0] + [REUSED] * 39
    texts = {r["json"]["messages"][0]["content"] for r in standin.requests()}
    assert texts == {"Hey how's it going?", "What's 1 + 1?"}
    assert standin.stats()["connections"] <= 2  # the other is ours


@pytest.mark.parametrize("words, reason, status, exception_status, said", [
    ("e400", "bad_request", 400, 400, "Unsupported parameter"),
    ("e401", "auth", 401, 401, "Incorrect API key"),
    ("e403", "permission", 403, 403, "does not have access"),
    ("e404", "not_found", 404, 404, "does not exist"),
    ("e408", "timeout", 408, 408, "timed out"),
    ("e422", "bad_request", 422, 422, "Unprocessable"),
    ("e429,retry=7", "rate_limited", 429, 429, "Rate limit reached"),
    ("quota", "quota", 429, 429, "exceeded your current quota"),
    ("e500", "server_error", 500, 500, "had an error"),
    ("e503", "server_error", 503, 503, "overloaded"),
    ("html502", "server_error", 502, 502, "502"),
    ("context", "context", 400, 400, "maximum context length"),
    ("err200", "quota", 200, None, "error"),
    ("empty", "bad_response", 200, 500, "empty"),
    ("badjson", "bad_response", 200, 500, "not JSON"),
    ("emptyobj", "bad_response", 200, 500, ""),
    ("wrongshape", "bad_response", 200, 500, ""),
    ("badutf8", "bad_response", 200, 500, ""),
    ("deep=100000", "bad_response", 200, 500, ""),
    ("cut=10", "connect", 200, 500, "after 10 bytes of the answer"),
    ("half", "connect", 200, 500, "bytes of the answer"),
    ("cutheaders", "connect", None, 500, "cut off"),
    ("close", "connect", 0, 500, "before any answer"),
    ("reset", "connect", 0, 500, "reset"),
    ("garbage", "bad_response", 0, 500, "does not answer in HTTP"),
    ("nothttp", "bad_response", 0, 500, "does not answer in HTTP"),
    ("huge=3000000", "bad_response", 200, 500, "larger than 1000000 bytes"),
    ("endless", "bad_response", 200, 500, "larger than 1000000 bytes"),
    ("hugeheaders=80000", "bad_response", 200, 500, "headers are too large"),
    ("manyheaders=5000", "bad_response", 200, 500, "headers are too large"),
])
def test_what_is_not_healthy(worker, standin, words, reason, status, exception_status, said):
    worker.configure(target(standin.url, words))
    result = worker.probe()
    assert not result["healthy"] and result["reason"] == reason, result
    if status is not None:
        assert result["http_status"] == status, result
    if exception_status is not None:
        assert result["exception_status"] == exception_status, result
    assert result["error"].startswith("litellm.") and said in result["detail"], result
    shown = json.loads(result["raw_request"])
    assert shown["raw_request_api_base"] == standin.url + "/"
    assert shown["raw_request_headers"] == {"Authorization": "Be****46"}
    assert shown["raw_request_body"]["model"] == words and shown["error"] is None
    assert result["retry_after_ms"] == (7000 if "retry" in words else 20000 if words == "e429" else -1)


@pytest.mark.parametrize("words", ["chunked", "gzip", "notokens", "norates", "drip=40/1", "goodbye"])
def test_what_is_healthy_all_the_same(worker, standin, words):
    worker.configure(target(standin.url, words))
    assert worker.probe()["healthy"]


@pytest.mark.parametrize("words, said", [
    ("hang", "the request was sent"), ("hangbody", "0 bytes had come"), ("drip=1/100", "the request was sent"),
    ("drip=40/40", "status 200 and")])
def test_too_late(worker, standin, words, said):
    worker.configure(target(standin.url, words, timeout_ms=400))
    began = time.monotonic()
    result = worker.probe()
    assert 0.35 < time.monotonic() - began < 5
    assert result["reason"] == "timeout" and result["exception_status"] == 408
    assert result["error"] == "Timeout exceeded" and said in result["detail"] and "400 ms" in result["detail"]
    assert result["raw_request"] == "" and result["total_us"] > 350000


def test_the_timeout_of_the_request_is_told_from_that_of_the_check(worker, standin):
    worker.configure(target(standin.url, "hang", attempt_timeout_ms=300))
    result = worker.probe()
    assert result["reason"] == "timeout" and result["error"].startswith("litellm.Timeout: ")
    assert json.loads(result["raw_request"])["raw_request_body"]["model"] == "hang"


def test_a_hanging_provider_holds_up_nobody(worker, standin):
    worker.configure(target(standin.url, "hang", timeout_ms=3000), target(standin.url, handle=1))
    hanging = worker.start_job(0)
    began = time.monotonic()
    assert worker.probe(1)["healthy"] and time.monotonic() - began < 2
    assert worker.front.receive("result", job=hanging)["exception_status"] == 408


def test_nobody_listens(worker):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        worker.configure(target(f"http://127.0.0.1:{port}/v1"))
        result = worker.probe()
    assert result["reason"] == "connect" and result["http_status"] == 0
    assert result["detail"] == f"connection refused by 127.0.0.1:{port}"


def test_a_name_that_does_not_resolve(worker):
    worker.configure(target("http://no-such-host.invalid/v1", timeout_ms=20000),
                     target("http://no-such-host.invalid/v2", handle=1, timeout_ms=20000))
    for handle in 0, 1:
        result = worker.probe(handle, 25)
        assert result["reason"] == "dns" and "no-such-host.invalid" in result["detail"], result


def test_a_name_that_resolves(worker, standin):
    name = socket.gethostname()
    try:
        address = socket.gethostbyname(name)
    except OSError:
        pytest.skip("this machine's own name does not resolve")
    with socket.create_server((address, 0)) as listener:
        def serve():
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\n{}")
            connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        worker.configure(target(f"http://{name}:{listener.getsockname()[1]}/v1"))
        result = worker.probe()
        thread.join()
    assert result["http_status"] == 503 and result["dns_us"] > 0


@pytest.mark.parametrize("host, what", [
    ("169.254.169.254", "link-local"), ("[fe80::1]", "link-local"), ("100.100.100.200", "metadata"),
    ("[fd00:ec2::254]", "metadata"), ("[::ffff:169.254.169.254]", "link-local"), ("2852039166", "link-local")])
def test_addresses_that_are_refused(worker, host, what):
    worker.configure(target(f"http://{host}/latest", timeout_ms=3000))
    result = worker.probe()
    assert result["reason"] == "config" and what in result["detail"], result


def test_link_local_addresses_where_they_are_allowed(worker):
    base = "http://[fe80::1%25lo]:9/v1"  # of the loopback interface: nothing leaves this machine
    worker.configure(target(base), target(base, handle=1, timeout_ms=300, allow_link_local=True))
    assert "link-local" in worker.probe(0)["detail"]
    assert worker.probe(1)["reason"] in ("timeout", "connect")


def test_an_echoed_key_is_masked_everywhere(worker, standin):
    other = "another-secret-0815"
    worker.configure(target(standin.url, "echokey"),
                     target(standin.url, "echokey", handle=1, headers={"X-Api-Key": other}, secrets={},
                            provider="hosted_vllm"))
    result = worker.probe()
    assert "sk****46" in result["error"] and "sk****46" in result["detail"]
    assert other not in json.dumps(worker.probe(1))
    assert KEY not in worker.log() and other not in worker.log()


def test_describe_shows_the_request_without_the_key(worker, standin):
    worker.configure(target(standin.url, headers={"X-Team": "a", "X-Secret-Thing": "hush-hush-hush"}),
                     target("no url", handle=1), target(standin.url, handle=2, secrets={}))
    worker.send("describe", handle=0)
    d = worker.receive("described")
    assert d["reason"] == 0 and d["method"] == "POST" and d["url"] == standin.url + "/chat/completions"
    assert d["headers"]["Authorization"] == "Be****46" and d["headers"]["X-Team"] == "a"
    assert d["headers"]["X-Secret-Thing"] == "hu****sh" and json.loads(d["body"])["model"] == "ok"
    assert KEY not in json.dumps(d)
    for handle, said in ((1, "not a URL"), (2, "no key"), (77, "no such target")):
        worker.send("describe", handle=handle)
        d = worker.receive("described", handle=handle)
        assert REASONS[d["reason"]] in ("config", "auth") and said in d["error"] and d["url"] == "", d
    assert standin.requests() == []


def test_what_cannot_be_asked_is_said_without_a_request(worker, standin):
    worker.configure(target(standin.url, secrets={}), target(standin.url, handle=1, dialect="nothing-like-it"))
    for handle in 0, 1:
        result = worker.probe(handle)
        assert result["reason"] in ("config", "auth") and result["raw_request"] == "null"
        assert result["http_status"] == 0 and result["total_us"] == 0
    assert "nothing-like-it" in result["detail"]
    assert standin.stats()["requests"] == 0


# Redirects

def test_a_redirect_to_the_same_host_is_followed(worker, standin):
    worker.configure(target(standin.url, "redirect=/v1/embeddings?standin=ok"))
    worker.probe()
    first, second = standin.requests()
    assert second["path"] == "/v1/embeddings" and second["method"] == "POST"
    assert second["headers"]["authorization"] == "Bearer " + KEY and second["body"] == first["body"]


def test_a_redirect_from_http_to_https_of_the_same_host_is_followed(worker, standin):
    standin.behaviour("ok", f"redirect=https://localhost:{standin.https_port}/v1/chat/completions")
    worker.configure(target(f"http://localhost:{standin.port}/v1", ca_file=str(standin.ca)))
    worker.probe()
    assert standin.stats()["tls_handshakes"] == 1


def test_redirects_without_end(worker, standin):
    standin.behaviour("ok", f"redirect={standin.url}/chat/completions")
    worker.configure(target(standin.url))
    result = worker.probe()
    assert not result["healthy"] and result["http_status"] == 307 and len(standin.requests()) == 4


@pytest.mark.parametrize("where", ["http://localhost:{port}/v1/chat/completions",
                                   "http://127.0.0.1:{other}/v1/chat/completions",
                                   "//localhost:{port}/x", "gopher://127.0.0.1:{port}/", "file:///etc/passwd"])
def test_a_redirect_elsewhere_is_not_followed(worker, standin, builddir, where):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = where.format(port=standin.port, other=listener.getsockname()[1])
        standin.behaviour("ok", "redirect=" + url)
        worker.configure(target(standin.url))
        result = worker.probe()
        listener.settimeout(0.05)
        with pytest.raises(TimeoutError):
            listener.accept()
    assert not result["healthy"] and result["http_status"] == 307
    assert len(standin.requests()) == 1
    if where.startswith("http"):
        assert "not followed" in result["detail"]


# TLS

def test_tls_is_verified_by_a_ca_file(worker, standin):
    worker.configure(target(standin.https_url, ca_file=str(standin.ca)))
    result = worker.probe()
    assert result["healthy"] and result["flags"] == TLS and result["tls_us"] > 0


def test_tls_of_an_unknown_ca(worker, standin):
    worker.configure(target(standin.https_url))
    result = worker.probe()
    assert result["reason"] == "tls" and "CA that is not trusted" in result["detail"], result
    assert standin.stats()["requests"] == 0


def test_tls_that_is_not_verified(worker, standin):
    worker.configure(target(standin.https_url, ssl_verify=False),
                     target(f"https://127.0.0.2:{standin.https_port}/v1", handle=1, ssl_verify=False))
    assert worker.probe()["healthy"]


def test_tls_sessions_are_resumed(worker, standin):
    worker.configure(target(standin.https_url, "ok,goodbye", ca_file=str(standin.ca)))
    flags = [worker.probe()["flags"] for _ in range(20)]
    assert flags[0] == TLS and flags[1:] == [TLS | RESUMED] * 19


def test_tls_where_two_targets_of_a_host_trust_different_cas(worker, standin, tmp_path):
    """One must not use the connection that the other has verified."""
    other = tmp_path / "other.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", os.devnull, "-out", str(other), "-subj", "/CN=other", "-days", "1"],
                   check=True, capture_output=True)
    # 17 targets: two of them share one of the worker's 16 multi handles.
    worker.configure(*[target(standin.https_url, handle=i, ca_file=str(standin.ca)) for i in range(16)],
                     *[target(standin.https_url, handle=16 + i, ca_file=str(other)) for i in range(16)],
                     *[target(standin.https_url, handle=32 + i) for i in range(16)])
    assert all(worker.probe(i)["healthy"] for i in range(16))
    assert {worker.probe(i)["reason"] for i in range(16, 48)} == {"tls"}


def test_tls_with_a_client_certificate(worker, builddir):
    from standin import Standin
    with Standin(client_cert=True) as provider:
        plain = {"ca_file": str(provider.ca)}
        worker.configure(target(provider.https_url, **plain),
                         target(provider.https_url, handle=1, client_cert=str(provider.client_pem),
                                client_key=str(provider.client_key), **plain),
                         target(provider.https_url, handle=2, client_cert="/nowhere.pem", **plain))
        without = worker.probe(0)
        assert without["reason"] == "tls" and "client certificate" in without["detail"], without
        assert worker.probe(1)["healthy"]
        assert "/nowhere.pem" in worker.probe(2)["detail"]


def test_tls_with_a_ca_file_that_is_not_there(worker, standin):
    worker.configure(target(standin.https_url, ca_file="/nowhere.pem"))
    result = worker.probe()
    assert result["reason"] == "config" and "/nowhere.pem" in result["detail"], result


def make_certificate(directory, host, days):
    key, request, pem = directory / "key.pem", directory / "request.pem", directory / "certificate.pem"
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", str(key), "-out", str(request), "-subj", "/CN=test",
                    "-addext", "subjectAltName=DNS:" + host], check=True, capture_output=True)
    subprocess.run(["openssl", "x509", "-req", "-in", str(request), "-signkey", str(key), "-days", str(days),
                    "-copy_extensions", "copy", "-out", str(pem)], check=True, capture_output=True)
    return pem, key


def serve_tls_once(listener, pem, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)

    def serve():
        connection, _ = listener.accept()
        try:
            context.wrap_socket(connection, server_side=True).close()
        except OSError:
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


@pytest.mark.parametrize("host, days, trusted, said", [
    ("elsewhere.test", 1, True, "another host name"), ("localhost", -1, True, "expired"),
    ("localhost", 1, False, "self-signed")])
def test_tls_with_a_wrong_certificate(worker, tmp_path, host, days, trusted, said):
    pem, key = make_certificate(tmp_path, host, days)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = serve_tls_once(listener, pem, key)
        worker.configure(target(f"https://localhost:{listener.getsockname()[1]}/v1",
                                ca_file=str(pem) if trusted else ""))
        result = worker.probe()
        thread.join()
    assert result["reason"] == "tls" and said in result["detail"], result


def test_https_where_plain_http_is_spoken(worker, standin):
    worker.configure(target(f"https://127.0.0.1:{standin.port}/v1"))
    result = worker.probe()
    assert result["reason"] == "tls" and "does not speak TLS" in result["detail"], result


# Proxies

class Proxy:
    """Notes the first line of each request; answers CONNECT with a tunnel to where it says."""

    def __init__(self, status=200):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.status = status
        self.heads = []
        self.open = True
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        self.listener.settimeout(0.1)
        while self.open:
            try:
                client, _ = self.listener.accept()
            except TimeoutError:
                continue
            with client:
                client.settimeout(5)
                head = client.recv(65536)
                self.heads.append(head.decode())
                self.answer(client, head)

    def answer(self, client, head):
        method, where, _ = head.split(b"\r\n")[0].decode().split(" ")
        if self.status != 200:
            client.sendall(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % self.status)
            return
        place = where if method == "CONNECT" else re.match(r"http://([^/]+)", where)[1]
        host, port = place.rsplit(":", 1)
        with socket.create_connection((host, int(port))) as server:
            if method == "CONNECT":
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                server.sendall(head.replace(where.encode(), where[where.index("/v1"):].encode(), 1))
            pump = threading.Thread(target=self.copy, args=(server, client))
            pump.start()
            self.copy(client, server)
            pump.join()

    def copy(self, source, to):
        try:
            while data := source.recv(65536):
                to.sendall(data)
        except OSError:
            pass
        for s in source, to:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.open = False
        self.thread.join()
        self.listener.close()


def test_a_proxy_is_used_where_the_target_has_one(builddir, standin):
    need_localhost()
    with Proxy() as proxy, Worker(builddir) as worker:
        url = f"http://user:proxy-pass-word@127.0.0.1:{proxy.port}"
        worker.configure(target(standin.url, "ok,goodbye", proxy=url),
                         target(standin.https_url, "ok,goodbye", handle=1, proxy=url, ca_file=str(standin.ca)),
                         target(standin.url, handle=2, proxy=url, no_proxy="example.com, 127.0.0.1"))
        assert worker.probe(0)["healthy"]
        assert proxy.heads[0].startswith(f"POST {standin.url}/chat/completions ")
        assert "Proxy-Authorization: Basic" in proxy.heads[0]
        assert worker.probe(1)["healthy"]
        assert proxy.heads[1].startswith("CONNECT localhost:") and KEY not in proxy.heads[1]
        assert worker.probe(2)["healthy"] and len(proxy.heads) == 2


def test_a_proxy_that_refuses(builddir, standin):
    with Proxy(status=407) as proxy, Worker(builddir) as worker:
        worker.configure(target(standin.https_url, proxy=f"http://u:proxy-pass-word@127.0.0.1:{proxy.port}"))
        result = worker.probe()
        assert result["reason"] == "connect" and "status 407" in result["detail"], result
        assert "proxy-pass-word" not in json.dumps(result)


def test_proxies_of_the_environment_are_not_used(builddir, standin):
    dead = "http://127.0.0.1:9"
    with Worker(builddir, env={"http_proxy": dead, "HTTPS_PROXY": dead, "ALL_PROXY": dead}) as worker:
        worker.configure(target(standin.url), target(standin.https_url, handle=1, ca_file=str(standin.ca)))
        assert worker.probe(0)["healthy"] and worker.probe(1)["healthy"]


# Limits

def test_the_limit_of_an_answer_is_a_setting(worker, standin):
    worker.configure(target(standin.url, "huge=5000"), MAX_BODY="2048")
    assert "larger than 2048 bytes" in worker.probe()["detail"]
    worker.configure(target(standin.url, "huge=5000"), MAX_BODY="1MB")
    assert worker.probe()["healthy"]


def test_many_probes_at_a_time_and_two_of_one_target(worker, standin):
    worker.configure(target(standin.url, "latency=300"), *[
        target(standin.url, "latency=300", handle=i) for i in range(1, 200)])
    jobs = [worker.start_job(i) for i in range(200)] + [worker.start_job(0), worker.start_job(0)]
    results = [worker.front.next() for _ in jobs]
    assert sorted(r["job"] for r in results) == sorted(jobs) and all(r["healthy"] for r in results)
    assert standin.stats()["peak_in_flight"] == 202


# Generations and peers

def test_a_job_of_another_generation_is_refused(worker, standin):
    worker.configure(target(standin.url))
    worker.configure(target(standin.url), full=False, count=1)
    job = worker.start_job(0, generation=1)
    refused = worker.front.receive("job_refused")
    assert (refused["job"], refused["generation"], refused["why"]) == (job, 2, WRONG_GENERATION)
    worker.start_job(99)
    assert worker.front.receive("job_refused")["why"] == UNKNOWN
    assert standin.stats()["requests"] == 0


def test_a_generation_brings_only_differences(worker, standin):
    worker.configure(target(standin.url, "e401"), target(standin.url, "e404", handle=1))
    assert worker.probe(0)["http_status"] == 401
    worker.configure(target(standin.url, "e403", handle=1), target(standin.url, "e500", handle=7), full=False,
                     count=2, remove=[0])
    assert worker.probe(1)["http_status"] == 403 and worker.probe(7)["http_status"] == 500
    worker.start_job(0)
    assert worker.front.receive("job_refused")["why"] == UNKNOWN


def test_a_target_that_goes_while_it_is_asked(worker, standin):
    worker.configure(target(standin.url, "latency=300"))
    job = worker.start_job(0)
    time.sleep(0.1)
    worker.configure(full=False, count=0, remove=[0])
    result = worker.front.receive("result", job=job)
    assert result["healthy"] and result["generation"] == 1


def test_nothing_is_in_force_before_the_commit(worker, standin):
    worker.configure(target(standin.url))
    worker.send("conf_begin", generation=2, full=True, settings=settings())
    worker.send("conf_target", **target(standin.url, "e500", generation=2))
    assert worker.probe()["healthy"]
    worker.send("conf_commit", generation=2, count=1)
    assert worker.receive("ready")["generation"] == 2
    worker.generation = 2
    assert worker.probe()["http_status"] == 500


def test_a_commit_of_another_number_ends_the_worker(builddir, standin):
    with Worker(builddir, status=3) as worker:
        worker.send("conf_begin", generation=1, full=True, settings=settings())
        worker.send("conf_target", **target(standin.url, generation=1))
        worker.send("conf_commit", generation=1, count=2)
        assert worker.closed() and "supervisor_disagrees" in worker.log()


def test_a_cancelled_job_gives_no_result(worker, standin):
    worker.configure(target(standin.url, "hang"), target(standin.url, handle=1))
    job = worker.start_job(0)
    time.sleep(0.2)
    worker.front.send("job_cancel", job=job)
    worker.front.send("job_cancel", job=4711)
    assert worker.probe(1)["job"] != job and worker.front.silent()


def test_a_front_that_goes_takes_its_jobs_along(worker, standin):
    worker.configure(target(standin.url, "hang"), target(standin.url, handle=1))
    worker.start_job(0)
    time.sleep(0.2)
    worker.front.close()
    worker.front = worker.give_peer()
    assert worker.probe(1)["healthy"] and worker.front.silent()


def test_a_new_front_replaces_the_old(worker, standin):
    worker.configure(target(standin.url))
    old, worker.front = worker.front, worker.give_peer()
    assert worker.probe()["healthy"] and old.closed()


@pytest.mark.parametrize("data", [
    b"GET / HTTP/1.1\r\n\r\n",
    HEADER.pack(3, 1, 0, MESSAGES["result"][0], 0) + b"abc",  # the wrong way round
    HEADER.pack(1 << 30, 1, 0, MESSAGES["job"][0], 0),
    HEADER.pack(3, 2, 0, MESSAGES["job"][0], 0) + b"abc",
    HEADER.pack(1, 1, 0, MESSAGES["job"][0], 0) + b"\xc1",
    encode("job", job=1)[:-1] + b"\xc0",
    encode("conf_target", id="from the front"),
], ids=["http", "direction", "length", "version", "msgpack", "type", "role"])
def test_a_front_that_sends_nonsense_is_thrown_out(worker, standin, data):
    worker.configure(target(standin.url))
    worker.front.send_bytes(data)
    assert worker.front.closed()
    worker.front = worker.give_peer()
    assert worker.probe()["healthy"] and "peer_malformed" in worker.log()


def test_a_supervisor_that_sends_nonsense_is_the_end(builddir):
    with Worker(builddir) as worker:
        worker.send_bytes(b"\xff" * 64)
        assert worker.closed()


def test_start_comes_first_and_once(builddir):
    with Child(builddir / "llmhealth-worker", status=3) as worker:
        worker.send("conf_begin", generation=1, settings=settings())
        assert worker.closed()
    with Worker(builddir, status=3) as worker:
        worker.send("start", index=1)
        assert worker.closed()


def test_started_by_hand(builddir):
    done = subprocess.run([str(builddir / "llmhealth-worker")], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=20)
    assert done.returncode == 2 and "llmhealth --help" in done.stderr


# The end

def test_stop_waits_for_what_is_under_way(builddir, standin):
    """And no longer: the drain time is far beyond what the test waits for the end."""
    with Worker(builddir) as worker:
        worker.configure(target(standin.url, "latency=500"))
        job = worker.start_job()
        time.sleep(0.1)
        worker.send("stop", grace_ms=0, drain_ms=600000)
        time.sleep(0.1)
        worker.start_job()
        assert worker.front.receive("job_refused")["why"] == STOPPING
        assert worker.front.receive("result", job=job)["healthy"]
        assert worker.wait() == 0


def test_stop_waits_no_longer_than_told(builddir, standin):
    with Worker(builddir) as worker:
        worker.configure(target(standin.url, "hang", timeout_ms=60000))
        worker.start_job()
        time.sleep(0.1)
        began = time.monotonic()
        worker.send("stop", grace_ms=0, drain_ms=300)
        assert worker.wait() == 0 and 0.2 < time.monotonic() - began < 10


def test_jobs_are_taken_during_the_grace_time(builddir, standin):
    with Worker(builddir) as worker:
        worker.configure(target(standin.url))
        worker.send("stop", grace_ms=1000, drain_ms=1000)
        time.sleep(0.1)
        assert worker.probe()["healthy"]
        assert worker.wait() == 0


def test_signals_meant_for_the_supervisor_do_not_end_it(worker, standin):
    worker.configure(target(standin.url))
    for number in (1, 2, 13, 15):
        os.kill(worker.pid, number)
    assert worker.probe()["healthy"]


def test_the_end_in_the_middle_of_everything(builddir, standin):
    """The supervisor goes while probes run, names are looked up and connections are kept."""
    with Worker(builddir) as worker:
        worker.configure(target(standin.url, "hang"), target(standin.https_url, handle=1, ca_file=str(standin.ca)),
                         target("http://no-such-host.invalid/", handle=2), target(standin.url, handle=3))
        worker.probe(1)
        for handle in range(4):
            worker.start_job(handle)
    with pytest.raises((Gone, OSError)):
        worker.front.send("job")
