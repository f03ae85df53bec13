# SPDX-License-Identifier: Apache-2.0
"""How tests talk to the stand-in without a client library's politeness."""

import http.client
import json
import socket
import time

import pytest

from standin import Standin

KEY = "sk-prov-abcdwxyz"
HEADERS = {"Authorization": "Bearer " + KEY, "Content-Type": "application/json"}


@pytest.fixture(scope="module")
def provider():
    with Standin(tls=True) as p:
        yield p


@pytest.fixture(autouse=True)
def forgotten(provider):
    provider.reset()


class Answer:
    def __init__(self, response, body):
        self.status = response.status
        self.headers = response.headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]


def ask(provider, model="ok", path="/v1/chat/completions", method="POST", headers=None, body=None, timeout=20):
    connection = http.client.HTTPConnection("127.0.0.1", provider.port, timeout=timeout)
    try:
        if body is None and method == "POST":
            body = json.dumps({"messages": [{"role": "user", "content": "hi"}], "model": model})
        connection.request(method, path, body=body, headers={**HEADERS, **(headers or {})})
        response = connection.getresponse()
        return Answer(response, response.read())
    finally:
        connection.close()


def request_bytes(model="ok", version="1.1", extra=""):
    body = json.dumps({"model": model, "messages": []})
    return (f"POST /v1/chat/completions HTTP/{version}\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n{extra}"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


def connect(provider, timeout=20):
    return socket.create_connection(("127.0.0.1", provider.port), timeout=timeout)


def read_all(s, most=None):
    got = b""
    while most is None or len(got) < most:
        piece = s.recv(65536)
        if not piece:
            break
        got += piece
    return got


def raw(provider, data, most=None):
    with connect(provider) as s:
        s.sendall(data)
        return read_all(s, most)


def head_and_body(data):
    head, _, body = data.partition(b"\r\n\r\n")
    return head.decode("latin-1"), body


def wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "never came true"
        time.sleep(0.01)


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
