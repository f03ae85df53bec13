# SPDX-License-Identifier: Apache-2.0
"""Strategy routers: their verdict follows from the deployments that they choose from, and nobody is asked for it."""

import json

from program import wait_for


def fleet(standin, *more, **settings):
    def chat(name, model):
        return {"model_name": name, "litellm_params": {"model": "openai/" + model, "api_base": standin.url,
                                                       "api_key": "sk-1"}, "model_info": {"id": "id-" + model}}
    return {"model_list": [
        chat("cheap", "one"), chat("smart", "two"), chat("smart", "three"), chat("apart", "four"),
        {"model_name": "router", "model_info": {"id": "id-router"},
         "litellm_params": {"model": "auto_router/complexity_router", "complexity_router_default_model": "cheap",
                            "complexity_router_config": {"tiers": {"SIMPLE": "cheap", "COMPLEX": "smart"}}}},
        *more], **settings}


def test_check(llmhealth, standin):
    done = llmhealth.check(fleet(standin), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    body = json.loads(done.stdout)
    assert body["healthy_count"] == 5 and body["unknown_count"] == 0
    assert standin.stats()["requests"] == 4
    standin.behaviour("two", "e500")
    standin.behaviour("three", "e401")
    done = llmhealth.check(fleet(standin), "--json")
    assert done.returncode == 1
    router = next(e for e in json.loads(done.stdout)["unhealthy_endpoints"] if e["model_id"] == "id-router")
    assert router["error"] == "tier model 'smart' has no healthy deployment"
    assert router["reason"] == "server_error" and router["exception_status"] == 500
    assert router["model"] == "auto_router/complexity_router"


def test_check_of_the_router_alone(llmhealth, standin):
    done = llmhealth.check(fleet(standin), "--json", "--model", "router")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(e["model_id"] for e in json.loads(done.stdout)["healthy_endpoints"]) == [
        "id-one", "id-router", "id-three", "id-two"]
    assert sorted(json.loads(r["body"])["model"] for r in standin.requests()) == ["one", "three", "two"]


def test_served(llmhealth, standin):
    daemon = llmhealth.serve(fleet(standin, general_settings={
        "background_health_checks": True, "health_check_interval": 1}))
    wait_for(lambda: daemon.health()["healthy_count"] == 5)
    standin.behaviour("one", "e500")
    wait_for(lambda: [e["model_id"] for e in daemon.health()["unhealthy_endpoints"]] == ["id-one", "id-router"])
    standin.behaviour("one", "ok")
    wait_for(lambda: daemon.health()["healthy_count"] == 5)
    assert 'llmhealth_deployment_up{' in daemon.get("/metrics").text


def test_on_demand(llmhealth, standin):
    daemon = llmhealth.serve(fleet(standin, general_settings={"background_health_checks": False}))
    body = daemon.health(query="?model_id=id-router")
    assert [e["model_id"] for e in body["healthy_endpoints"]] == ["id-router"], body
    assert sorted(json.loads(r["body"])["model"] for r in standin.requests()) == ["one", "three", "two"]


def test_asks_no_provider_itself(llmhealth, standin):
    daemon = llmhealth.serve(fleet(standin, general_settings={"background_health_checks": False, "master_key": "sk-m"}))
    answer = daemon.request("POST", "/health/test_connection", "sk-m", {"content-type": "application/json"},
                            json.dumps({"litellm_params": {"model": "router"}}))
    assert answer.status == 200 and "strategy router" in answer.text, answer.text
    answer = daemon.request("POST", "/chat/completions", "sk-m", {"content-type": "application/json"},
                            json.dumps({"model": "id-router", "messages": []}))
    assert answer.status == 400 and "strategy router" in answer.text, answer.text
    assert standin.stats()["requests"] == 0


def test_unknown_group(llmhealth, standin):
    config = fleet(standin)
    config["model_list"][4]["litellm_params"]["complexity_router_config"]["tiers"]["MEDIUM"] = "typo-group"
    done = llmhealth.validate(config, "--json")
    assert done.returncode == 2
    router = json.loads(done.stdout)["deployments"][4]
    assert "tier model 'typo-group' matches no deployment on this proxy" in router["problem"]
    assert llmhealth.check(config).returncode == 1


def test_validate(llmhealth, standin):
    done = llmhealth.validate(fleet(standin), "--json")
    assert done.returncode == 0, done.stdout
    router = json.loads(done.stdout)["deployments"][4]
    assert (router["depends_on"], router["problem"], router["cost_per_day"]["probes"]) == (["cheap", "smart"], None, 0)
    assert "nobody: it follows from cheap, smart" in llmhealth.validate(fleet(standin)).stdout
