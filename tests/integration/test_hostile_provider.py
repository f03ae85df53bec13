# SPDX-License-Identifier: Apache-2.0
"""Every way of the stand-in to answer badly, asked by the real programs: what they call it, and that a
key goes nowhere but to its provider."""

import json

import pytest

from program import judge_output
from standin import Standin

KEY = "sk-canary-7f3a9c"

# words of the stand-in: the reasons that are right
UNHEALTHY = {
    "e400": {"bad_request"},
    "e401": {"auth"},
    "e402": {"quota"},
    "e403": {"permission", "not_found"},  # its code says model_not_found
    "e404": {"not_found"},
    "e408": {"timeout"},
    "e422": {"bad_request"},
    "e429": {"rate_limited"},
    "e429,retry=1": {"rate_limited"},
    "e500": {"server_error"},
    "e503": {"server_error"},
    "status=418": {"bad_request"},
    "status=599": {"server_error"},
    "status=204": {"bad_response"},
    "html502": {"server_error"},
    "quota": {"quota"},
    "context": {"context"},
    "policy": {"content_policy"},
    "wrongkey": {"auth"},
    "echokey": {"auth"},
    "err200": {"quota"},
    "badjson": {"bad_response"},
    "empty": {"bad_response"},
    "emptyobj": {"bad_response"},
    "wrongshape": {"bad_response"},
    "nochoices": {"bad_response"},
    "nullchoices": {"bad_response"},
    "badutf8": {"bad_response"},
    "deep=100000": {"bad_response"},
    "huge=3000000": {"bad_response"},
    "endless": {"bad_response"},
    "badlength": {"bad_response", "connect"},
    "twolengths": {"bad_response", "connect", "timeout"},  # curl believes the second one and waits
    "hugeheaders=1000000": {"bad_response", "connect"},
    "garbage": {"bad_response", "connect"},
    "nothttp": {"bad_response", "connect"},
    "cut=10": {"connect", "bad_response"},
    "half": {"connect", "bad_response"},
    "cutheaders": {"connect", "bad_response"},
    "close": {"connect"},
    "reset": {"connect"},
    "hang": {"timeout"},
    "hangbody": {"timeout"},
    "slow": {"timeout"},
    "drip=1/200": {"timeout"},
}
HEALTHY = ["ok", "gpt-4o", "chunked", "gzip", "norates", "notokens", "latency=200", "drip=100/1", "goodbye",
           "manyheaders=50", "stall100"]


def deployment(number, provider, **params):
    return {"model_name": f"group-{number}",
            "litellm_params": {"model": f"openai/model-{number}", "api_base": provider.url, "api_key": KEY, **params},
            "model_info": {"id": f"id-{number}", "health_check_timeout": 2}}


def entries(done):
    """{id: entry} of both lists, with `healthy` in each."""
    body = json.loads(done.stdout)
    found = {}
    for healthy in (True, False):
        for entry in body["healthy_endpoints" if healthy else "unhealthy_endpoints"]:
            found[entry["model_id"]] = {**entry, "healthy": healthy}
    return found


def test_each_answer_is_judged(llmhealth, standin):
    words = [*UNHEALTHY, *HEALTHY]
    for i, word in enumerate(words):
        standin.behaviour(f"model-{i}", word)
    done = llmhealth.check({"model_list": [deployment(i, standin) for i in range(len(words))]}, "--json")
    assert done.returncode == 1, done.stderr
    found = entries(done)
    wrong = []
    for i, word in enumerate(words):
        entry = found[f"id-{i}"]
        if entry["healthy"] != (word in HEALTHY):
            wrong.append(f"{word}: healthy {entry['healthy']}: {entry.get('error')}")
        elif word in UNHEALTHY and entry["reason"] not in UNHEALTHY[word]:
            wrong.append(f"{word}: {entry['reason']}: {entry.get('error')}")
        elif word in UNHEALTHY and not (entry["error"] and isinstance(entry["exception_status"], int)):
            wrong.append(f"{word}: {entry}")
    assert not wrong, "\n".join(wrong)
    asked = standin.stats()["by_model"]
    assert asked == {f"model-{i}": 1 for i in range(len(words))}, "one probe is one request"


def test_keys_reach_their_provider_and_nothing_else(llmhealth, standin):
    """The fixture fails on the canary in anything that is printed or answered."""
    config = {"model_list": [deployment(0, standin), deployment(1, standin), deployment(2, standin)],
              "general_settings": {"master_key": "sk-canary-master"}, "llmhealth": {"log": {"level": "debug"}}}
    standin.behaviour("model-1", "echokey")
    standin.behaviour("model-2", "e500")
    assert llmhealth.check(config, "--json").returncode == 1
    assert llmhealth.check(config).returncode == 1
    assert llmhealth.validate(config, "--json").returncode == 0
    daemon = llmhealth.serve(config)
    for path in ("/health", "/health?model=group-1", "/v1/model/info", "/health/readiness", "/v1/models"):
        daemon.get(path, key="sk-canary-master")
        daemon.get(path, key="sk-canary-wrong")
    daemon.stop()
    assert {r["headers"]["authorization"] for r in standin.requests()} == {"Bearer " + KEY}
    judge_output(*(p.read_text(errors="replace") for p in llmhealth.directory.glob("*.state")))


def test_redirects_take_no_key_along(llmhealth, standin):
    with Standin() as other:
        standin.behaviour("model-0", f"redirect={other.url}/chat/completions")
        done = llmhealth.check({"model_list": [deployment(0, standin)]}, "--json")
        assert [r["headers"].get("authorization") for r in other.requests()] in ([], [None])
        assert len(entries(done)) == 1


@pytest.mark.parametrize("params,reason", [
    ({"api_base": "http://127.0.0.1:9/v1"}, "connect"),
    ({"api_base": "http://no-such-host.invalid/v1"}, "dns"),
])
def test_nobody_there(llmhealth, standin, params, reason):
    done = llmhealth.check({"model_list": [deployment(0, standin, **params)]}, "--json")
    assert (done.returncode, entries(done)["id-0"]["reason"]) == (1, reason)


@pytest.mark.parametrize("verify,reason", [(None, "tls"), (False, None), ("ca", None)])
def test_certificates(llmhealth, standin, verify, reason):
    params = {"api_base": standin.https_url}
    if verify is not None:
        params["ssl_verify"] = str(standin.ca) if verify == "ca" else verify
    done = llmhealth.check({"model_list": [deployment(0, standin, **params)]}, "--json")
    entry = entries(done)["id-0"]
    assert (entry["healthy"], None if entry["healthy"] else entry["reason"]) == (reason is None, reason)
