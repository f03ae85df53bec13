# SPDX-License-Identifier: Apache-2.0
"""The database of LiteLLM, Redis and the router, as readiness and /health/services show them; whose password is where."""

import contextlib
import pathlib
import re
import shutil
import socket
import subprocess
import threading

import pytest

from openapi import describe
from postgres_server import PostgresServer, need_postgres
from program import wait_for
from redis_server import RedisServer

KEY = "sk-master"
# The text of any database's URL here: it must be nowhere.
SECRET = "sk-canary-database"


@pytest.fixture
def built(builddir):
    """Whether the worker can test a database at all."""
    out = subprocess.run(["readelf", "-d", builddir / "llmhealth-worker"], capture_output=True, text=True).stdout
    if "libpq" not in out:
        pytest.skip("built without libpq")


def config(standin, url=None, **general):
    settings = {"master_key": KEY, **general}
    if url is not None:
        settings["database_url"] = url
    return {
        "model_list": [{"model_name": "a", "litellm_params": {"model": "openai/ok", "api_base": standin.url, "api_key": "k"}}],
        "general_settings": settings,
        "llmhealth": {"workers": 1, "database": {"interval": "500ms", "timeout": "400ms"}},
    }


def ready(daemon):
    answer = daemon.get("/health/readiness")
    return answer.status, answer.json["db"]


def database(daemon):
    answer = daemon.get("/health/services", KEY)
    assert answer.status == 200
    return answer.json["database"]


def becomes(daemon, state, seconds=10):
    wait_for(lambda: ready(daemon) == state, seconds, f"never {state}: {ready(daemon)}, {database(daemon)}")


def test_without_a_database(llmhealth, standin):
    daemon = describe(llmhealth.serve(config(standin)))
    assert ready(daemon) == (200, "Not connected")
    assert database(daemon) == {"status": "not_configured", "latency_ms": None}


def test_a_real_database_goes_and_comes_back(llmhealth, standin, tmp_path, built):
    need_postgres()
    with PostgresServer(SECRET) as server:
        daemon = describe(llmhealth.serve(config(standin, server.url(query="?schema=public&connection_limit=5"))))
        becomes(daemon, (200, "connected"))
        shown = database(daemon)
        assert shown["status"] == "healthy" and 0 < shown["latency_ms"] < 400 and "error" not in shown
        assert daemon.get("/health/readiness/details", KEY).json["db"] == "connected"
        server.stop()
        becomes(daemon, (503, "disconnected"))
        shown = database(daemon)
        assert shown["status"] == "unhealthy" and shown["error"] == "the connection was refused"
        assert daemon.get("/health/readiness/details", KEY).status == 503
        assert daemon.get("/health/liveliness").status == 200
        server.start()
        becomes(daemon, (200, "connected"))
        # Another password, by a reload.
        daemon.reload(config(standin, server.url(password="sk-canary-wrong")))
        becomes(daemon, (503, "disconnected"))
        assert "password is wrong" in database(daemon)["error"]
        daemon.reload(config(standin, server.url(name="none-of-that-name")))
        wait_for(lambda: database(daemon).get("error") == "there is no database of that name", 10, database(daemon))
        daemon.reload(config(standin, server.url(host="127.0.0.1:9,127.0.0.1")))
        becomes(daemon, (200, "connected"))  # the second of two
        daemon.reload(config(standin, server.url(host="localhost")))
        becomes(daemon, (200, "connected"))
        daemon.reload(config(standin))
        becomes(daemon, (200, "Not connected"))
        daemon.stop()
    assert SECRET not in daemon.stderr


def test_the_environment_names_it(llmhealth, standin, tmp_path, built):
    need_postgres()
    with PostgresServer(SECRET) as server:
        daemon = describe(llmhealth.serve(config(standin), env={"DATABASE_URL": server.url()}))
        becomes(daemon, (200, "connected"))
        daemon.stop()


def test_who_holds_the_password(llmhealth, standin, tmp_path, built):
    """It is in no file, log, answer or argument, and not in the front's memory."""
    need_postgres()
    gcore = shutil.which("gcore")
    with PostgresServer(SECRET) as server:
        daemon = describe(llmhealth.serve(config(standin, server.url())))
        becomes(daemon, (200, "connected"))
        for pid in [daemon.pid, daemon.front, *daemon.workers]:
            assert SECRET.encode() not in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            assert SECRET.encode() not in pathlib.Path(f"/proc/{pid}/environ").read_bytes()
        memory = memory_of(daemon.front)
        if memory is None:
            pytest.skip("the front's memory cannot be read here" + ("" if gcore else ", and gcore is missing"))
        assert SECRET.encode() not in memory and b"general_settings.database_url" in memory
        daemon.stop()


def memory_of(pid):
    """All that is mapped for writing or reading, or None where it may not be read."""
    parts = []
    try:
        with open(f"/proc/{pid}/mem", "rb", 0) as mem:
            for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
                at = re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line)
                size = int(at[2], 16) - int(at[1], 16) if at else 0
                # The sanitizer's shadow is larger than any machine.
                if 0 < size < 1 << 28:
                    mem.seek(int(at[1], 16))
                    with contextlib.suppress(OSError):
                        parts.append(mem.read(size))
    except OSError:
        return None
    return b"".join(parts)


class Listener:
    """Accepts and does what `answer` says: None hangs, bytes are sent."""

    def __init__(self, answer, close=False):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.answer, self.close = answer, close
        self.connections = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                c, _ = self.server.accept()
                self.connections.append(c)
                if self.answer is not None:
                    with contextlib.suppress(OSError):
                        c.recv(1)
                        c.sendall(self.answer)
                if self.close:
                    c.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.close()
        for c in self.connections:
            c.close()


@pytest.mark.parametrize("answer,close,words", [
    (None, False, "no connection in time"),
    (b"N", True, "the server closed the connection"),
    (b"", True, "the server closed the connection"),
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", False, None),
    (b"NE\xff\xff\xff\xff" + b"x" * 65536, False, None),
    (b"NR\x00\x00\x00\x08\x00\x00\x00\x00Z\x00\x00\x00\x05I", False, None),
    (b"E" + (60).to_bytes(4, "big") + b"SFATAL\x00C28P01\x00Msk-canary-of-the-server\x00\x00", True, None),
])
def test_what_answers_is_no_database(llmhealth, standin, built, answer, close, words):
    with Listener(answer, close) as listener:
        daemon = describe(llmhealth.serve(config(standin, f"postgresql://u:{SECRET}@127.0.0.1:{listener.port}/d")))
        becomes(daemon, (503, "disconnected"))
        shown = database(daemon)
        assert shown["status"] == "unhealthy" and shown["error"] and (words is None or shown["error"] == words), shown
        # Never more than one connection at a time, and probing goes on.
        assert daemon.health(KEY)["healthy_count"] == 1
        daemon.stop()


@pytest.mark.parametrize("url,words", [
    ("postgresql://u:sk-canary-x@h:port/d", None),
    ("postgresql://u:sk-canary-x@127.0.0.1:99999/d", None),
    ("postgresql://u:sk-canary-x@[::1/d", "the URL cannot be read"),
    ("postgresql://u:sk-canary-x%zz@127.0.0.1/d", "the URL cannot be read"),
    ("postgresql://u:sk-canary-x@127.0.0.1/d?nonsense", "the URL cannot be read"),
    ("postgresql://u:sk-canary-x@127.0.0.1/d?no_such=1", "the URL cannot be read"),
    ("postgresql://u:sk-canary-x@name.invalid/d", None),
    ("mysql://u:sk-canary-x@127.0.0.1/d", "the URL cannot be read"),
    ("postgresql://u:sk-canary-x@" + "h," * 100 + "h/d", "the URL has too many hosts"),
])
def test_bad_urls(llmhealth, standin, built, url, words):
    daemon = describe(llmhealth.serve(config(standin, url)))
    becomes(daemon, (503, "disconnected"), 20)
    if words:
        assert database(daemon)["error"] == words
    if url.startswith("mysql"):
        assert "general_settings.database_url is no URL of a PostgreSQL database" in daemon.stderr
    daemon.stop()


def test_requests_may_be_allowed_without_it(llmhealth, standin, built):
    daemon = describe(llmhealth.serve(config(standin, "postgresql://u:sk-canary-x@127.0.0.1:9/d", allow_requests_on_db_unavailable=True)))
    becomes(daemon, (200, "disconnected"))
    assert daemon.get("/health/readiness/details", KEY).status == 200
    daemon.stop()


def test_a_worker_that_dies_does_not_end_the_tests(llmhealth, standin, tmp_path, built):
    need_postgres()
    with PostgresServer(SECRET) as server:
        daemon = describe(llmhealth.serve(config(standin, server.url())))
        becomes(daemon, (200, "connected"))
        subprocess.run(["kill", "-KILL", str(daemon.workers[0])], check=True)
        server.stop()
        becomes(daemon, (503, "disconnected"), 20)
        server.start()
        becomes(daemon, (200, "connected"), 20)
        daemon.stop()


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
def test_redis_with_its_latency(llmhealth, standin, tmp_path):
    with RedisServer(tmp_path / "redis") as redis:
        c = config(standin)
        c["llmhealth"]["redis"] = {"socket": redis.socket, "heartbeat": "1s", "timeout": "1s"}
        daemon = describe(llmhealth.serve(c))
        wait_for(lambda: daemon.get("/health/services", KEY).json["redis"]["status"] == "healthy", 10, "never")
        services = daemon.get("/health/services", KEY).json
        assert 0 < services["redis"]["latency_ms"] < 1000
        wait_for(lambda: daemon.get("/health/services", KEY).json["router"]["status"] == "healthy", 10, "never")
        redis.pause()
        wait_for(lambda: daemon.get("/health/services", KEY).json["redis"]["status"] == "unhealthy", 10, "never")
        assert daemon.get("/health/services", KEY).json["redis"]["error"]
        redis.resume()
        wait_for(lambda: daemon.get("/health/services", KEY).json["redis"]["status"] == "healthy", 10, "never")
        daemon.stop()
