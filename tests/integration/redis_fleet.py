# SPDX-License-Identifier: Apache-2.0
"""Real redis-servers of one test alone that belong together: a cluster of masters, a master with sentinels.

    with RedisCluster(directory) as cluster:
        cluster.master_of("{llmhealth}:x").command("SET", "{llmhealth}:x", "1")
    with RedisSentinels(directory) as fleet:
        fleet.master.kill()
"""

import contextlib
import socket

from program import wait_for
from redis_server import RedisClient, RedisError, RedisServer

SLOTS = 16384
SERVICE = "verdicts"


def free_port(host="127.0.0.1"):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as free:
        return free.getsockname()[1]


def slot_of(key):
    """CRC16 (XMODEM) of the key or its hash tag."""
    opened = key.find("{")
    closed = key.find("}", opened + 1)
    if opened >= 0 and closed > opened + 1:
        key = key[opened + 1:closed]
    crc = 0
    for byte in key.encode():
        crc ^= byte << 8
        for _ in range(8):
            crc = crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1
        crc &= 0xffff
    return crc % SLOTS


class RedisCluster:
    """Three masters, and as many replicas where told."""

    def __init__(self, directory, replicas=False, password=None, node_timeout=1500, host="127.0.0.1", certificates=None,
                 options=()):
        given = list(options)
        self.nodes = []
        self.host = host
        for number in range(6 if replicas else 3):
            port = free_port(host)
            options = ["--cluster-enabled", "yes", "--cluster-port", str(free_port()), "--cluster-node-timeout", str(node_timeout),
                       "--cluster-require-full-coverage", "no", "--repl-diskless-sync-delay", "0"]
            server = {"host": host, "certificates": certificates}
            if password:
                options += ["--masterauth", password]
            options += given
            self.nodes.append(RedisServer(directory / f"node{number}", port=port, password=password, options=options, **server))

    def __enter__(self):
        for node in self.nodes:
            node.start()
            node.id = node.command("CLUSTER", "MYID").decode()
        masters = self.nodes[:3]
        first = 0
        for number, node in enumerate(masters):
            last = SLOTS - 1 if number == 2 else first + SLOTS // 3
            node.command("CLUSTER", "ADDSLOTSRANGE", first, last)
            node.command("CONFIG", "SET", "cluster-allow-reads-when-down", "no")
            first = last + 1
        for node in self.nodes[1:]:
            self.meet(node)
        for node in self.nodes:
            wait_for(lambda: b"cluster_state:ok" in node.command("CLUSTER", "INFO") and
                     node.command("CLUSTER", "NODES").count(b"connected") >= len(self.nodes), 20, "no cluster")
        for number, node in enumerate(self.nodes[3:]):
            node.command("CLUSTER", "REPLICATE", masters[number].id)
            wait_for(lambda: b"master_link_status:up" in node.command("INFO", "replication"), 20, "no replica")
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            node.kill()

    def meet(self, node):
        bus = int(node.options[node.options.index("--cluster-port") + 1])
        self.nodes[0].command("CLUSTER", "MEET", self.host, node.port, bus)

    @property
    def addresses(self):
        return [f"[{self.host}]:{node.port}" if ":" in self.host else f"{self.host}:{node.port}" for node in self.nodes]

    def master_of(self, key):
        """Who has the key's slot, as a node that lives sees it."""
        slot = slot_of(key)
        for asked in self.nodes:
            if asked.process is None:
                continue
            for first, last, master, *_ in asked.command("CLUSTER", "SLOTS"):
                if first <= slot <= last:
                    return next(node for node in self.nodes if node.id == master[2].decode())
        raise AssertionError(f"nobody has slot {slot}")

    def move(self, key, target, between=lambda: None):
        """Moves the key's slot key by key, as redis-cli's reshard does; `between` runs before each key."""
        slot, source = slot_of(key), self.master_of(key)
        target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)
        while True:
            between()
            keys = source.command("CLUSTER", "GETKEYSINSLOT", slot, 1)
            if not keys:
                break
            auth = ["AUTH", source.password] if source.password else []
            source.command("MIGRATE", self.host, target.port, "", 0, 5000, *auth, "KEYS", *keys)
        for node in [target, source, *self.nodes]:
            with contextlib.suppress(RedisError, AttributeError):
                node.command("CLUSTER", "SETSLOT", slot, "NODE", target.id)


class RedisSentinels:
    """A master, a replica, and three sentinels with a password of their own."""

    def __init__(self, directory, password=None, certificates=None):
        self.directory = directory
        self.certificates = certificates
        self.password = password
        self.servers = [self.server("first"), self.server("second")]
        self.sentinels = []

    def server(self, name):
        options = ["--repl-diskless-sync-delay", "0"]
        if self.password:
            options += ["--masterauth", self.password]
        return RedisServer(self.directory / name, port=free_port(), password=self.password, options=options,
                           certificates=self.certificates)

    def __enter__(self):
        first, second = self.servers
        first.start()
        second.options += ["--replicaof", f"127.0.0.1 {first.port}"]
        second.start()
        wait_for(lambda: b"master_link_status:up" in second.command("INFO", "replication"), 20, "no replica")
        for number in range(3):
            directory = self.directory / f"sentinel{number}"
            directory.mkdir()
            conf = directory / "sentinel.conf"
            conf.write_text(
                f"sentinel monitor {SERVICE} 127.0.0.1 {first.port} 2\n"
                f"sentinel down-after-milliseconds {SERVICE} 700\n"
                f"sentinel failover-timeout {SERVICE} 3000\n"
                "sentinel sentinel-pass sk-canary-watch\n" +
                (f"sentinel auth-pass {SERVICE} {self.password}\n" if self.password else ""))
            sentinel = RedisServer(directory, port=free_port(), password="sk-canary-watch", options=[],
                                   certificates=self.certificates)
            sentinel.program = [sentinel.program, str(conf), "--sentinel"]
            self.sentinels.append(sentinel.start())
        for sentinel in self.sentinels:
            wait_for(lambda: self.knows(sentinel), 20, "the sentinels never met")
        return self

    def __exit__(self, *_):
        for server in [*self.sentinels, *self.servers]:
            server.kill()

    @staticmethod
    def knows(sentinel):
        flat = sentinel.command("SENTINEL", "MASTER", SERVICE)
        state = {flat[i]: flat[i + 1] for i in range(0, len(flat), 2)}
        return state[b"num-other-sentinels"] == b"2" and state[b"num-slaves"] >= b"1"

    @property
    def addresses(self):
        return [f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels]

    @property
    def master(self):
        port = int(self.sentinels[0].command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1])
        return next(server for server in self.servers if server.port == port)

    @property
    def replica(self):
        master = self.master
        return next(server for server in self.servers if server is not master)


__all__ = ["RedisClient", "RedisCluster", "RedisSentinels", "SERVICE", "free_port", "slot_of"]
