# SPDX-License-Identifier: Apache-2.0
"""Deployments whose model is a wildcard: the provider's list of models says which one is asked."""

import contextlib
import http.server
import json
import threading

KEY = "sk-canary-wild"
CHAT = {"id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}}


@contextlib.contextmanager
def provider(models, failing=(), status=200):
    """A provider with that list of models, some of which it does not have after all."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, code, body):
            data = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self):
            asked.append("GET " + self.path)
            self.answer(status, models)

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(body["model"])
            if body["model"] in failing:
                self.answer(404, {"error": {"message": "no such model", "code": "model_not_found"}})
            else:
                self.answer(200, CHAT)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        server.server_close()


def listing(*names):
    return {"object": "list", "data": [{"id": name, "object": "model"} for name in names]}


def check(llmhealth, base, model="openai/*", **info):
    config = {"model_list": [{"model_name": "all", "litellm_params": {"model": model, "api_base": base, "api_key": KEY},
                              "model_info": {"id": "id-0", "health_check_timeout": 5, **info}}]}
    done = llmhealth.check(config, "--json")
    body = json.loads(done.stdout)
    entry = (body["healthy_endpoints"] + body["unhealthy_endpoints"])[0]
    return done.returncode == 0, entry


def test_the_cheapest_known_chat_model_is_asked(llmhealth):
    names = ("text-embedding-3-small", "gpt-4o", "whisper-1", "gpt-4o-mini", "house-model", "dall-e-2")
    with provider(listing(*names)) as (base, asked):
        healthy, entry = check(llmhealth, base)
    assert healthy, entry
    assert asked == ["GET /v1/models", "gpt-4o-mini"]


def test_a_wildcard_may_mean_some_models_only(llmhealth):
    with provider(listing("gpt-4o-mini", "o3-mini", "o1")) as (base, asked):
        healthy, _ = check(llmhealth, base, "openai/o*")
    assert healthy
    assert asked == ["GET /v1/models", "o3-mini"]


def test_an_unknown_model_is_asked_where_there_is_no_other(llmhealth):
    with provider(listing("house-embedding", "house-model")) as (base, asked):
        healthy, _ = check(llmhealth, base)
    assert healthy
    assert asked == ["GET /v1/models", "house-model"]


def test_two_others_are_tried(llmhealth):
    names = ("gpt-4o-mini", "gpt-4.1", "gpt-4o", "o1")
    with provider(listing(*names), failing=("gpt-4o-mini", "gpt-4.1")) as (base, asked):
        healthy, _ = check(llmhealth, base)
        assert healthy
        assert asked == ["GET /v1/models", "gpt-4o-mini", "gpt-4.1", "gpt-4o"]
    with provider(listing(*names), failing=names) as (base, asked):
        healthy, entry = check(llmhealth, base)
        assert not healthy
        assert len(asked) == 4
        assert entry["reason"] == "not_found"


def test_what_answered_is_asked_again(llmhealth):
    """The pick is kept from probe to probe: one request each, until it fails."""
    names = ["gpt-4o-mini", "gpt-4.1", "gpt-4o"]
    failing = []
    with provider(listing(*names), failing) as (base, asked):
        config = {"model_list": [{"model_name": "all", "model_info": {"id": "id-0", "health_check_timeout": 5},
                                  "litellm_params": {"model": "openai/*", "api_base": base, "api_key": KEY}}],
                  "general_settings": {"background_health_checks": False}}
        daemon = llmhealth.serve(config).wait_serving()
        for _ in range(3):
            assert daemon.health()["healthy_count"] == 1
        assert asked == ["GET /v1/models", "gpt-4o-mini", "gpt-4o-mini", "gpt-4o-mini"]
        failing.append("gpt-4o-mini")
        del asked[:]
        assert daemon.health()["healthy_count"] == 1
        assert asked == ["gpt-4o-mini", "GET /v1/models", "gpt-4o-mini", "gpt-4.1"]
        del asked[:]
        assert daemon.health()["healthy_count"] == 1
        assert asked == ["gpt-4.1"]
        failing += names
        del asked[:]
        entry = daemon.health()["unhealthy_endpoints"][0]
        assert entry["reason"] == "not_found"
        assert asked == ["gpt-4.1", "GET /v1/models", "gpt-4o-mini", "gpt-4.1", "gpt-4o"]
        del failing[:]
        del asked[:]
        assert daemon.health()["healthy_count"] == 1
        assert asked == ["GET /v1/models", "gpt-4o-mini"]


def test_a_list_without_such_a_model(llmhealth):
    with provider(listing("whisper-1", "text-embedding-3-small")) as (base, asked):
        healthy, entry = check(llmhealth, base)
    assert not healthy
    assert entry["reason"] == "not_found"
    assert "lists 2 models" in entry["error"]
    assert asked == ["GET /v1/models"]


def test_a_list_that_cannot_be_had(llmhealth):
    for models, status, reason in (({"error": {"message": "bad key", "code": "invalid_api_key"}}, 401, "auth"),
                                   ({"data": "none"}, 200, "bad_response"), ({}, 404, "not_found")):
        with provider(models, status=status) as (base, asked):
            healthy, entry = check(llmhealth, base)
        assert not healthy
        assert entry["reason"] == reason, entry
        assert asked == ["GET /v1/models"]


def test_a_named_model_needs_no_list(llmhealth):
    with provider(listing()) as (base, asked):
        healthy, _ = check(llmhealth, base, health_check_model="openai/gpt-4o-mini")
    assert healthy
    assert asked == ["gpt-4o-mini"]
