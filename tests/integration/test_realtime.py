# SPDX-License-Identifier: Apache-2.0
"""Mode realtime: a real WebSocket, plain and over TLS, at a provider made here by hand: what it sends after
the handshake is the model's name."""

import base64
import hashlib
import json
import socket
import ssl
import struct
import threading
import urllib.parse

import pytest

from test_hostile_provider import KEY, entries

CREATED = json.dumps({"type": "session.created", "event_id": "e1", "session": {"id": "s1", "object": "realtime.session"}}).encode()
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(opcode, data, fin=True, mask=False):
    n = len(data)
    head = bytes([(0x80 if fin else 0) | opcode])
    bit = 0x80 if mask else 0
    head += bytes([bit | n]) if n < 126 else bytes([bit | 126]) + struct.pack(">H", n)
    return head + (b"\0\0\0\0" if mask else b"") + data


def error(code, kind="invalid_request_error"):
    return json.dumps({"type": "error", "error": {"type": kind, "code": code, "message": f"it is {code}"}}).encode()


# model: (what is sent after the handshake, healthy or the reasons that are right)
AFTER = {
    "ok": (frame(1, CREATED), True),
    "fragments": (frame(1, CREATED[:9], fin=False) + frame(9, b"p") + frame(0, CREATED[9:]), True),
    "silent-close": (frame(1, CREATED), True),  # our close is not answered
    "drip": (frame(1, CREATED), True),
    "binary": (frame(2, CREATED), True),
    "error-key": (frame(1, error("invalid_api_key")), {"auth"}),
    "error-quota": (frame(1, error("insufficient_quota", "insufficient_quota")), {"quota"}),
    "notype": (frame(1, b"{}"), {"bad_response"}),
    "notjson": (frame(1, b"hello"), {"bad_response"}),
    "list": (frame(1, b"[]"), {"bad_response"}),
    "close": (frame(8, struct.pack(">H", 1008) + b"not you"), {"permission"}),
    "close-key": (frame(8, struct.pack(">H", 3000) + b"invalid_request_error.invalid_api_key"), {"auth"}),
    "close-quota": (frame(8, struct.pack(">H", 1011) + b"insufficient_quota"), {"quota"}),
    "close-late": (frame(8, struct.pack(">H", 3008)), {"timeout"}),
    "close-private": (frame(8, struct.pack(">H", 4001)), {"bad_response"}),
    "cut": (b"", {"bad_response", "connect"}),
    "half": (frame(1, CREATED)[:20], {"bad_response", "connect"}),
    "garbage": (b"HTTP/1.1 200 OK\r\n\r\n" * 9, {"bad_response"}),
    "masked": (frame(1, CREATED, mask=True), {"bad_response"}),
    "huge": (b"\x81\x7f" + struct.pack(">Q", 1 << 40) + b"x" * 9, {"bad_response"}),
    "badaccept": (frame(1, CREATED), {"bad_response"}),
    "hang": (b"", {"timeout"}),
}
BEFORE = {
    "e401": (401, error("invalid_api_key"), {"auth"}),
    "e404": (404, error("model_not_found"), {"not_found"}),
    "e500": (500, b"oops", {"server_error"}),
    "200": (200, b"{}", {"bad_response"}),
}


class Realtime:
    """One thread a connection; `asked` has each model's request, `closed` the codes of the clients' closes."""

    def __init__(self, tls=None):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.tls, self.asked, self.closed, self.threads = tls, {}, {}, []
        self.over = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self.listener.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            connection.settimeout(10)
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            self.talk(connection)
        except OSError:
            pass
        finally:
            connection.close()

    def talk(self, connection):
        head = b""
        while b"\r\n\r\n" not in head:
            data = connection.recv(4096)
            if not data:
                return
            head += data
        lines = head.decode().split("\r\n")
        method, target, _ = lines[0].split(" ")
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:] if line)}
        url = urllib.parse.urlsplit(target)
        model = urllib.parse.parse_qs(url.query)["model"][0]
        self.asked.setdefault(model, []).append((method, url.path, headers))
        if model in BEFORE:
            status, body, _ = BEFORE[model]
            connection.sendall(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            return
        digest = hashlib.sha1(headers["sec-websocket-key"].encode() + GUID).digest()
        if model == "badaccept":
            digest = digest[::-1]
        answer = ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}\r\n\r\n").encode() + AFTER[model][0]
        if model == "drip":
            for i in range(len(answer)):
                connection.sendall(answer[i:i + 1])
        else:
            connection.sendall(answer)
        if model in ("cut", "half"):
            return
        self.read_close(connection, model)
        if model in ("silent-close", "hang"):
            self.over.wait(5)
        else:
            connection.sendall(frame(8, struct.pack(">H", 1000)))

    def read_close(self, connection, model):
        """Client's frames up to its close: all masked, none longer than 125."""
        data = b""
        while True:
            more = connection.recv(4096)
            if not more:
                return
            data += more
            while len(data) >= 6 and len(data) >= 6 + (data[1] & 127):
                n = data[1] & 127
                assert data[1] & 128
                text = bytes(data[6 + i] ^ data[2 + i % 4] for i in range(n))
                if data[0] == 0x88:
                    self.closed[model] = struct.unpack(">H", text[:2])[0]
                    return
                data = data[6 + n:]


def deployment(model, base, **params):
    return {"model_name": model, "model_info": {"id": model, "mode": "realtime", "health_check_timeout": 2},
            "litellm_params": {"model": f"openai/{model}", "api_base": base, "api_key": KEY, **params}}


@pytest.fixture
def built(builddir):
    if "#define HAVE_WSLAY" not in (builddir / "config.h").read_text():
        pytest.skip("built without libwslay")


def test_each_event_is_judged(built, llmhealth):
    with Realtime() as provider:
        base = f"http://127.0.0.1:{provider.port}/some/v1"
        models = [*AFTER, *BEFORE]
        done = llmhealth.check({"model_list": [deployment(m, base) for m in models]}, "--json")
        assert done.returncode == 1, done.stderr
        found, wrong = entries(done), []
        for model in models:
            wanted = AFTER[model][1] if model in AFTER else BEFORE[model][2]
            entry = found[model]
            if entry["healthy"] != (wanted is True) or (wanted is not True and entry["reason"] not in wanted):
                wrong.append(f"{model}: {entry}")
            if wanted is not True and not entry["error"]:
                wrong.append(f"{model}: no error")
            if len(provider.asked[model]) != 1:
                wrong.append(f"{model}: asked {len(provider.asked[model])} times")
        assert not wrong, "\n".join(wrong)
        for model in ("ok", "fragments", "silent-close", "drip", "binary", "error-key", "notjson"):
            assert provider.closed.get(model) == 1000, (model, provider.closed)
        keys = set()
        for model in models:
            method, path, headers = provider.asked[model][0]
            assert (method, path) == ("GET", "/v1/realtime")
            assert headers["authorization"] == "Bearer " + KEY
            assert (headers["upgrade"], headers["sec-websocket-version"]) == ("websocket", "13")
            assert "transfer-encoding" not in headers and "content-length" not in headers
            keys.add(headers["sec-websocket-key"])
        assert len(keys) == len(models)
        assert "not you" in found["close"]["detail"] and "1008" in found["close"]["detail"]
        assert "litellm.PermissionDeniedError" in found["close"]["error"], found["close"]
        assert "litellm.AuthenticationError" in found["close-key"]["error"], found["close-key"]


def test_over_tls_beside_chats(built, llmhealth, standin):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(standin.directory / "server.pem", standin.directory / "server.key")
    with Realtime(context) as provider:
        base = f"https://localhost:{provider.port}"
        config = {"model_list": [deployment("ok", base, ssl_verify=str(standin.ca)),
                                 deployment("fragments", base, ssl_verify=str(standin.ca)),
                                 deployment("drip", base)]}
        daemon = llmhealth.check(config, "--json")
        found = entries(daemon)
        assert found["ok"]["healthy"] and found["fragments"]["healthy"], found
        assert found["drip"]["reason"] == "tls"
        assert provider.closed == {"ok": 1000, "fragments": 1000}
