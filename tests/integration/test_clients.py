# SPDX-License-Identifier: Apache-2.0
"""Other people's clients call the daemon: LiteLLM's own, its command line, Prometheus' parser, schemathesis.

Each needs what is not everywhere, and is skipped, visibly, without it: LITELLM_VENV names a virtual environment with
`litellm[proxy]`, SCHEMATHESIS_VENV one with `schemathesis`; python3-prometheus-client and promtool are Debian's."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

from program import wait_for

MASTER = "sk-master-for-clients"
VIEWER = "sk-viewer-for-clients"


def program_of(variable, name):
    venv = os.environ.get(variable)
    if not venv:
        pytest.skip(f"{variable} names no virtual environment")
    program = pathlib.Path(venv, "bin", name)
    assert program.exists(), f"{program} is not there"
    return program


@pytest.fixture
def daemon(llmhealth, standin, srcdir):
    """The bundled example, at the stand-in."""
    text = (srcdir / "examples" / "quickstart.yaml").read_text()
    head, section, ours = text.partition("\nllmhealth:")
    config = llmhealth.write_config(head + "\n", llmhealth.directory / "quickstart.yaml", {
        "keys": {"viewer": {"role": "viewer", "key": VIEWER}}, "grace": 0,
        "http": {"wrong_key_delay": 0}})  # schemathesis presents many
    d = llmhealth.serve(config, env={"STANDIN_URL": standin.url, "LITELLM_MASTER_KEY": MASTER})
    wait_for(lambda: d.health(MASTER)["unknown_count"] == 0, 30)
    return d


# LiteLLM's client. It runs in its own Python; what it got is printed as JSON.

CALLS = """
import json, sys
from litellm.proxy.client import Client
from litellm.proxy.client.health import HealthManagementClient
from litellm.proxy.client.exceptions import UnauthorizedError
url, key, wrong = sys.argv[1:]
client, health = Client(base_url=url, api_key=key), HealthManagementClient(base_url=url, api_key=key)
group = client.models.list()[0]["id"]
found = {
    "readiness": health.get_readiness(),
    "version": health.get_server_version(),
    "models": client.models.list(),
    "info": client.models.info(),
    "by_name": client.models.get(model_name=group),
    "groups": client.model_groups.info(),
    "health": client.http.request("GET", "/health"),
    "services": client.http.request("GET", "/health/services"),
    "details": client.http.request("GET", "/health/readiness/details"),
    "test": client.http.request("POST", "/health/test_connection",
                                json={"litellm_params": {"model": group}, "mode": "chat"}),
}
try:
    Client(base_url=url, api_key=wrong).models.list()
    found["wrong"] = "taken"
except Exception as e:
    found["wrong"] = type(e).__name__
print("FOUND" + json.dumps(found))
"""


def run(arguments, directory, seconds=100, **env):
    return subprocess.run([str(a) for a in arguments], capture_output=True, text=True, timeout=seconds, cwd=directory,
                          env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False",
                               "NO_COLOR": "1", "COLUMNS": "200", **env})


def test_litellm_client(daemon, tmp_path):
    done = run([program_of("LITELLM_VENV", "python"), "-c", CALLS, daemon.url, MASTER, "sk-not-this-one"], tmp_path)
    line = next((line for line in done.stdout.split("\n") if line.startswith("FOUND")), None)
    assert line, done.stdout[-2000:] + done.stderr[-3000:]
    found = json.loads(line.removeprefix("FOUND"))
    names = list(dict.fromkeys(d["model_name"] for d in daemon.get("/model/info", MASTER).json["data"]))
    assert found["readiness"]["status"] == "healthy" and found["version"] is None
    assert [m["id"] for m in found["models"]] == names
    assert [d["model_name"] for d in found["info"]] == [
        d["model_name"] for d in daemon.get("/model/info", MASTER).json["data"]]
    assert found["by_name"]["model_name"] == names[0]
    assert [g["model_group"] for g in found["groups"]] == names
    assert found["health"]["healthy_count"] > 0 and found["health"]["unhealthy_count"] > 0
    assert set(found["services"]) == {"database", "redis", "router"}
    assert found["details"]["litellm_version"]
    assert found["test"]["status"] in ("success", "error")
    assert found["wrong"] != "taken"


def test_litellm_command_line(daemon, tmp_path):
    program = program_of("LITELLM_VENV", "litellm-proxy")

    def said(*arguments, key=MASTER):
        done = run([program, "--base-url", daemon.url, "--api-key", key, *arguments], tmp_path, HOME=str(tmp_path))
        assert done.returncode == 0, (arguments, done.stdout[-1000:], done.stderr[-2000:])
        return done.stdout

    names = list(dict.fromkeys(d["model_name"] for d in daemon.get("/model/info", MASTER).json["data"]))
    listed = json.loads(said("models", "list", "--format", "json"))
    assert [m["id"] for m in listed] == names
    for name in names:
        assert name in said("models", "list") and name in said("models", "info")
    health = json.loads(said("http", "request", "GET", "/health"))
    assert health["healthy_count"] > 0
    assert "I'm alive" in said("http", "request", "GET", "/health/liveliness")
    for entry in json.loads(said("http", "request", "GET", "/health", key=VIEWER))["healthy_endpoints"]:
        assert "model_id" in entry and "api_base" not in entry


def test_litellm_health_command(daemon, tmp_path):
    """`litellm --health` sends no key: it is told so, as by LiteLLM itself."""
    program = program_of("LITELLM_VENV", "litellm")
    done = run([program, "--health", "--host", daemon.host, "--port", daemon.port], tmp_path)
    assert "No api key passed in" in done.stdout + done.stderr


# Prometheus.

@pytest.fixture(scope="module")
def parsers():
    try:
        import prometheus_client.openmetrics.parser as openmetrics
        import prometheus_client.parser as text
    except ImportError:
        pytest.skip("python3-prometheus-client is not installed")
    return {"text/plain": text.text_string_to_metric_families,
            "application/openmetrics-text": openmetrics.text_string_to_metric_families}


@pytest.mark.parametrize("accept", ["text/plain", "application/openmetrics-text"])
def test_prometheus_parser(daemon, parsers, accept):
    answer = daemon.get("/metrics", MASTER, {"Accept": accept})
    assert answer.headers["content-type"].startswith(accept)
    families = {f.name: f for f in parsers[accept](answer.text)}
    health = daemon.health(MASTER)
    up = {s.labels["model_id"]: s.value for s in families["llmhealth_deployment_up"].samples}
    for name, value in (("healthy_endpoints", 1), ("unhealthy_endpoints", 0)):
        assert health[name] and all(up[e["model_id"]] == value for e in health[name])
    assert families["litellm_deployment_state"].type == "gauge"
    assert families["llmhealth_http_requests"].type == "counter"


def test_promtool(daemon):
    """What it calls a problem of LiteLLM's names is LiteLLM's; it has none with ours."""
    program = shutil.which("promtool") or os.environ.get("PROMTOOL")
    if not program:
        pytest.skip("promtool is not installed")
    done = subprocess.run([program, "check", "metrics"], input=daemon.get("/metrics", MASTER).body, capture_output=True)
    assert done.returncode == 0 and not done.stdout and not done.stderr, (done.stdout, done.stderr)


# schemathesis.

CHECKS = """
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 503]
"""


def test_schemathesis(daemon, tmp_path):
    """No server error, no answer that /openapi.json does not describe, nothing wrong taken for right. A few hundred
    requests; those that never end (events) or end the daemon (drain) are left out."""
    program = program_of("SCHEMATHESIS_VENV", "schemathesis")
    (tmp_path / "schemathesis.toml").write_text(CHECKS)
    for key in (MASTER, VIEWER, "sk-unknown"):
        done = run([program, "--config-file", tmp_path / "schemathesis.toml", "run", f"{daemon.url}/openapi.json",
                    "-H", f"Authorization: Bearer {key}", "--exclude-path-regex", "/health/(events|drain)",
                    "--checks", "all",
                    # A group's name or an id that is not there is a good request.
                    "--exclude-checks", "positive_data_acceptance,ignored_auth",
                    "--phases", "examples,coverage,fuzzing", "-n", "10", "--seed", "1", "--request-timeout", "15",
                    "--generation-database", "none", "--no-color", "--continue-on-failure"], tmp_path, seconds=110)
        assert done.returncode == 0, f"as {key}:\n" + done.stdout[-8000:] + done.stderr[-2000:]
        assert " generated" in done.stdout, done.stdout[-2000:]
    assert daemon.health(MASTER)["healthy_count"] > 0
