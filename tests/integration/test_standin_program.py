# SPDX-License-Identifier: Apache-2.0
"""The stand-in provider itself: TLS, its log, its options and its end."""

import http.client
import json
import socket
import ssl
import subprocess
import time

import pytest

from program import need_localhost
from standin import Standin
from standin_client import (  # noqa: F401
    HEADERS, KEY, Answer, ask, forgotten, is_running, provider, read_all, request_bytes, wait_for)


# ---- TLS

def tls_context(provider, client=False):
    context = ssl.create_default_context(cafile=str(provider.ca))
    if client:
        context.load_cert_chain(provider.client_pem, provider.client_key)
    return context


def tls_ask(provider, context, model="ok", host="localhost"):
    connection = http.client.HTTPSConnection(host, provider.https_port, context=context, timeout=20)
    connection.request("POST", "/v1/chat/completions", body=json.dumps({"model": model}), headers=HEADERS)
    response = connection.getresponse()
    answer = Answer(response, response.read())
    return answer, connection


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_tls(provider, host):
    need_localhost()
    context = tls_context(provider)
    for model, status in (("ok", 200), ("e401", 401), ("huge=3000000", 200), ("drip=100/1", 200), ("gzip", 200)):
        answer, connection = tls_ask(provider, context, model, host)
        assert answer.status == status
        connection.close()
    stats = provider.stats()
    assert (stats["tls_handshakes"], stats["tls_failures"]) == (5, 0)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("model", ["ok", "half"])
def test_tls_sessions_are_resumed(provider, version, model):
    context = tls_context(provider)
    context.minimum_version = context.maximum_version = version
    session = None
    for i in range(4):
        s = context.wrap_socket(socket.create_connection(("127.0.0.1", provider.https_port), timeout=20),
                                server_hostname="localhost", session=session)
        s.sendall(request_bytes(model))
        assert s.recv(65536).startswith(b"HTTP/1.1 200")
        assert s.session_reused == (i > 0)
        session = s.session
        s.close()
    stats = provider.stats()
    assert (stats["tls_handshakes"], stats["tls_resumed"]) == (4, 3)


def test_tls_pipelines_and_pieces(provider):
    context = tls_context(provider)
    with context.wrap_socket(socket.create_connection(("127.0.0.1", provider.https_port), timeout=20),
                             server_hostname="localhost") as s:
        s.sendall(request_bytes() * 50 + request_bytes("latency=50") * 2 + request_bytes(extra="Connection: close\r\n"))
        assert read_all(s).count(b"HTTP/1.1 200 OK") == 53


def test_tls_endings(provider):
    context = tls_context(provider)
    context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF if hasattr(ssl, "OP_IGNORE_UNEXPECTED_EOF") else 0x80
    for model, wanted in (("close", b""), ("cut=10", b"\r\n\r\n"), ("garbage", b"\0")):
        with context.wrap_socket(socket.create_connection(("127.0.0.1", provider.https_port), timeout=20),
                                 server_hostname="localhost") as s:
            s.sendall(request_bytes(model))
            try:
                data = read_all(s)
            except ConnectionResetError:
                data = b""
            assert wanted in data


def test_plain_bytes_on_the_tls_port(provider):
    with socket.create_connection(("127.0.0.1", provider.https_port), timeout=20) as s:
        s.sendall(request_bytes())
        try:
            assert not read_all(s).startswith(b"HTTP")
        except ConnectionResetError:
            pass
    wait_for(lambda: provider.stats()["tls_failures"] == 1)


def test_client_certificates():
    need_localhost()
    with Standin(client_cert=True) as p:
        answer, connection = tls_ask(p, tls_context(p, client=True))
        assert answer.status == 200
        connection.close()
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            tls_ask(p, tls_context(p))


# ---- the program

def test_requests_log_has_what_was_sent(provider):
    before = len(provider.requests())
    ask(provider, "e401", path="/v1/chat/completions?q=1", headers={"X-Test": "ä".encode().decode("latin-1")})
    log = provider.requests()[before:]
    assert len(log) == 1
    assert (log[0]["method"], log[0]["path"], log[0]["query"], log[0]["model"]) == (
        "POST", "/v1/chat/completions", "q=1", "e401")
    assert log[0]["headers"]["authorization"] == "Bearer " + KEY
    assert log[0]["headers"]["x-test"] == "ä"
    assert log[0]["json"]["model"] == "e401"


def test_control_counts_nowhere(provider):
    for _ in range(5):
        stats = provider.stats()
    assert (stats["requests"], stats["connections"], stats["open_connections"], stats["peak_open_connections"]) == (0,) * 4


def test_summary_and_ends(provider):
    with Standin() as other:
        ask(other)
    assert other.output.startswith("1 requests, at most 1 in flight; 1 connections, at most 1 open;")
    started = time.monotonic()
    done = subprocess.run([other.program, "--max-seconds", "1", "--quiet"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0 and done.stdout.startswith("listening http 127.0.0.1:")
    assert len(done.stdout.splitlines()) == 1 and time.monotonic() - started >= 0.9


@pytest.mark.parametrize("options", [["--nonsense"], ["--latency-ms", "x"], ["--tls", "127.0.0.1:0"], ["word"]])
def test_wrong_options(provider, options):
    done = subprocess.run([provider.program, *options], capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and done.stderr


def test_a_taken_port_is_said(provider):
    done = subprocess.run([provider.program, "--listen", f"127.0.0.1:{provider.port}"], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and "cannot listen" in done.stderr


def test_ends_with_its_parent(provider):
    script = f"'{provider.program}' --die-with-parent & echo $!; read line"
    shell = subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    pid = int(shell.stdout.readline())
    assert shell.stdout.readline().startswith("listening http ")
    shell.kill()
    shell.wait()
    wait_for(lambda: not is_running(pid))
    shell.stdin.close()
    shell.stdout.close()


def test_ends_with_its_input(provider):
    other = subprocess.Popen([provider.program, "--until-eof", "--quiet"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline().startswith("listening http ")
    other.stdin.write("this is read and means nothing\n")
    other.stdin.flush()
    assert other.poll() is None
    other.stdin.close()
    assert other.wait(timeout=20) == 0
    other.stdout.close()


def test_port_file_is_what_is_printed(provider, tmp_path):
    where = tmp_path / "ports"
    other = subprocess.Popen(
        [provider.program, "--until-eof", "--quiet", "--tls-self-signed", tmp_path, "--port-file", where],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    printed = other.stdout.readline() + other.stdout.readline()
    assert where.read_text() == printed
    assert [line.split()[:2] for line in printed.splitlines()] == [["listening", "http"], ["listening", "https"]]
    other.stdin.close()
    assert other.wait(timeout=20) == 0
    other.stdout.close()
    done = subprocess.run([provider.program, "--port-file", tmp_path / "no" / "such"], capture_output=True,
                          text=True, timeout=20)
    assert done.returncode != 0 and "cannot write" in done.stderr
