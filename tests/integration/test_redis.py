# SPDX-License-Identifier: Apache-2.0
"""Several instances on one real redis-server: one truth, one probe a slot, and what a loss changes (nothing)."""

import json
import os
import shutil
import signal
import time

import pytest

from program import wait_for
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
        counts[request["key"]] = counts.get(request["key"], 0) + 1
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
    import concurrent.futures
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
