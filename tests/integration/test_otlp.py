# SPDX-License-Identifier: Apache-2.0
"""Spans and metrics by OTLP: what a collector gets, how its failures are met, and what they cost probing."""

import pathlib
import re
import socket
import time

import pytest

from exposition import parse
from otlp_collector import Collector, attributes
from program import wait_for
from test_services import memory_of

KEY = "sk-master"
HEADER = "sk-canary-collector"


@pytest.fixture
def collector():
    with Collector() as c:
        yield c
        assert not c.complaints, c.complaints[:5]


def config(standin, endpoint=None, models=("ok", "e401"), interval="1s", count=1, **otlp):
    if endpoint:
        otlp["endpoint"] = endpoint
    return {
        "model_list": [
            {"model_name": f"group-{m}", "model_info": {"id": f"id-{m}-{i}"}, "litellm_params": {
                "model": f"openai/{m}", "api_base": standin.url, "api_key": "sk-canary-provider"}}
            for m in models for i in range(count)],
        "general_settings": {"master_key": KEY, "background_health_checks": True},
        "llmhealth": {"workers": 1, "interval": interval, **({"otlp": {"delay": "100ms", "interval": "300ms", **otlp}} if otlp else {})},
    }


def own(daemon, name, **labels):
    return parse(daemon.get("/metrics", KEY).body)[name].get(**labels)


def test_spans(llmhealth, standin, collector):
    daemon = llmhealth.serve(config(standin, collector.url, metrics=False, headers=f"Authorization=Bearer%20{HEADER},x-b=2",
                                    service_name="checks", resource="deployment.environment.name=prod,a%20b=1,c=d%2Ce"))
    wait_for(lambda: len(collector.spans()) >= 4, 20)
    path, headers, message, _ = collector.requests[0]
    headers = {k.lower(): v for k, v in headers.items()}
    assert path == "/v1/traces" and headers["authorization"] == f"Bearer {HEADER}" and headers["x-b"] == "2"
    assert headers["user-agent"].startswith("OTel-OTLP-Exporter-llmhealth/")
    resource = attributes(message["resourceSpans"][0]["resource"])
    assert resource.pop("service.version") and resource == {
        "service.name": "checks", "deployment.environment.name": "prod", "c": "d,e", "a%20b": "1"}
    spans = collector.spans()
    assert len({s["traceId"] for s in spans}) == len(spans) == len({s["spanId"] for s in spans})
    good = next(s for s in spans if s["name"] == "chat ok")
    bad = next(s for s in spans if s["name"] == "chat e401")
    assert good["kind"] == bad["kind"] == 3 and "status" not in good and bad["status"]["code"] == 2
    have = attributes(good)
    assert have["gen_ai.operation.name"] == "chat" and have["gen_ai.provider.name"] == "openai"
    assert have["gen_ai.request.model"] == "ok" and have["gen_ai.usage.input_tokens"] > 0
    assert have["server.address"] == "127.0.0.1" and f":{have['server.port']}/" in standin.url + "/"
    assert have["http.response.status_code"] == 200 and have["llmhealth.model_id"] == "id-ok-0"
    assert re.fullmatch("[0-9a-f]{8}", have["llmhealth.probe_id"]) and "error.type" not in have
    assert have["llmhealth.phase.first_byte"] > 0
    have = attributes(bad)
    assert have["error.type"] == "auth" and have["http.response.status_code"] == 401
    now = time.time() * 1e9
    assert now - 60e9 < int(good["startTimeUnixNano"]) < int(good["endTimeUnixNano"]) < now + 1e9
    assert own(daemon, "llmhealth_otlp_exported_total", signal="traces") >= 4
    # The header's value is in the worker and the supervisor alone.
    memory = memory_of(daemon.front)
    assert memory is None or (HEADER.encode() not in memory and collector.url.encode() not in memory)
    daemon.stop()
    assert HEADER not in daemon.stderr


def test_metrics(llmhealth, standin, collector):
    daemon = llmhealth.serve(config(standin, collector.url, traces=False))
    wait_for(lambda: any(attributes(p).get("model_id") == "id-ok-0" and p["asInt"] == "1"
                         for p in collector.metrics().get("llmhealth_deployment_up", [])), 20)
    wait_for(lambda: "llmhealth_probe_duration_seconds" in collector.metrics(), 20)
    found = collector.metrics()
    shown = parse(daemon.get("/metrics", KEY, headers={"Accept": "application/openmetrics-text"}).body, True)
    ours = {name for name, family in shown.items() if name.startswith("llmhealth_") and family.samples}
    assert ours - set(found) <= {"llmhealth_http_requests"}, ours - set(found)
    assert not [name for name in found if name.startswith(("litellm_", "process_"))]
    point = next(p for p in found["llmhealth_probe_duration_seconds"] if attributes(p)["phase"] == "total")
    assert attributes(point)["provider"] == "openai" and point["sum"] > 0
    start = int(point["startTimeUnixNano"]) / 1e9
    assert time.time() - 60 < start <= int(point["timeUnixNano"]) / 1e9
    assert not collector.spans()
    daemon.stop()


def test_a_large_fleet_goes_in_several_requests(llmhealth, standin, collector):
    large = config(standin, collector.url, models=("ok",), count=1500, interval="60s", traces=False)
    large["llmhealth"]["otlp"]["interval"] = "5s"  # the stand-in is not to fall behind
    daemon = llmhealth.serve(large)
    wait_for(lambda: daemon.get("/health", KEY).json["healthy_count"] == 1500, 60)
    since = time.time_ns()

    def whole():
        points = collector.metrics().get("llmhealth_deployment_up", [])
        return len({attributes(p)["model_id"] for p in points if int(p["timeUnixNano"]) > since}) == 1500
    wait_for(whole, 60)
    wait_for(lambda: len(collector.taken("/v1/metrics")) > 4, 60)
    assert own(daemon, "llmhealth_otlp_dropped_total", signal="metrics") == 0
    daemon.stop()


def test_off_unless_asked_for(llmhealth, standin, collector):
    daemon = llmhealth.serve(config(standin))
    wait_for(lambda: daemon.get("/health", KEY).json["healthy_count"] == 1)
    assert not parse(daemon.get("/metrics", KEY).body)["llmhealth_otlp_exported_total"].samples
    daemon.stop()
    for env in ({"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}):
        daemon = llmhealth.serve(config(standin), env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **env})
        wait_for(lambda: daemon.get("/health", KEY).json["healthy_count"] == 1)
        assert not parse(daemon.get("/metrics", KEY).body)["llmhealth_otlp_exported_total"].samples
        daemon.stop()
    assert not collector.requests


def test_the_standard_variables(llmhealth, standin, collector):
    daemon = llmhealth.serve(config(standin), env={
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url + "/", "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={HEADER}",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "2000", "OTEL_SERVICE_NAME": "named", "OTEL_RESOURCE_ATTRIBUTES": "service.name=no,x=y",
        "OTEL_METRIC_EXPORT_INTERVAL": "300", "OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_BSP_MAX_QUEUE_SIZE": "nonsense",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
    wait_for(lambda: collector.spans() and collector.metrics(), 20)
    _, headers, message, _ = collector.requests[0]
    assert {k.lower(): v for k, v in headers.items()}["api-key"] == HEADER
    (resource,) = message.get("resourceSpans") or message["resourceMetrics"]
    have = attributes(resource["resource"])
    assert have["service.name"] == "named" and have["x"] == "y"
    daemon.stop()
    assert "OTEL_BSP_MAX_QUEUE_SIZE is not valid" in daemon.stderr and "OTEL_EXPORTER_OTLP_PROTOCOL is not" in daemon.stderr
    assert "nonsense" not in daemon.stderr


def test_what_is_worth_another_attempt(llmhealth, standin, collector):
    collector.script = [503, 429, (502, {"Retry-After": "1"}, b"<html>"), (504, {}, b"")]
    daemon = llmhealth.serve(config(standin, collector.url, metrics=False, interval="60s"))
    wait_for(lambda: collector.spans(), 40)
    # The same spans each time, none lost, none twice.
    sent = [sorted(s["spanId"] for r in m["resourceSpans"] for sc in r["scopeSpans"] for s in sc["spans"])
            for _, _, m, _ in collector.requests]
    assert sent[0] == sent[1] == sent[2] == sent[3] == sent[4]
    assert own(daemon, "llmhealth_otlp_requests_total", signal="traces", outcome="again") == 4
    assert own(daemon, "llmhealth_otlp_dropped_total", signal="traces") == 0
    daemon.stop()
    assert daemon.stderr.count("otlp_failed") == 1 and daemon.stderr.count("otlp_works") == 1


@pytest.mark.parametrize("status", [400, 401, 404, 500, 301])
def test_what_is_not(llmhealth, standin, collector, status):
    collector.script = [status]
    daemon = llmhealth.serve(config(standin, collector.url, metrics=False, models=("ok",), interval="1s"))
    wait_for(lambda: len(collector.spans()) >= 1, 20)
    assert own(daemon, "llmhealth_otlp_requests_total", signal="traces", outcome="refused") == 1
    assert own(daemon, "llmhealth_otlp_dropped_total", signal="traces") == 1
    daemon.stop()


def test_a_part_is_refused(llmhealth, standin, collector):
    text = b'{"partialSuccess":{"rejectedSpans":"1","errorMessage":"sk-canary-of-the-collector"}}'
    collector.script = [(200, {}, text), (200, {}, b"\xff{not json"), (200, {}, b"")]
    daemon = llmhealth.serve(config(standin, collector.url, metrics=False))
    wait_for(lambda: len(collector.requests) >= 3, 20)
    wait_for(lambda: own(daemon, "llmhealth_otlp_exported_total", signal="traces") > 2, 20)
    assert own(daemon, "llmhealth_otlp_dropped_total", signal="traces") == 1
    daemon.stop()


@pytest.mark.parametrize("kind", ["hang", "close", "refused", "silent"])
def test_a_collector_that_does_not_answer(llmhealth, standin, collector, kind):
    """Probing goes on as if it were not there; the queue is bounded and drops the oldest."""
    collector.script = [kind] * 1000
    url, silent = collector.url, None
    if kind in ("refused", "silent"):
        silent = socket.socket()
        silent.bind(("127.0.0.1", 0))
        if kind == "silent":
            silent.listen(1)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
    daemon = llmhealth.serve(config(standin, url, metrics=False, models=("ok",), count=40, queue=16, batch=8,
                                    timeout="300ms", interval="1s"))
    wait_for(lambda: own(daemon, "llmhealth_otlp_dropped_total", signal="traces") > 50, 30)
    assert own(daemon, "llmhealth_otlp_queued", signal="traces") <= 24
    before = own(daemon, "llmhealth_probes_started_total")
    wait_for(lambda: own(daemon, "llmhealth_probes_started_total") >= before + 80, 10)
    assert daemon.get("/health", KEY).json["healthy_count"] == 40
    start = time.monotonic()
    daemon.stop()
    assert time.monotonic() - start < 15
    if silent:
        silent.close()
    collector.requests.clear()


def test_what_waits_is_sent_at_the_end(llmhealth, standin, collector):
    daemon = llmhealth.serve(config(standin, collector.url, metrics=False, delay="60s", interval="60s"))
    wait_for(lambda: own(daemon, "llmhealth_otlp_queued", signal="traces") == 2, 20)
    assert not collector.requests
    daemon.stop()
    assert len(collector.spans()) == 2


def test_a_reload_turns_it_on_and_off(llmhealth, standin, collector):
    daemon = llmhealth.serve(config(standin))
    daemon.reload(config(standin, collector.url, metrics=False))
    wait_for(lambda: collector.spans(), 20)
    daemon.reload(config(standin))
    wait_for(lambda: not parse(daemon.get("/metrics", KEY).body)["llmhealth_otlp_exported_total"].samples, 20)
    daemon.stop()


@pytest.mark.parametrize("otlp,words", [
    ({"endpoint": "collector:4318/sk-canary"}, "llmhealth.otlp.endpoint is no URL"),
    ({"endpoint": "http:///sk-canary"}, "llmhealth.otlp.endpoint is no URL"),
    ({"endpoint": "http://h", "headers": "no-value-sk-canary"}, "llmhealth.otlp.headers is not right"),
    ({"endpoint": "http://h", "headers": "a=sk-canary%0d%0ax: y"}, "llmhealth.otlp.headers is not right"),
    ({"endpoint": "http://h", "headers": "a b=sk-canary"}, "llmhealth.otlp.headers is not right"),
    ({"endpoint": "http://h", "timeout": 0}, "llmhealth.otlp.timeout is"),
])
def test_mistakes(llmhealth, standin, otlp, words):
    done = llmhealth.validate(config(standin, **otlp))
    assert done.returncode != 0 and words in done.stdout + done.stderr


def test_the_stand_in_is_strict():
    """The checker itself finds what is wrong."""
    from otlp_collector import METRICS, TRACES, check
    span = {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1", "name": "n", "kind": 3, "startTimeUnixNano": "1",
            "endTimeUnixNano": "2", "attributes": [{"key": "k", "value": {"intValue": "1"}}]}

    def wrap(s):
        return {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"scope": {"name": "x"}, "spans": [s]}]}]}
    assert not check(wrap(span), TRACES)
    for change in ({"traceId": "AB"}, {"kind": "SPAN_KIND_CLIENT"}, {"startTimeUnixNano": 1}, {"name": None}, {"extra": 1},
                   {"attributes": [{"key": "k", "value": {"intValue": 1}}]}, {"attributes": [{"key": "k", "value": {}}]},
                   {"traceId": "0" * 32}):
        assert check(wrap({**span, **change}), TRACES), change
    assert check({"resourceMetrics": {}}, METRICS)
    assert pathlib.Path(__file__).with_name("otlp_collector.py").exists()
