# SPDX-License-Identifier: Apache-2.0
"""The stand-in provider itself: HTTP as it must be, what hostile clients do, many of everything."""

import json
import random
import socket
import struct

import pytest

from standin import Standin
from standin_client import (  # noqa: F401
    ask, connect, forgotten, head_and_body, provider, raw, read_all, request_bytes, wait_for)


# ---- HTTP as it must be

def test_keep_alive_and_pipelines(provider):
    n = 200
    with connect(provider) as s:
        s.sendall(request_bytes() * (n - 1) + request_bytes("latency=20") + request_bytes(extra="Connection: close\r\n"))
        data = read_all(s)
    assert data.count(b"HTTP/1.1 200 OK\r\n") == n + 1
    ids = [line for line in data.split(b"\r\n") if line.startswith(b"x-request-id")]
    assert len(set(ids)) == n + 1
    stats = provider.stats()
    assert (stats["requests"], stats["connections"], stats["peak_in_flight"]) == (n + 1, 1, 1)


def test_http_1_0(provider):
    head, _ = head_and_body(raw(provider, request_bytes(version="1.0")))
    assert head.startswith("HTTP/1.1 200 OK") and "Connection: close" in head
    with connect(provider) as s:
        for _ in range(2):
            s.sendall(request_bytes(version="1.0", extra="Connection: keep-alive\r\n"))
            assert b"Connection: keep-alive" in s.recv(65536)


@pytest.mark.parametrize("extra,continued", [("", True), ("X-Standin: stall100\r\n", False)])
def test_expect_100_continue(provider, extra, continued):
    head, body = request_bytes(extra=extra + "Expect: 100-continue\r\n").split(b"\r\n\r\n")
    with connect(provider, timeout=0.3) as s:
        s.sendall(head + b"\r\n\r\n")
        if continued:
            assert s.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        else:
            with pytest.raises(socket.timeout):
                s.recv(1)
        s.sendall(body)
        assert s.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


def test_chunked_requests_in_any_pieces(provider):
    body = b'7\r\n{"model\r\n5;x=y\r\n": "e\r\n8\r\n503", "m\r\n2\r\n":\r\n3\r\n1 }\r\n0\r\nTrailer: x\r\n\r\n'
    data = b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    for step in (1, 7, len(data)):
        with connect(provider) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(0, len(data), step):
                s.sendall(data[i:i + step])
            assert s.recv(65536).startswith(b"HTTP/1.1 503 ")
    assert provider.requests()[-1]["body"] == '{"model": "e503", "m":1 }'


def test_large_bodies(provider):
    body = json.dumps({"x": "y" * 3_000_000, "model": "e404"})
    assert ask(provider, body=body).status == 404
    head = raw(provider, b"POST /v1/x HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("data,status", [
    (b"\x16\x03\x01\x02\x00\x01\n\n", 400),
    (b"GET\r\n\r\n", 400),
    (b"GET /\r\n\r\n", 400),
    (b"GET / HTTP/2.0\r\n\r\n", 400),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\na: b\r\n folded\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\na: \x00\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", 400),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", 413),
    (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 300 + b"\r\n", 431),
    (b"GET / HTTP/1.1\r\na: " + b"b" * 70000, 431),
    (b"G" * 70000, 431),
])
def test_what_is_no_request_is_refused(provider, data, status):
    assert raw(provider, data).startswith(f"HTTP/1.1 {status} ".encode())
    assert provider.stats()["bad_requests"] == 1
    assert ask(provider).status == 200


def test_mutated_requests_do_no_harm(provider):
    rng = random.Random(20)
    seeds = [
        request_bytes("drip=500/1"), request_bytes("gzip"),
        b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{\"model\r\n3\r\n\":1\r\n0\r\n\r\n",
        b"POST /v1/audio/transcriptions HTTP/1.1\r\nContent-Type: multipart/form-data\r\nContent-Length: 38\r\n\r\n"
        b"--x\r\nx; name=\"model\"\r\n\r\nok\r\n--x--\r\n--",
        b"GET /v1/models?standin=latency%3D1 HTTP/1.1\r\nExpect: 100-continue\r\n\r\n",
        b"POST /_standin/behaviour HTTP/1.1\r\nContent-Length: 32\r\n\r\n{\"model\":\"\\u00e4\",\"behaviour\":\"\"}",
    ]
    for _ in range(600):
        data = bytearray(rng.choice(seeds) + rng.choice(seeds))
        for _ in range(rng.randrange(1, 8)):
            i = rng.randrange(len(data))
            match rng.randrange(4):
                case 0:
                    data[i] = rng.randrange(256)
                case 1:
                    del data[i:i + rng.randrange(1, 9)]
                case 2:
                    data[i:i] = rng.choice([b"\r\n", b"\r\n\r\n", b"\0", b'"', b"\\u", b"{", b"[", b"%", b"=", b"99999999"])
                case 3:
                    data[i:i] = data[i:i + rng.randrange(1, 30)]
            data = data or bytearray(b"x")
        with connect(provider, timeout=5) as s:
            cut = rng.randrange(len(data))
            try:
                s.sendall(data[:cut])
                s.sendall(data[cut:])
                s.shutdown(socket.SHUT_WR)
                read_all(s, most=200000)
            except (BrokenPipeError, ConnectionResetError, socket.timeout, OSError):
                pass
    provider.reset()
    assert ask(provider).status == 200
    wait_for(lambda: provider.stats()["open_connections"] == 0)


def test_clients_that_vanish(provider):
    for model in ("ok", "slow", "huge=50000000", "drip=1/1", "endless", "hang"):
        for _ in range(20):
            s = connect(provider)
            s.sendall(request_bytes(model) * 3)
            if model == "endless":
                s.recv(1000)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
    wait_for(lambda: provider.stats()["in_flight"] == 0 and provider.stats()["open_connections"] == 0)


def test_many_connections_at_once(provider):
    n = 3000
    sockets = [connect(provider) for _ in range(n)]
    try:
        for s in sockets:
            s.sendall(request_bytes("hang"))
        wait_for(lambda: provider.stats()["in_flight"] == n)
        stats = provider.stats()
        assert (stats["peak_in_flight"], stats["open_connections"], stats["peak_open_connections"]) == (n, n, n)
    finally:
        for s in sockets:
            s.close()
    wait_for(lambda: provider.stats()["open_connections"] == 0)


def test_many_models_and_paths(provider):
    """More names than the tables hold are answered all the same."""
    with Standin(log=False) as other, connect(other) as s:
        files = s.makefile("rb")
        for i in range(17000):
            body = json.dumps({"model": f"m{i}--e503" if i > 16500 else f"m{i}"})
            s.sendall(f"POST /{i % 2000}/chat/completions HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
            status = int(files.readline().split()[1])
            assert status == (503 if i > 16500 else 200)
            length = 0
            while (line := files.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split()[1])
            files.read(length)
        stats = other.stats()
        assert (len(stats["by_model"]), len(stats["by_path"]), stats["requests"]) == (16384, 1024, 17000)
