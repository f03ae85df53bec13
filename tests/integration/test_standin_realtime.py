# SPDX-License-Identifier: Apache-2.0
"""The stand-in's WebSockets: what it holds against a client, and every way of failing that a realtime probe meets,
plain, over TLS and through a proxy."""

import base64
import hashlib
import socket
import struct

import pytest

from every_provider import Keys, Tunnels, environment, model_list, recorded
from program import http_request
from standin import Standin
from test_hostile_provider import KEY, entries
from test_realtime import GUID, built, frame  # noqa: F401

NONCE = base64.b64encode(b"sixteen bytes go").decode()
UPGRADE = {"Upgrade": "websocket", "Connection": "keep-alive, Upgrade", "Sec-WebSocket-Version": "13",
           "Sec-WebSocket-Key": NONCE, "Authorization": "Bearer " + KEY}
PATH = "/v1/realtime?model="

# words of the stand-in: the reasons that are right; True: healthy
WORDS = {
    "ok": True, "fragments": True, "binary": True, "drip=1/1": True, "latency=100": True, "deep=100": True,
    "e401": {"auth"}, "e403": {"permission", "not_found"}, "e404": {"not_found"}, "e429": {"rate_limited"},
    "e500": {"server_error"}, "e503": {"server_error"}, "quota": {"quota"}, "html502": {"server_error"},
    "status=200": {"bad_response"}, "badaccept": {"bad_response"}, "err200": {"quota"},
    "badjson": {"bad_response"}, "emptyobj": {"bad_response"}, "wrongshape": {"bad_response"}, "empty": {"bad_response"},
    "badutf8": {"bad_response"}, "deep=100000": {"bad_response"}, "huge=3000000": {"bad_response"},
    "endless": {"bad_response"}, "nochoices": {"bad_response"}, "badframe": {"bad_response"}, "masked": {"bad_response"},
    "wsclose=1008": {"permission"}, "wsclose=1011": {"server_error"}, "wsclose=1000": {"bad_response"},
    "cut=0": {"bad_response", "connect"}, "cut=20": {"bad_response", "connect"}, "half": {"bad_response", "connect"},
    "cutheaders": {"bad_response", "connect"}, "close": {"connect"}, "reset": {"connect"},
    "garbage": {"bad_response", "connect"}, "nothttp": {"bad_response", "connect"},
    "hang": {"timeout"}, "hangbody": {"timeout"},  # no answer; no first event
}


def deployments(base, **params):
    return [{"model_name": words, "model_info": {"id": words, "mode": "realtime", "health_check_timeout": 3},
             "litellm_params": {"model": f"openai/{words}", "api_base": base, "api_key": KEY, **params}}
            for words in WORDS]


def judge(found):
    wrong = []
    for words, wanted in WORDS.items():
        e = found[words]
        if e["healthy"] != (wanted is True) or (wanted is not True and (e["reason"] not in wanted or not e["error"])):
            wrong.append(f"{words}: {e}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_each_way_of_failing(built, llmhealth, tls):  # noqa: F811
    with Standin(tls=tls) as provider:
        base = provider.https_url if tls else provider.url
        models = deployments(base, **({"ssl_verify": str(provider.ca)} if tls else {}))
        judge(entries(llmhealth.check({"model_list": models}, "--json")))
        stats = provider.stats()
        # Each event that came was answered by a close with 1000.
        assert stats["websockets"] >= stats["websockets_closed"] >= 10
        assert stats["bad_requests"] == 0
        assert len(provider.requests()) == len(WORDS)


def test_through_a_proxy(built, llmhealth):  # noqa: F811
    with Standin(tls=True) as provider, Tunnels(provider.https_port) as tunnels:
        models = deployments("https://api.openai.com/v1")
        config = {"model_list": models, "litellm_settings": {"ssl_verify": False}}
        judge(entries(llmhealth.check(config, "--json", env=environment(tunnels))))
        assert tunnels.hosts == {"api.openai.com:443"}


def test_plain_through_a_proxy(built, llmhealth):  # noqa: F811
    """ws:// needs a tunnel as well: a proxy would not pass the upgrade on."""
    with Standin() as provider, Tunnels(provider.port) as tunnels:
        models = [m for m in deployments("http://own.test/v1") if m["model_name"] in ("ok", "e401", "err200")]
        env = {"HTTP_PROXY": tunnels.url, "http_proxy": tunnels.url, "NO_PROXY": "", "no_proxy": ""}
        found = entries(llmhealth.check({"model_list": models}, "--json", env=env))
        assert found["ok"]["healthy"], found["ok"]
        assert (found["e401"]["reason"], found["err200"]["reason"]) == ("auth", "quota")
        assert tunnels.hosts == {"own.test:80"}


def test_who_must_speak_first(built, llmhealth, tmp_path):  # noqa: F811
    """Google's live API: the model stands in the first message, so what is wrong with it comes after that."""
    keys = Keys(tmp_path)
    row = next(r for r in recorded() if r["name"] == "vertex_ai-realtime")
    wanted = {"ok": True, "e401": {"auth"}, "e403": {"permission"}, "e404": {"not_found"}, "err200": {"quota", "server_error"},
              "emptyobj": {"bad_response"}, "badjson": {"bad_response"}, "wsclose=1008": {"permission"},
              "hangbody": {"timeout"}}
    models = []
    for words in wanted:
        model = model_list([row], keys, words)[0]
        model["model_info"].update(id=words, health_check_timeout=5)
        models.append(model)
    options = ["--strict", "--public-key", str(keys.public)]
    with Standin(tls=True, options=options) as provider, Tunnels(provider.https_port) as tunnels:
        config = {"model_list": models, "litellm_settings": {"ssl_verify": False}}
        found = entries(llmhealth.check(config, "--json", env=environment(tunnels)))
        for words, reasons in wanted.items():
            entry = found[words]
            assert entry["healthy"] == (reasons is True), entry
            assert reasons is True or entry["reason"] in reasons, entry
        assert provider.stats()["bad_requests"] == 0
        asked = [r for r in provider.requests() if "BidiGenerateContent" in r["path"]]
        assert {r["headers"]["authorization"] for r in asked} == {"Bearer standin-google-token"}


@pytest.fixture(scope="module")
def provider(builddir):
    if not (builddir / "llmhealth-standin").exists():
        pytest.skip("llmhealth-standin is not built")
    with Standin() as standin:
        yield standin


@pytest.mark.parametrize("change", [
    {"Upgrade": "h2c"}, {"Connection": "close"}, {"Sec-WebSocket-Version": "8"}, {"Sec-WebSocket-Key": "short"},
    {"Sec-WebSocket-Key": "!" * 22 + "=="}, {"Upgrade": ""},
], ids=str)
def test_a_handshake_that_is_none(provider, change):
    answer = http_request("127.0.0.1", provider.port, "GET", PATH + "ok", {**UPGRADE, **change})
    assert answer.status == 426 and "WebSocket" in answer.json["error"]["message"]


def talk(provider, *frames, model="ok"):
    """What the stand-in says to these frames: its bytes behind the head."""
    with socket.create_connection(("127.0.0.1", provider.port), timeout=10) as s:
        lines = "".join(f"{name}: {value}\r\n" for name, value in UPGRADE.items())
        s.sendall(f"GET {PATH}{model} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode() + b"".join(frames))
        data = b""
        while True:
            more = s.recv(65536)
            if not more:
                break
            data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    accept = base64.b64encode(hashlib.sha1(NONCE.encode() + GUID).digest())
    assert head.startswith(b"HTTP/1.1 101 ") and b"Sec-WebSocket-Accept: " + accept in head
    return rest


CLOSE = frame(8, struct.pack(">H", 1000), mask=True)


def test_frames_are_answered(provider):
    rest = talk(provider, frame(9, b"hello", mask=True), frame(1, b"{}", mask=True), CLOSE)
    assert rest.startswith(b"\x81") and b'"session.created"' in rest
    assert rest.endswith(frame(10, b"hello") + frame(8, struct.pack(">H", 1000)))


@pytest.mark.parametrize("bad,code", [
    (frame(1, b"not masked"), 1002), (b"\xc1\x80\0\0\0\0", 1002), (b"\x83\x80\0\0\0\0", 1002), (b"\x09\x80\0\0\0\0", 1002),
    (b"\x89\xfe\0\x80\0\0\0\0", 1002), (b"\x81\xff" + struct.pack(">Q", 1 << 40) + b"\0\0\0\0", 1009),
], ids=["unmasked", "compressed", "opcode", "fragment", "long-control", "large"])
def test_frames_that_are_none(provider, bad, code):
    rest = talk(provider, bad)
    assert rest[-100:].find(b"\x88") >= 0 and struct.pack(">H", code) in rest
