# SPDX-License-Identifier: Apache-2.0
"""Several instances on one real redis-server: one truth, one probe a slot, and what a loss changes (nothing)."""

import ast
import concurrent.futures
import contextlib
import json
import os
import select
import shutil
import signal
import socket
import threading
import time

import msgpack
import pytest

from program import need_localhost, wait_for
from redis_server import RedisServer

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
DEPLOYMENTS = 12


@pytest.fixture
def redis(tmp_path):
    with RedisServer(tmp_path / "redis") as server:
        yield server


def config(standin, server, count=DEPLOYMENTS, interval="300s", model="openai/ok", **settings):
    section = {"socket": server.socket, "heartbeat": "1s", "timeout": "1s", **settings.pop("redis", {})}
    return {
        "model_list": [
            {"model_name": f"group-{i // 2}",
             "litellm_params": {"model": model, "api_base": standin.url, "api_key": f"sk-canary-{i}"},
             "model_info": {"id": f"dep-{i:02d}"}}
            for i in range(count)],
        "general_settings": {"background_health_checks": True},
        "llmhealth": {"interval": interval, "workers": 1, "redis": section, **settings},
    }


def probes(standin):
    """How often each key, which is one deployment's, has been asked."""
    counts = {}
    for request in standin.requests():
        key = request["headers"].get("authorization")
        counts[key] = counts.get(key, 0) + 1
    return counts


def states(daemon):
    health = daemon.health()
    return {entry["model_id"]: kind for kind in ("healthy", "unhealthy", "unknown")
            for entry in health[f"{kind}_endpoints"]}


def online(daemon, times=1):
    wait_for(lambda: daemon.stderr.count("redis_online") >= times, 15, "never online")
    return daemon


def all_healthy(daemon, count=DEPLOYMENTS):
    wait_for(lambda: daemon.health()["healthy_count"] == count, 15, "not all are healthy")


def test_one_instance_keeps_its_verdicts_in_redis(llmhealth, standin, redis):
    daemon = online(llmhealth.serve(config(standin, redis)))
    all_healthy(daemon)
    verdicts = wait_for(lambda: len(redis.hash("{llmhealth}:verdicts")) == DEPLOYMENTS and
                        redis.hash("{llmhealth}:verdicts"))
    for value in verdicts.values():
        assert value[:16].isdigit() and value[16:17] == b"h"
    view = {name: json.loads(text) for name, text in redis.hash("{llmhealth}:view").items()}
    assert view["dep-03"]["state"] == "healthy"
    assert view["dep-03"]["model_name"] == "group-1"
    assert abs(view["dep-03"]["checked_at_ms"] / 1000 - time.time()) < 60
    events = redis.command("XRANGE", "{llmhealth}:events", "-", "+")
    assert len(events) == DEPLOYMENTS
    assert redis.command("HGET", "{llmhealth}:counters", "results") == str(DEPLOYMENTS).encode()
    assert redis.command("ZCARD", "{llmhealth}:instances") == 1
    daemon.stop()
    assert redis.command("ZCARD", "{llmhealth}:instances") == 0


def test_three_instances_probe_once_and_agree(llmhealth, standin, redis):
    daemons = [llmhealth.serve(config(standin, redis)) for _ in range(3)]
    for daemon in daemons:
        online(daemon)
        all_healthy(daemon)
    assert len(standin.requests()) == DEPLOYMENTS
    standin.reset()


def test_a_second_instance_starts_from_what_the_first_knows(llmhealth, standin, redis):
    first = online(llmhealth.serve(config(standin, redis)))
    all_healthy(first)
    first.stop()
    before = len(standin.requests())
    second = online(llmhealth.serve(config(standin, redis)))
    assert second.health()["healthy_count"] == DEPLOYMENTS
    assert len(standin.requests()) == before


def of_version(value, version):
    """The same verdict as version 1 wrote it, which had no first_token_us, or as a later one might."""
    fields = msgpack.unpackb(value[17:])
    assert fields[0] == 2
    if version == 1:
        del fields[-3]
    else:
        fields.append("what nobody knows yet")
    return value[:17] + msgpack.packb([version, *fields[1:]])


def test_instances_of_two_versions_on_one_redis(llmhealth, standin, redis):
    """A rolling upgrade: what an older version has put is used; a newer one's is let alone, and costs a probe of ours."""
    first = online(llmhealth.serve(config(standin, redis)))
    all_healthy(first)
    first.stop()
    values = redis.hash("{llmhealth}:verdicts")
    old, new = [f"dep-{i:02d}" for i in range(6)], [f"dep-{i:02d}" for i in range(6, 12)]
    for ident in old + new:
        redis.command("HSET", "{llmhealth}:verdicts", ident, of_version(values[ident], 1 if ident in old else 3))
    before = probes(standin)
    second = online(llmhealth.serve(config(standin, redis)))
    all_healthy(second)
    asked = {key for key, count in probes(standin).items() if count > before.get(key, 0)}
    assert len(asked) == len(new) and second.stderr.count("redis_verdicts_of_a_later_version") == 1
    # The newer result counts, whoever's: ours is there now.
    wait_for(lambda: all(redis.command("HGET", "{llmhealth}:verdicts", ident)[17:] != of_version(values[ident], 3)[17:]
                         for ident in new), 5)
    # A newer instance puts again: it is not fought, nor is ours lost for it, nor taken for ours.
    now = b"%016d" % (time.time() * 1000)
    theirs = of_version(now + values["dep-00"][16:], 3)
    redis.command("HSET", "{llmhealth}:verdicts", "dep-00", theirs)
    record = theirs[:17] + b"%06d%08d" % (6, len(theirs) - 17) + b"dep-00" + theirs[17:]
    redis.command("PUBLISH", "{llmhealth}:channel", b"V03new" + record)
    checked = {entry["model_id"]: entry["checked_at"] for entry in second.health()["healthy_endpoints"]}
    total = len(standin.requests())
    front = second.front
    os.kill(front, signal.SIGKILL)
    wait_for(lambda: second.front not in (None, front), 10)
    online(second, 2)
    all_healthy(second)
    assert {entry["model_id"]: entry["checked_at"] for entry in second.health()["healthy_endpoints"]} == checked
    assert len(standin.requests()) == total
    assert redis.command("HGET", "{llmhealth}:verdicts", "dep-00") == theirs


def high_water_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))


def test_what_is_too_much_to_be_ours_is_passed_over(llmhealth, standin, redis, monkeypatch):
    # What a sanitizer keeps of what was freed is not the program's.
    monkeypatch.setenv("ASAN_OPTIONS", os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1")
    first = online(llmhealth.serve(config(standin, redis)))
    all_healthy(first)
    usual = high_water_kb(first.front)
    value = redis.command("HGET", "{llmhealth}:verdicts", "dep-01")
    first.stop()
    redis.command("HSET", "{llmhealth}:verdicts", "dep-00", b"x" * 100_000_000)
    for i in range(0, 20000, 500):
        pairs = [word for k in range(i, i + 500) for word in (f"of-others-{k}", value)]
        redis.command("HSET", "{llmhealth}:verdicts", *pairs)
    asked = len(standin.requests())
    second = online(llmhealth.serve(config(standin, redis)))
    all_healthy(second)
    assert "redis_verdicts_passed_over too_long=1" in second.stderr
    assert f"verdicts={20000 + DEPLOYMENTS - 1}" in second.stderr
    assert len(standin.requests()) > asked  # of dep-00; where all takes more than two seconds, of others, too
    wait_for(lambda: redis.command("HSTRLEN", "{llmhealth}:verdicts", "dep-00") < 10000, 5, "it was not written anew")
    assert "an answer without end" in second.stderr
    # Twice the limit, the 20,000, and what a sanitizer has around each block.
    assert high_water_kb(second.front) - usual < 2 * 64_000 + 150_000


def test_the_killed_instances_share_is_taken_over(llmhealth, standin, redis):
    daemons = [llmhealth.serve(config(standin, redis, interval="2s")) for _ in range(3)]
    for daemon in daemons:
        online(daemon)
        all_healthy(daemon)
    wait_for(lambda: redis.command("ZCARD", "{llmhealth}:instances") == 3)
    victim = daemons.pop(0)
    victim.kill_all()
    victim.status = 0
    killed = time.time() * 1000

    def all_renewed():
        health = daemons[0].health()
        view = redis.hash("{llmhealth}:view")
        return all(json.loads(text)["checked_at_ms"] > killed for text in view.values()) and \
            health["healthy_count"] == DEPLOYMENTS
    # An interval, a heartbeat's time, and some for a slow machine.
    wait_for(all_renewed, 8, "what the dead one had is not asked any more")


def test_a_change_is_seen_by_all(llmhealth, standin, redis):
    daemons = [online(llmhealth.serve(config(standin, redis, interval="1s"))) for _ in range(2)]
    for daemon in daemons:
        all_healthy(daemon)
    standin.behaviour("ok", "e500")
    for daemon in daemons:
        wait_for(lambda: daemon.health()["unhealthy_count"] == DEPLOYMENTS, 10, "one has not heard of it")


def test_redis_killed_changes_no_answer_and_an_empty_one_is_refilled(llmhealth, standin, redis):
    daemon = online(llmhealth.serve(config(standin, redis)))
    all_healthy(daemon)
    redis.kill()
    wait_for(lambda: "redis_offline" in daemon.stderr)
    assert daemon.health()["healthy_count"] == DEPLOYMENTS
    assert daemon.get("/health/readiness").status == 200
    details = daemon.get("/health/readiness/details").json
    assert details["redis"] == "disconnected"
    redis.start()
    online(daemon, 2)
    wait_for(lambda: len(redis.hash("{llmhealth}:verdicts")) == DEPLOYMENTS, 10, "not refilled")
    assert daemon.get("/health/readiness/details").json["redis"] == "connected"
    assert len(standin.requests()) == DEPLOYMENTS


def test_a_paused_redis_changes_no_answer(llmhealth, standin, redis):
    daemon = online(llmhealth.serve(config(standin, redis, interval="1s")))
    all_healthy(daemon)
    redis.pause()
    try:
        wait_for(lambda: "redis_offline" in daemon.stderr, 10)
        asked = len(standin.requests())
        wait_for(lambda: len(standin.requests()) > asked + DEPLOYMENTS, 10, "it does not probe on")
        assert daemon.health()["healthy_count"] == DEPLOYMENTS
    finally:
        redis.resume()
    online(daemon, 2)


def test_wrong_password(llmhealth, standin, tmp_path):
    with RedisServer(tmp_path / "redis", password="sk-canary-right") as redis:
        daemon = llmhealth.serve(config(standin, redis, redis={"password": "sk-canary-wrong"}))
        all_healthy(daemon)
        wait_for(lambda: "WRONGPASS" in daemon.stderr)
        assert daemon.get("/health/readiness/details").json["redis"] == "disconnected"
        good = llmhealth.serve(config(standin, redis, redis={"password": "sk-canary-right"}))
        online(good)


def test_maxmemory_and_replica(llmhealth, standin, redis):
    daemon = online(llmhealth.serve(config(standin, redis, interval="1s")))
    all_healthy(daemon)
    redis.command("CONFIG", "SET", "maxmemory", "1")
    wait_for(lambda: "why=OOM" in daemon.stderr, 10)
    assert daemon.health()["healthy_count"] == DEPLOYMENTS
    redis.command("CONFIG", "SET", "maxmemory", "0")
    online(daemon, 2)
    redis.command("REPLICAOF", "127.0.0.1", "1")
    wait_for(lambda: "why=READONLY" in daemon.stderr, 10)
    assert daemon.health()["healthy_count"] == DEPLOYMENTS
    redis.command("REPLICAOF", "NO", "ONE")
    online(daemon, 3)


def test_foreign_types_and_values_in_our_keys(llmhealth, standin, redis):
    redis.command("HSET", "{llmhealth}:verdicts", "dep-00", "rubbish", "dep-01", b"0001760000000000h\xff\xff",
                  "dep-02", "9999999999999999h")
    daemon = online(llmhealth.serve(config(standin, redis)))
    all_healthy(daemon)
    for name in ("dep-00", "dep-01", "dep-02"):
        wait_for(lambda: redis.command("HGET", "{llmhealth}:verdicts", name)[16:17] == b"h", 5)
    redis.command("DEL", "{llmhealth}:verdicts", "{llmhealth}:instances")
    redis.command("SET", "{llmhealth}:verdicts", "a string")
    redis.command("SET", "{llmhealth}:instances", "a string")
    wait_for(lambda: "why=WRONGTYPE" in daemon.stderr, 10)
    assert daemon.health()["healthy_count"] == DEPLOYMENTS
    redis.command("DEL", "{llmhealth}:verdicts", "{llmhealth}:instances")
    online(daemon, 2)
    wait_for(lambda: len(redis.hash("{llmhealth}:verdicts")) == DEPLOYMENTS, 10, "not refilled")


def test_scripts_flushed(llmhealth, standin, redis):
    daemon = online(llmhealth.serve(config(standin, redis)))
    all_healthy(daemon)
    redis.command("SCRIPT", "FLUSH")
    online(daemon, 2)


def test_a_stopped_instance_does_not_overwrite_newer_truth(llmhealth, standin, redis):
    daemons = [online(llmhealth.serve(config(standin, redis, interval="1s"))) for _ in range(2)]
    for daemon in daemons:
        all_healthy(daemon)
    stopped = [daemons[0].pid, daemons[0].front, *daemons[0].workers]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    standin.behaviour("ok", "e500")
    wait_for(lambda: daemons[1].health()["unhealthy_count"] == DEPLOYMENTS, 15, "not taken over")
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: daemons[0].health()["unhealthy_count"] == DEPLOYMENTS, 15, "never heard of it")
    end = time.monotonic() + 1
    while time.monotonic() < end:
        assert daemons[1].health()["healthy_count"] == 0
        time.sleep(0.05)


def test_two_ask_at_once_on_two_instances(llmhealth, standin, redis):
    setup = config(standin, redis, count=1)
    setup["general_settings"] = {}
    daemons = [online(llmhealth.serve(setup)) for _ in range(2)]
    for daemon in daemons:
        all_healthy(daemon, 1)
    standin.behaviour("ok", "latency=1000")
    before = len(standin.requests())
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda i: daemons[i % 2].health(), range(4)))
    assert [answer["healthy_count"] for answer in answers] == [1] * 4
    assert len(standin.requests()) == before + 1


def litellm_results(redis, name="health_check_results"):
    value = redis.command("GET", name)
    return value and json.loads(json.loads(value))


def litellm_states(redis):
    value = redis.command("GET", "litellm:health_check:deployment_health_state")
    return value and ast.literal_eval(value.decode())


def for_litellm(standin, server, **settings):
    made = config(standin, server, count=3, **settings)
    made["model_list"][2]["litellm_params"]["model"] = "openai/e401"
    made["general_settings"].update(use_shared_health_check=True, enable_health_check_routing=True)
    return made


def test_litellms_keys_are_written_as_litellm_writes_them(llmhealth, standin, redis):
    redis.command("SET", "litellm:health_check:deployment_health_state",
                  f"{{'other': {{'is_healthy': False, 'timestamp': {time.time() - 100}, 'reason': 'it\\'s down'}}, "
                  f"'old': {{'is_healthy': True, 'timestamp': {time.time() - 1000}, 'reason': ''}}, "
                  f"'dep-00': {{'is_healthy': False, 'timestamp': {time.time()}, 'reason': 'x'}}}}")
    daemons = [online(llmhealth.serve(for_litellm(standin, redis))) for _ in range(2)]
    results = wait_for(lambda: litellm_results(redis), 10, "no results for LiteLLM")
    assert [entry["model_id"] for entry in results["healthy_endpoints"]] == ["dep-00", "dep-01"]
    assert [entry["model_id"] for entry in results["unhealthy_endpoints"]] == ["dep-02"]
    assert results["unhealthy_endpoints"][0]["exception_status"] == 401
    assert (results["healthy_count"], results["unhealthy_count"]) == (2, 1)
    assert abs(results["timestamp"] - time.time()) < 30
    assert 290 <= redis.command("TTL", "health_check_results") <= 300
    raw = redis.command("GET", "health_check_results").decode()
    assert raw.startswith('"{\\"healthy_endpoints\\": [{\\"') and raw.isascii()
    states_now = wait_for(lambda: litellm_states(redis) if "dep-01" in (litellm_states(redis) or {}) else None)
    assert set(states_now) == {"other", "dep-00", "dep-01", "dep-02"}
    assert states_now["dep-00"]["is_healthy"] is True
    assert states_now["dep-02"] == {"is_healthy": False, "timestamp": states_now["dep-02"]["timestamp"],
                                    "reason": "background_health_check_failed"}
    assert states_now["other"]["reason"] == "it's down"
    assert 890 <= redis.command("TTL", "litellm:health_check:deployment_health_state") <= 900
    shared = daemons[0].get("/health/shared-status").json
    assert shared["shared_health_check_enabled"] is True
    assert shared["status"]["redis_available"] is True and shared["status"]["cache_available"] is True
    assert shared["status"]["lock_owner"] is None and 0 <= shared["status"]["cache_age_seconds"] < 60
    assert shared["status"]["last_checked_by"] == results["checked_by"]
    redis.command("SET", "health_check_lock", '"pod_1"')
    assert daemons[0].get("/health/shared-status").json["status"]["lock_owner"] == "pod_1"


def test_litellms_keys_have_their_namespace_and_stay_away_when_told(llmhealth, standin, redis):
    made = for_litellm(standin, redis)
    made["litellm_settings"] = {"cache_params": {"type": "redis", "namespace": "my.ns"}}
    online(llmhealth.serve(made))
    wait_for(lambda: litellm_results(redis, "my.ns:health_check_results"), 10)
    assert redis.command("GET", "health_check_results") is None
    redis.command("DEL", "my.ns:health_check_results")
    made["llmhealth"]["redis"]["litellm"] = "off"
    quiet = online(llmhealth.serve(made))
    llmhealth.daemons[0].stop()
    all_healthy(quiet, 2)
    time.sleep(2)
    assert redis.command("GET", "my.ns:health_check_results") is None


def test_litellms_results_are_taken_where_told(llmhealth, standin, redis):
    made = for_litellm(standin, redis, redis={"litellm": "consume"})
    daemon = online(llmhealth.serve(made))
    all_healthy(daemon, 2)
    for value in ("hello", "null", "[1,2]", '{"timestamp":"x"}', '"{\\"healthy_endpoints\\": nul'):
        redis.command("SET", "health_check_results", value)
    time.sleep(1)
    redis.command("SET", "health_check_results", json.dumps(json.dumps({
        "healthy_endpoints": None,
        "unhealthy_endpoints": [{"model_id": "dep-01", "error": "litellm.RateLimitError: sl\u00f6w", "exception_status": 429},
                                {"model": "no id"}, 7],
        "timestamp": time.time(), "checked_by": "pod_1"})))
    wait_for(lambda: states(daemon)["dep-01"] == "unhealthy", 15, "the proxy's word was not taken")
    entry = next(e for e in daemon.health()["unhealthy_endpoints"] if e["model_id"] == "dep-01")
    assert entry["exception_status"] == 429 and "sl\u00f6w" in entry["error"]
    assert redis.command("GET", "litellm:health_check:deployment_health_state") is None


class Liar(threading.Thread):
    """In front of a real server: passes on until told to lie, cut or wait."""

    def __init__(self, target):
        super().__init__(daemon=True)
        self.target, self.how = target, "pass"
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        server = socket.socket(socket.AF_UNIX)
        with client, server, contextlib.suppress(OSError):
            server.connect(self.target)
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    if ready is client:
                        server.sendall(data)
                    elif self.how == "garbage":
                        client.sendall(b"\x00\xff SSH-2.0-OpenSSH_9.2\r\n" * 10)
                    elif self.how == "huge":
                        client.sendall(b"*2147483647\r\n")
                    elif self.how == "cut":
                        client.sendall(data[:len(data) // 2])
                        return
                    else:
                        if self.how == "slow":
                            time.sleep(2)
                        client.sendall(data)

    def close(self):
        self.listener.close()


def test_a_server_that_lies_cuts_and_dawdles(llmhealth, standin, redis):
    liar = Liar(redis.socket)
    made = config(standin, redis, interval="3s", redis={"timeout": "5s"})
    del made["llmhealth"]["redis"]["socket"]
    made["llmhealth"]["redis"].update(host="127.0.0.1", port=liar.port)
    daemon = online(llmhealth.serve(made))
    all_healthy(daemon)
    front = daemon.front
    for how in ("garbage", "huge", "cut"):
        times = daemon.stderr.count("redis_online")
        liar.how = how
        wait_for(lambda: daemon.stderr.count("redis_offline") >= times, 10, f"{how} was not noticed")
        assert daemon.health()["healthy_count"] == DEPLOYMENTS
        liar.how = "pass"
        online(daemon, times + 1)
    losses = daemon.stderr.count("redis_offline")
    liar.how = "slow"
    time.sleep(4)
    assert daemon.health()["healthy_count"] == DEPLOYMENTS
    assert daemon.stderr.count("redis_offline") == losses
    assert daemon.front == front
    liar.close()


def test_tls_with_a_client_certificate(llmhealth, standin, tmp_path):
    need_localhost()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    directory = standin.directory
    with RedisServer(tmp_path / "redis", options=[
            "--tls-port", str(port), "--tls-cert-file", str(directory / "server.pem"),
            "--tls-key-file", str(directory / "server.key"), "--tls-ca-cert-file", str(standin.ca),
            "--tls-auth-clients", "yes", "--requirepass", "sk-canary-redis"], password="sk-canary-redis") as redis:
        made = config(standin, redis)
        section = {"url": f"rediss://:sk-canary-redis@localhost:{port}/3", "ca": str(standin.ca),
                   "cert": str(standin.client_pem), "key": str(standin.client_key)}
        made["llmhealth"]["redis"] = section
        daemon = online(llmhealth.serve(made))
        all_healthy(daemon)
        redis.command("SELECT", 3)
        wait_for(lambda: len(redis.hash("{llmhealth}:verdicts")) == DEPLOYMENTS)
        # Without the client's certificate, and without trust in the server's.
        made["llmhealth"]["redis"] = {**section, "cert": "", "key": ""}
        refused = llmhealth.serve(made)
        wait_for(lambda: "redis_disconnected" in refused.stderr, 10)
        made["llmhealth"]["redis"] = {**section, "ca": ""}
        untrusting = llmhealth.serve(made)
        wait_for(lambda: "why=\"unable to get local issuer certificate\"" in untrusting.stderr or
                 "certificate" in untrusting.stderr, 10)
        assert untrusting.get("/health/readiness/details").json["redis"] == "disconnected"


def test_the_server_is_found_where_litellm_has_it(llmhealth, standin, tmp_path):
    need_localhost()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with RedisServer(tmp_path / "redis", port=port, password="sk-canary-redis") as redis:
        def check(change, env=None):
            made = config(standin, redis, count=1)
            del made["llmhealth"]["redis"]
            change(made)
            online(llmhealth.serve(made, env=env)).stop()

        parts = {"type": "redis", "host": "127.0.0.1", "port": port, "password": "sk-canary-redis"}
        check(lambda made: made.update(litellm_settings={"cache": True, "cache_params": parts}))
        check(lambda made: made.update(litellm_settings={"cache": True, "cache_params": {
            "type": "redis", "url": "os.environ/SOME_URL"}}),
            {"SOME_URL": f"redis://default:sk-canary-redis@127.0.0.1:{port}"})
        check(lambda made: made.update(router_settings={"redis_host": "localhost", "redis_port": str(port),
                                                        "redis_password": "sk-canary-redis"}))
        check(lambda made: made["general_settings"].update(coordination_redis=parts))
        check(lambda made: made.update(litellm_settings={"cache": True}),
              {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(port), "REDIS_PASSWORD": "sk-canary-redis"})
        # A cache of another kind is no Redis, and a variable alone turns nothing on.
        made = config(standin, redis, count=1)
        del made["llmhealth"]["redis"]
        made["litellm_settings"] = {"cache": True, "cache_params": {"type": "local"}}
        daemon = llmhealth.serve(made, env={"REDIS_URL": "redis://127.0.0.1:1"})
        assert "redis" not in daemon.get("/health/readiness/details").json


def test_mistakes_in_the_section_are_told(llmhealth, standin, redis):
    for section, words in (({"url": "http://sk-canary-x@host"}, "URL of Redis is not understood"),
                           ({"enabled": True}, "no server is named"),
                           ({"host": "h", "port": 70000}, "from 1 to 65535"),
                           ({"host": "h", "litellm": "maybe"}, "provide, consume or off"),
                           ({"host": "h", "hots": "x"}, "unknown setting llmhealth.redis.hots")):
        made = config(standin, redis, count=1)
        made["llmhealth"]["redis"] = section
        done = llmhealth.validate(made)
        assert done.returncode != 0 and words in done.stderr + done.stdout
