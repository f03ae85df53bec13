# SPDX-License-Identifier: Apache-2.0
"""The ways to Redis (a server, sentinels, a cluster) and what goes wrong on them: nothing is lost, no verdict is false."""

import contextlib
import json
import shutil
import socket
import threading
import time

import pytest

from program import need_localhost, wait_for
from redis_fleet import SERVICE, RedisCluster, RedisSentinels, free_port
from redis_server import RedisError, RedisServer
from standin import Standin
from test_redis import DEPLOYMENTS, all_healthy, config, for_litellm, litellm_results, online, states

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")


class Way:
    """Where test_redis.config() wants a server: nothing yet."""
    socket = ""


def to(standin, section, **settings):
    made = config(standin, Way, **settings)
    redis = made["llmhealth"]["redis"]
    del redis["socket"]
    redis.update(section)
    return made


def to_cluster(standin, cluster, **settings):
    return to(standin, {"cluster": cluster.addresses[1:3]}, **settings)


def to_sentinels(standin, fleet, **settings):
    return to(standin, {"sentinels": fleet.addresses, "service": SERVICE, "sentinel_password": "sk-canary-watch"},
              **settings)


class Watch(threading.Thread):
    """Asks /health all the while: always 200, and never a verdict that is not there in truth."""

    def __init__(self, daemons, count=DEPLOYMENTS):
        super().__init__(daemon=True)
        self.daemons, self.count, self.wrong, self.asked = daemons, count, [], 0
        self.over = threading.Event()

    def run(self):
        while not self.over.is_set():
            for daemon in self.daemons:
                with contextlib.suppress(AssertionError):
                    self.ask(daemon)
            time.sleep(0.02)

    def ask(self, daemon):
        answer = daemon.get("/health")
        self.asked += 1
        if answer.status != 200 or answer.json["healthy_count"] != self.count or answer.json["unhealthy_count"] != 0:
            self.wrong.append((answer.status, answer.text[:300]))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()
        assert not self.wrong, self.wrong[:3]
        assert self.asked > 3


def metric(daemon, name, labels=""):
    for line in daemon.get("/metrics").text.splitlines():
        if line.startswith(f"{name}{labels} "):
            return float(line.rpartition(" ")[2])
    return None


def details(daemon):
    return daemon.get("/health/readiness/details").json


def all_renewed(read, since):
    """Whether each verdict there is newer than that."""
    def look():
        with contextlib.suppress(RedisError, OSError, ConnectionError, AttributeError):
            views = [json.loads(text) for text in read().hash("{llmhealth}:view").values()]
            return len(views) == DEPLOYMENTS and all(view["checked_at_ms"] > since for view in views)
        return False
    return look


def now_ms():
    return time.time() * 1000


# Sentinels.

@pytest.fixture
def sentinels(tmp_path):
    with RedisSentinels(tmp_path / "fleet", password="sk-canary-data") as fleet:
        yield fleet


def with_password(made):
    made["llmhealth"]["redis"]["password"] = "sk-canary-data"
    return made


def test_sentinel_failover_under_load(llmhealth, standin, sentinels):
    daemons = [online(llmhealth.serve(with_password(to_sentinels(standin, sentinels, interval="1s"))))
               for _ in range(2)]
    for daemon in daemons:
        all_healthy(daemon)
    assert metric(daemons[0], "llmhealth_redis_up", '{topology="sentinel"}') == 1
    old = sentinels.master
    with Watch(daemons):
        old.kill()
        for daemon in daemons:
            online(daemon, 2)
        new = sentinels.master
        assert new is not old
        wait_for(all_renewed(lambda: new, now_ms()), 15, "the new master is not written to")
        assert new.command("ZCARD", "{llmhealth}:instances") == 2
        # The old one comes back as what it was, and nobody follows it.
        count = [daemon.stderr.count("redis_offline") for daemon in daemons]
        old.start()
        wait_for(lambda: b"role:slave" in old.command("INFO", "replication"), 15, "the old master was not demoted")
        time.sleep(1.5)
        assert [daemon.stderr.count("redis_offline") for daemon in daemons] == count
    assert metric(daemons[0], "llmhealth_redis_master_changes_total") == 1


def test_the_master_that_sentinels_depose_is_left(llmhealth, standin, sentinels):
    daemon = online(llmhealth.serve(with_password(to_sentinels(standin, sentinels, interval="1s"))))
    all_healthy(daemon)
    with Watch([daemon]):
        old = sentinels.master
        sentinels.sentinels[1].command("SENTINEL", "FAILOVER", SERVICE)
        online(daemon, 2)
        wait_for(lambda: sentinels.master is not old, 10)
        wait_for(all_renewed(lambda: sentinels.master, now_ms()), 10)


class Sham(threading.Thread):
    """Speaks as much RESP as it must: `answer` gets each command (list of bytes) and gives what is sent."""

    def __init__(self, answer):
        super().__init__(daemon=True)
        self.answer = answer
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client, client.makefile("rb") as file, contextlib.suppress(OSError, ValueError):
            while True:
                words = []
                for _ in range(int(file.readline()[1:])):
                    words.append(file.read(int(file.readline()[1:]) + 2)[:-2])
                said = self.answer(words)
                if said is None:
                    return
                client.sendall(said)

    def close(self):
        self.listener.close()


def bulk(*texts):
    return b"*%d\r\n" % len(texts) + b"".join(b"$%d\r\n%s\r\n" % (len(t), t) for t in map(str.encode, texts))


def test_sentinels_that_lie_disagree_or_are_down(llmhealth, standin, tmp_path):
    with RedisServer(tmp_path / "redis", port=free_port()) as redis, \
            RedisServer(tmp_path / "replica", port=free_port(),
                        options=["--replicaof", f"127.0.0.1 {redis.port}"]) as replica:
        truth = Sham(lambda words: b"+PONG\r\n" if words[0] == b"PING" else bulk("127.0.0.1", str(redis.port)))
        liar = Sham(lambda words: b"+PONG\r\n" if words[0] == b"PING" else bulk("127.0.0.1", str(replica.port)))
        garbage = Sham(lambda words: b"+PONG\r\n" if words[0] == b"PING" else b"*2\r\n:1\r\n*-1\r\n")
        # The liar is named first and names a replica; ROLE tells.
        down = f"127.0.0.1:{free_port()}"
        for addresses in ([liar, truth], [garbage, truth], [down, truth], [liar, garbage, truth, truth]):
            names = [a if isinstance(a, str) else f"127.0.0.1:{a.port}" for a in addresses]
            daemon = online(llmhealth.serve(to(standin, {"sentinels": names, "service": SERVICE}, count=2)))
            all_healthy(daemon, 2)
            time.sleep(1)
            assert details(daemon)["redis"] == "connected"
            assert daemon.stderr.count("redis_offline") == 0
            daemon.stop()
        # Nobody tells: probing goes on alone.
        daemon = llmhealth.serve(to(standin, {"sentinels": [down], "service": SERVICE}, count=2))
        all_healthy(daemon, 2)
        wait_for(lambda: "no sentinel answers" in daemon.stderr, 10)
        assert details(daemon)["redis"] == "disconnected"
        unknown = Sham(lambda words: b"+PONG\r\n" if words[0] == b"PING" else b"*-1\r\n")
        daemon = llmhealth.serve(to(standin, {"sentinels": [f"127.0.0.1:{unknown.port}"], "service": "x"}, count=2))
        all_healthy(daemon, 2)
        wait_for(lambda: "no sentinel knows this master" in daemon.stderr, 10)


def test_sentinels_and_clusters_are_found_where_litellm_has_them(llmhealth, standin, sentinels, tmp_path):
    nodes = [["127.0.0.1", sentinel.port] for sentinel in sentinels.sentinels]

    def check(params, env=None, topology="sentinel"):
        made = to(standin, {}, count=1)
        del made["llmhealth"]["redis"]
        made["litellm_settings"] = {"cache": True, "cache_params": {"type": "redis", **params}}
        daemon = online(llmhealth.serve(made, env=env))
        assert metric(daemon, "llmhealth_redis_up", f'{{topology="{topology}"}}') == 1
        daemon.stop()

    password = {"password": "sk-canary-data"}
    check({"sentinel_nodes": nodes, "service_name": SERVICE, "sentinel_password": "sk-canary-watch", **password})
    check(password, {"REDIS_SENTINEL_NODES": json.dumps(nodes), "REDIS_SERVICE_NAME": SERVICE,
                     "REDIS_SENTINEL_PASSWORD": "sk-canary-watch"})
    with RedisCluster(tmp_path / "cluster") as cluster:
        startup = [{"host": "127.0.0.1", "port": str(node.port)} for node in cluster.nodes]
        check({"redis_startup_nodes": startup}, topology="cluster")
        check({}, {"REDIS_CLUSTER_NODES": json.dumps(startup)}, topology="cluster")
        check({"redis_startup_nodes": "os.environ/NODES"}, {"NODES": json.dumps(startup)}, topology="cluster")
    for params, words in (({"sentinel_nodes": nodes}, "the master is not"),
                          ({"sentinel_nodes": [[1, 2]]}, "expected a list of at most 64 nodes"),
                          ({"redis_startup_nodes": [{"port": 1}]}, "expected a list of at most 64 nodes")):
        made = to(standin, {}, count=1)
        del made["llmhealth"]["redis"]
        made["litellm_settings"] = {"cache": True, "cache_params": {"type": "redis", **params}}
        done = llmhealth.validate(made)
        assert done.returncode != 0 and words in done.stderr + done.stdout
    done = llmhealth.validate(to(standin, {"cluster": ["host:99999"]}, count=1))
    assert done.returncode != 0 and "is no address" in done.stderr + done.stdout


# Clusters.

@pytest.fixture
def cluster(tmp_path):
    with RedisCluster(tmp_path / "cluster") as servers:
        yield servers


def test_a_slot_moves_during_load(llmhealth, standin, cluster):
    daemons = [online(llmhealth.serve(to_cluster(standin, cluster, interval="1s"))) for _ in range(2)]
    for daemon in daemons:
        all_healthy(daemon)
    with Watch(daemons):
        for _ in range(2):
            source = cluster.master_of("{llmhealth}:view")
            target = next(node for node in cluster.nodes if node is not source)
            cluster.move("{llmhealth}:view", target, between=lambda: time.sleep(0.2))
            moved = now_ms()
            wait_for(all_renewed(lambda: target, moved), 15, "the new home is not written to")
    for daemon in daemons:
        assert daemon.stderr.count("redis_offline") == 0, daemon.stderr
        assert details(daemon)["redis"] == "connected"
        assert metric(daemon, "llmhealth_redis_redirections_total", '{kind="moved"}') >= 1
    assert sum(metric(d, "llmhealth_redis_redirections_total", '{kind="ask"}') for d in daemons) >= 1
    # What one finds, the other hears of, on the new node's channel.
    standin.behaviour("ok", "e500")
    for daemon in daemons:
        wait_for(lambda: daemon.health()["unhealthy_count"] == DEPLOYMENTS, 10, "one has not heard of it")


def test_a_clusters_node_dies_and_its_replica_takes_over(llmhealth, standin, tmp_path):
    with RedisCluster(tmp_path / "cluster", replicas=True, password="sk-canary-data") as cluster:
        made = with_password(to_cluster(standin, cluster, interval="1s"))
        daemons = [online(llmhealth.serve(made)) for _ in range(2)]
        for daemon in daemons:
            all_healthy(daemon)
        with Watch(daemons):
            old = cluster.master_of("{llmhealth}:view")
            old.kill()
            for daemon in daemons:
                wait_for(lambda: daemon.stderr.count("redis_online") >= 2, 40, "never online again")
            new = cluster.master_of("{llmhealth}:view")
            assert new is not old
            wait_for(all_renewed(lambda: new, now_ms()), 15, "the new master is not written to")


@contextlib.contextmanager
def authority(needs_it):
    """Somebody who gives certificates to servers and clients."""
    if needs_it:
        with Standin(client_cert=True) as standin:
            yield standin
    else:
        yield None


def with_certificates(made, certificates):
    if certificates:
        made["llmhealth"]["redis"].update(tls=True, ca=str(certificates.ca), cert=str(certificates.client_pem),
                                          key=str(certificates.client_key))
    return made


NAMES = ["--cluster-announce-hostname", "localhost", "--cluster-preferred-endpoint-type", "hostname"]


@pytest.mark.parametrize("kind", ["tls", "ipv6", "tls-ipv6", "hostname", "tls-hostname", "unknown-endpoint"])
def test_clusters_however_they_are_reached(llmhealth, standin, tmp_path, kind):
    options = NAMES if "hostname" in kind else []
    if kind == "unknown-endpoint":
        options = ["--cluster-preferred-endpoint-type", "unknown-endpoint"]
    if "hostname" in kind:
        need_localhost()
    host = "::1" if "ipv6" in kind else "127.0.0.1"
    try:
        free_port(host)
    except OSError:
        pytest.skip("there is no IPv6 here")
    with authority("tls" in kind) as certificates, \
            RedisCluster(tmp_path / "cluster", host=host, certificates=certificates, options=options) as cluster:
        made = with_certificates(to_cluster(standin, cluster, count=2, interval="1s"), certificates)
        made["general_settings"].update(use_shared_health_check=True, enable_health_check_routing=True)
        daemons = [online(llmhealth.serve(made)) for _ in range(2)]
        for daemon in daemons:
            all_healthy(daemon, 2)
        home = cluster.master_of("{llmhealth}:view")
        named = {"ipv6": f"[::1]:{home.port}", "hostname": f"localhost:{home.port}"}
        wanted = named.get(kind.rpartition("-")[2], f"127.0.0.1:{home.port}")
        assert [d.get("/health/shared-status").json["llmhealth"]["server"] for d in daemons] == [wanted] * 2
        # LiteLLM's keys are on other nodes.
        names = ("health_check_results", "litellm:health_check:deployment_health_state", "{llmhealth}:view")
        assert len({cluster.master_of(name) for name in names}) > 1
        for name in names[:2]:
            wait_for(lambda: cluster.master_of(name).command("EXISTS", name), 10, f"no {name}")
        # The home moves; what one finds, the other hears of there.
        with Watch(daemons, 2):
            target = next(node for node in cluster.nodes if node is not home)
            cluster.move("{llmhealth}:view", target, between=lambda: time.sleep(0.1))
            # By MOVED, or by the map that is read again and again.
            wait_for(lambda: all(d.get("/health/shared-status").json["llmhealth"]["server"].endswith(f":{target.port}")
                                 for d in daemons), 10, "the new home is not found")
        for daemon in daemons:
            assert daemon.stderr.count("redis_offline") == 0, daemon.stderr
        standin.behaviour("ok", "e500")
        for daemon in daemons:
            wait_for(lambda: daemon.health()["unhealthy_count"] == 2, 10, "one has not heard of it")


def test_a_cluster_whose_certificates_are_not_those_of_the_ca(llmhealth, standin, tmp_path):
    with authority(True) as certificates, authority(True) as others, \
            RedisCluster(tmp_path / "cluster", certificates=certificates) as cluster:
        wrong = with_certificates(to_cluster(standin, cluster, count=2), certificates)
        wrong["llmhealth"]["redis"]["ca"] = str(others.ca)
        daemon = llmhealth.serve(wrong)
        all_healthy(daemon, 2)
        wait_for(lambda: "redis_disconnected" in daemon.stderr, 10)
        assert details(daemon)["redis"] == "disconnected"
        assert "certificate" in details(daemon)["redis_error"] or "issuer" in details(daemon)["redis_error"]


def test_sentinels_behind_tls(llmhealth, standin, tmp_path):
    with authority(True) as certificates, \
            RedisSentinels(tmp_path / "fleet", password="sk-canary-data", certificates=certificates) as sentinels:
        made = with_certificates(with_password(to_sentinels(standin, sentinels, interval="1s")), certificates)
        daemons = [online(llmhealth.serve(made)) for _ in range(2)]
        for daemon in daemons:
            all_healthy(daemon)
        with Watch(daemons):
            old = sentinels.master
            old.kill()
            for daemon in daemons:
                online(daemon, 2)
            new = sentinels.master
            assert new is not old
            wait_for(all_renewed(lambda: new, now_ms()), 15, "the new master is not written to")
        # Without a client's certificate nobody is let in, and probing goes on.
        bare = with_password(to_sentinels(standin, sentinels, count=2))
        bare["llmhealth"]["redis"].update(tls=True, ca=str(certificates.ca))
        daemon = llmhealth.serve(bare)
        all_healthy(daemon, 2)
        wait_for(lambda: "connection=\"sentinel " in daemon.stderr or "connection=sentinel" in daemon.stderr, 10)
        assert details(daemon)["redis"] == "disconnected"


def test_a_cluster_that_is_down(llmhealth, standin, cluster):
    daemon = online(llmhealth.serve(to_cluster(standin, cluster, interval="1s")))
    all_healthy(daemon)
    home = cluster.master_of("{llmhealth}:view")
    others = [node for node in cluster.nodes if node is not home]
    with Watch([daemon]):
        for node in others:
            node.pause()
        wait_for(lambda: "why=CLUSTERDOWN" in daemon.stderr, 20, "the lost majority was not noticed")
        for node in others:
            node.resume()
        online(daemon, 2)
        wait_for(all_renewed(lambda: home, now_ms()), 15)


def test_litellms_keys_are_on_other_nodes(llmhealth, standin, cluster):
    online(llmhealth.serve(to_cluster_for_litellm(standin, cluster)))
    names = ("health_check_results", "litellm:health_check:deployment_health_state", "{llmhealth}:view")
    homes = [cluster.master_of(name) for name in names]
    assert homes[0] is not homes[2] or homes[1] is not homes[2]
    results = wait_for(lambda: litellm_results(homes[0]), 10, "no results for LiteLLM")
    assert results["healthy_count"] == 2
    wait_for(lambda: homes[1].command("EXISTS", names[1]), 10, "no states for LiteLLM")
    status = llmhealth.daemons[0].get("/health/shared-status").json
    assert status["status"]["cache_available"] is True
    assert status["llmhealth"]["topology"] == "cluster"
    assert status["llmhealth"]["server"] == f"127.0.0.1:{homes[2].port}"
    # Theirs move, too.
    target = next(node for node in cluster.nodes if node is not homes[0])
    cluster.move(names[0], target)
    assert llmhealth.daemons[0].get("/health/shared-status").json["status"]["cache_available"] is True


def to_cluster_for_litellm(standin, cluster):
    made = for_litellm(standin, Way)
    del made["llmhealth"]["redis"]["socket"]
    made["llmhealth"]["redis"]["cluster"] = cluster.addresses[:1]
    return made


def test_a_server_without_cluster_support_is_told(llmhealth, standin, tmp_path):
    with RedisServer(tmp_path / "redis", port=free_port()) as redis:
        daemon = llmhealth.serve(to(standin, {"cluster": [f"127.0.0.1:{redis.port}"]}, count=1))
        wait_for(lambda: "not part of a cluster" in daemon.stderr, 10)
        all_healthy(daemon, 1)
        assert "not part of a cluster" in details(daemon)["redis_error"]
        # Tried again and again, and said once.
        time.sleep(3)
        assert daemon.stderr.count("not part of a cluster") == 1


# One server: errors by name, reloads, lies.

@pytest.fixture
def redis(tmp_path):
    with RedisServer(tmp_path / "redis") as server:
        yield server


def errors(daemon, name):
    return metric(daemon, "llmhealth_redis_errors_total", f'{{error="{name}"}}') or 0


def test_errors_are_told_once_and_counted(llmhealth, standin, redis):
    made = for_litellm(standin, redis, interval="1s")
    daemon = online(llmhealth.serve(made))
    all_healthy(daemon, 2)

    def shared():
        return daemon.get("/health/shared-status").json["llmhealth"]

    def trouble(name, begin, end, offline=True):
        begin()
        before = daemon.stderr.count(f"error={name}")
        wait_for(lambda: shared() and errors(daemon, name) >= 3, 15, f"{name} is not counted")
        lines = [line for line in daemon.stderr.splitlines() if "redis_error " in line and f"error={name}" in line]
        assert 1 <= len(lines) <= 4 and all("means=" in line for line in lines), lines
        wait_for(lambda: shared()["error"] == name and
                 shared()["redis"] == ("disconnected" if offline else "connected"), 5, f"{name} is not told")
        assert states(daemon) == {"dep-00": "healthy", "dep-01": "healthy", "dep-02": "unhealthy"}
        end()
        wait_for(lambda: shared()["redis"] == "connected" and shared()["error"] == "", 15, f"{name} is not over")
        assert before <= daemon.stderr.count(f"error={name}") and "redis_error_over" in daemon.stderr

    trouble("OOM", lambda: redis.command("CONFIG", "SET", "maxmemory", "1"),
            lambda: redis.command("CONFIG", "SET", "maxmemory", "0"))
    trouble("NOREPLICAS", lambda: redis.command("CONFIG", "SET", "min-replicas-to-write", "1"),
            lambda: redis.command("CONFIG", "SET", "min-replicas-to-write", "0"))
    trouble("NOPERM", lambda: redis.command("ACL", "SETUSER", "default", "resetkeys", "~{llmhealth}:*"),
            lambda: redis.command("ACL", "SETUSER", "default", "~*"), offline=False)
    # A disk that takes no snapshot.
    def no_disk():
        redis.command("CONFIG", "SET", "save", "1 1", "stop-writes-on-bgsave-error", "yes")
        (redis.directory / "dump.rdb").mkdir()
        redis.command("SET", "a", "b")
        with contextlib.suppress(RedisError):
            redis.command("BGSAVE")
        wait_for(lambda: b"rdb_last_bgsave_status:err" in redis.command("INFO", "persistence"), 10)
    trouble("MISCONF", no_disk, lambda: redis.command("CONFIG", "SET", "stop-writes-on-bgsave-error", "no"))


def test_a_script_that_keeps_the_server_busy(llmhealth, standin, redis):
    daemon = online(llmhealth.serve(config(standin, redis, interval="1s")))
    all_healthy(daemon)
    redis.command("CONFIG", "SET", "busy-reply-threshold", "100")
    other = redis.connect()
    with Watch([daemon]):
        other.send("EVAL", "while true do end", "0")
        wait_for(lambda: errors(daemon, "BUSY") > 0, 10)
        wait_for(lambda: details(daemon)["redis"] == "disconnected", 10)
        with contextlib.suppress(RedisError):
            redis.connect().command("SCRIPT", "KILL")
        with contextlib.suppress(RedisError):
            other.read()
        online(daemon, 2)


@pytest.mark.parametrize("said", ["LOADING Redis is loading the dataset in memory",
                                  "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
                                  "NOAUTH Authentication required.", "WRONGPASS invalid username-password pair",
                                  "CLUSTERDOWN The cluster is down", "TRYAGAIN Multiple keys request during rehashing of slot",
                                  "NOSCRIPT No matching script. Please use EVAL.", "MOVED 1", "ASK 1 x", "ERR \x01\x02 odd",
                                  "MOVED 0 127.0.0.1:1", "UNKNOWN"])
def test_whatever_a_server_answers(llmhealth, standin, said):
    """A server that says this to everything, in the cluster way and the plain one."""
    sham = Sham(lambda words: b"+PONG\r\n" if words[0] == b"PING" else f"-{said}\r\n".encode())
    daemons = [llmhealth.serve(to(standin, section, count=2, interval="1s"), wait=False)
               for section in ({"host": "127.0.0.1", "port": sham.port}, {"cluster": [f"127.0.0.1:{sham.port}"]},
                               {"sentinels": [f"127.0.0.1:{sham.port}"], "service": "x"})]
    fronts = [daemon.wait_serving().front for daemon in daemons]
    for daemon in daemons:
        all_healthy(daemon, 2)
    with Watch(daemons, 2):
        time.sleep(1.5)
    for daemon, front in zip(daemons, fronts):
        assert details(daemon)["redis"] == "disconnected" and daemon.front == front
        assert daemon.stderr.count("redis_") < 12, "the log is flooded"
    if said.startswith("MOVED"):
        assert 0 < daemons[0].stderr.count("redis_is_a_cluster") <= 2 and "llmhealth.redis.cluster" in daemons[0].stderr
        assert "redis_is_a_cluster" not in daemons[1].stderr
    sham.close()


def hostile(kind):
    """Answers to commands that are almost right."""
    def answer(words):
        name = words[0].upper()
        if name == b"PING":
            return b"+PONG\r\n"
        if kind == "slots":
            return {b"CLUSTER": b"*3\r\n*3\r\n:0\r\n:16383\r\n*1\r\n:1\r\n*3\r\n:-5\r\n:99999\r\n*2\r\n$1\r\nx\r\n:1\r\n*-1\r\n"
                    }.get(name, b"$-1\r\n")
        if kind == "self":
            return b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$0\r\n\r\n:%d\r\n" % answer.port if name == b"CLUSTER" \
                else b"-ASK 12 127.0.0.1:%d\r\n" % answer.port
        if kind == "cut":
            return None if name in (b"EVALSHA", b"CLUSTER") else b"$40\r\nabc"
        return b"\x00\xff SSH-2.0-OpenSSH_9.2\r\n"
    return answer


@pytest.mark.parametrize("kind", ["slots", "self", "cut", "garbage"])
def test_hostile_nodes(llmhealth, standin, kind):
    answer = hostile(kind)
    sham = Sham(answer)
    answer.port = sham.port
    daemons = [llmhealth.serve(to(standin, section, count=2, interval="1s", redis={"timeout": "500ms"}), wait=False)
               for section in ({"cluster": [f"127.0.0.1:{sham.port}"]},
                               {"sentinels": [f"127.0.0.1:{sham.port}"], "service": "x"})]
    fronts = [daemon.wait_serving().front for daemon in daemons]
    for daemon in daemons:
        all_healthy(daemon, 2)
    with Watch(daemons, 2):
        time.sleep(2)
    assert [daemon.front for daemon in daemons] == fronts
    sham.close()


def test_a_reload_goes_to_another_server(llmhealth, standin, redis, tmp_path):
    with RedisServer(tmp_path / "other", password="sk-canary-new") as other:
        made = config(standin, redis)
        daemons = [online(llmhealth.serve(made)) for _ in range(2)]
        for daemon in daemons:
            all_healthy(daemon)
        asked = len(standin.requests())
        made["llmhealth"]["redis"].update(socket=other.socket, password="sk-canary-new")
        with Watch(daemons):
            for daemon in daemons:
                daemon.reload(made)
                online(daemon, 2)
            wait_for(lambda: len(other.hash("{llmhealth}:verdicts")) == DEPLOYMENTS, 10, "the new one is not filled")
            wait_for(lambda: other.command("ZCARD", "{llmhealth}:instances") == 2)
            wait_for(lambda: redis.command("ZCARD", "{llmhealth}:instances") == 0, 5, "the old one was not told")
            # The same again changes nothing.
            daemons[0].reload(made)
            time.sleep(0.5)
            assert daemons[0].stderr.count("redis_online") == 2
        assert len(standin.requests()) == asked


def test_a_reload_turns_sharing_on_and_off(llmhealth, standin, redis):
    made = config(standin, redis)
    section = made["llmhealth"].pop("redis")
    daemon = llmhealth.serve(made)
    all_healthy(daemon)
    assert "redis" not in details(daemon)
    assert metric(daemon, "llmhealth_store_up", '{backend="memory"}') == 1
    asked = len(standin.requests())
    with Watch([daemon]):
        made["llmhealth"]["redis"] = section
        daemon.reload(made)
        online(daemon)
        assert details(daemon)["redis"] == "connected"
        wait_for(lambda: len(redis.hash("{llmhealth}:verdicts")) == DEPLOYMENTS, 10, "Redis is not filled")
        made["llmhealth"]["redis"] = {**section, "enabled": False}
        daemon.reload(made)
        wait_for(lambda: redis.command("ZCARD", "{llmhealth}:instances") == 0, 5)
        assert "redis" not in details(daemon)
        assert metric(daemon, "llmhealth_redis_up", '{topology="server"}') is None
        # A certificate that is not there: it stays as it is.
        made["llmhealth"]["redis"] = {"host": "127.0.0.1", "tls": True, "ca": "/nonexistent/ca.pem"}
        daemon.reload(made)
        wait_for(lambda: "store_not_changed" in daemon.stderr, 5)
        time.sleep(1)
    assert len(standin.requests()) == asked


def test_users_databases_and_ways(llmhealth, standin, tmp_path):
    need_localhost()
    port, tls = free_port(), free_port()
    directory = standin.directory
    with RedisServer(tmp_path / "redis", port=port, options=[
            "--tls-port", str(tls), "--tls-cert-file", str(directory / "server.pem"),
            "--tls-key-file", str(directory / "server.key"), "--tls-ca-cert-file", str(standin.ca),
            "--tls-auth-clients", "yes"]) as redis:
        redis.command("ACL", "SETUSER", "fleet", "on", ">sk-canary-p@ss/word", "~{llmhealth}:*", "&{llmhealth}:*",
                      "+@read", "+@write", "+@scripting", "+@pubsub", "+@connection", "+time")
        redis.command("ACL", "SETUSER", "default", "off")
        secret = {"username": "fleet", "password": "sk-canary-p@ss/word"}
        certificates = {"ca": str(standin.ca), "cert": str(standin.client_pem), "key": str(standin.client_key)}
        for number, section in enumerate((
                {"socket": redis.socket, **secret, "database": 1},
                {"host": "127.0.0.1", "port": port, **secret, "database": 2},
                {"url": f"redis://fleet:sk-canary-p%40ss%2Fword@localhost:{port}/3"},
                {"url": f"rediss://fleet:sk-canary-p%40ss%2Fword@localhost:{tls}/4", **certificates},
                {"url": f"unix://fleet:sk-canary-p%40ss%2Fword@{redis.socket}?db=5"},
                {"host": "localhost", "port": tls, "tls": True, **secret, **certificates, "database": 6}), 1):
            daemon = online(llmhealth.serve(to(standin, section, count=2)))
            all_healthy(daemon, 2)
            redis.command("SELECT", number)
            wait_for(lambda: len(redis.hash("{llmhealth}:verdicts")) == 2, 10, str(section.keys()))
            daemon.stop()
        for wrong in ({**secret, "password": "sk-canary-no"}, {}):
            daemon = llmhealth.serve(to(standin, {"host": "127.0.0.1", "port": port, **wrong}, count=2))
            all_healthy(daemon, 2)
            name = "WRONGPASS" if wrong else "NOAUTH"
            wait_for(lambda: f"why={name}" in daemon.stderr, 10)
            assert details(daemon)["redis_error"] == name
            daemon.stop()
