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
def proxies(config, directory, count):
    env = {**os.environ, "LITELLM_MODE": "PRODUCTION", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
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


def test_two_proxies_use_our_verdicts(llmhealth, standin, tmp_path):
    port = free_port()
    with RedisServer(tmp_path / "redis", port=port):
        config = {
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
        path = llmhealth.write_config({**config, "llmhealth": {"interval": "300s"}}, tmp_path / "both.yaml")
        daemon = llmhealth.serve(path)
        wait_for(lambda: "redis_online" in daemon.stderr, 15)
        wait_for(lambda: daemon.health(KEY)["unhealthy_count"] == 1, 15)
        # Nobody's shared results are there before ours: proxies look when they start.
        wait_for(lambda: daemon.get("/health/shared-status", KEY).json["status"]["cache_available"], 15)

        def probes():
            # LiteLLM asks for GET /v1/models with each key when it starts: no probe.
            return [request for request in standin.requests() if request["method"] == "POST"]
        assert len(probes()) == 3
        with proxies(path, tmp_path, 2) as ports:
            for proxy in ports:
                def theirs():
                    answer = http_request("127.0.0.1", proxy, "GET", "/health", {"Authorization": "Bearer " + KEY})
                    return answer.status == 200 and answer.json.get("healthy_endpoints") and answer.json
                shown = wait_for(theirs, 30, "the proxy shows nothing")
                assert {e["model_id"] for e in shown["healthy_endpoints"]} == {"pair-2", "single-1"}
                assert [e["model_id"] for e in shown["unhealthy_endpoints"]] == ["pair-1"]
                assert "checked_at" in shown["healthy_endpoints"][0]  # a field that only ours have
            assert len(probes()) == 3, "a proxy has probed"
            for i in range(6):
                for proxy in ports:
                    answer = http_request(
                        "127.0.0.1", proxy, "POST", "/chat/completions",
                        {"Authorization": "Bearer " + KEY, "Content-Type": "application/json"},
                        {"model": "pair", "messages": [{"role": "user", "content": f"hello {i} {proxy}"}]})
                    assert answer.status == 200, answer.text
                    assert answer.headers["x-litellm-model-id"] == "pair-2"
            assert not [r for r in probes()[3:] if r["model"] == "e401"]
