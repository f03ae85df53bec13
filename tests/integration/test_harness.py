# SPDX-License-Identifier: Apache-2.0
"""The tests' own tools: that they find what they are there to find. A script plays llmhealth."""

import os
import sys
import time

import pytest

from program import Llmhealth, children_of, listening_ports

SCRIPT = """#!%s
import http.server, os, signal, subprocess, sys, time
BEHAVIOUR = %r
if sys.argv[1] == "check":
    print(BEHAVIOUR)
    sys.exit(1)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if BEHAVIOUR == "leak":
            leaked.append(open("/dev/null"))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"sk-canary-1" if BEHAVIOUR == "key in body" else b"{}")
    def log_message(self, *args):
        pass
leaked = []
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
def end(*_):
    if BEHAVIOUR == "child":
        subprocess.Popen(["sleep", "30"])
    if BEHAVIOUR == "stubborn":
        return
    if BEHAVIOUR == "sanitizer":
        print("x.c:1:2: runtime error: signed integer overflow", file=sys.stderr, flush=True)
    if BEHAVIOUR == "key in log":
        print("Bearer sk-canary-1", file=sys.stderr, flush=True)
    os._exit(1 if BEHAVIOUR == "status" else 0)
signal.signal(signal.SIGTERM, end)
server.serve_forever()
"""


@pytest.fixture
def fake(tmp_path):
    made = []

    def make(behaviour):
        program = tmp_path / "llmhealth"
        program.write_text(SCRIPT % (sys.executable, behaviour))
        program.chmod(0o755)
        made.append(Llmhealth(tmp_path, tmp_path))
        return made[-1]
    yield make
    for programs in made:
        for daemon in programs.daemons:
            daemon.kill_all()


def test_a_clean_daemon_passes(fake):
    programs = fake("clean")
    daemon = programs.serve({"model_list": []})
    with daemon.same_descriptors():
        assert daemon.health() == {}
    assert listening_ports([daemon.pid]) == [(daemon.host, daemon.port)]
    assert daemon.pid in children_of(os.getpid())
    programs.close()
    assert daemon.status == 0


@pytest.mark.parametrize("behaviour,complaint", [
    ("child", "left behind"), ("sanitizer", "runtime error"), ("key in log", "a key is shown"),
    ("key in body", "a key is shown"), ("status", "ended with 1"),
])
def test_what_must_not_be_fails(fake, behaviour, complaint):
    programs = fake(behaviour)
    programs.serve({"model_list": []}).get("/")
    with pytest.raises(AssertionError, match=complaint):
        programs.close()


def test_a_leaked_descriptor_fails(fake):
    daemon = fake("leak").serve({"model_list": []})
    with pytest.raises(AssertionError, match="descriptors before"):
        with daemon.same_descriptors(seconds=0.2):
            daemon.get("/")
    daemon.stop()


def test_one_that_does_not_end_fails_and_is_ended(fake):
    daemon = fake("stubborn").serve({"model_list": []})
    daemon.send(15)
    started = time.monotonic()
    with pytest.raises(AssertionError, match="did not end"):
        daemon.wait(seconds=0.5)
    assert time.monotonic() - started < 10


def test_a_command_is_judged(fake):
    done = fake("some words").check("model_list: []\n")
    assert (done.returncode, done.stdout) == (1, "some words\n")
    with pytest.raises(AssertionError, match="a key is shown"):
        fake("sk-canary-2").check({"model_list": []})
