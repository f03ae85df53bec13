# SPDX-License-Identifier: Apache-2.0
"""The stand-in provider itself: spoiled bodies and heads, and the ways of sending them."""

import gzip
import json
import socket
import time

import pytest

from standin import Standin
from standin_client import (  # noqa: F401
    ask, connect, forgotten, head_and_body, provider, raw, read_all, request_bytes, wait_for)


# ---- bodies

def test_badjson_is_cut_with_the_right_length(provider):
    a = ask(provider, "badjson")
    assert a.status == 200 and int(a.headers["content-length"]) == len(a.body)
    with pytest.raises(json.JSONDecodeError) as e:
        a.json
    assert str(e.value) == "Expecting value: line 1 column 35 (char 34)"  # what LiteLLM's recording says


def test_spoiled_bodies(provider):
    assert ask(provider, "empty").body == b""
    assert ask(provider, "emptyobj").json == {}
    assert isinstance(ask(provider, "wrongshape").json, list)
    assert "choices" not in ask(provider, "nochoices").json
    assert ask(provider, "nullchoices").json["choices"] is None
    assert ask(provider, "emptychoices").json["choices"] == []
    assert ask(provider, "emptychoices", path="/v1/embeddings").json["data"] == []
    assert "usage" not in ask(provider, "notokens").json
    with pytest.raises(UnicodeDecodeError):
        ask(provider, "badutf8").body.decode()
    a = ask(provider, "html502")
    assert (a.status, a.headers["content-type"], a.body[:6]) == (502, "text/html", b"<html>")


@pytest.mark.parametrize("n", [1, 1000000])
def test_deep(provider, n):
    body = ask(provider, f"deep={n}").body
    assert body.count(b"[" * n + b"]" * n) == 1
    if n == 1:
        assert json.loads(body)["deep"] == []


@pytest.mark.parametrize("n", [1, 65536, 5000001])
def test_huge_is_well_formed(provider, n):
    a = ask(provider, f"huge={n}")
    assert a.json["choices"][0]["message"]["content"] == "a" * n
    assert int(a.headers["content-length"]) == len(a.body)


def test_endless_does_not_end(provider):
    data = raw(provider, request_bytes("endless"), most=8_000_000)
    head, body = head_and_body(data)
    assert "Transfer-Encoding: chunked" in head and b"\r\n8000\r\naaa" in body
    wait_for(lambda: provider.stats()["in_flight"] == 0)


def test_chunked_and_gzip(provider):
    whole = ask(provider, "gpt-4o").json
    a = ask(provider, "gpt-4o", headers={"X-Standin": "chunked"})
    assert a.headers["transfer-encoding"] == "chunked" and a.json == whole
    a = ask(provider, "gpt-4o", headers={"X-Standin": "gzip"})
    assert a.headers["content-encoding"] == "gzip" and json.loads(gzip.decompress(a.body)) == whole
    a = ask(provider, "gpt-4o", headers={"X-Standin": "gzip,chunked,deep=100000"})
    assert json.loads(gzip.decompress(a.body)[len(b'{"deep":') + 200000:].replace(b",", b"{", 1)) == whole
    head, body = head_and_body(raw(provider, request_bytes("chunked", version="1.0")))
    assert "Transfer-Encoding" not in head and json.loads(body)["object"] == "chat.completion"


def test_statuses_without_a_body(provider):
    head, body = head_and_body(raw(provider, request_bytes("status=204", extra="Connection: close\r\n")))
    assert head.startswith("HTTP/1.1 204 ") and "Content-Length" not in head and body == b""


# ---- heads

def test_odd_heads(provider):
    close = "Connection: close\r\n"
    head, _ = head_and_body(raw(provider, request_bytes("badlength", extra=close)))
    assert "Content-Length: many" in head
    head, _ = head_and_body(raw(provider, request_bytes("twolengths", extra=close)))
    assert head.count("Content-Length: ") == 2
    head, _ = head_and_body(raw(provider, request_bytes("norates", extra=close)))
    assert "x-ratelimit" not in head
    head, body = head_and_body(raw(provider, request_bytes("hugeheaders=1000000", extra=close)))
    assert "X-Filler: " + "a" * 1000000 + "\r\n" in head and json.loads(body)["choices"]
    head, body = head_and_body(raw(provider, request_bytes("manyheaders=5000", extra=close)))
    assert head.count("X-Filler-") == 5000 and json.loads(body)["choices"]


@pytest.mark.parametrize("extra", ["", "Connection: close\r\n"])
def test_goodbye_closes_after_a_whole_answer(provider, extra):
    head, body = head_and_body(raw(provider, request_bytes("goodbye", extra=extra)))
    assert head.count("Connection: close") == 1 and json.loads(body)["choices"]


def test_redirect(provider):
    a = ask(provider, "gpt-4o", headers={"X-Standin": "redirect=http://127.0.0.1:1/x?a=b"})
    assert (a.status, a.headers["location"]) == (307, "http://127.0.0.1:1/x?a=b")


# ---- the way of sending

def test_cut_bodies(provider):
    head, body = head_and_body(raw(provider, request_bytes("cut=37")))
    whole = int(head.split("Content-Length: ")[1].split("\r\n")[0])
    assert len(body) == 37 < whole
    head, body = head_and_body(raw(provider, request_bytes("half")))
    whole = int(head.split("Content-Length: ")[1].split("\r\n")[0])
    assert len(body) == whole // 2
    head, body = head_and_body(raw(provider, request_bytes("huge=1000000,cut=500000")))
    assert len(body) == 500000


def test_cut_heads_and_nothing(provider):
    data = raw(provider, request_bytes("cutheaders"))
    assert data.startswith(b"HTTP/1.1 200 OK\r\n") and b"\r\n\r\n" not in data
    assert raw(provider, request_bytes("close")) == b""
    with pytest.raises(ConnectionResetError):
        raw(provider, request_bytes("reset"))
    assert not raw(provider, request_bytes("garbage")).startswith(b"HTTP")
    assert raw(provider, request_bytes("nothttp")).startswith(b"SSH-2.0-")


@pytest.mark.parametrize("word,expected", [("hang", 0), ("hangbody", 1)])
def test_hangs_until_the_client_goes(provider, word, expected):
    with connect(provider, timeout=0.3) as s:
        s.sendall(request_bytes(word))
        if expected:
            assert read_all(s, 1).endswith(b"\r\n\r\n")
        with pytest.raises(socket.timeout):
            s.recv(1)
        stats = provider.stats()
        assert (stats["in_flight"], stats["open_connections"]) == (1, 1)
    wait_for(lambda: provider.stats()["in_flight"] == 0 and provider.stats()["open_connections"] == 0)


def test_latency_and_slow(provider):
    start = time.monotonic()
    assert ask(provider, "latency=300").status == 200
    assert time.monotonic() - start >= 0.29
    with pytest.raises(TimeoutError):
        ask(provider, "slow", timeout=0.3)
    wait_for(lambda: provider.stats()["in_flight"] == 0)
    with Standin(latency_ms=200) as other:
        start = time.monotonic()
        assert ask(other).status == 200
        assert time.monotonic() - start >= 0.19


def test_drip(provider):
    start = time.monotonic()
    a = ask(provider, "drip=50/20")
    assert a.json["choices"] and time.monotonic() - start >= 0.1
    with connect(provider) as s:
        s.sendall(request_bytes("drip=7/50"))
        assert len(s.recv(65536)) == 7


def test_state_words(provider):
    def statuses(model, n):
        return [ask(provider, model).status for _ in range(n)]

    assert statuses("flap=2", 8) == [200, 200, 500, 500] * 2
    assert statuses("flap=1,e503", 4) == [200, 503, 200, 503]
    assert statuses("failfirst=3", 5) == [500] * 3 + [200] * 2
    assert statuses("failfirst=1--e401", 3) == [401, 200, 200]
    provider.reset()
    assert statuses("failfirst=3", 4) == [500] * 3 + [200]
    provider.behaviour("m", "okafter=400")
    assert statuses("m", 2) == [500, 500]
    time.sleep(0.5)
    assert statuses("m", 2) == [200, 200]
