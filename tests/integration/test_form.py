# SPDX-License-Identifier: Apache-2.0
"""The form of an answer, as the request's headers want it: compressed, not modified, problem details, request ids."""

import gzip
import re
import threading
import time
import zlib

import pytest

from exposition import parse
from test_http import KEY, front  # noqa: F401 (a fixture)

GZIP = {"Accept-Encoding": "gzip"}
PROBLEM = {"Accept": "application/json, application/problem+json"}


@pytest.fixture
def with_zlib(builddir):
    if "define HAVE_ZLIB 1" not in (builddir / "config.h").read_text():
        pytest.skip("built without zlib")


zlib_only = pytest.mark.usefixtures("with_zlib")


def one_stream(data):
    """The text, if it is one gzip member and nothing else: not every client reads a second one."""
    d = zlib.decompressobj(31)
    text = d.decompress(data) + d.flush()
    assert d.eof and not d.unused_data
    return text


@zlib_only
def test_gzip_says_the_same(front):
    front.start("--deployments", 25)
    for path in ("/health", "/v1/models", "/openapi.json", "/health/latest", "/health?model=group-001"):
        plain, packed = front.get(path), front.get(path, GZIP)
        assert plain.headers.get("content-encoding") is None
        assert packed.headers["content-encoding"] == "gzip", path
        assert one_stream(packed.body) == plain.body and len(packed.body) < len(plain.body)
        assert packed.headers["content-type"] == plain.headers["content-type"]
        for answer in (plain, packed):
            assert "Accept-Encoding" in answer.headers["vary"].split(", ")
    small = front.get("/health/liveliness", GZIP)
    assert small.body == b'"I\'m alive!"' and "Accept-Encoding" not in small.headers["vary"]


@zlib_only
@pytest.mark.parametrize("value, want", [
    ("gzip", True), ("GZip;q=0.5, br", True), ("*", True), ("x-gzip", True), ("identity", False), ("br", False),
    ("gzip;q=0", False), ("gzip;q=0, *;q=1", False), ("", False)])
def test_gzip_only_where_it_is_accepted(front, value, want):
    front.start()
    answer = front.get("/health", {"Accept-Encoding": value})
    assert (answer.headers.get("content-encoding") == "gzip") == want


@zlib_only
def test_gzip_can_be_turned_off(front):
    front.start(settings=("general_settings.background_health_checks=true", "llmhealth.http.gzip=0"))
    answer = front.get("/health", GZIP)
    assert "content-encoding" not in answer.headers and "Accept-Encoding" not in answer.headers["vary"]


@zlib_only
def test_each_encoding_has_its_tag(front):
    front.start()
    plain, packed = front.get("/health"), front.get("/health", GZIP)
    assert plain.headers["etag"] != packed.headers["etag"]
    assert packed.headers["etag"] == front.get("/health", GZIP).headers["etag"]
    for headers, tag, status in (
            (GZIP, packed.headers["etag"], 304), ({}, plain.headers["etag"], 304),
            (GZIP, plain.headers["etag"], 200), ({}, packed.headers["etag"], 200),
            (GZIP, f'{plain.headers["etag"]}, W/{packed.headers["etag"]}', 304)):
        answer = front.get("/health", {"If-None-Match": tag, **headers})
        assert answer.status == status, (headers, tag)
        assert answer.headers["etag"] == (packed if headers else plain).headers["etag"]
        assert "Accept-Encoding" in answer.headers["vary"]
        if status == 304:
            assert answer.body == b"" and "content-encoding" not in answer.headers


@zlib_only
@pytest.mark.parametrize("accept", [{}, {"Accept": "application/openmetrics-text"}])
def test_metrics_are_one_stream(front, accept):
    """The part that moves with each request and the kept one are joined."""
    front.start("--deployments", 300)
    for _ in range(3):
        answer = front.get("/metrics", {**GZIP, **accept})
        assert answer.headers["content-encoding"] == "gzip"
        text = one_stream(answer.body)
        assert text == gzip.decompress(answer.body)
        families = parse(text, bool(accept))
        assert len(families["llmhealth_deployment_up"].samples) == 300


@zlib_only
def test_a_large_body_is_packed_in_pieces(front):
    """Many ask for it at once; some go away; others are served meanwhile."""
    front.start("--deployments", 8000)
    plain = front.get("/health")
    assert len(plain.body) > 1 << 20
    answers, gone = [], [front.connect() for _ in range(5)]
    for s in gone:
        s.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nAccept-Encoding: gzip\r\n\r\n" %
                  KEY.encode())
    asking = [threading.Thread(target=lambda: answers.append(front.get("/health", GZIP))) for _ in range(8)]
    for t in asking:
        t.start()
    for s in gone:
        s.close()
    assert front.get("/health/liveliness").status == 200
    for t in asking:
        t.join()
    assert len(answers) == 8
    for answer in answers:
        assert one_stream(answer.body) == plain.body
    started = time.monotonic()
    for _ in range(20):
        assert front.get("/health", GZIP).body == answers[0].body
    kept = (time.monotonic() - started) / 20
    started = time.monotonic()
    zlib.compress(plain.body, 3)
    assert kept < time.monotonic() - started or kept < 0.05, "compressed again for each request"


@zlib_only
def test_a_body_that_changes_while_it_is_packed(front):
    front.start("--deployments", 5000, "--churn", 2000)
    for _ in range(5):
        answer = front.get("/health", GZIP)
        assert b'"healthy_count":4500' in one_stream(answer.body)
        one_stream(front.get("/metrics", GZIP).body)


@zlib_only
def test_clients_that_end_while_packing(front):
    front.start("--deployments", 5000)
    for _ in range(10):
        with front.connect() as s:
            s.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nAccept-Encoding: gzip\r\n\r\n" %
                      KEY.encode())
    assert front.get("/health/liveliness").status == 200
    assert one_stream(front.get("/health", GZIP).body)


# Problem details.

def test_problem_details(front):
    front.start()
    for path, key, status in (("/nowhere", KEY, 404), ("/health", None, 401), ("/health", "sk-wrong", 400),
                              ("/health?model=", KEY, 400), ("/health?model_id=nope", KEY, 404),
                              ("/health/history?limit=0", KEY, 422), ("/metrics", "sk-wrong", 401),
                              ("/health/services?service=slack", KEY, 422)):
        usual, problem = front.get(path, key=key), front.get(path, PROBLEM, key=key)
        assert usual.status == problem.status == status
        assert usual.headers["content-type"] == "application/json", path
        assert problem.headers["content-type"] == "application/problem+json", path
        assert "Accept" in problem.headers["vary"].split(", ")
        body = problem.json
        assert body["type"] == "about:blank" and body["status"] == status and body["title"] and body["detail"]
        theirs = usual.json
        if isinstance(theirs, dict) and isinstance(theirs.get("detail"), list):
            assert body["errors"] == theirs["detail"]
        if isinstance(theirs, dict) and "error" in theirs:
            assert body["error"] == theirs["error"]
    assert front.get("/health", PROBLEM, method="POST").json["status"] == 405
    for accept in ("application/json", "*/*", "application/problem+json;q=0"):
        assert front.get("/nowhere", {"Accept": accept}).headers["content-type"] == "application/json"


def test_verdicts_are_no_problem(front):
    """503 with the lists is an answer, not an error."""
    front.start()
    answer = front.get("/health?model=nothing", PROBLEM)
    assert answer.status == 503 and answer.headers["content-type"] == "application/json"
    assert answer.json["healthy_endpoints"] == []


def test_a_form_is_of_one_request_alone(front):
    front.start()
    with front.connect() as s:
        s.sendall(b"GET /nowhere HTTP/1.1\r\nHost: a\r\nAccept: application/problem+json\r\n\r\n"
                  b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\nbroken\r\n\r\n")
        data = b""
        while more := s.recv(65536):
            data += more
    assert re.findall(rb"content-type: (\S+)", data) == [
        b"application/problem+json", b"application/json", b"application/json"]


# Request ids.

def test_request_ids(front):
    front.start(debug=True)
    seen = set()
    for _ in range(3):
        seen.add(front.get("/health/liveliness").headers["x-request-id"])
    assert len(seen) == 3 and all(re.fullmatch(r"[0-9a-f]{16}", i) for i in seen)
    ours = {"X-Request-Id": "abc-1.2:3/4+5=_"}
    for headers, want in (
            (ours, "abc-1.2:3/4+5=_"), ({"X-Litellm-Call-Id": "call-7"}, "call-7"),
            ({**ours, "X-Litellm-Call-Id": "call-7"}, "abc-1.2:3/4+5=_"),
            ({"X-Request-Id": "not one", "X-Litellm-Call-Id": "call-7"}, "call-7"), ({"X-Request-Id": "x" * 128}, "x" * 128)):
        for path in ("/health", "/nowhere"):
            assert front.get(path, headers).headers["x-request-id"] == want
    for wrong in ("", "a b", "x" * 129, "a\tb", "\xe9", 'a"b', "a,b"):
        assert re.fullmatch(r"[0-9a-f]{16}", front.get("/health", {"X-Request-Id": wrong}).headers["x-request-id"])
    front.stop()
    for i in seen:
        assert f"id={i}" in front.errors


def test_the_request_that_asked_is_in_the_lines_of_the_probe(llmhealth, standin):
    config = {"model_list": [{"model_name": "a", "litellm_params": {
        "model": "openai/m", "api_base": standin.url, "api_key": "sk-x"}, "model_info": {"id": "one"}}],
        "general_settings": {"master_key": KEY, "background_health_checks": False}}
    d = llmhealth.serve(config, settings={"log": {"level": "debug"}})
    assert d.get("/health?model=a", KEY, {"X-Request-Id": "asked-1"}).status == 200
    test = d.request("POST", "/health/test_connection", KEY, {"X-Request-Id": "tried-1"},
                     {"litellm_params": {}, "model_info": {"id": "one"}})
    assert test.status == 200 and test.headers["x-request-id"] == "tried-1"
    generated = d.get("/health", KEY).headers["x-request-id"]
    d.stop()
    lines = d.stderr.splitlines()

    def said(event, role, request):
        return [line for line in lines if event in line and role in line and f"request={request}" in line]

    assert said("probe_begun", "front", "asked-1") and said("probe_ended", "front", "asked-1")
    for request in ("asked-1", "tried-1", generated):
        assert said("probe_ended", "worker", request), d.stderr
    assert said("test_connection", "front", "tried-1")
