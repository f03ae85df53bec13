# SPDX-License-Identifier: Apache-2.0
"""`llmhealth validate`: what would be asked and what is wrong. Asks nothing, shows no key."""

import json
import os
import re

import pytest

KEY = "sk-canary-provider-0123456789"


def made(standin, **more):
    return {
        "model_list": [
            {"model_name": "chat", "litellm_params": {"model": "openai/gpt-4o", "api_base": standin.url, "api_key": KEY},
             "model_info": {"id": "one"}},
            {"model_name": "embed", "model_info": {"id": "two", "mode": "embedding"},
             "litellm_params": {"model": "openai/text-embedding-3-small", "api_base": standin.url + "/",
                                "api_key": "os.environ/EMBED_KEY"}},
            {"model_name": "off", "model_info": {"id": "three", "disable_background_health_check": True},
             "litellm_params": {"model": "openai/gpt-4o", "api_base": standin.url, "api_key": KEY}},
        ],
        **more,
    }


def test_says_what_would_be_asked(llmhealth, standin):
    done = llmhealth.validate(made(standin), "--json", env={"EMBED_KEY": KEY})
    assert done.returncode == 0, done.stdout + done.stderr
    body = json.loads(done.stdout)
    assert body["problems"] == []
    one, two, three = body["deployments"]
    assert (one["id"], one["model_name"], one["model"], one["provider"], one["mode"]) == \
        ("one", "chat", "openai/gpt-4o", "openai", "chat")
    assert (one["method"], one["url"]) == ("POST", standin.url + "/chat/completions")
    assert one["key_set"] is True
    assert (two["mode"], two["url"]) == ("embedding", standin.url + "/embeddings")
    assert (two["key_variable"], two["key_set"]) == ("EMBED_KEY", True)
    assert (one["disabled"], three["disabled"]) == (False, True)
    assert standin.stats()["connections"] == standin.stats()["connections"]
    assert standin.stats()["requests"] == 0


def test_as_a_table(llmhealth, standin):
    done = llmhealth.validate(made(standin), env={"EMBED_KEY": KEY})
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert re.search(r"chat +one +openai +chat .*POST http://.*/v1/chat/completions$", lines[1])
    assert re.search(r"set EMBED_KEY +1152 +under \$0\.0001 +POST http://.*/v1/embeddings$", lines[2])
    assert "3 deployments: 3 can be asked, 0 cannot. No request was made." in lines
    assert standin.stats()["requests"] == 0


def test_missing_key(llmhealth, standin):
    done = llmhealth.validate(made(standin), "--json")
    assert done.returncode == 2
    body = json.loads(done.stdout)
    two = body["deployments"][1]
    assert (two["key_variable"], two["key_set"], two["url"]) == ("EMBED_KEY", False, None)
    assert "EMBED_KEY" in json.dumps(body["problems"])
    assert body["problems"][0]["line"] > 0
    table = llmhealth.validate(made(standin))
    assert table.returncode == 2
    assert "missing EMBED_KEY" in table.stdout
    assert "2 can be asked, 1 cannot" in table.stdout


def test_a_key_that_is_not_needed_is_not_missed(llmhealth):
    """Ollama is asked without one; that a variable which nobody named is not set is no news."""
    config = {"model_list": [{"model_name": "local", "litellm_params": {"model": "ollama/llama3", "api_base": "http://127.0.0.1:1"}}]}
    done = llmhealth.validate(config)
    assert done.returncode == 0
    assert re.search(r"local +\w+ +ollama +chat +none +", done.stdout) and "missing" not in done.stdout


def test_all_mistakes_at_once(llmhealth, standin):
    text = "model_list:\n  - model_name: x\n  - litellm_params: {model: openai/ok}\n" \
           "  - {model_name: y, litellm_params: {model: openai/ok, api_key: k, api_base: ftp://y}}\nllmhealth: {workers: many, rise: 0}\n"
    done = llmhealth.validate(text, "--json")
    assert done.returncode == 2
    body = json.loads(done.stdout)
    assert body["deployments"] == []
    lines = {problem["line"] for problem in body["problems"] if problem["severity"] == "error"}
    assert {2, 3, 5} <= lines, body
    table = llmhealth.validate(text)
    assert table.returncode == 2
    assert re.search(r"config\.yaml:5:\d+: error: ", table.stdout)
    told = len(re.findall(r"config\.yaml:\d+:\d+: error: ", table.stdout))
    assert f"The config cannot be used: {told} mistakes." in table.stdout


def test_misspelling_is_a_warning(llmhealth, standin):
    done = llmhealth.validate(made(standin, general_settings={"health_check_intervall": 5}), "--json",
                              env={"EMBED_KEY": KEY})
    assert done.returncode == 0
    assert [p for p in json.loads(done.stdout)["problems"] if p["severity"] == "warning" and
            "health_check_interval" in p["text"]]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_hostile_texts(llmhealth, form):
    text = 'model_list:\n  - model_name: "x\\e]0;owned\\a\\u202e\\x9b"\n    litellm_params: {model: "openai/\\e[31m"}\n'
    done = llmhealth.validate(text, *form)
    assert done.returncode == 2
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", done.stdout + done.stderr)


def test_real_configs_name_no_secret(llmhealth, corpus):
    """Every config of the corpus: an answer, in JSON, with a URL or a reason for each deployment."""
    configs = sorted((corpus / "configs").rglob("*.y*ml"))
    assert configs
    for path in configs:
        done = llmhealth.run("validate", path, "--json", env={"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY})
        assert done.returncode in (0, 2), f"{path}: {done.stderr}"
        body = json.loads(done.stdout)
        for one in body["deployments"]:
            assert (one["url"] is None) != (one["problem"] is None), f"{path}: {one}"


def test_says_what_a_day_costs(llmhealth, standin):
    config = made(standin, general_settings={"health_check_interval": 3600})
    config["model_list"][2]["model_info"].pop("disable_background_health_check")
    config["model_list"][2]["litellm_params"]["model"] = "openai/a-model-of-nobody"
    config["model_list"][1]["model_info"]["llmhealth"] = {"probe": "models"}
    done = llmhealth.validate(config, "--json", env={"EMBED_KEY": KEY})
    assert done.returncode == 0, done.stdout + done.stderr
    body = json.loads(done.stdout)
    one, two, three = [deployment["cost_per_day"] for deployment in body["deployments"]]
    # gpt-4o: $2.50 and $10.00 a million tokens, 13 in and at most 16 out, 24 times.
    assert one == {"probes": 24, "tokens_in": 312, "tokens_out": 384, "usd": 0.00462}
    assert two == {"probes": 24, "tokens_in": 0, "tokens_out": 0, "usd": 0}
    assert three == {"probes": 24, "tokens_in": 312, "tokens_out": 384, "usd": None}
    assert body["cost_per_day"] == {"probes": 72, "tokens_in": 624, "tokens_out": 768, "usd": None}
    assert body["unpriced"] == 1
    table = llmhealth.validate(config, env={"EMBED_KEY": KEY}).stdout
    assert re.search(r"^chat .* 696 +\$0\.0046 +POST ", table, re.M), table
    assert re.search(r"^embed .* 0 +free +GET ", table, re.M), table
    assert re.search(r"^off .* 696 +price unknown +POST ", table, re.M), table
    assert ("A day costs about 72 probes, 624 tokens in, at most 768 out: $0.0046 and what 1 deployment "
            "of unknown price costs.") in table
    config["general_settings"]["background_health_checks"] = False
    body = json.loads(llmhealth.validate(config, "--json", env={"EMBED_KEY": KEY}).stdout)
    assert body["cost_per_day"] == {"probes": 0, "tokens_in": 0, "tokens_out": 0, "usd": 0}
