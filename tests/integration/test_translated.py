# SPDX-License-Identifier: Apache-2.0
"""POST /chat/completions to deployments that do not speak as OpenAI does: translated there and back."""

import base64
import http.client
import json
import re
import struct
import zlib

import pytest

from openapi import describe
from program import wait_for
from test_passthrough import KEY, MASTER, Provider, Stream, ask, deployment

AWS = {"aws_access_key_id": "AKIAINTEGRATION", "aws_secret_access_key": KEY, "aws_region_name": "us-east-1"}


@pytest.fixture
def provider():
    p = Provider()
    yield p
    p.close()


@pytest.fixture
def config(provider, standin):
    root = provider.url.removesuffix("/v1")
    stand = standin.url.removesuffix("/v1")

    def aws(ident, base, model):
        d = deployment("bedrock", ident, base, model, {**AWS, "aws_bedrock_runtime_endpoint": base})
        del d["litellm_params"]["api_key"], d["litellm_params"]["api_base"]
        return d
    return {"model_list": [
        deployment("claude", "claude", root, "anthropic/claude-3", {"max_tokens": 50, "temperature": 0.5}),
        deployment("gemini", "gemini", root, "gemini/gemini-2.5-pro"),
        deployment("ollama", "ollama", root, "ollama_chat/m"),
        deployment("cohere", "cohere", root + "/v2/chat", "cohere_chat/command-a"),
        deployment("azure", "azure", root, "azure_ai/claude-3"),
        aws("converse", root, "bedrock/anthropic.claude-3"),
        aws("invoke", root, "bedrock/invoke/anthropic.claude-3"),
        deployment("real", "stand-gemini", stand + "/v1beta", "gemini/gemini-2.5-pro"),
        deployment("real", "stand-ollama", stand, "ollama_chat/m"),
        deployment("real", "stand-cohere", stand + "/v2/chat", "cohere_chat/command-a"),
        aws("stand-converse", stand, "bedrock/anthropic.claude-3"),
        aws("stand-invoke", stand, "bedrock/invoke/anthropic.claude-3"),
        deployment("other", "replicate", root, "replicate/m")],
        "general_settings": {"master_key": MASTER, "background_health_checks": True},
        "llmhealth": {"workers": 1, "passthrough": {"timeout": "5s"}}}


@pytest.fixture
def daemon(llmhealth, config):
    return describe(llmhealth.serve(config))


WHOLE = {
    "claude": {"model": "claude-x", "content": [{"type": "text", "text": "Hi é"}], "stop_reason": "end_turn",
               "usage": {"input_tokens": 3, "output_tokens": 2}},
    "gemini": {"candidates": [{"content": {"parts": [{"text": "Hi é"}]}, "finishReason": "STOP"}],
               "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2}},
    "ollama": {"message": {"role": "assistant", "content": "Hi é"}, "done": True, "done_reason": "stop",
               "prompt_eval_count": 3, "eval_count": 2},
    "cohere": {"message": {"content": [{"type": "text", "text": "Hi é"}]}, "finish_reason": "COMPLETE",
               "usage": {"tokens": {"input_tokens": 3, "output_tokens": 2}}},
    "converse": {"output": {"message": {"content": [{"text": "Hi é"}]}}, "stopReason": "end_turn",
                 "usage": {"inputTokens": 3, "outputTokens": 2}}}
WHOLE["azure"] = WHOLE["invoke"] = WHOLE["claude"]
PATHS = {"claude": "/v1/messages", "azure": "/anthropic/v1/messages", "ollama": "/api/chat", "cohere": "/v2/chat",
         "gemini": "/models/gemini-2.5-pro:generateContent", "converse": "/model/anthropic.claude-3/converse",
         "invoke": "/model/anthropic.claude-3/invoke"}


@pytest.mark.parametrize("ident", WHOLE)
def test_whole_answers(daemon, provider, ident):
    provider.act = lambda h, body: h.answer(200, WHOLE[ident], x_request_id="r-1")
    answer = ask(daemon, ident)
    assert answer.status == 200, answer.text
    got = answer.json
    assert got["object"] == "chat.completion" and re.fullmatch("chatcmpl-[0-9a-f-]{36}", got["id"])
    assert got["choices"] == [{"index": 0, "message": {"role": "assistant", "content": "Hi é"}, "finish_reason": "stop"}]
    assert got["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    assert answer.headers["content-type"] == "application/json" and answer.headers["x-litellm-model-id"] == ident
    assert answer.headers["llm_provider-x-request-id"] == "r-1"
    path, headers, body = provider.seen[-1]
    assert path == PATHS[ident] and b"hello" in body and KEY.encode() not in body
    if ident == "claude":
        assert json.loads(body)["max_tokens"] == 50 and json.loads(body)["temperature"] == 0.5
        assert headers["x-api-key"] == KEY
    if ident in ("converse", "invoke"):
        assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 ")


@pytest.mark.parametrize("ident", ["gemini", "ollama", "cohere", "converse", "invoke"])
def test_the_stand_in(daemon, ident):
    answer = ask(daemon, "stand-" + ident)
    assert answer.status == 200, answer.text
    assert answer.json["choices"][0]["message"]["content"] and answer.json["choices"][0]["finish_reason"] == "stop"


def amazon(kind, payload):
    def header(name, value):
        return bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
    headers = header(":event-type", kind) + header(":message-type", "event")
    data = json.dumps(payload).encode()
    start = struct.pack(">II", 16 + len(headers) + len(data), len(headers))
    text = start + struct.pack(">I", zlib.crc32(start)) + headers + data
    return text + struct.pack(">I", zlib.crc32(text))


def sse(*events):
    return [f"data: {json.dumps(e)}\n\n".encode() for e in events]


CLAUDE = [{"type": "message_start", "message": {"model": "claude-x", "usage": {"input_tokens": 3}}},
          {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "H"}},
          {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "i é"}},
          {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}]
EVENTS, LINES, AMAZON = "text/event-stream", "application/x-ndjson", "application/vnd.amazon.eventstream"
STREAMS = {
    "claude": (EVENTS, sse(*CLAUDE)),
    "gemini": (EVENTS, sse({"candidates": [{"content": {"parts": [{"text": "H"}]}}]},
                           {"candidates": [{"content": {"parts": [{"text": "i é"}]}, "finishReason": "STOP"}],
                            "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2}})),
    "ollama": (LINES, [json.dumps(x).encode() + b"\n" for x in (
        {"message": {"content": "H"}, "done": False}, {"message": {"content": "i é"}, "done": False},
        {"message": {"content": ""}, "done": True, "done_reason": "stop", "prompt_eval_count": 3, "eval_count": 2})]),
    "cohere": (EVENTS, sse({"type": "content-delta", "delta": {"message": {"content": {"text": "H"}}}},
                           {"type": "content-delta", "delta": {"message": {"content": {"text": "i é"}}}},
                           {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": {
                               "tokens": {"input_tokens": 3, "output_tokens": 2}}}})),
    "converse": (AMAZON, [amazon("messageStart", {"role": "assistant"}),
                          amazon("contentBlockDelta", {"delta": {"text": "H"}}),
                          amazon("contentBlockDelta", {"delta": {"text": "i é"}}),
                          amazon("messageStop", {"stopReason": "end_turn"}),
                          amazon("metadata", {"usage": {"inputTokens": 3, "outputTokens": 2}})]),
    "invoke": (AMAZON, [amazon("chunk", {"bytes": base64.b64encode(json.dumps(e).encode()).decode()}) for e in CLAUDE])}
STREAM_PATHS = {"gemini": "/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
                "converse": "/model/anthropic.claude-3/converse-stream",
                "invoke": "/model/anthropic.claude-3/invoke-with-response-stream"}


def send(h, kind, pieces):
    h.head(kind=kind)
    for piece in pieces:
        h.wfile.write(piece)
        h.wfile.flush()


@pytest.mark.parametrize("ident", STREAMS)
def test_streams(daemon, provider, ident):
    kind, pieces = STREAMS[ident]

    def act(h, body):
        send(h, kind, pieces[:-2])
        provider.go.wait(20)
        for piece in pieces[-2:]:
            h.wfile.write(piece)
    provider.act = act
    stream = Stream(daemon, ident, stream=True, stream_options={"include_usage": True})
    if len(pieces) > 2:
        # What has come is there at once.
        response = stream.head()
        first = json.loads(response.readline().removeprefix(b"data: "))
        assert first["choices"][0]["delta"] == {"role": "assistant", "content": "H"}
        response.readline()
        provider.go.set()
    else:
        provider.go.set()
        response = stream.head()
        first = None
    assert response.status == 200 and response.headers["content-type"].startswith("text/event-stream")
    lines = response.read().decode().split("\n\n")
    stream.close()
    assert lines[-2:] == ["data: [DONE]", ""]
    chunks = ([first] if first else []) + [json.loads(x.removeprefix("data: ")) for x in lines[:-2]]
    assert all(c["object"] == "chat.completion.chunk" and c["id"] == chunks[0]["id"] for c in chunks)
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in chunks[:-1]) == "Hi é"
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["choices"] == [] and chunks[-1]["usage"]["total_tokens"] == 5
    assert provider.seen[-1][0] == STREAM_PATHS.get(ident, PATHS[ident])


@pytest.mark.parametrize("ident", STREAMS)
def test_errors_of_the_provider(daemon, provider, ident):
    """Its status, LiteLLM's words and form, and no key that it repeats."""
    provider.act = lambda h, body: h.answer(429, {"error": {"message": "slow, " + KEY}, "message": "slow, " + KEY},
                                            retry_after="7")
    for stream in False, True:
        answer = ask(daemon, ident, stream=stream)
        assert answer.status == 429 and answer.headers["retry-after"] == "7"
        error = answer.json["error"]
        assert error["code"] == "429" and error["type"] == "throttling_error" and error["param"] is None
        assert error["message"].startswith("litellm.RateLimitError") and KEY not in answer.text


def test_secrets_in_answers(daemon, provider):
    """Masked where they come whole, also when the pieces that they came in are others."""
    event = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "my key is " + KEY}}
    text = b"".join(sse(CLAUDE[0], event, CLAUDE[3]))
    provider.act = lambda h, body: send(h, EVENTS, [text[i:i + 5] for i in range(0, len(text), 5)])
    answer = ask(daemon, "claude", stream=True)
    assert "my key is" in answer.text and KEY not in answer.text and answer.text.endswith("data: [DONE]\n\n")
    provider.act = lambda h, body: h.answer(200, {**WHOLE["claude"], "content": [{"type": "text", "text": "is " + KEY}]})
    answer = ask(daemon, "claude")
    assert answer.json["choices"][0]["message"]["content"].startswith("is ") and KEY not in answer.text


def test_what_is_refused(daemon, provider):
    answer = ask(daemon, "claude", logit_bias={"1": 1})
    assert answer.status == 400 and "`logit_bias` cannot be carried over to anthropic" in answer.json["error"]["message"]
    answer = ask(daemon, "replicate")
    assert answer.status == 501 and "deployment of replicate" in answer.json["error"]["message"]
    assert provider.seen == []


@pytest.mark.parametrize("ident", STREAMS)
def test_answers_that_are_none(daemon, provider, ident):
    kind, pieces = STREAMS[ident]
    # Whole ones: an error, with no word of a success before it.
    for body in b"{", b"[]", b'{"a":' * 1000, b'{"message":7}', b"", b"\xff" * 100:
        provider.act = lambda h, _: h.answer(200, body)
        answer = ask(daemon, ident)
        assert answer.status == 500 and answer.json["error"]["code"] == "500", (body, answer.text)
    # A stream that is none, one that ends early, and one that goes wrong in the middle.
    provider.act = lambda h, body: h.head(kind="text/html")
    answer = ask(daemon, ident, stream=True)
    assert answer.status == 500 and "no stream" in answer.json["error"]["message"]
    for wrong in [], [b'data: {"a"\n\n', b"x" * 200 + b"\n"]:
        provider.act = lambda h, body: send(h, kind, pieces[:2] + wrong)
        try:
            lines = ask(daemon, ident, stream=True).text.split("\n\n")
        except http.client.IncompleteRead as e:
            pytest.fail(f"cut: {e.partial}")
        if not wrong and ident == "gemini":
            continue # it is whole
        assert "error" in json.loads(lines[-2].removeprefix("data: ")) and "[DONE]" not in lines[-2], lines
    wait_for(lambda: in_flight_free(daemon))


def in_flight_free(daemon):
    answer = daemon.get("/metrics", MASTER).text
    return re.search(r"(?m)^llmhealth_passthrough_in_flight (\S+)$", answer)[1] == "0"


def test_one_that_never_ends(daemon, provider):
    """Memory is bounded: it is given up, and the provider's connection is closed."""
    def act(h, body):
        h.head(kind=EVENTS)
        for _ in range(4000):
            h.wfile.write(b"x" * 16384)
    provider.act = act
    answer = ask(daemon, "claude", stream=True)
    assert "too long" in answer.text and provider.broken.wait(10)
    provider.act = lambda h, body: h.answer(200, b"[" + b"1," * 5000000 + b"1]")
    answer = ask(daemon, "claude")
    assert answer.status == 500 and "too long" in answer.json["error"]["message"]
