# SPDX-License-Identifier: Apache-2.0
"""GET /metrics: both formats through strict readers, hostile names, who may ask, and what the numbers mean."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from exposition import parse
from program import wait_for
from redis_server import RedisServer
from test_http import BACKGROUND, KEY, Front

OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"}
ROW = re.compile(r'^METRIC\((\w+), (\w+), "(\w+)", (\w+), "([\w,]*)", "((?:[^"\\]|\\.)*)"\)$', re.M)


@pytest.fixture
def front(builddir, tmp_path):
    program = builddir / "http_front"
    if not program.exists():
        pytest.skip("http_front is not built")
    f = Front(program, tmp_path)
    yield f
    f.stop()


@pytest.fixture(scope="module")
def rows(srcdir):
    """metrics.def as {family: (type, labels, help)}."""
    text = (srcdir / "supervisor/front/http/metrics.def").read_text()
    found = {m[2]: (m[3].lower(), {x for x in m[4].split(",") if x}, m[5]) for m in ROW.findall(text)}
    assert len(found) == len(re.findall(r"^METRIC\(", text, re.M)) > 30
    return found


def scrape(front, headers=None, key=KEY):
    answer = front.get("/metrics", headers, key)
    assert answer.status == 200
    openmetrics = answer.headers["content-type"].startswith("application/openmetrics-text")
    return parse(answer.body, openmetrics)


def promtool(body):
    program = shutil.which("promtool") or os.environ.get("PROMTOOL")
    if not program:
        pytest.skip("promtool is not installed")
    return subprocess.run([program, "check", "metrics"], input=body, capture_output=True)


@pytest.mark.parametrize("args", [(), ("--deployments", 0), ("--unasked",), ("--deployments", 300),
                                  ("--hostile", "--deployments", 30)])
@pytest.mark.parametrize("headers", [{}, OPENMETRICS], ids=["text", "openmetrics"])
def test_both_formats_are_strictly_right(front, rows, args, headers):
    front.start(*args)
    front.get("/health/liveliness", {"x-request-id": "abc-1"})
    families = scrape(front, headers)
    suffix = {"counter": "_total", "info": "_info"}
    for name, (kind, labels, text) in rows.items():
        family = families.pop(name if headers else name + suffix.get(kind, ""))
        assert family.kind == (kind if headers or kind != "info" else "gauge") and family.text == text
        for sample, have, _ in family.samples:
            want = labels - {"le"} if kind == "histogram" and not sample.endswith("_bucket") else labels
            assert set(have) == want, f"{sample}{have}"
    assert not families, "not in metrics.def"


def test_promtool_finds_nothing(front):
    front.start("--hostile", "--deployments", 30)
    done = promtool(front.get("/metrics").body)
    assert done.returncode == 0 and not done.stdout and not done.stderr, (done.stdout, done.stderr)


def test_content_types(front):
    front.start()
    text, openmetrics = "text/plain; version=0.0.4; charset=utf-8", \
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    for accept, want in (
            (None, text), ("*/*", text), ("", text), ("text/plain", text), ("application/json", text),
            ("application/openmetrics-text", openmetrics), ("Application/OpenMetrics-Text; version=0.0.1", openmetrics),
            ("application/openmetrics-text;q=0", text), ("application/openmetrics-text;q=0.3,text/plain;q=0.5", text),
            ("text/plain;q=0.5 , application/openmetrics-text ; q=0.501", openmetrics),
            ("application/openmetrics-text;q=x", text), (",;,=;q=;", text), (OPENMETRICS["Accept"], openmetrics)):
        answer = front.get("/metrics", {} if accept is None else {"Accept": accept})
        assert answer.headers["content-type"] == want, accept
        assert "Accept" in answer.headers["vary"]
    assert front.get("/metrics/").status == 200
    assert front.get("/metrics", method="POST").status == 405


def test_hostile_names_stay_values(front):
    front.start("--hostile", "--deployments", 30)
    for headers in ({}, OPENMETRICS):
        families = scrape(front, headers)
        up = families["llmhealth_deployment_up"]
        names = up.values("model_id")
        assert len(names) == 28  # one id is too long for a label, one is not UTF-8
        assert families["llmhealth_metrics_deployments_left_out"].get() == 2
        groups = [labels["model_name"] for _, labels, _ in up.samples]
        assert 'a"} 1\nllmhealth_evil{b="c' in groups and "back\\slash\\" in groups
        assert "line\nfeed\r\tand\x01\x7f" in groups and "{}=,# EOF" in groups and "\U0001f999 \u00e9" in groups
        assert any("\ufffd" in g for g in groups) and max(map(len, groups)) == 512
        assert '"quoted\\id"\n' in names


def test_the_numbers_are_those_of_health(front):
    front.start("--deployments", 25)
    health = front.get("/health").json
    families = scrape(front)
    by_verdict = families["llmhealth_deployments"].values("verdict")
    assert by_verdict == {"healthy": 23, "unhealthy": 2, "unknown": 0, "stale": 0, "disabled": 0}
    up = families["llmhealth_deployment_up"].values("model_id")
    state = families["litellm_deployment_state"].values("model_id")
    for name, value in (("healthy_endpoints", 1), ("unhealthy_endpoints", 0)):
        for entry in health[name]:
            assert up.pop(entry["model_id"]) == value
            assert state.pop(entry["model_id"]) == (0 if value else 2)
    assert not up and not state
    verdict = families["llmhealth_deployment_verdict"]
    assert verdict.get(model_id="deployment-000009", verdict="unhealthy", reason="auth", mode="chat") == 1
    assert verdict.get(model_id="deployment-000010", verdict="healthy", reason="") == 1
    results = families["llmhealth_probe_results_total"]
    assert results.get(provider="openai", reason="ok") == 23 and results.get(reason="auth") == 2
    failure = families["litellm_deployment_failure_responses_total"]
    assert failure.get(model_id="deployment-000009", exception_class="Openai.AuthenticationError",
                       exception_status="401", api_key_alias="litellm-internal-health-check",
                       model_group="group-002", requested_model="group-002", litellm_model_name="ok",
                       api_base="http://127.0.0.1:9/v1", api_provider="openai") == 1
    assert len(failure.samples) == 2
    assert len(families["litellm_deployment_success_responses_total"].samples) == 23
    assert len(families["litellm_deployment_total_requests_total"].samples) == 25
    assert families["litellm_remaining_requests_metric"].get(model_id="deployment-000000") == 99
    total = families["llmhealth_probe_duration_seconds"]
    assert total.get(phase="total", le="0.025") == 25 and total.get(phase="total", le="0.01") == 0
    assert total.get(phase="tls", le="+Inf") == 0


def test_a_result_shows_at_once(front):
    front.start("--deployments", 3)
    assert scrape(front)["llmhealth_deployment_probes_total"].get(model_id="deployment-000000") == 1
    front.process.send_signal(signal.SIGUSR1)
    wait_for(lambda: scrape(front)["llmhealth_deployment_probes_total"].get(model_id="deployment-000000") == 2)


def test_requests_are_counted_by_route_and_status(front):
    front.start()
    for path in ("/health", "/health", "/nowhere", "/health?model_id=nope", "/else"):
        front.get(path)
    front.get("/health", key=None)
    front.say(b"GET / HTTP/1.1\r\nbroken\r\n\r\n")
    front.get("/health/liveliness", {"x-request-id": "abc-1"})
    front.get("/health/liveliness", {"x-request-id": "x" * 120})
    requests = scrape(front)["llmhealth_http_requests_total"]
    assert requests.get(route="/health", status="200") == 2
    assert requests.get(route="/health", status="404") == 1
    assert requests.get(route="/health", status="401") == 1
    assert requests.get(route="", status="404") == 2
    assert requests.get(route="", status="400") == 1
    assert requests.get(route="/health/liveliness", status="200") == 2
    openmetrics = scrape(front, OPENMETRICS)
    exemplars = openmetrics["llmhealth_http_requests"].exemplars
    assert {e[1]["route"]: e[2] for e in exemplars}["/health/liveliness"] == {"request_id": "abc-1"}
    (_, labels, exemplar, value), = openmetrics["llmhealth_probe_duration_seconds"].exemplars
    assert labels["phase"] == "total" and set(exemplar) == {"probe_id", "model_id"} and 0.012 < value < 0.013


def test_who_may_ask(front, reference):
    front.start()
    refused = front.get("/metrics", key=None)
    recorded = json.loads((reference / "litellm/http/144-with-prisma-metrics-no-auth.json").read_text())["response"]
    assert (refused.status, refused.json) == (recorded["status"], recorded["body"])
    assert front.get("/metrics", key="sk-wrong").status == 401
    assert scrape(front)["llmhealth_http_wrong_keys_total"].get() == 1
    front.stop()
    front.start(settings=(BACKGROUND, "litellm_settings.require_auth_for_metrics_endpoint=false"))
    public = scrape(front, key=None)
    assert public["litellm_deployment_state"].samples[0][1]["api_base"] == "http://127.0.0.1:9/v1"
    assert front.get("/health", key=None).status == 401


def test_without_a_master_key_api_base_is_not_shown(front):
    front.start(key=None)
    for headers in ({}, OPENMETRICS):
        answer = front.get("/metrics", headers, key=None)
        assert answer.status == 200 and b"127.0.0.1:9" not in answer.body
        families = parse(answer.body, bool(headers))
        assert {s[1]["api_base"] for s in families["litellm_deployment_state"].samples} == {""}


def test_a_key_for_metrics_alone(llmhealth, standin):
    daemon = llmhealth.serve({
        "model_list": [{"model_name": "good", "model_info": {"id": "id-ok"}, "litellm_params": {
            "model": "openai/ok", "api_base": standin.url, "api_key": "sk-1"}}],
        "general_settings": {"master_key": KEY, "background_health_checks": True},
        "llmhealth": {"workers": 1, "keys": {"prometheus": {"role": "metrics", "key": "sk-scrape"},
                                             "on-call": {"role": "viewer", "key": "sk-viewer"}}}})
    wait_for(lambda: daemon.get("/health", KEY).json["healthy_count"] == 1)
    for key, base in ((KEY, standin.url), ("sk-scrape", standin.url), ("sk-viewer", "")):
        families = parse(daemon.get("/metrics", key).body)
        assert families["litellm_deployment_state"].get(model_id="id-ok", api_base=base) == 0
    assert daemon.get("/health/events", "sk-scrape").status == 403
    assert daemon.get("/health", "sk-scrape").status == 403


def test_the_number_of_series_is_bounded(front):
    front.start("--deployments", 50, settings=(BACKGROUND, "llmhealth.metrics.deployments=7"))
    families = scrape(front)
    assert len(families["llmhealth_deployment_up"].samples) == 7
    assert families["llmhealth_metrics_deployments_left_out"].get() == 43
    assert sum(families["llmhealth_deployments"].values("verdict").values()) == 50
    front.stop()
    front.start(settings=(BACKGROUND, "llmhealth.metrics.litellm=false"))
    assert not [name for name in scrape(front) if name.startswith("litellm_")]


def test_of_a_running_daemon(llmhealth, standin):
    daemon = llmhealth.serve({
        "model_list": [
            {"model_name": "good", "litellm_params": {"model": "openai/ok", "api_base": standin.url, "api_key": "sk-1"},
             "model_info": {"id": "id-ok"}},
            {"model_name": "bad", "litellm_params": {"model": "openai/e401", "api_base": standin.url, "api_key": "sk-2"},
             "model_info": {"id": "id-401"}},
            {"model_name": "odd", "litellm_params": {"model": "no-such-provider/x"}, "model_info": {"id": "id-odd"}}],
        "general_settings": {"master_key": KEY, "background_health_checks": True}, "llmhealth": {"workers": 2}})

    def metrics():
        answer = daemon.get("/metrics", KEY)
        return parse(answer.body)

    wait_for(lambda: metrics()["llmhealth_probe_results_total"].values("reason") == {"ok": 1, "auth": 1})
    families = metrics()
    assert families["llmhealth_deployment_up"].values("model_id") == {"id-ok": 1, "id-401": 0, "id-odd": 0}
    assert families["litellm_deployment_state"].values("model_id") == {"id-ok": 0, "id-401": 2, "id-odd": 2}
    assert families["llmhealth_deployment_verdict"].get(model_id="id-odd", reason="config") == 1
    assert families["llmhealth_schedule_lag_seconds"].get(le="+Inf") == 2
    duration = families["llmhealth_probe_duration_seconds"]
    for phase, at_least in (("connect", 1), ("tls", 0), ("first_byte", 2), ("total", 2)):
        assert duration.get(phase=phase, le="+Inf") >= at_least, phase
    assert families["llmhealth_workers"].get() == 2 and families["llmhealth_worker_restarts_total"].get() == 0
    assert families["llmhealth_store_up"].get(backend="memory") == 1
    assert families["llmhealth_config_generation"].get() == 1
    assert families["process_resident_memory_bytes"].get() > 1e6
    os.kill(daemon.workers[0], signal.SIGKILL)
    wait_for(lambda: metrics()["llmhealth_worker_restarts_total"].get() == 1)


def test_certificates_and_money(llmhealth, standin):
    daemon = llmhealth.serve({
        "model_list": [
            {"model_name": "tls", "model_info": {"id": "id-tls"}, "litellm_params": {
                "model": "openai/ok", "api_base": f"https://127.0.0.1:{standin.https_port}/v1", "api_key": "sk-1",
                "ssl_verify": False, "input_cost_per_token": 0.25, "output_cost_per_token": 0.5}},
            {"model_name": "plain", "model_info": {"id": "id-plain"}, "litellm_params": {
                "model": "openai/ok", "api_base": standin.url, "api_key": "sk-2"}}],
        "general_settings": {"master_key": KEY, "background_health_checks": True}, "llmhealth": {"workers": 1}})
    wait_for(lambda: daemon.get("/health", KEY).json["healthy_count"] == 2)
    families = parse(daemon.get("/metrics", KEY).body)
    (_, labels, expires), = families["llmhealth_tls_certificate_expiry_timestamp_seconds"].samples
    # The stand-in's is good for a week.
    assert labels == {"host": f"127.0.0.1:{standin.https_port}"} and abs(expires - time.time() - 7 * 86400) < 3600
    tokens = families["llmhealth_deployment_tokens_total"]
    spent = 0.25 * tokens.get(model_id="id-tls", direction="in") + 0.5 * tokens.get(model_id="id-tls", direction="out")
    cost = families["llmhealth_deployment_cost_dollars_total"]
    assert spent > 0 and cost.values("model_id") == {"id-tls": spent}
    assert families["llmhealth_probe_cost_dollars_total"].get(provider="openai") == spent
    assert families["llmhealth_probes_unpriced_total"].get(provider="openai") == 1
    # No series of what is not there.
    for name in ("llmhealth_redis_up", "llmhealth_database_connected", "llmhealth_redis_commands_total"):
        assert not families[name].samples


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
def test_redis_and_the_database(llmhealth, standin, tmp_path):
    def daemon_of(redis, number):
        return llmhealth.serve({
            "model_list": [{"model_name": f"g{i}", "model_info": {"id": f"id-{i}"}, "litellm_params": {
                "model": "openai/ok", "api_base": standin.url, "api_key": "sk-1"}} for i in range(8)],
            "general_settings": {"master_key": KEY, "background_health_checks": True,
                                 "database_url": "postgresql://u:sk-canary-db@127.0.0.1:9/d"},
            "llmhealth": {"workers": 1, "interval": "2s", "redis": {"socket": redis.socket, "heartbeat": "1s", "timeout": "1s"},
                          "database": {"interval": "500ms"}}})

    with RedisServer(tmp_path / "redis") as redis:
        daemons = [daemon_of(redis, i) for i in range(2)]

        def metrics(i=0):
            return parse(daemons[i].get("/metrics", KEY).body)

        wait_for(lambda: metrics()["llmhealth_redis_instances"].samples and metrics()["llmhealth_redis_instances"].get() == 2, 20)
        wait_for(lambda: metrics()["llmhealth_redis_verdicts_total"].get(kind="taken") > 0
                 and metrics()["llmhealth_redis_event_lag_seconds"].get(le="+Inf") > 0, 20)
        families = metrics()
        assert families["llmhealth_redis_up"].get() == 1
        assert families["llmhealth_redis_commands_total"].get() > 5
        assert families["llmhealth_redis_command_duration_seconds"].get(le="+Inf") == families["llmhealth_redis_commands_total"].get()
        assert families["llmhealth_redis_claims_total"].get(result="granted") > 0
        assert families["llmhealth_redis_queued"].get() >= 0
        before = families["llmhealth_redis_connects_total"].get()
        # Without libpq there are no samples of it.
        if families["llmhealth_database_connected"].samples:
            assert families["llmhealth_database_connected"].get() == 0
            assert families["llmhealth_database_tests_total"].get(result="failed") > 0
        redis.kill()
        wait_for(lambda: metrics()["llmhealth_redis_up"].get() == 0, 20)
        redis.start()
        wait_for(lambda: metrics()["llmhealth_redis_up"].get() == 1, 20)
        assert metrics()["llmhealth_redis_connects_total"].get() >= before + 2
        for daemon in daemons:
            daemon.stop()


def test_many_scrapes_of_a_large_fleet_share_one_page(front):
    """Made in pieces, while results come, clients go and others ask: each page is whole, and others are answered between."""
    front.start("--deployments", 1000, "--churn", 300)
    failures, pages, stop = [], [], threading.Event()

    def scraper(headers):
        try:
            for _ in range(2):
                families = scrape(front, headers)
                name = "llmhealth_deployment_up"
                pages.append(len(families[name].samples) == 1000 == sum(families["llmhealth_deployments"].values("verdict").values()))
        except Exception as e:  # noqa: BLE001
            failures.append(repr(e))

    def leaver():
        while not stop.is_set():
            with socket.create_connection(("127.0.0.1", front.port)) as s:
                s.sendall(f"GET /metrics HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n\r\n".encode())
                time.sleep(0.002)

    threads = [threading.Thread(target=scraper, args=(h,)) for h in ({}, OPENMETRICS, {}, OPENMETRICS)]
    leaving = threading.Thread(target=leaver)
    for thread in (leaving, *threads):
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert front.get("/health/liveliness").status == 200
        time.sleep(0.01)
    stop.set()
    leaving.join()
    assert not failures and pages == [True] * 8, (failures, pages)
    # Two on one connection, the first given up by nobody.
    text = front.say(f"GET /metrics HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n\r\n"
                     f"GET /health/liveliness HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    assert text.count(b"HTTP/1.1 200") == 2 and b"I'm alive!" in text
    assert scrape(front)["llmhealth_http_longest_turn_seconds"].get() > 0


def test_a_reload_in_the_middle_of_a_page(llmhealth, standin):
    def config(count):
        return {"model_list": [{"model_name": f"g{i}", "model_info": {"id": f"id-{i}"}, "litellm_params": {
                    "model": "openai/ok", "api_base": standin.url, "api_key": "sk-1"}} for i in range(count)],
                "general_settings": {"master_key": KEY, "background_health_checks": True}, "llmhealth": {"workers": 1}}
    daemon = llmhealth.serve(config(600))
    for count in (300, 600, 20, 600):
        daemon.reload(config(count))

        def whole():
            families = parse(daemon.get("/metrics", KEY).body)
            assert len(families["llmhealth_deployment_verdict"].samples) == sum(families["llmhealth_deployments"].values("verdict").values())
            return len(families["llmhealth_deployment_verdict"].samples) == count
        wait_for(whole, 30)
    daemon.stop()
