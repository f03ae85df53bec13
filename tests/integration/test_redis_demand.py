# SPDX-License-Identifier: Apache-2.0
"""Checks that somebody asks for: one probe for the whole fleet, however many ask whichever instance."""

import concurrent.futures
import shutil
import time

import pytest

from program import wait_for
from redis_server import RedisServer

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
DEPLOYMENTS = 5


@pytest.fixture
def redis(tmp_path):
    with RedisServer(tmp_path / "redis") as server:
        yield server


def fleet(llmhealth, standin, redis, count, **settings):
    made = {
        "model_list": [
            {"model_name": "group", "litellm_params": {"model": "openai/ok", "api_base": standin.url, "api_key": f"sk-canary-{i}"},
             "model_info": {"id": f"dep-{i}", "health_check_timeout": 5}}
            for i in range(DEPLOYMENTS)],
        "llmhealth": {"interval": "300s", "workers": 1, "redis": {"socket": redis.socket, "heartbeat": "1s"}, **settings},
    }
    daemons = [llmhealth.serve(made) for _ in range(count)]
    for daemon in daemons:
        wait_for(lambda: "redis_online" in daemon.stderr, 15)
        wait_for(lambda: daemon.get("/health/readiness/details").json["unknown_count"] == 0, 15)
    return daemons


def ask_all(daemons, times):
    with concurrent.futures.ThreadPoolExecutor(times) as pool:
        return list(pool.map(lambda i: daemons[i % len(daemons)].health(), range(times)))


def test_who_asks_whom_is_all_the_same(llmhealth, standin, redis):
    daemons = fleet(llmhealth, standin, redis, 3)
    standin.behaviour("ok", "latency=1000")
    before = len(standin.requests())
    answers = ask_all(daemons, 12)
    assert [a["healthy_count"] for a in answers] == [DEPLOYMENTS] * 12
    assert len(standin.requests()) == before + DEPLOYMENTS
    # They were told what came of it, not what was there before.
    times = {e["model_id"]: {a["checked_at"] for b in answers for a in b["healthy_endpoints"] if a["model_id"] == e["model_id"]}
             for e in answers[0]["healthy_endpoints"]}
    assert all(len(seen) == 1 for seen in times.values()), times


def test_max_age_is_the_fleets(llmhealth, standin, redis):
    daemons = fleet(llmhealth, standin, redis, 3, max_age="3s")
    time.sleep(3.5)
    before = len(standin.requests())
    assert daemons[0].health()["healthy_count"] == DEPLOYMENTS
    assert len(standin.requests()) == before + DEPLOYMENTS
    # What one has asked is young enough for all.
    ask_all(daemons, 9)
    assert len(standin.requests()) == before + DEPLOYMENTS
    time.sleep(3.5)
    ask_all(daemons, 9)
    assert len(standin.requests()) == before + 2 * DEPLOYMENTS


def test_the_one_that_probes_dies_meanwhile(llmhealth, standin, redis):
    daemons = fleet(llmhealth, standin, redis, 2)
    standin.behaviour("ok", "latency=3000")
    before = len(standin.requests())
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        pool.submit(lambda: daemons[0].get("/health", timeout=20))
        wait_for(lambda: len(standin.requests()) == before + DEPLOYMENTS, 5)
        other = pool.submit(daemons[1].health)
        time.sleep(0.5)
        daemons[0].kill_all()
        daemons[0].status = 0
        assert other.result(20)["healthy_count"] == DEPLOYMENTS
    assert len(standin.requests()) <= before + 2 * DEPLOYMENTS
