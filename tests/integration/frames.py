# SPDX-License-Identifier: Apache-2.0
"""Speaks to one of our child programs as its supervisor, or as its front or worker, does: frames of
msgpack arrays (shared/wire.h), the messages read from shared/msgs.def and shared/msgs.h.

    with Child(builddir / "llmhealth-worker") as worker:
        worker.send("start", index=0, log_level=7, log_format=0, flags=0)
        ...
        front = worker.give_peer(index=0)          # the other end of a pair of sockets
        front.send("job", job=1, generation=1, handle=0)
        answer = front.receive("result")
        assert answer["healthy"]
"""

import array
import os
import pathlib
import re
import select
import signal
import socket
import struct
import subprocess
import tempfile
import time

import msgpack

SOURCE = pathlib.Path(__file__).resolve().parents[2]
HEADER = struct.Struct(">IBBHI")
VERSION = 1
DEFAULTS = {"U32": 0, "U64": 0, "I64": 0, "BOOL": False, "STR": "", "STRS": [], "KVS": []}


def _text(path):
    text = (SOURCE / path).read_text()
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S).replace("\\\n", "")


def _messages():
    fields = {}
    for name, body in re.findall(r"^#define MSG_FIELDS_(\w+)\(F, M\)(.*)$", _text("shared/msgs.h"), re.M):
        fields[name] = [(n, t) for t, n in re.findall(r"F\(\s*M,\s*(\w+),\s*(\w+)\)", body)]
    rows = re.findall(r"^MSG\(\w+,\s*(\w+),\s*(\d+),[^)]*,\s*(\d)\)", _text("shared/msgs.def"), re.M)
    return {name: (int(number), fields[name], int(fds)) for name, number, fds in rows}


def _settings():
    rows = re.findall(r'^SETTING\((\w+),\s*"([^"]*)",\s*\w+,\s*"([^"]*)"', _text("shared/settings.def"), re.M)
    return [(name, default) for name, _, default in rows]


MESSAGES = _messages()
NAMES = {number: name for name, (number, _, _) in MESSAGES.items()}
SETTINGS = _settings()


def settings(**changed):
    """The texts of CONF_BEGIN: all defaults but those named, as MAX_BODY="2048"."""
    unknown = set(changed) - {name for name, _ in SETTINGS}
    assert not unknown, unknown
    return [changed.get(name, default) for name, default in SETTINGS]


def _encode_field(kind, value):
    if kind == "KVS":
        pairs = value.items() if isinstance(value, dict) else value
        return [str(part) for pair in pairs for part in pair]
    return value


def encode(name, frame_id=0, **values):
    number, fields, _ = MESSAGES[name]
    unknown = set(values) - {field for field, _ in fields}
    assert not unknown, f"{name} has no {unknown}"
    body = msgpack.packb([_encode_field(kind, values.get(field, DEFAULTS[kind])) for field, kind in fields],
                         use_bin_type=False)
    return HEADER.pack(len(body), VERSION, 0, number, frame_id) + body


def decode(number, body):
    name = NAMES[number]
    fields = MESSAGES[name][1]
    values = msgpack.unpackb(body, raw=True, strict_map_key=False)
    assert len(values) == len(fields), (name, values)

    def plain(value):
        if isinstance(value, bytes):
            try:
                return value.decode()
            except UnicodeDecodeError:
                return value
        return [plain(v) for v in value] if isinstance(value, list) else value

    message = {"message": name}
    for (field, kind), value in zip(fields, values):
        value = plain(value)
        message[field] = dict(zip(value[::2], value[1::2])) if kind == "KVS" else value
    return message


class Gone(Exception):
    """The other end has closed."""


class Peer:
    def __init__(self, sock):
        self.socket = sock
        self.data = b""
        self.descriptors = []
        self.waiting = []

    def send(self, name, frame_id=0, fd=None, **values):
        self.send_bytes(encode(name, frame_id, **values), fd)

    def send_bytes(self, data, fd=None):
        try:
            if fd is not None:
                sent = self.socket.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                                     array.array("i", [fd]))])
                data = data[sent:]
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            raise Gone from None

    def _fill(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self.socket], [], [], left)[0]:
            raise AssertionError("nothing came in time")
        try:
            data, control, _, _ = self.socket.recvmsg(1 << 18, socket.CMSG_SPACE(64))
        except ConnectionResetError:
            raise Gone from None
        for level, kind, payload in control:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds = array.array("i")
                fds.frombytes(payload[:len(payload) - len(payload) % fds.itemsize])
                self.descriptors.extend(fds)
        if not data:
            raise Gone
        self.data += data

    def next(self, seconds=10):
        """The next message: a dictionary of its fields, with "message" its name and "fd" if one came."""
        if self.waiting:
            return self.waiting.pop(0)
        deadline = time.monotonic() + seconds
        while len(self.data) < HEADER.size:
            self._fill(deadline)
        length, version, flags, number, ident = HEADER.unpack_from(self.data)
        assert version == VERSION and flags == 0
        while len(self.data) < HEADER.size + length:
            self._fill(deadline)
        body = self.data[HEADER.size:HEADER.size + length]
        self.data = self.data[HEADER.size + length:]
        message = decode(number, body)
        message["frame_id"] = ident
        if MESSAGES[message["message"]][2]:
            message["fd"] = self.descriptors.pop(0)
        return message

    def receive(self, name, seconds=10, **wanted):
        """The next message of that name (with those values); others are kept for later."""
        for i, message in enumerate(self.waiting):
            if self._fits(message, name, wanted):
                return self.waiting.pop(i)
        put_back = []
        deadline = time.monotonic() + seconds
        try:
            saved, self.waiting = self.waiting, []
            put_back = saved
            while True:
                message = self.next(max(0.001, deadline - time.monotonic()))
                if self._fits(message, name, wanted):
                    return message
                put_back.append(message)
        finally:
            self.waiting = put_back + self.waiting

    @staticmethod
    def _fits(message, name, wanted):
        return message["message"] == name and all(message[k] == v for k, v in wanted.items())

    def silent(self, seconds=0.3):
        """Whether nothing comes for so long."""
        return not self.waiting and not self.data and not select.select([self.socket], [], [], seconds)[0]

    def closed(self, seconds=10):
        """Waits until the other end closes; what still comes is dropped."""
        deadline = time.monotonic() + seconds
        try:
            while True:
                self.data = b""
                self._fill(deadline)
        except Gone:
            return True

    def close(self):
        self.socket.close()
        for fd in self.descriptors:
            os.close(fd)
        self.descriptors = []


class Child(Peer):
    """One of our programs, started as the supervisor starts it: its socket on descriptor 3. At the end it
    must go by itself, with the status that is wanted, without a word of a sanitizer and without children."""

    def __init__(self, program, *arguments, status=0, env=None):
        ours, theirs = socket.socketpair()
        super().__init__(ours)
        self.status = status
        self.peers = []
        self._errors = tempfile.TemporaryFile()
        held = [os.open("/dev/null", os.O_RDONLY)]
        while held[-1] <= 3:  # else 3 may be what Popen itself uses between fork and exec
            held.append(os.open("/dev/null", os.O_RDONLY))

        def place():
            os.dup2(theirs.fileno(), 3, inheritable=True)
            os.set_inheritable(3, True)

        self.process = subprocess.Popen(
            [str(program), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=self._errors, close_fds=False, env={**os.environ, **(env or {})}, preexec_fn=place)
        for fd in held:
            os.close(fd)
        theirs.close()

    def give_peer(self, index=0, pid=0):
        """Hands it one end of a pair of sockets as the other child's; returns the other end."""
        ours, theirs = socket.socketpair()
        self.send("peer", fd=theirs.fileno(), index=index, pid=pid)
        theirs.close()
        peer = Peer(ours)
        self.peers.append(peer)
        return peer

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_kib(self):
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.pid}/status").read_text())[1])

    def wait(self, seconds=20):
        return self.process.wait(seconds)

    def kill(self):
        """For tests of what others do then; no judgement of its end."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.status = -signal.SIGKILL

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close()
        for peer in self.peers:
            peer.close()
        try:
            status = self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the child outlives its supervisor's socket\n" + self.log()) from None
        log = self.log()
        self._errors.close()
        if kind is None:
            assert status == self.status, f"ended with {status}, wanted {self.status}\n{log}"
        assert "Sanitizer" not in log and "runtime error" not in log, log
