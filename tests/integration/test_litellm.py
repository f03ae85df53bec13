# SPDX-License-Identifier: Apache-2.0
"""The real LiteLLM asks the same fleet, and says the same, or differs on purpose.

Needs a virtual environment with `litellm[proxy]`, named by LITELLM_VENV; skipped, visibly, without it."""

import collections
import fnmatch
import json
import os
import pathlib
import re
import subprocess

import pytest

from every_provider import SECRETS, Keys, Tunnels, environment, model_list, recorded
from standin import Standin
from test_every_provider import logins

# Run by the virtual environment's Python: what the proxy's GET /health runs, without the proxy around it.
PERFORM = """
import asyncio, json, logging, sys
logging.disable(logging.CRITICAL)
from litellm.proxy.health_check import perform_health_check
models = json.load(open(sys.argv[1]))["model_list"]
healthy, unhealthy, *_ = asyncio.run(perform_health_check(models, details=True))
found = {e["model_id"]: {"healthy": True} for e in healthy}
for e in unhealthy:
    found[e["model_id"]] = {"healthy": False, "status": e.get("exception_status"), "error": str(e.get("error"))}
print("FOUND" + json.dumps(found))
"""

# A deployment each: words of the stand-in, mode, parameters of its own. The id is its number and words.
CHAT = ["ok", "e400", "e401", "e403", "e404", "e408", "e422", "e429,noretry", "e500", "e503", "status=418", "status=599", "quota",
        "context", "policy", "err200", "badjson", "empty", "emptyobj", "wrongshape", "nochoices", "nullchoices",
        "emptychoices", "html502", "close", "half", "chunked", "gzip", "notokens", "latency=50", "norates"]
FLEET = [
    *[("chat", words, "openai/m", {}) for words in CHAT],
    *[("embedding", words, "openai/m", {}) for words in ("ok", "e401", "e404", "e500", "badjson", "empty")],
    *[("completion", words, "text-completion-openai/m", {}) for words in ("ok", "e401", "e500")],
    *[("chat", words, model, {}) for model in ("groq/m", "deepseek/m", "together_ai/m", "mistral/m", "hosted_vllm/m",
                                              "xai/m", "openrouter/m", "fireworks_ai/m", "perplexity/m", "nvidia_nim/m")
      for words in ("ok", "e401", "e404", "e429,noretry", "e500")],
    ("chat", "ok", "openai/m", {"base": "/"}),
    ("chat", "ok", "openai/m", {"base": "/v1/"}),
    ("chat", "ok", "openai/m", {"extra": {"temperature": 0, "user": "x"}}),
    ("chat", "key=sk-right", "openai/m", {"key": "sk-right"}),
    ("chat", "key=sk-right", "openai/m", {"key": "sk-wrong"}),
]

# Where we are right (docs/differences.md): words -> what LiteLLM says of them, and what we do.
ON_PURPOSE = {
    "emptychoices": "`choices: []` is healthy there",
    "emptyobj": "`{}` is healthy at some providers there",
    "nochoices": "an answer without choices is healthy at some providers there",
    "nullchoices": "choices: null is healthy at some providers there",
    "wrongshape": "what was found and expected, instead of the answer repeated",
    "err200": "status 200 with an error: the status there may be a text",
}


def fleet(standin):
    models = []
    for i, (mode, words, model, more) in enumerate(FLEET):
        base = standin.url.removesuffix("/v1") + more.get("base", "/v1")
        models.append({
            "model_name": f"group-{i}",
            "litellm_params": {"model": model, "api_base": base, "api_key": more.get("key", "sk-test-1234567890"),
                               "max_retries": 0, "extra_headers": {"X-Standin": words}, **more.get("extra", {})},
            "model_info": {"id": f"{i:03d} {mode} {words} {model}", "mode": mode, "health_check_timeout": 20},
        })
    return models


@pytest.fixture
def litellm():
    venv = os.environ.get("LITELLM_VENV")
    if not venv:
        pytest.skip("LITELLM_VENV names no virtual environment with litellm[proxy]")
    python = pathlib.Path(venv, "bin", "python")
    assert python.exists(), f"{python} is not there"
    return python


def repeats(our, their):
    """Both name the same exception, and what theirs repeats of the answer has our message in it."""
    head, _, message = our["error"].rpartition(" - " if " - " in our["error"] else ": ")
    if "Error_str: " in message:
        head, message = head + " - " + message.split("Error_str: ")[0], message.split("Error_str: ")[1]
    line = first_line(their["error"])
    return line.startswith(head) and message in line


def first_line(error):
    return error.split("\n")[0].split(" stack trace:")[0].strip()


def test_verdicts_agree(litellm, llmhealth, standin, tmp_path):
    config = {"model_list": fleet(standin)}
    path = tmp_path / "litellm.json"
    path.write_text(json.dumps(config))
    done = subprocess.run([litellm, "-c", PERFORM, path], capture_output=True, text=True, timeout=100, cwd=tmp_path,
                          env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"})
    line = next((line for line in done.stdout.split("\n") if line.startswith("FOUND")), None)
    assert line, done.stdout[-1000:] + done.stderr[-3000:]
    theirs = json.loads(line.removeprefix("FOUND"))
    done = llmhealth.check(config, "--json")
    assert done.returncode == 1, done.stderr
    body = json.loads(done.stdout)
    ours = {e["model_id"]: {"healthy": True} for e in body["healthy_endpoints"]}
    for e in body["unhealthy_endpoints"]:
        ours[e["model_id"]] = {"healthy": False, "status": e["exception_status"], "error": e["error"]}
    assert set(ours) == set(theirs)
    wrong, same, other = [], 0, []
    for ident, their in sorted(theirs.items()):
        our = ours[ident]
        words = ident.split(" ")[2]
        agree = our["healthy"] == their["healthy"]
        if agree and not our["healthy"]:
            agree = our["status"] == their["status"] and our["error"] == first_line(their["error"])
        if agree:
            same += 1
        elif words in ON_PURPOSE:
            other.append(f"{ident}: {ON_PURPOSE[words]}")
        elif our["healthy"] and "has no attribute 'service_tier'" in their.get("error", ""):
            other.append(f"{ident}: a slip in LiteLLM makes a healthy answer unhealthy")
        elif our["healthy"] == their["healthy"] and our["status"] == their["status"] and repeats(our, their):
            other.append(f"{ident}: the message alone, not the whole body in Python's notation")
        else:
            wrong.append(f"{ident}\n  LiteLLM {their}\n  ours    {our}")
    print(f"{same} the same, {len(other)} different on purpose, {len(wrong)} wrong")
    print("\n".join(other))
    assert not wrong, "\n".join(wrong)


# ---- every provider, led to the strict stand-in by a proxy

PERFORM_ALL = """
import asyncio, json, logging, os, sys, warnings
logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")
import requests
settings_of = requests.Session.merge_environment_settings
requests.Session.merge_environment_settings = lambda *a, **k: {**settings_of(*a, **k), "verify": False}
import litellm
litellm.ssl_verify = False
litellm.disable_aiohttp_transport = True
from litellm.proxy.health_check import perform_health_check
models = json.load(open(sys.argv[1]))["model_list"]
healthy, unhealthy, *_ = asyncio.run(perform_health_check(models, details=True))
found = {e["model_id"]: {"healthy": True} for e in healthy}
for e in unhealthy:
    found[e["model_id"]] = {"healthy": False, "status": e.get("exception_status"), "error": str(e.get("error"))}
print("FOUND" + json.dumps(found), flush=True)
os._exit(0)
"""

ROUNDS = [(words, ("chat",)) for words in ("ok", "e401", "e404", "e429,noretry", "e500", "badjson")] + \
         [(words, ("embedding", "rerank")) for words in ("ok", "e401")] + \
         [("ok", ("completion",)), ("e401", ("completion", "responses", "anthropic_messages")),
          ("e401", ("image_generation", "audio_speech", "audio_transcription"))]

# "WORDS PROVIDER:MODE", what LiteLLM says in which case, and why we say something else (docs/differences.md).
DIFFERENT = [
    ("*", "No module named 'google'|Google Cloud SDK not found|Vertex AI credentials failed",
     "LiteLLM needs a package that is not installed here"),
    ("ok *", "has no attribute 'service_tier'", "a slip in LiteLLM makes a healthy answer unhealthy"),
    ("* aiohttp_openai:*", ".", "LiteLLM takes each of its statuses for a 500"),
    ("* nlp_cloud:*", "NLPCloudException", "LiteLLM takes most of its statuses for a 500"),
    ("* sagemaker:embedding", "SSL validation failed", "boto3 asks there, and does not believe the stand-in's certificate"),
    ("* huggingface:embedding", "HuggingfaceException", "LiteLLM asks the hub, and then elsewhere"),
    ("e401 deepinfra:rerank", "DeepinfraException", "the whole body, not its detail alone"),
    ("* sagemaker*:*", "SagemakerException|Sagemaker_chatException", "LiteLLM takes its statuses for a 503"),
    ("* cohere:*", "CohereException", "whose chat it is says the family of the name, not a release's price map"),
    ("* replicate:*", "ReplicateException", "the model is asked for, no prediction is started"),
    ("e401 *:completion", "OpenAIException - ", "a text completion's error is OpenAI's there, whoever was asked"),
    ("* volcengine:responses", "_ModuleLock", "LiteLLM's own imports wait for one another, now and then"),
    ("e401 chatgpt:*", "ChatgptException", "LiteLLM shows the config's key there, not the login's"),
    ("e401 github_copilot:*", "Github_copilotException", "LiteLLM shows the config's key there, not the login's"),
    ("e401 bedrock:audio_transcription", "litellm rust transcription", "another client of LiteLLM's, with words of its own"),
    ("e401 deepgram:audio_transcription", "Content-Type is missing", "LiteLLM sends a sound without its type"),
    ("e401 soniox:audio_transcription", "SonioxException", "the list of models is asked for, and refuses in its own shape"),
    ("badjson *", "Expecting value|chatcmpl-12", "how LiteLLM says that a body is no JSON differs by client; its status may be "
     "200, 400 or 422, ours is 500"),
]


def masked(text):
    """Without what differs from request to request: the end of a signature that an answer repeats."""
    return re.sub(r"\*{8,}.*", "***", text)


def agree(our, their):
    """"same", "message" (ours alone, theirs repeats the body), or None."""
    if our["healthy"] != their["healthy"]:
        return None
    if our["healthy"]:
        return "same"
    if our["status"] != their["status"]:
        return None
    if masked(our["error"]) == masked(first_line(their["error"])):
        return "same"
    return "message" if repeats(our, their) else None


@pytest.mark.parametrize("words,modes", ROUNDS, ids=[f"{words}-{modes[0]}" for words, modes in ROUNDS])
def test_every_provider(litellm, llmhealth, builddir, tmp_path, words, modes):
    keys = Keys(tmp_path)
    options = ["--strict", "--aws-secret", "SECRETTEST", "--public-key", str(keys.public), *SECRETS]
    with Standin(tls=True, options=options, log=False) as standin, Tunnels(standin.https_port, standin.port) as tunnels:
        models = model_list([row for row in recorded() if row["mode"] in modes], keys)
        for model in models:
            model["model_info"]["health_check_timeout"] = 60
            if not model["model_name"].startswith("gradient_ai:"):  # which takes no such parameter
                model["litellm_params"]["max_retries"] = 0
        standin.behaviour("*", words)
        path = tmp_path / "litellm.json"
        path.write_text(json.dumps({"model_list": models}))
        env = {**environment(tunnels), **logins(tmp_path)}
        done = subprocess.run([litellm, "-c", PERFORM_ALL, path], capture_output=True, text=True, timeout=110, cwd=tmp_path,
                              env={**os.environ, **env, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
                                   "AIOHTTP_TRUST_ENV": "True", "SSL_VERIFY": "False",
                                   "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"})
        line = next((line for line in done.stdout.split("\n") if line.startswith("FOUND")), None)
        assert line, done.stdout[-1000:] + done.stderr[-3000:]
        theirs = json.loads(line.removeprefix("FOUND"))
        config = {"model_list": models, "litellm_settings": {"ssl_verify": False}}
        body = json.loads(llmhealth.check(config, "--json", env=env, timeout=60).stdout)
        ours = {e["model_id"]: {"healthy": "error" not in e, "status": e.get("exception_status"),
                                "error": e.get("error", "")}
                for e in body["healthy_endpoints"] + body["unhealthy_endpoints"]}
    assert set(ours) == set(theirs) and len(ours) > 60
    counts, reasons, wrong = collections.Counter(), collections.Counter(), []
    for ident, their in sorted(theirs.items()):
        name, how = f"{words} {ident}", agree(ours[ident], their)
        why = None if how else next((why for pattern, text, why in DIFFERENT if fnmatch.fnmatchcase(name, pattern) and
                                     re.search(text, first_line(their.get("error", "")))), None)
        if how == "message":
            why = "the message alone, not the whole body in Python's notation"
        counts["the same" if how == "same" else "on purpose" if why else "wrong"] += 1
        if why:
            reasons[why] += 1
        elif how is None:
            wrong.append(f"{name}\n  LiteLLM {their.get('status')} {first_line(their.get('error', 'healthy'))}\n"
                         f"  ours    {ours[ident]}")
    print(f"{words}, {' and '.join(modes)}: " + ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))
    for why, n in reasons.most_common():
        print(f"{n:>4} {why}")
    assert not wrong, "\n".join(wrong)
