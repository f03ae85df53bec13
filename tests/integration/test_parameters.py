# SPDX-License-Identifier: Apache-2.0
"""Every parameter and body of every route, as /openapi.json has them: wrong, missing, repeated, huge and in another
encoding. What comes is documented, no 5xx but those a route has for its state, and the next request is served."""

import json
from urllib.parse import quote

import pytest

from openapi import describe
from program import wait_for

KEY = "sk-master-of-all"
# Streams, and what would end the daemon.
LEFT_OUT = {"/health/events", "/health/drain"}
VALUES = {
    "empty": ("",), "a word": ("nonsense",), "negative": ("-1",), "a fraction": ("1.5",), "too large": ("9" * 30,),
    "invalid UTF-8": ("%ff%fe",), "a NUL": ("a%00b",), "a cut escape": ("%",), "another encoding": ("%E4%F6",),
    "overlong": ("%c0%ae",), "a line end": ("a%0d%0aX-Injected:%201",), "long": ("x" * 6000,),
    "repeated": ("1", "nonsense"), "markup": ("%3Cscript%3E",), "unicode": ("%E2%80%AE%F0%9F%92%A3",),
}
BODIES = {
    "nothing": b"", "no JSON": b"nonsense", "cut": b'{"model": ', "a list": b"[1, 2]", "a number": b"1e999", "null": b"null",
    "invalid UTF-8": b'{"model": "\xff"}', "UTF-16": '{"model": "x"}'.encode("utf-16"), "a NUL": b'{"model": "\\u0000"}',
    "half a surrogate": b'{"model": "\\ud800"}', "twice": b'{"model": "a", "model": "b"}', "deep": b"[" * 5000,
    "wrong types": b'{"model": 5, "messages": "x", "litellm_params": [], "mode": {}, "stream": "yes"}',
    "huge number": b'{"model": "nobody", "messages": [], "max_tokens": 1e400}',
}


@pytest.fixture
def daemon(llmhealth, standin):
    config = {"model_list": [{"model_name": "good", "model_info": {"id": "id-good"}, "litellm_params": {
        "model": "openai/ok", "api_base": standin.url, "api_key": "sk-prov-abcdwxyz"}}],
        "general_settings": {"master_key": KEY, "background_health_checks": True}}
    served = describe(llmhealth.serve(config))
    wait_for(lambda: served.health(key=KEY)["unknown_count"] == 0)
    return served


def operations(daemon):
    for path, methods in daemon.get("/openapi.json").json["paths"].items():
        for method, operation in methods.items():
            if path not in LEFT_OUT and method in ("get", "post"):
                yield quote(path), method.upper(), operation


def wrong(answer):
    """What must not be, or None."""
    if answer.status >= 500 and answer.status not in (501, 503):
        return f"status {answer.status}"
    if "x-injected" in answer.headers:
        return "a header was put in"
    if answer.status >= 400 and answer.headers["content-type"].startswith("application/json"):
        said = answer.json
        # GET /health of nobody is a list of none, as LiteLLM's.
        if not isinstance(said, dict) or not ({"error", "detail", "healthy_endpoints"} & set(said)):
            return f"another shape than LiteLLM's: {answer.text[:200]}"
    return None


def test_every_parameter(daemon):
    asked, found = 0, []
    for path, method, operation in operations(daemon):
        for parameter in operation.get("parameters", []):
            if parameter["in"] != "query":
                continue
            for what, values in VALUES.items():
                query = "&".join(f"{parameter['name']}={value}" for value in values)
                body = b"{}" if method == "POST" else None
                headers = {"Content-Type": "application/json"} if body else {}
                answer = daemon.request(method, f"{path}?{query}", KEY, headers, body)
                asked += 1
                if wrong(answer):
                    found.append((method, path, parameter["name"], what, wrong(answer)))
    assert asked > 200 and not found, found
    assert daemon.get("/health/liveliness").status == 200


def test_numbers_and_booleans_are_refused_by_name(daemon):
    refused = 0
    for path, method, operation in operations(daemon):
        for parameter in operation.get("parameters", []):
            kind = parameter.get("schema", {}).get("type")
            if method != "GET" or parameter["in"] != "query" or kind not in ("integer", "boolean"):
                continue
            answer = daemon.get(f"{path}?{parameter['name']}=nonsense", KEY)
            assert answer.status in (400, 422), (path, parameter["name"], answer.status)
            assert parameter["name"] in answer.text, (path, parameter["name"], answer.text[:300])
            refused += 1
    assert refused > 5


def test_every_body(daemon):
    asked, found = 0, []
    for path, method, operation in operations(daemon):
        if method != "POST":
            continue
        for what, body in BODIES.items():
            for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded", None):
                answer = daemon.request(method, path, KEY, {"Content-Type": kind} if kind else {}, body)
                asked += 1
                if wrong(answer) or "requestBody" in operation and answer.status < 400:
                    found.append((path, what, kind, wrong(answer) or f"status {answer.status}"))
    assert asked > 100 and not found, found
    assert daemon.get("/health/liveliness").status == 200


def test_every_method(daemon):
    for path, _, _ in operations(daemon):
        for method in ("PUT", "DELETE", "PATCH", "TRACE", "BREW"):
            answer = daemon.request(method, path, KEY)
            assert answer.status in (400, 404, 405, 501), (method, path, answer.status)
        head = daemon.request("HEAD", path, KEY)
        assert head.body == b"" and head.status < 500 or head.status == 503, (path, head.status)


def test_a_cookie_and_other_keys_decide_nothing(daemon):
    """Only the documented headers hold a key."""
    for headers in ({"Cookie": f"token={KEY}"}, {"X-Forwarded-User": "admin"}, {"Authorization": f"Digest {KEY}"}):
        assert daemon.get("/health", headers=headers).status == 401, headers
    assert json.loads(daemon.get("/health", KEY).text)["healthy_count"] == 1
