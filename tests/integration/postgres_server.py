# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL of one test alone, on a free port, run as a user that is not root (it refuses root).

    with PostgresServer(password="…") as server:
        server.url()
"""

import contextlib
import glob
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

from program import wait_for


def programs():
    """The folder of initdb and postgres: on the path, or where Debian puts the newest."""
    on_path = shutil.which("initdb")
    if on_path:
        return pathlib.Path(on_path).parent
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda p: int(p.split("/")[4]))
    return pathlib.Path(found[-1]).parent if found else None


def need_postgres():
    if programs() is None:
        pytest.skip("postgresql is not installed")


class PostgresServer:
    def __init__(self, password="sk-canary-database", user="llm"):
        self.bin = programs()
        # Not in pytest's folder, which is for its owner alone.
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="llmhealth-pg-"))
        self.password = password
        self.user = user
        self.process = None
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.owner = pwd.getpwnam("nobody") if os.getuid() == 0 else None

    def run(self, *args, **kwargs):
        extra = {"user": self.owner.pw_uid, "group": self.owner.pw_gid, "extra_groups": []} if self.owner else {}
        return subprocess.Popen(args, stdin=subprocess.DEVNULL, cwd="/", env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
                                **extra, **kwargs)

    def __enter__(self):
        words = self.directory / "password"
        words.write_text(self.password)
        if self.owner:
            os.chown(self.directory, self.owner.pw_uid, self.owner.pw_gid)
            os.chown(words, self.owner.pw_uid, self.owner.pw_gid)
        made = self.run(self.bin / "initdb", "-D", self.directory / "data", "-U", self.user, "-A", "scram-sha-256",
                        f"--pwfile={words}", "--no-sync", "-E", "UTF8", "--locale=C",
                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        out, _ = made.communicate(timeout=60)
        assert made.returncode == 0, out.decode()
        return self.start()

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self):
        with open(self.directory / "log", "ab") as log:
            self.process = self.run(
                self.bin / "postgres", "-D", self.directory / "data", "-p", str(self.port), "-F",
                "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=10",
                "-c", "shared_buffers=1MB", stdout=log, stderr=log)
        wait_for(self.answers, 20, "postgres never answered")
        return self

    def answers(self):
        assert self.process.poll() is None, (self.directory / "log").read_text()
        log = (self.directory / "log").read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return log.rstrip().endswith("ready to accept connections")
        return False

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def url(self, password=None, name="postgres", host="127.0.0.1", query=""):
        return f"postgresql://{self.user}:{password or self.password}@{host}:{self.port}/{name}{query}"
