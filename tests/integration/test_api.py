# SPDX-License-Identifier: Apache-2.0
"""The routes around /health: history, models, services, drain; and who may call what."""

import concurrent.futures
import contextlib
import hashlib
import http.client
import re
import socket
import time

import pytest

from openapi import describe
from program import children_of, http_request, listening_ports, wait_for

MASTER, ADMIN, VIEWER, METRICS = "sk-master-of-all", "sk-second-admin", "sk-only-reads", "sk-only-scrapes"


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def config(standin):
    def deployment(name, model, ident):
        return {"model_name": name, "litellm_params": {"model": "openai/" + model, "api_base": standin.url,
                "api_key": "sk-prov-abcdwxyz"}, "model_info": {"id": ident}}
    return {"model_list": [deployment("good", "ok", "id-good"), deployment("bad", "e401", "id-bad"),
                           deployment("pair", "ok", "id-pair-1"), deployment("pair", "e503", "id-pair-2"),
                           {"model_name": "lost", "litellm_params": {"model": "nobody-knows"},
                            "model_info": {"id": "id-lost"}}],
            "general_settings": {"master_key": MASTER, "background_health_checks": True},
            "llmhealth": {"keys": {"second": {"role": "admin", "key": ADMIN},
                                   "on-call": {"role": "viewer", "sha256": sha256(VIEWER)},
                                   "prometheus": {"role": "metrics", "key": "os.environ/SCRAPE_KEY"}}}}


@pytest.fixture
def daemon(llmhealth, config):
    d = describe(llmhealth.serve(config, env={"SCRAPE_KEY": METRICS}))
    wait_for(lambda: d.health(key=MASTER)["unknown_count"] == 0)
    return d


def test_history(daemon):
    for _ in range(3):
        last = daemon.get("/health?model_id=id-good", MASTER)
        assert last.status == 200
    body = daemon.get("/health/history", MASTER).json
    assert set(body) == {"health_checks", "total_records", "limit", "offset"}
    assert (body["limit"], body["offset"], body["total_records"]) == (100, 0, len(body["health_checks"]))
    rows = body["health_checks"]
    assert {r["model_id"] for r in rows} == {"id-good", "id-bad", "id-pair-1", "id-pair-2"}
    assert [r["checked_at"] for r in rows] == sorted((r["checked_at"] for r in rows), reverse=True)
    bad = next(r for r in rows if r["model_id"] == "id-bad")
    assert bad["status"] == "unhealthy" and bad["unhealthy_count"] == 1 and bad["healthy_count"] == 0
    assert bad["error_message"].startswith("litellm.AuthenticationError") and bad["reason"] == "auth"
    assert bad["http_status"] == 401 and bad["response_time_ms"] > 0
    assert len({r["health_check_id"] for r in rows}) == len(rows)


def test_history_filters(daemon):
    def ids(query):
        return [r["model_id"] for r in daemon.get("/health/history?" + query, MASTER).json["health_checks"]]
    assert set(ids("model=pair")) == {"id-pair-1", "id-pair-2"}
    assert set(ids("model=pair&status_filter=healthy")) == {"id-pair-1"}
    assert ids("model=nobody") == ids("status_filter=strange") == []
    everything = ids("limit=1000")
    assert ids("limit=1") == everything[:1]
    assert ids("limit=2&offset=1") == everything[1:3]
    assert ids(f"offset={2**63 - 1}") == []


@pytest.mark.parametrize("query, kinds", [
    ("limit=0", ["greater_than_equal"]), ("limit=1001", ["less_than_equal"]), ("limit=", ["int_parsing"]),
    ("limit=1.5&offset=x", ["int_parsing", "int_parsing"]), ("offset=-1", ["greater_than_equal"]),
    ("limit=99999999999999999999", ["less_than_equal"]), ("limit=1%00", ["int_parsing"]),
    ("limit=5&limit=abc", ["int_parsing"])])
def test_history_refuses(daemon, query, kinds):
    answer = daemon.get("/health/history?" + query, MASTER)
    assert answer.status == 422
    assert [p["type"] for p in answer.json["detail"]] == kinds


def test_latest(daemon):
    body = daemon.get("/health/latest", MASTER).json
    latest = body["latest_health_checks"]
    assert body["total_models"] == 5 and set(latest) == {"id-good", "id-bad", "id-pair-1", "id-pair-2", "id-lost"}
    assert latest["id-good"]["status"] == "healthy" and latest["id-good"]["error_message"] is None
    assert latest["id-lost"]["status"] == "unhealthy" and latest["id-lost"]["checked_at"] is None


def test_models(daemon):
    body = daemon.get("/health/models", MASTER).json
    assert [m["model_id"] for m in body["healthy"]] == ["id-good", "id-pair-1"]
    assert [m["model_id"] for m in body["unhealthy"]] == ["id-bad", "id-pair-2", "id-lost"]
    assert body["healthy_count"] == 2 and body["unhealthy_count"] == 3
    assert body["healthy"][0]["last_check"] and body["healthy"][0]["latency_ms"] > 0
    assert body["unhealthy"][0]["reason"] == "auth"


def test_services(daemon):
    body = daemon.get("/health/services", MASTER).json
    assert set(body) == {"database", "redis", "router"}
    assert body["database"] == {"status": "not_configured", "latency_ms": None}
    assert body["router"]["status"] == "healthy" and body["router"]["latency_ms"] > 0
    answer = daemon.get("/health/services?service=%22%7D%0a", MASTER)
    assert answer.status == 400 and "Service must be in list" in answer.json["error"]["message"]


def test_model_groups(daemon):
    groups = {g["model_group"]: g for g in daemon.get("/model_group/info", MASTER).json["data"]}
    assert list(groups) == ["good", "bad", "pair", "lost"]
    assert groups["pair"]["health_status"] == "healthy" and groups["bad"]["health_status"] == "unhealthy"
    one = daemon.get("/model_group/info?model_group=pair", MASTER).json["data"]
    assert [g["model_group"] for g in one] == ["pair"] and one[0]["providers"] == ["openai"]
    assert daemon.get("/model_group/info?model_group=x", MASTER).json == {"data": []}


def test_pages(daemon):
    def page(query):
        body = daemon.get("/v2/model/info?" + query, MASTER).json
        return [d["model_info"]["id"] for d in body["data"]], body["total_count"], body["total_pages"]
    assert page("size=2&page=2") == (["id-pair-1", "id-pair-2"], 5, 3)
    assert page("size=2&page=9") == ([], 5, 3)
    assert page("search=AI") == (["id-pair-1", "id-pair-2"], 2, 1)
    assert page("modelId=id-bad") == (["id-bad"], 1, 1)
    assert daemon.get("/v2/model/info?page=0", MASTER).status == 422
    assert daemon.get("/v2/model/info?page=2147483648&size=1", MASTER).status == 422


def test_pages_in_another_order(llmhealth, config):
    config["model_list"][0]["model_name"] = "Zoo"
    for i, (price, groups) in enumerate([(3e-6, ["a", "b"]), (0, "a"), (1e-6, ["b", 7]), (2e-6, None)]):
        config["model_list"][i]["model_info"].update(input_cost_per_token=price, output_cost_per_token=price)
        if groups is not None:
            config["model_list"][i]["model_info"]["access_groups"] = groups
    wild = {**config["model_list"][0]["litellm_params"], "model": "openai/*"}
    config["model_list"] += [{"model_name": "any/*", "litellm_params": wild, "model_info": {"id": "id-wild"}}, {
        "model_name": "router", "litellm_params": {"model": "auto_router/complexity_router"}, "model_info": {"id": "id-router"}}]
    daemon = describe(llmhealth.serve(config, env={"SCRAPE_KEY": METRICS}))

    def ids(query):
        body = daemon.get("/v2/model/info?" + query, MASTER).json
        assert body["total_count"] >= len(body["data"])
        return [d["model_info"]["id"].removeprefix("id-") for d in body["data"]]
    usual = ["good", "bad", "pair-1", "pair-2", "lost", "wild", "router"]
    assert ids("") == ids("sortOrder=desc") == ids("sortBy=&sortOrder=x") == ids("sortBy=nothing") == usual
    # All of a config are alike in these, and what is alike stays as it is.
    for by in "created_at", "updated_at", "status":
        assert ids(f"sortBy={by}&sortOrder=desc") == usual
    assert ids("sortBy=model_name") == ["wild", "bad", "lost", "pair-1", "pair-2", "router", "good"]
    assert ids("sortBy=model_name&sortOrder=DESC") == ["good", "router", "pair-1", "pair-2", "lost", "bad", "wild"]
    assert ids("sortBy=model_name&size=2&page=2") == ["lost", "pair-1"]
    assert ids("sortBy=costs") == ["pair-1", "pair-2", "good", "bad", "lost", "wild", "router"]
    assert ids("sortBy=costs&sortOrder=desc&size=3") == ["good", "pair-2", "pair-1"]
    assert ids("access_group=b") == ["good", "pair-1"] and ids("access_group=a") == ["good"] and ids("access_group=7") == []
    assert ids("wildcard_only=true") == ["wild"] and ids("exclude_auto_routers=true") == usual[:-1]
    # Those of users and teams, which are not here, change nothing.
    assert ids("user_models_only=true&include_team_models=true&teamId=t&debug=true") == usual
    answer = daemon.get("/v2/model/info?sortBy=costs&sortOrder=up%22", MASTER)
    assert answer.status == 400 and answer.json == {"detail": "Invalid sortOrder: up\". Must be 'asc' or 'desc'"}
    assert daemon.get("/v2/model/info?wildcard_only=maybe", MASTER).status == 422


def test_roles(daemon):
    assert daemon.get("/health", ADMIN).json["healthy_endpoints"][0]["api_base"]
    seen = daemon.get("/health", VIEWER)
    assert seen.status == 200 and "api_base" not in seen.json["healthy_endpoints"][0]
    assert "litellm-health-field-notice" in seen.headers
    for path in ("/model/info", "/v2/model/info"):
        assert "api_base" not in daemon.get(path, VIEWER).text and "api_base" in daemon.get(path, ADMIN).text
    for path in ("/health", "/v1/models", "/health/history", "/health/latest", "/active/callbacks"):
        answer = daemon.get(path, METRICS)
        assert answer.status == 403 and answer.json["error"]["type"] == "auth_error"
        assert daemon.get(path, "sk-nobody").status == 400 and daemon.get(path).status == 401
    assert daemon.get("/health/liveliness", METRICS).status == 200


def test_keys_change_with_a_reload(llmhealth, daemon, config):
    config["llmhealth"]["keys"]["on-call"]["role"] = "metrics"
    del config["llmhealth"]["keys"]["second"]
    assert daemon.get("/health", ADMIN).status == 200
    daemon.reload(config)
    wait_for(lambda: daemon.get("/health", ADMIN).status == 400)
    assert daemon.get("/health", VIEWER).status == 403
    assert daemon.get("/health", MASTER).status == 200


def test_named_keys_without_a_master_key(llmhealth, config):
    del config["general_settings"]["master_key"]
    d = llmhealth.serve(config, env={"SCRAPE_KEY": METRICS})
    assert d.get("/health").status == 401 and d.get("/health", VIEWER).status == 200


def test_drain_without_a_token(llmhealth, config):
    d = describe(llmhealth.serve(config, env={"SCRAPE_KEY": METRICS}))
    assert d.get("/health/drain").status == 404
    config["general_settings"]["enable_drain_endpoint"] = True
    d.reload(config)
    assert wait_for(lambda: d.get("/health/drain").status == 200)
    assert d.get("/health/drain").headers["cache-control"] == "no-store"
    assert d.get("/health/readiness").status == 503 and d.get("/health/liveliness").status == 503
    assert d.get("/health", MASTER).status == 200


@pytest.mark.parametrize("entry, said", [
    ({"role": "boss", "key": "x"}, "expected admin, viewer or metrics"),
    ({"role": "drain", "key": "x"}, "expected admin, viewer or metrics"),
    ({"role": "admin"}, "exactly one text of key, sha256 or file"),
    ({"role": "admin", "key": "x", "sha256": "y"}, "exactly one text of key, sha256 or file"),
    ({"role": "admin", "sha256": "abc"}, "64 hexadecimal digits"),
    ({"role": "admin", "file": "/does/not/exist"}, "No such file"),
    ({"role": "admin", "key": "secret-value-x", "ttl": 5}, "unknown part of a key"),
    ("secret-value-y", "expected a mapping of role")])
def test_wrong_keys(llmhealth, config, entry, said):
    config["llmhealth"]["keys"] = {"who": entry}
    result = llmhealth.run("validate", llmhealth.write_config(config))
    assert result.returncode != 0
    assert said in result.stdout + result.stderr
    assert "secret-value" not in result.stdout + result.stderr


def test_key_files(llmhealth, config, tmp_path):
    (tmp_path / "plain").write_text("sk-from-file\n")
    (tmp_path / "hashed").write_text("sha256:" + sha256("sk-hashed-file") + "\n")
    config["llmhealth"]["keys"] = {"a": {"role": "admin", "file": str(tmp_path / "plain")},
                                   "b": {"role": "viewer", "file": str(tmp_path / "hashed")}}
    d = llmhealth.serve(config)
    assert d.get("/health", "sk-from-file").status == 200
    assert d.get("/health", "sk-hashed-file").status == 200
    assert d.get("/health", "sha256:" + sha256("sk-hashed-file")).status == 400


def test_guessing_is_slow_and_counted(llmhealth, config):
    config["llmhealth"]["http"] = {"wrong_key_delay": "300ms"}
    d = llmhealth.serve(config, env={"SCRAPE_KEY": METRICS})

    def seconds(key, path="/health/backlog"):
        start = time.monotonic()
        assert d.get(path, key).status == (200 if key == MASTER else 400)
        return time.monotonic() - start
    for i in range(25):
        seconds(f"sk-guess-{i}")
    assert seconds("sk-guess") >= 0.29
    details = d.get("/health/readiness/details", MASTER)
    assert details.json["wrong_keys"] == 26

    def elsewhere(key, path="/health/backlog"):
        """Seconds from another address of this machine."""
        start = time.monotonic()
        connection = http.client.HTTPConnection(d.host, d.port, source_address=("127.0.0.2", 0))
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        assert connection.getresponse().status == (200 if key == MASTER else 400)
        connection.close()
        return time.monotonic() - start

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        guesses = [pool.submit(seconds, f"sk-guess-{i}") for i in range(5)]
        # A good key does not wait behind them, a wrong one does, wherever it comes from.
        assert d.get("/health/liveliness").status == 200 and elsewhere(MASTER) < 0.29
        assert elsewhere("sk-guess-elsewhere") >= 0.29
        assert all(g.result() >= 0.29 for g in guesses)
    assert d.stderr.count("wrong_key") == 1


def test_who_does_not_wait_learns_nothing(llmhealth, config):
    """Guessing on ever new connections that hang up early: a good key is as slow as a wrong one then. A connection that
    has shown a good key is not held up, and the address is not for long."""
    config["llmhealth"]["http"] = {"wrong_key_delay": "1s"}
    d = llmhealth.serve(config, env={"SCRAPE_KEY": METRICS})

    def ask(connection, key, path="/health/backlog"):
        start = time.monotonic()
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        answer.read()
        return answer.status, time.monotonic() - start

    def connect():
        return http.client.HTTPConnection(d.host, d.port)

    known = connect()
    assert ask(known, MASTER)[0] == 200

    def guess(n):
        for i in range(n):
            with socket.create_connection((d.host, d.port)) as s:
                s.sendall(f"GET /health/backlog HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer sk-g{i}\r\n\r\n".encode())
                s.settimeout(0.01)
                with contextlib.suppress(TimeoutError):
                    s.recv(1000)

    guess(30)
    fresh = connect()
    status, took = ask(fresh, MASTER)
    assert status == 200 and took >= 0.9
    assert ask(fresh, MASTER)[1] < 0.9 and ask(known, VIEWER)[1] < 0.9
    guess(10)
    events = connect()
    events.request("GET", "/health/events", headers={"Authorization": f"Bearer {MASTER}"})
    start = time.monotonic()
    assert events.getresponse().status == 503 and time.monotonic() - start >= 0.9
    guess(10)
    assert ask(known, "sk-wrong")[1] >= 0.9
    assert wait_for(lambda: ask(connect(), MASTER)[1] < 0.5, 20)


def test_what_a_key_decides_is_not_stored(daemon):
    for path in ("/health", "/v1/models", "/health/history"):
        for key in (MASTER, VIEWER, None):
            assert daemon.get(path, key).headers["cache-control"] == "no-store"
    for path in ("/health/liveliness", "/health/readiness", "/test", "/nowhere"):
        assert "cache-control" not in daemon.get(path).headers


def test_openapi(daemon, srcdir):
    """The document is complete: every route of the table, every reference, every path of docs/api.md and the manual."""
    answer = daemon.get("/openapi.json")
    document = answer.json
    rows = re.findall(r'^ROUTE\("([^"]+)", (\w+)', (srcdir / "supervisor/front/http/routes.def").read_text(), re.M)
    assert rows and set(document["paths"]) == {path for path, _ in rows}
    assert {m for p in document["paths"].values() for m in p} == {"get", "post", "options"}
    for name in re.findall(r'"#/components/schemas/(\w+)"', answer.text):
        assert name in document["components"]["schemas"], name
    described = (srcdir / "docs" / "api.md").read_text()
    manual = (srcdir / "docs" / "llmhealth.1").read_text().replace("\\-", "-")
    for path in document["paths"]:
        assert f"`{path}`" in described, path
        assert re.search(rf'(?m)^\.IR? (.*[ "])?{re.escape(path)}[" ]?', manual), path


def test_a_wrong_answer_would_be_noticed(daemon):
    document = daemon.described
    good = daemon.health(MASTER)
    schema = {"$ref": "#/components/schemas/Health"}
    assert document.problem(good, schema) is None
    for change in ({"healthy_count": "1"}, {"progress": {}}, {"healthy_endpoints": [{"model_id": "x"}]}):
        assert document.problem({**good, **change}, schema)
    del good["disabled_endpoints"]
    assert document.problem(good, schema)


def test_pages_of_other_origins(llmhealth, daemon, config):
    preflight = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}
    for path in ("/health", "/health/liveliness"):
        assert "access-control-allow-origin" not in daemon.get(path, MASTER, {"Origin": "https://a.example"}).headers
    assert daemon.request("OPTIONS", "/health", headers=preflight).status == 405
    config["llmhealth"]["http"] = {"cors": ["https://a.example", "https://b.example:8443"]}
    daemon.reload(config)
    wait_for(lambda: daemon.request("OPTIONS", "/health", headers=preflight).status == 200)
    answer = daemon.get("/health", MASTER, {"Origin": "https://b.example:8443"})
    assert answer.headers.get_all("access-control-allow-origin") == ["https://b.example:8443"]
    for origin in ("https://c.example", "https://a.example.evil", "null", "*", "https://a.example, https://b.example:8443"):
        assert "access-control-allow-origin" not in daemon.get("/health", MASTER, {"Origin": origin}).headers
        assert daemon.request("OPTIONS", "/health", headers={**preflight, "Origin": origin}).status == 405


def test_the_ietf_form(llmhealth, daemon, config):
    def ask(path, key=None, accept="application/health+json"):
        answer = daemon.get(path, key, {"Accept": accept})
        assert answer.headers["content-type"] == "application/health+json" and "Accept" in answer.headers["vary"]
        return answer.status, answer.json
    status, body = ask("/health", VIEWER, "text/html, application/health+json;q=0.9")
    assert status == 200 and body["status"] == "warn"
    assert list(body["checks"]) == ["good:health", "bad:health", "pair:health", "lost:health"]
    assert [c["status"] for c in body["checks"]["pair:health"]] == ["pass", "fail"]
    assert body["checks"]["bad:health"][0]["output"] and body["checks"]["good:health"][0]["observedUnit"] == "ms"
    assert ask("/health/readiness") == (200, {"status": "pass", "version": "1", "releaseId": body["releaseId"]})
    assert daemon.get("/health", headers={"Accept": "application/health+json"}).status == 401
    assert "healthy_endpoints" in daemon.get("/health", VIEWER, {"Accept": "application/json"}).json
    config["model_list"] = [m for m in config["model_list"] if m["model_name"] == "bad"]
    daemon.reload(config)
    assert wait_for(lambda: ask("/health", VIEWER)[1]["status"] == "fail")
    assert ask("/health", VIEWER)[0] == 503
    config["model_list"] = []
    daemon.reload(config)
    assert wait_for(lambda: ask("/health", VIEWER) == (200, {
        "status": "pass", "version": "1", "releaseId": body["releaseId"], "checks": {}}))


def test_healthy_only(daemon, config):
    def listed(path):
        data = daemon.get(path, VIEWER).json["data"]
        return [m.get("id") or m["model_name"] for m in data]

    everything = ["good", "bad", "pair", "pair", "lost"]
    for word in ("true", "1", "Yes"):
        assert listed(f"/v1/models?healthy_only={word}") == ["good", "pair"]
        assert listed(f"/v1/model/info?healthy_only={word}") == ["good", "pair", "pair"]
    assert listed("/model/info") == listed("/model/info?healthy_only=false") == everything
    one = daemon.get("/model/info?healthy_only=true&litellm_model_id=id-bad", VIEWER)
    assert [m["model_name"] for m in one.json["data"]] == ["bad"]
    for wrong in ("", "2", "null", "truely"):
        for path in ("/models", "/model/info"):
            refused = daemon.get(f"{path}?healthy_only={wrong}", VIEWER)
            assert refused.status == 422 and refused.json["detail"][0]["type"] == "bool_parsing"
    config["general_settings"]["model_list_healthy_only"] = True
    daemon.reload(config)
    wait_for(lambda: listed("/models") == ["good", "pair"])
    assert listed("/model/info") == ["good", "pair", "pair"]


def test_a_separate_listener(llmhealth, config):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    d = llmhealth.serve(config, env={"SCRAPE_KEY": METRICS, "SEPARATE_HEALTH_APP": "1",
                                     "SEPARATE_HEALTH_PORT": str(port)})
    # Whichever of the two has the lower number was found first.
    d.port = next(p for _, p in listening_ports([d.pid, *children_of(d.pid)]) if p != port)
    for key, status in ((MASTER, 200), (None, 401)):
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        assert http_request("127.0.0.1", port, "GET", "/health/backlog", headers).status == status
    assert len(listening_ports([d.pid, *children_of(d.pid)])) == 2
    headers = {"Authorization": f"Bearer {MASTER}"}
    for path, there in (("/health", True), ("/health/liveliness", True), ("/health/readiness/", True), ("/test", True),
                        ("/settings", True), ("/active/callbacks", True), ("/openapi.json", True), ("/metrics", False),
                        ("/v1/models", False), ("/models/", False), ("/%76%31/models", False), ("/model/info", False),
                        ("/cache/ping", False), ("/v1/mcp/server/health", False)):
        status = http_request("127.0.0.1", port, "GET", path, headers).status
        assert (status != 404) == there, path
        assert d.get(path, MASTER).status != 404
    assert "health:" not in d.stdout
    for wrong in ("x", "0", "65536", "80x"):
        result = llmhealth.run("validate", d.config, env={"SEPARATE_HEALTH_APP": "true", "SEPARATE_HEALTH_PORT": wrong})
        assert result.returncode != 0 and "SEPARATE_HEALTH_PORT" in result.stdout + result.stderr
