# SPDX-License-Identifier: Apache-2.0
"""Two real LiteLLM proxies on our Redis: they show our verdicts, probe nothing, and route around what we found broken.

Skipped unless LITELLM_VENV names a virtual environment with litellm[proxy].
"""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess

import pytest

from program import http_request, wait_for
from redis_server import RedisServer

VENV = os.environ.get("LITELLM_VENV", "")
PROXY = pathlib.Path(VENV, "bin", "litellm")
pytestmark = [
    pytest.mark.skipif(not VENV or not PROXY.exists(),
                       reason="LITELLM_VENV names no virtual environment with litellm[proxy]"),
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed"),
]
KEY = "sk-master-of-tests"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@contextlib.contextmanager
def proxies(config, directory, count, **more):
    env = {**os.environ, **more, "LITELLM_MODE": "PRODUCTION", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
    started = []
    try:
        for i in range(count):
            port = free_port()
            with open(directory / f"proxy-{i}.log", "wb") as log:
                process = subprocess.Popen([PROXY, "--config", config, "--host", "127.0.0.1", "--port", str(port)],
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd=directory,
                                           start_new_session=True)
            started.append((process, port))

        def alive(port):
            with contextlib.suppress(OSError):
                return http_request("127.0.0.1", port, "GET", "/health/liveliness", timeout=5).status == 200
        for i, (process, port) in enumerate(started):
            wait_for(lambda: alive(port) or process.poll() is not None, 100, "a proxy did not start")
            assert process.poll() is None, (directory / f"proxy-{i}.log").read_text()[-2000:]
        yield [port for _, port in started]
    finally:
        for process, _ in started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def fleet(standin, port):
    return {
        "model_list": [
            {"model_name": name,
             "litellm_params": {"model": f"openai/{model}", "api_base": standin.url + "/v1", "api_key": "sk-of-" + ident},
             "model_info": {"id": ident}}
            for name, model, ident in (("pair", "e401", "pair-1"), ("pair", "ok", "pair-2"), ("single", "ok", "single-1"))],
        "general_settings": {"master_key": KEY, "background_health_checks": True, "health_check_interval": 5,
                             "use_shared_health_check": True, "enable_health_check_routing": True},
        "litellm_settings": {"cache": True, "cache_params": {
            "type": "redis", "host": "127.0.0.1", "port": port, "supported_call_types": []}},
    }


def theirs_of(proxy):
    answer = http_request("127.0.0.1", proxy, "GET", "/health", {"Authorization": "Bearer " + KEY})
    return answer.status == 200 and "healthy_endpoints" in answer.json and answer.json


def asked(standin, ours):
    """Chats that llmhealth, or somebody else, has sent. LiteLLM's GET /v1/models at its start is no probe."""
    return [request for request in standin.requests()
            if request["method"] == "POST" and request["headers"].get("user-agent", "").startswith("llmhealth/") == ours]


def test_two_proxies_use_our_verdicts(llmhealth, standin, tmp_path):
    port = free_port()
    with RedisServer(tmp_path / "redis", port=port):
        config = fleet(standin, port)
        path = llmhealth.write_config({**config, "llmhealth": {"interval": "300s"}}, tmp_path / "both.yaml")
        daemon = llmhealth.serve(path)
        wait_for(lambda: "redis_online" in daemon.stderr, 15)
        wait_for(lambda: daemon.health(KEY)["unhealthy_count"] == 1, 15)
        # Nobody's shared results are there before ours: proxies look when they start.
        wait_for(lambda: daemon.get("/health/shared-status", KEY).json["status"]["cache_available"], 15)
        assert len(asked(standin, ours=True)) >= 3
        with proxies(path, tmp_path, 2) as ports:
            for proxy in ports:
                shown = wait_for(lambda: theirs_of(proxy), 30, "the proxy shows nothing")
                assert {e["model_id"] for e in shown["healthy_endpoints"]} == {"pair-2", "single-1"}
                assert [e["model_id"] for e in shown["unhealthy_endpoints"]] == ["pair-1"]
                assert "checked_at" in shown["healthy_endpoints"][0]  # a field that only ours have
            # Some of their rounds later, and when what we say changes, they still have not asked.
            standin.behaviour("ok", "e500")
            daemon.reload({**config, "llmhealth": {"interval": "1s"}})
            for proxy in ports:
                wait_for(lambda: theirs_of(proxy)["unhealthy_count"] == 3, 30, "the proxy does not show what has changed")
            standin.behaviour("ok", "ok")
            for proxy in ports:
                wait_for(lambda: theirs_of(proxy)["healthy_count"] == 2, 30, "the proxy does not show what has changed back")
            assert not asked(standin, ours=False), "a proxy has probed"
            for i in range(6):
                for proxy in ports:
                    answer = http_request(
                        "127.0.0.1", proxy, "POST", "/chat/completions",
                        {"Authorization": "Bearer " + KEY, "Content-Type": "application/json"},
                        {"model": "pair", "messages": [{"role": "user", "content": f"hello {i} {proxy}"}]})
                    assert answer.status == 200, answer.text
                    assert answer.headers["x-litellm-model-id"] == "pair-2"
            chats = asked(standin, ours=False)
            assert len(chats) == 12 and all(r["model"] == "ok" for r in chats), "traffic has reached what is broken"


def test_their_results_are_a_witness_or_nothing_to_us(llmhealth, standin, tmp_path):
    """`consume` takes what a real proxy has found; `off` neither reads nor writes."""
    port = free_port()
    with RedisServer(tmp_path / "redis", port=port) as redis:
        config = fleet(standin, port)
        path = llmhealth.write_config(config, tmp_path / "theirs.yaml")
        quiet = {"interval": "1d", "recheck": "1d"}  # no turn comes meanwhile
        with proxies(path, tmp_path, 1, DEFAULT_SHARED_HEALTH_CHECK_TTL="5") as ports:
            consumer = llmhealth.serve({**config, "llmhealth": {**quiet, "redis": {
                "host": "127.0.0.1", "port": port, "litellm": "consume"}}})
            away = llmhealth.serve({**config, "llmhealth": {**quiet, "redis": {
                "host": "127.0.0.1", "port": port, "litellm": "off", "prefix": "other"}}})
            for daemon in (consumer, away):
                wait_for(lambda: daemon.health(KEY)["healthy_count"] == 2, 15)
            wait_for(lambda: redis.command("GET", "health_check_results"), 30, "the proxy shares nothing")
            ours = len(asked(standin, ours=True))
            standin.behaviour("ok", "e500")
            wait_for(lambda: consumer.health(KEY)["unhealthy_count"] == 3, 60, "the proxy's word is not taken")
            entry = next(e for e in consumer.health(KEY)["unhealthy_endpoints"] if e["model_id"] == "single-1")
            assert entry["detail"] == "said by a LiteLLM proxy"
            assert away.health(KEY)["healthy_count"] == 2
            assert len(asked(standin, ours=True)) == ours, "we have asked ourselves"
            status = consumer.get("/health/shared-status", KEY).json["status"]
            assert status["last_checked_by"].startswith("pod_"), status
            standin.behaviour("ok", "ok")
            wait_for(lambda: consumer.health(KEY)["healthy_count"] == 2, 60)
            assert theirs_of(ports[0])["healthy_count"] == 2
        value = redis.command("GET", "health_check_results")
        assert value is None or b"pod_" in value, "we have written where we are only to read"
