# SPDX-License-Identifier: Apache-2.0
"""A quorum of witnesses: a dead provider is told from a dead uplink."""

import contextlib
import json
import shutil
import socket
import time

import pytest

from program import wait_for
from redis_server import RedisServer

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
DEPLOYMENTS = 6


@pytest.fixture
def redis(tmp_path):
    with RedisServer(tmp_path / "redis") as server:
        yield server


@contextlib.contextmanager
def nowhere():
    """An address that takes connections and answers nothing: a dead uplink."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def config(base, server, quorum=2, region="", interval="1s", **redis):
    return {
        "model_list": [
            {"model_name": f"group-{i // 2}",
             "litellm_params": {"model": "openai/ok", "api_base": base, "api_key": f"sk-canary-{i}"},
             "model_info": {"id": f"dep-{i:02d}", "health_check_timeout": 1}}
            for i in range(DEPLOYMENTS)],
        "general_settings": {"background_health_checks": True},
        "llmhealth": {"interval": interval, "workers": 1, "recheck": "1s", "region": region,
                      "redis": {"socket": server.socket, "heartbeat": "1s", "timeout": "1s", "quorum": quorum, **redis}},
    }


def online(daemon):
    wait_for(lambda: "redis_online" in daemon.stderr, 15, "never online")
    return daemon


def entries(daemon):
    health = daemon.health()
    return {entry["model_id"]: entry for kind in ("healthy", "unhealthy", "unknown")
            for entry in health[f"{kind}_endpoints"]}


def words(daemon, ident="dep-00"):
    return [w["state"] for w in entries(daemon).get(ident, {}).get("witnesses", [])]


def test_one_dead_uplink_of_three_is_not_a_dead_provider(llmhealth, standin, redis):
    with nowhere() as dead:
        daemons = [online(llmhealth.serve(config(base, redis))) for base in (standin.url, standin.url, dead)]
        for daemon in daemons:
            wait_for(lambda: daemon.health()["healthy_count"] == DEPLOYMENTS, 15, "not all are healthy")
            wait_for(lambda: sorted(words(daemon)) == ["healthy", "healthy", "unhealthy"], 15, "not all have spoken")
        # Seconds of the dead one's failures change nothing, anywhere.
        end = time.monotonic() + 4
        while time.monotonic() < end:
            for daemon in daemons:
                assert daemon.health()["healthy_count"] == DEPLOYMENTS
            time.sleep(0.1)
        view = {key: json.loads(text) for key, text in redis.hash("{llmhealth}:view").items()}
        assert {v["state"] for v in view.values()} == {"healthy"}
        metrics = daemons[0].get("/metrics").text
        lines = [line for line in metrics.splitlines() if line.startswith("llmhealth_witness_deployments")]
        assert len(lines) == 6 and sum(line.endswith(f" {DEPLOYMENTS}") for line in lines) == 3
        # The provider dies: two of three say so.
        standin.behaviour("ok", "e500")
        for daemon in daemons:
            wait_for(lambda: daemon.health()["unhealthy_count"] == DEPLOYMENTS, 15, "nobody says that it is dead")
        standin.behaviour("ok", "ok")
        for daemon in daemons:
            wait_for(lambda: daemon.health()["healthy_count"] == DEPLOYMENTS, 15, "nobody says that it is back")


def test_each_witness_s_words_are_in_redis_for_a_time(llmhealth, standin, redis):
    daemons = [online(llmhealth.serve(config(standin.url, redis))) for _ in range(2)]
    for daemon in daemons:
        wait_for(lambda: len(words(daemon)) == 2, 15, "not both have spoken")
    names = [m.decode() for m in redis.command("ZRANGE", "{llmhealth}:instances", 0, -1)]
    for name in names:
        key = f"{{llmhealth}}:witness:{name}"
        said = {ident: json.loads(text) for ident, text in redis.hash(key).items()}
        assert set(said) == {f"dep-{i:02d}" for i in range(DEPLOYMENTS)}
        assert {word["state"] for word in said.values()} == {"healthy"}
        assert abs(said["dep-00"]["checked_at_ms"] / 1000 - time.time()) < 10
        assert 0 < redis.command("PTTL", key) <= 3000
    # One that comes later knows what they have said before it has looked.
    late = online(llmhealth.serve(config(standin.url, redis)))
    wait_for(lambda: len(words(late)) == 3, 10)
    daemons[0].stop()
    wait_for(lambda: len(words(daemons[1])) == 2, 10, "who has gone is still counted")


def test_regions_are_one_witness_each(llmhealth, standin, redis):
    with nowhere() as dead:
        places = (("eu", standin.url), ("eu", standin.url), ("us", standin.url), ("ap.1", dead))
        daemons = [online(llmhealth.serve(config(base, redis, region=region, interval="2s"))) for region, base in places]
        for daemon in daemons:
            wait_for(lambda: sorted(w["witness"] for w in entries(daemon)["dep-00"].get("witnesses", [])) ==
                     ["ap.1", "eu", "us"], 15, "not all regions have spoken")
            wait_for(lambda: daemon.health()["healthy_count"] == DEPLOYMENTS, 15)
        # In a region of two, one asks: two probes that come through in an interval, of eu and of us.
        start = len(standin.requests())
        time.sleep(8)
        asked = len(standin.requests()) - start
        assert 3 * 2 * DEPLOYMENTS <= asked <= 5 * 2 * DEPLOYMENTS, asked


def test_so_many_witnesses_as_wanted(llmhealth, standin, redis):
    daemons = [online(llmhealth.serve(config(standin.url, redis, witnesses=2, interval="2s"))) for _ in range(4)]
    for daemon in daemons:
        wait_for(lambda: all(len(e.get("witnesses", [])) == 2 for e in entries(daemon).values()), 15,
                 "not two witnesses each")
    start = len(standin.requests())
    time.sleep(8)
    asked = len(standin.requests()) - start
    assert 3 * 2 * DEPLOYMENTS <= asked <= 5 * 2 * DEPLOYMENTS, asked


def test_alone_one_decides_by_itself(llmhealth, standin, redis):
    daemon = online(llmhealth.serve(config(standin.url, redis)))
    wait_for(lambda: daemon.health()["healthy_count"] == DEPLOYMENTS, 15)
    standin.behaviour("ok", "e500")
    wait_for(lambda: daemon.health()["unhealthy_count"] == DEPLOYMENTS, 15)


def test_a_reload_turns_the_quorum_on_and_off(llmhealth, standin, redis):
    with nowhere() as dead:
        made = [config(base, redis, quorum=0) for base in (standin.url, standin.url, dead)]
        daemons = [online(llmhealth.serve(m)) for m in made[:2]]
        for daemon in daemons:
            wait_for(lambda: daemon.health()["healthy_count"] == DEPLOYMENTS, 15)
            assert words(daemon) == []
        for times, quorum in ((2, 2), (3, 0), (4, 2)):
            for daemon, m in zip(daemons, made):
                m["llmhealth"]["redis"]["quorum"] = quorum
                daemon.reload(m)
                online(daemon)
            for daemon in daemons:
                wait_for(lambda: daemon.stderr.count("redis_online") == times, 10)
                wait_for(lambda: words(daemon) == ["healthy", "healthy"][:quorum], 10, f"with a quorum of {quorum}")
                assert daemon.health()["healthy_count"] == DEPLOYMENTS
                latest = daemon.get("/health/latest").json["latest_health_checks"]["dep-00"]
                assert len(latest.get("witnesses", [])) == quorum
        # One with a dead uplink comes: by two of three nothing is wrong.
        made[2]["llmhealth"]["redis"]["quorum"] = 2
        daemons.append(online(llmhealth.serve(made[2])))
        for daemon in daemons:
            wait_for(lambda: sorted(words(daemon)) == ["healthy", "healthy", "unhealthy"], 15)
            assert daemon.health()["healthy_count"] == DEPLOYMENTS


def test_validate_says_what_it_costs(llmhealth, standin, redis):
    def probes(**section):
        made = config(standin.url, redis, interval="60s", **section)
        return json.loads(llmhealth.validate(made, "--json").stdout)["cost_per_day"]["probes"]

    one = probes(quorum=0)
    assert probes(quorum=2) == 2 * one
    assert probes(quorum=2, witnesses=5) == 5 * one
    done = llmhealth.validate(config(standin.url, redis, region="eu/1"))
    assert done.returncode != 0 and "llmhealth.region" in done.stderr + done.stdout
    done = llmhealth.validate(config(standin.url, redis, quorum=3, witnesses=2))
    assert done.returncode != 0 and "of 2 witnesses" in done.stderr + done.stdout
    done = llmhealth.validate(config(standin.url, redis))
    assert "with 2 witnesses of the quorum" in done.stdout
