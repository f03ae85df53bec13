# SPDX-License-Identifier: Apache-2.0
"""A real redis-server of one test alone, on a Unix socket or on a free port, that can be hurt.

    with RedisServer(directory) as redis:
        redis.command("SET", "a", "b")
"""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess

from program import wait_for


class RedisError(Exception):
    pass


class RedisClient:
    """RESP2 over a socket: commands as lists, answers as Python's own values (bytes, int, list, None)."""

    def __init__(self, address, timeout=20):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(address)
        self.file = self.socket.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, *words):
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            word = word if isinstance(word, bytes) else str(word).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
        self.socket.sendall(b"".join(parts))

    def read(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RedisError(rest.decode())
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if int(rest) < 0 else self.file.read(int(rest) + 2)[:-2]
        return None if int(rest) < 0 else [self.read() for _ in range(int(rest))]

    def command(self, *words):
        self.send(*words)
        return self.read()


class RedisServer:
    def __init__(self, directory, port=None, password=None, save=False, options=(), host="127.0.0.1", certificates=None):
        """certificates: a Standin with client certificates; the port speaks TLS then, and wants the client's."""
        self.program = shutil.which("redis-server")
        self.directory = pathlib.Path(directory)
        self.socket = str(self.directory / "redis.sock")
        self.port = port
        self.password = password
        self.host = host
        self.certificates = certificates
        self.options = ["--save", "3600 1" if save else "", *options]
        self.process = None
        self.client = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()

    def start(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)
        arguments = ["--port", "0" if self.certificates else str(self.port or 0), "--bind", self.host,
                     "--unixsocket", self.socket, "--dir", str(self.directory), "--daemonize", "no", *self.options]
        if self.certificates:
            directory = self.certificates.directory
            arguments += ["--tls-port", str(self.port), "--tls-cert-file", str(directory / "server.pem"),
                          "--tls-key-file", str(directory / "server.key"), "--tls-ca-cert-file", str(self.certificates.ca),
                          "--tls-client-cert-file", str(self.certificates.client_pem),
                          "--tls-client-key-file", str(self.certificates.client_key),
                          "--tls-auth-clients", "yes", "--tls-replication", "yes", "--tls-cluster", "yes"]
        if self.password:
            arguments += ["--requirepass", self.password]
        log = open(self.directory / "redis.log", "ab")
        with log:
            program = self.program if isinstance(self.program, list) else [self.program]
            self.process = subprocess.Popen([*program, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(self.answers, 10, "redis-server never answered")
        return self

    def connect(self):
        client = RedisClient(self.socket)
        if self.password:
            client.command("AUTH", self.password)
        return client

    def answers(self):
        assert self.process.poll() is None, (self.directory / "redis.log").read_text()
        with contextlib.suppress(OSError, RedisError, ConnectionError):
            client = self.connect()
            client.command("PING")
            self.client = client
            return True
        return False

    def command(self, *words):
        try:
            return self.client.command(*words)
        except ConnectionError:
            # A server that is made master or replica closes its clients' connections.
            self.client = self.connect()
            return self.client.command(*words)

    def kill(self):
        if self.client:
            self.client.close()
            self.client = None
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def hash(self, key):
        flat = self.command("HGETALL", key)
        return {flat[i].decode(): flat[i + 1] for i in range(0, len(flat), 2)}
