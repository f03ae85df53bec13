# SPDX-License-Identifier: Apache-2.0
"""The stand-in provider itself: every route, every error, every way of choosing an answer."""

import http.client
import json

import pytest

from standin import Standin
from standin_client import HEADERS, KEY, ask, forgotten, head_and_body, provider, raw, request_bytes  # noqa: F401


# ---- routes

ROUTES = [
    ("/v1/chat/completions", "chat.completion", "choices", "completion_tokens"),
    ("/chat/completions", "chat.completion", "choices", "completion_tokens"),
    ("/completions", "text_completion", "choices", "completion_tokens"),
    ("/embeddings", "list", "data", "prompt_tokens"),
    ("/a/b/chat/completions", "chat.completion", "choices", "completion_tokens"),
    ("/v1/completions", "text_completion", "choices", "completion_tokens"),
    ("/v1/embeddings", "list", "data", "prompt_tokens"),
    ("/v1/responses", "response", "output", "output_tokens"),
    ("/v1/messages", None, "content", "output_tokens"),
    ("/v1/rerank", None, "results", None),
    ("/v1/images/generations", None, "data", None),
    ("/v1/moderations", None, "results", None),
]


@pytest.mark.parametrize("path,kind,member,tokens", ROUTES)
def test_routes_answer_as_the_api_does(provider, path, kind, member, tokens):
    a = ask(provider, "emb--ok", path=path)
    assert a.status == 200
    assert a.headers["content-type"] == "application/json"
    assert a.headers["x-ratelimit-remaining-requests"] == "99"
    assert a.headers["x-ratelimit-remaining-tokens"] == "9999"
    assert a.headers["x-request-id"].startswith("req_")
    assert kind is None or a.json["object"] == kind
    assert len(a.json[member]) > 0
    assert tokens is None or a.json["usage"][tokens] > 0
    assert "model" not in a.json or a.json["model"] == "emb--ok"
    assert provider.stats()["by_path"] == {path: 1}
    assert provider.stats()["by_model"] == {"emb--ok": 1}


def test_speech_is_bytes(provider):
    a = ask(provider, "tts--ok", path="/v1/audio/speech")
    assert (a.status, a.headers["content-type"], a.body[:2]) == (200, "audio/mpeg", b"\xff\xfb")


@pytest.mark.parametrize("model,status", [("stt--ok", 200), ("stt--e401", 401)])
def test_transcription_takes_multipart(provider, model, status):
    body = (f'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\n{model}\r\n--x\r\nContent-Disposition: '
            'form-data; name="file"; filename="a.wav"\r\n\r\n').encode() + bytes(100000) + b"\r\n--x--\r\n"
    a = ask(provider, path="/v1/audio/transcriptions", body=body,
            headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert a.status == status
    assert provider.stats()["by_model"] == {model: 1}


def test_lists_and_models(provider):
    assert [m["id"] for m in ask(provider, path="/v1/models", method="GET").json["data"]][:2] == ["ok", "gpt-4o"]
    assert ask(provider, path="/models", method="GET").json["object"] == "list"
    assert ask(provider, path="/v1/models/meta/llama-3", method="GET").json["id"] == "meta/llama-3"
    assert ask(provider, path="/v1/models/e503", method="GET").status == 503
    assert ask(provider, path="/v1/batches", method="GET").json["object"] == "list"


def test_the_model_of_azure_is_in_the_path(provider):
    path = "/openai/deployments/e404/chat/completions?api-version=2024-10-21"
    assert ask(provider, path=path, body='{"messages":[]}').status == 404


def test_stream_is_events(provider):
    body = json.dumps({"model": "ok", "stream": True, "messages": []})
    a = ask(provider, body=body)
    events = a.body.decode().strip().split("\n\n")
    assert a.headers["content-type"].startswith("text/event-stream")
    assert events[-1] == "data: [DONE]"
    chunks = [json.loads(e[6:]) for e in events[:-1]]
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in chunks if c["choices"]) == "hi"
    # the same on HTTP/1.0 has no chunks
    _, body10 = head_and_body(raw(provider, (
        f"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()))
    assert body10 == a.body


def test_unknown_path_and_wrong_method(provider):
    a = ask(provider, path="/v1/nothing")
    assert (a.status, a.error["code"]) == (404, "unknown_url")
    a = ask(provider, path="/v1/chat/completions", method="GET")
    assert (a.status, a.error["code"]) == (405, "method_not_supported")
    assert ask(provider, path="/v1/models", method="POST").status == 405
    assert ask(provider, path="/_standin/nothing").status == 404
    assert ask(provider, path="/_standin/stats").status == 405


def test_head_has_no_body(provider):
    data = raw(provider, b"HEAD /v1/models HTTP/1.1\r\nConnection: close\r\n\r\n")
    head, body = head_and_body(data)
    assert head.startswith("HTTP/1.1 405 ") and body == b""


# ---- errors, as LiteLLM's recordings show them

FAULTS = [
    ("e400", 400, "Unsupported parameter: 'max_tokens'.", "unsupported_parameter"),
    ("e401", 401, "Incorrect API key provided: sk-prov*****wxyz.", "invalid_api_key"),
    ("e402", 402, "Your account is not active", "billing_not_active"),
    ("e403", 403, "Project does not have access to model.", "model_not_found"),
    ("e404", 404, "The model `e404` does not exist or you do not have access to it.", "model_not_found"),
    ("emb--e404", 404, "The model `emb--e404` does not exist", "model_not_found"),
    ("e408", 408, "Request timed out.", None),
    ("e422", 422, "Unprocessable", None),
    ("e429", 429, "Rate limit reached for e429", "rate_limit_exceeded"),
    ("e500", 500, "The server had an error while processing your request", None),
    ("e503", 503, "The engine is currently overloaded, please try again later", None),
    ("e418", 418, "The stand-in answers 418.", None),
    ("status=599", 599, "The stand-in answers 599.", None),
    ("err200", 200, "quota", "insufficient_quota"),
    ("quota", 429, "You exceeded your current quota", "insufficient_quota"),
    ("context", 400, "This model's maximum context length is", "context_length_exceeded"),
    ("policy", 400, "Your request was rejected as a result of our safety system", "content_policy_violation"),
    ("wrongkey", 401, "Incorrect API key provided: sk-prov*****wxyz.", "invalid_api_key"),
    ("echokey", 401, "Incorrect API key provided: Bearer " + KEY, "invalid_api_key"),
]

FAULT_WORDS = [words for words, *_ in FAULTS]


@pytest.mark.parametrize("words,status,message,code", FAULTS)
def test_faults(provider, words, status, message, code):
    a = ask(provider, words)
    assert a.status == status
    assert a.error["message"].startswith(message)
    assert a.error["code"] == code
    assert set(a.error) == {"message", "type", "param", "code"}


def test_answers_are_those_behind_the_recordings(provider, reference):
    """LiteLLM's recorded error lines hold the provider's words."""
    recording = json.loads((reference / "litellm/http/001-health-on-demand-all.json").read_text())
    compared = 0
    for entry in recording["response"]["body"]["unhealthy_endpoints"]:
        model = entry["model"].removeprefix("openai/")
        if "OpenAIException - " not in entry["error"] or model not in FAULT_WORDS:
            continue
        recorded = entry["error"].split("OpenAIException - ", 1)[1].split("\n")[0]
        answer = ask(provider, model)
        assert answer.error["message"] == recorded
        assert str(entry["exception_status"]) in (str(answer.status), answer.error["code"], "404")
        compared += 1
    assert compared >= 7


def test_retry_after(provider):
    assert ask(provider, "e429").headers["retry-after"] == "20"
    assert ask(provider, "e429,retry=7").headers["retry-after"] == "7"
    assert ask(provider, "e429;retry=7--noretry").headers["retry-after"] is None
    assert ask(provider, "e503--retry=3").headers["retry-after"] == "3"
    assert ask(provider, "e500").headers["retry-after"] is None


# ---- the way of choosing

def test_unknown_words_mean_nothing(provider):
    for model in ["gpt-4o", "gpt-4o-mini-2024-07-18", "meta-llama/Llama-3--70b", "e4", "e4xx", "a,,b;--", "ö\"\\"]:
        a = ask(provider, model)
        assert (a.status, a.json["model"]) == (200, model)


def test_header_and_query_choose(provider):
    assert ask(provider, "gpt-4o", headers={"X-Standin": "e500"}).status == 500
    assert ask(provider, "gpt-4o", path="/v1/chat/completions?a=b&standin=e429%2Cretry%3D9").headers["retry-after"] == "9"
    assert ask(provider, "e500", headers={"X-Standin": "ok"}).status == 200
    assert ask(provider, path="/v1/models", method="GET", headers={"X-Standin": "e401"}).status == 401
    assert ask(provider, path="/any/token/service", headers={"X-Standin": "e503"}).status == 503
    assert ask(provider, path="/any/token/service", headers={"X-Standin": "ok"}).status == 404


def test_being_told_wins(provider):
    provider.behaviour("gpt-4o", "e500")
    assert ask(provider, "gpt-4o", headers={"X-Standin": "ok"}).status == 500
    assert ask(provider, "gpt-4").status == 200
    provider.behaviour("*", "e503")
    assert [ask(provider, m).status for m in ("gpt-4o", "gpt-4", "ok")] == [500, 503, 503]
    assert ask(provider, path="/v1/models", method="GET").status == 503
    provider.behaviour("gpt-4o", "")
    provider.behaviour("*", "")
    assert ask(provider, "gpt-4o").status == 200
    provider.behaviour("gpt-4o", "e500")
    provider.reset()
    assert ask(provider, "gpt-4o").status == 200
    assert ask(provider, path="/_standin/behaviour", body='{"model": 1').status == 400


def test_keys(provider):
    assert ask(provider, "key=" + KEY).status == 200
    a = ask(provider, "key=sk-other")
    assert (a.status, a.error["message"]) == (401, "Incorrect API key provided: sk-prov*****wxyz.")
    a = ask(provider, "key=sk-other", headers={"Authorization": ""})
    assert (a.status, a.error["code"]) == (401, "invalid_api_key")
    for name in ("api-key", "x-api-key", "x-goog-api-key"):
        data = raw(provider, f"GET /v1/models?standin=key%3Dsk-1 HTTP/1.1\r\n{name}: sk-1\r\nConnection: close\r\n\r\n".encode())
        assert data.startswith(b"HTTP/1.1 200 ")
    with Standin(key="sk-expected") as other:
        assert ask(other).status == 401
        assert ask(other, headers={"Authorization": "Bearer sk-x"}).error["message"] == "Incorrect API key provided: sk-x***."
        assert ask(other, headers={"Authorization": "Bearer sk-expected"}).status == 200
