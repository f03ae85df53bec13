# SPDX-License-Identifier: Apache-2.0
"""Starts llmhealth itself from tests, talks to it, and judges how it ended.

    def test_something(llmhealth, standin):
        daemon = llmhealth.serve({"model_list": [...]})
        assert daemon.get("/health/liveliness").status == 200

The fixture (conftest.py) stops what a test left running and fails the test on anything that a sanitizer
said, on a child left behind, on a key shown (any text that starts with "sk-canary") and on another exit
status than 0.
"""

import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest

SANITIZER = re.compile(r"ERROR: \w+Sanitizer|runtime error:|SUMMARY: \w+Sanitizer")
CANARY = re.compile(r"sk-canary[\w-]*")
START_SECONDS = 20
STOP_SECONDS = 20

# What a test's daemon has unless its config says otherwise.
SETTINGS = {"listen": ["127.0.0.1:0"], "grace": 0, "drain": "5s"}


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)


def http_request(host, port, method, path, headers=None, body=None, timeout=20):
    """One request on a connection of its own. `path` is sent as it is."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def stat_fields(pid):
    """/proc/PID/stat from the state on (field 3), or None. Readable also where the process is undumpable."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def processes():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def session_members(session):
    """The pids of a session, zombies too."""
    found = []
    for pid in processes():
        fields = stat_fields(pid)
        if fields is not None and int(fields[3]) == session:
            found.append(pid)
    return found


def children_of(pid):
    """Its children, zombies left out."""
    found = []
    for other in processes():
        fields = stat_fields(other)
        if fields is not None and int(fields[1]) == pid and fields[0] != "Z":
            found.append(other)
    return sorted(found)


def name_of(pid):
    """What the program is called, cut to 15 bytes by the kernel."""
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def need_localhost():
    """Skips where the name localhost is not known: a bare chroot has no /etc/hosts."""
    try:
        socket.getaddrinfo("localhost", None)
    except OSError:
        pytest.skip("localhost does not resolve here")


def wait_for(condition, seconds=10, what="it never came true"):
    """Whatever true thing the condition gives in the end."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, what
        time.sleep(0.01)


def descriptors(pid):
    return os.listdir(f"/proc/{pid}/fd")


# A TCP socket that is neither listening nor waiting for its end: state and inode (proc(5)).
CONNECTED = re.compile(r"(?m)^ *\d+: \S+ \S+ (?!0A|06)\S+ \S+ \S+ \S+ +\d+ +\d+ (\d+) ")


def kept_descriptors(pids):
    """How many each has, TCP connections left out: workers keep some open on purpose, clients come and go."""
    def connected():
        return set(CONNECTED.findall(pathlib.Path("/proc/net/tcp").read_text()))

    known = connected()
    inodes = {}
    for pid in pids:
        inodes[pid] = []
        with contextlib.suppress(OSError):
            for fd in descriptors(pid):
                with contextlib.suppress(OSError):
                    inodes[pid].append(os.readlink(f"/proc/{pid}/fd/{fd}").removeprefix("socket:[").removesuffix("]"))
    known |= connected()
    return {pid: sum(inode not in known for inode in found) for pid, found in inodes.items()}


def listening_ports(pids):
    """[(address, port)] of the TCP sockets over IPv4 that any of these processes listens on."""
    inodes = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            for fd in descriptors(pid):
                with contextlib.suppress(OSError):
                    inodes.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
    found = []
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
            address, port = fields[1].split(":")
            octets = reversed([int(address[i:i + 2], 16) for i in range(0, 8, 2)])
            found.append((".".join(map(str, octets)), int(port, 16)))
    return sorted(set(found), key=lambda at: at[1])


class Daemon:
    """One `llmhealth serve`."""

    def __init__(self, owner, config, args=(), env=None, status=0):
        self.owner = owner
        self.config = config
        self.expected_status = status
        self.status = None
        self.bodies = []
        number = len(owner.daemons)
        self.stdout_path = owner.directory / f"serve-{number}.out"
        self.stderr_path = owner.directory / f"serve-{number}.err"
        with open(self.stdout_path, "wb") as out, open(self.stderr_path, "wb") as err:
            self.process = subprocess.Popen(
                [owner.program, "serve", config, *args], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                env=owner.environment(env), start_new_session=True, cwd=owner.directory)
        self.host, self.port = None, None
        self.described = None  # an openapi.Document that all answers are held against

    @property
    def pid(self):
        return self.process.pid

    @property
    def stdout(self):
        return self.stdout_path.read_text(errors="replace")

    @property
    def stderr(self):
        return self.stderr_path.read_text(errors="replace")

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    def members(self, name):
        return [pid for pid in children_of(self.pid) if name_of(pid) == name[:15]]

    @property
    def front(self):
        """The front's pid, or None while there is none."""
        return next(iter(self.members("llmhealth-front")), None)

    @property
    def workers(self):
        return self.members("llmhealth-worker")

    def wait_serving(self, seconds=START_SECONDS):
        """Until liveliness answers 200."""
        def serving():
            assert self.process.poll() is None, (
                f"llmhealth serve ended with {self.process.returncode}:\n{self.stderr}{self.stdout}")
            for host, port in listening_ports([self.pid, *children_of(self.pid)]):
                with contextlib.suppress(OSError, http.client.HTTPException):
                    if http_request(host, port, "GET", "/health/liveliness", timeout=2).status == 200:
                        self.host, self.port = host, port
                        return True
            return False
        wait_for(serving, seconds, "llmhealth serve never served")
        return self

    def request(self, method, path, key=None, headers=None, body=None, timeout=20):
        headers = dict(headers or {})
        if key is not None:
            headers["Authorization"] = "Bearer " + key
        answer = http_request(self.host, self.port, method, path, headers, body, timeout)
        self.bodies.append(str(answer.headers) + answer.body.decode(errors="replace"))
        if self.described:
            self.described.check(method, path, answer)
        return answer

    def get(self, path, key=None, headers=None, timeout=20):
        return self.request("GET", path, key, headers, timeout=timeout)

    def health(self, key=None, query=""):
        answer = self.get("/health" + query, key)
        assert answer.status == 200, answer.text
        return answer.json

    def send(self, number):
        self.process.send_signal(number)

    def reload(self, config=None):
        """Writes the new config (text or dictionary) over the old one and sends SIGHUP."""
        if config is not None:
            self.owner.write_config(config, self.config)
        self.send(signal.SIGHUP)

    @contextlib.contextmanager
    def same_descriptors(self, seconds=10):
        """What happens inside leaves no descriptor (but connections) open in any of the processes."""
        def counts():
            found = {}
            for pid, number in kept_descriptors([self.pid, *children_of(self.pid)]).items():
                found.setdefault(name_of(pid), []).append(number)
            return {name: sorted(numbers) for name, numbers in found.items()}

        def is_within(now, limit):
            return now.keys() == limit.keys() and all(
                len(now[name]) == len(limit[name]) and all(a <= b for a, b in zip(now[name], limit[name]))
                for name in now)

        # One that is just being opened or closed is not what the process keeps: the lowest of some counts.
        before = counts()
        for _ in range(4):
            time.sleep(0.05)
            again = counts()
            if is_within(again, before):
                before = again
        yield
        end = time.monotonic() + seconds
        after = counts()
        while not is_within(after, before) and time.monotonic() < end:
            time.sleep(0.05)
            after = counts()
        assert is_within(after, before), f"descriptors before {before}, after {after}"

    def stop(self, number=signal.SIGTERM):
        """Sends the signal, waits for the end and judges it. Once is enough; more do nothing."""
        if self.status is not None:
            return self
        if self.process.poll() is None:
            self.send(number)
        return self.wait()

    def wait(self, seconds=STOP_SECONDS):
        """Waits for its end and judges it."""
        try:
            self.status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill_all()
            self.status = self.process.returncode
            raise AssertionError(f"llmhealth serve did not end in {seconds} s:\n{self.stderr}") from None
        try:
            wait_for(lambda: not session_members(self.pid), 2, "left behind: " + ", ".join(
                f"{pid} {name_of(pid)}" for pid in session_members(self.pid)))
        finally:
            self.kill_all()
        assert self.status == self.expected_status, f"ended with {self.status}:\n{self.stderr}"
        judge_output(self.stdout + self.stderr, *self.bodies)
        return self

    def kill_all(self):
        for pid in session_members(self.pid):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


def judge_output(*texts):
    """Fails on what a sanitizer said and on a canary key."""
    for text in texts:
        at = SANITIZER.search(text)
        assert at is None, text[max(0, at.start() - 200):at.start() + 4000]
        key = CANARY.search(text)
        assert key is None, f"a key is shown: {text[max(0, key.start() - 200):key.end() + 100]}"


class Llmhealth:
    """The fixture's value."""

    def __init__(self, builddir, directory):
        self.builddir = builddir
        self.program = builddir / "llmhealth"
        self.directory = directory
        self.daemons = []

    def environment(self, env=None):
        """Of this process, without what would change a config's meaning, with `env` on top."""
        kept = {name: value for name, value in os.environ.items()
                if not re.match(r"LITELLM_|OPENAI_|SSL_|DEFAULT_HEALTH|(?i:.*_proxy$)|NO_COLOR$|PYTEST_", name)}
        kept["LLMHEALTH_LIBEXECDIR"] = str(self.builddir)
        kept.update(env or {})
        return kept

    def write_config(self, config, path=None, settings=None):
        """Writes a text or a dictionary as a config file; a dictionary gets a test's settings."""
        path = path or self.directory / "config.yaml"
        if isinstance(config, dict):
            config = dict(config)
            config["llmhealth"] = {**SETTINGS, **config.get("llmhealth", {}), **(settings or {})}
            config = json.dumps(config, indent=1)
        elif not re.search(r"(?m)^llmhealth:", config):
            config += "\nllmhealth: " + json.dumps({**SETTINGS, **(settings or {})}) + "\n"
        beside = path.with_name(path.name + ".new")
        beside.write_text(config)
        beside.rename(path)
        return path

    def serve(self, config, *args, env=None, wait=True, status=0, settings=None):
        """Starts `llmhealth serve` on a config (dictionary, text or path) and waits until it serves."""
        if not isinstance(config, pathlib.Path):
            config = self.write_config(config, self.directory / f"config-{len(self.daemons)}.yaml", settings)
        daemon = Daemon(self, config, args, env, status)
        self.daemons.append(daemon)
        return daemon.wait_serving() if wait else daemon

    def run(self, *args, env=None, timeout=60, input=None):
        """Runs `llmhealth ARGS` to its end; the CompletedProcess, with text. Judges all but its status."""
        process = subprocess.Popen(
            [self.program, *args], stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
            env=self.environment(env), start_new_session=True, cwd=self.directory)
        try:
            out, err = process.communicate(input, timeout)
            left = session_members(process.pid)
            if left:
                wait_for(lambda: not session_members(process.pid), 2, f"left behind: {left}")
        finally:
            for pid in session_members(process.pid):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()
        judge_output(out, err)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def check(self, config, *args, **kwargs):
        """`llmhealth check` on a config (dictionary, text or path)."""
        return self._command("check", config, args, kwargs)

    def validate(self, config, *args, **kwargs):
        return self._command("validate", config, args, kwargs)

    def _command(self, command, config, args, kwargs):
        if not isinstance(config, pathlib.Path):
            config = self.write_config(config)
        return self.run(command, config, *args, **kwargs)

    def close(self):
        """Stops every daemon; the first complaint is raised when all are down."""
        complaint = None
        for daemon in self.daemons:
            try:
                daemon.stop()
            except AssertionError as e:
                complaint = complaint or e
        if complaint is not None:
            raise complaint
