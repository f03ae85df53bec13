# SPDX-License-Identifier: Apache-2.0
"""The recorded variations (bases, models, parameters, credentials, environments), one deployment each, at the stand-in
that asks for each provider's own auth: healthy, or not for a reason that is known here."""

import collections
import fnmatch
import json

import pytest

from every_provider import SECRETS, Keys, Tunnels, environment, model_list, variations
from standin import BUILD, Standin

AWS_SECRET = "SECRETTEST"

# Not asked, or not healthy, on purpose: pattern of recordings -> (reason, why)
ON_PURPOSE = {
    "*-chat@no*key": ("config", "no key: nothing can be asked"),
    "groq-chat@nokey": ("auth", "no key is sent, as LiteLLM sends none, and the provider wants one"),
    "bedrock-chat@no-creds": ("config", "no key: nothing can be asked"),
    "vertex_ai-chat@no-creds": ("config", "no key: nothing can be asked"),
    "vertex_ai-chat@api-key": ("config", "an api_key is no credential of Google's cloud; LiteLLM has the same error"),
    "bedrock-chat@unknown-vendor.model-1": ("config", "the vendor decides how it is asked, and LiteLLM knows it neither"),
    "bedrock-chat@web-identity": ("config", "the token names nothing that it could be read from; LiteLLM says so too"),
    "bedrock-realtime@sonic": ("config", "Amazon's own stream over HTTP/2, no WebSocket; LiteLLM has no such check"),
    "groq-realtime@x": ("config", "the provider has no such mode"),
    "bedrock_converse-chat@provider": ("config", "that is no provider's name; LiteLLM has the same error"),
    "modeless-tavily_search@nomode": ("config", "that is no provider's name; LiteLLM has the same error"),
    "bare-unknown-model-xyz@nomode": ("config", "that is no model's name; LiteLLM has the same error"),
    "modeless-openai_omni-moderation-latest@nomode": ("config", "mode moderation is not checked; LiteLLM has the same error"),
    "openai-unknownmode@*": ("config", "that is no mode; LiteLLM has the same error"),
    "wildcard-azure_STAR@default": ("config", "a deployment's name is its owner's own, and no list of them is documented"),
    "openai-chat@mock": ("config", "no provider is asked where LiteLLM itself answers"),
}


@pytest.fixture
def ask(llmhealth, builddir, tmp_path):
    if not (builddir / "llmhealth-standin").exists():
        pytest.skip("llmhealth-standin is not built")
    keys = Keys(tmp_path)

    def run(rows, env, secret):
        options = ["--strict", "--aws-secret", secret, "--public-key", str(keys.public), *SECRETS]
        with Standin(tls=True, options=options) as standin, \
                Tunnels(standin.https_port, standin.port) as tunnels:
            config = {"model_list": model_list(rows, keys, by_name=True), "litellm_settings": {"ssl_verify": False},
                      "llmhealth": {"instance_metadata": False}}
            done = llmhealth.check(config, "--json", env={**environment(tunnels), **env}, timeout=100)
            body = json.loads(done.stdout)
            found = {e["model_id"]: dict(e, healthy=True) for e in body["healthy_endpoints"]}
            found.update((e["model_id"], dict(e, healthy=False)) for e in body["unhealthy_endpoints"])
            assert not body["unknown_endpoints"] and not body["disabled_endpoints"]
            return found

    return run


def on_purpose(name, entry):
    return next((why for pattern, (reason, why) in ON_PURPOSE.items()
                 if fnmatch.fnmatchcase(name, pattern) and entry["reason"] == reason), None)


def test_each_variation(ask):
    rows = variations()
    if "#define HAVE_WSLAY" not in (BUILD / "config.h").read_text():
        rows = [row for row in rows if row["mode"] != "realtime"]
    groups = collections.defaultdict(list)
    for row in rows:
        env = row["deployment"].get("env", {})
        secret = row["deployment"]["litellm_params"].get("aws_secret_access_key",
                                                         env.get("AWS_SECRET_ACCESS_KEY", AWS_SECRET))
        groups[json.dumps(env), secret].append(row)
    found = {}
    for (env, secret), some in groups.items():
        found.update(ask(some, json.loads(env), secret))
    assert len(found) == len(rows) and len(variations()) == 647
    table = collections.defaultdict(collections.Counter)
    wrong, used = [], set()
    for row in rows:
        entry = found[row["name"]]
        why = None if entry["healthy"] else on_purpose(row["name"], entry)
        table[row["provider"]]["healthy" if entry["healthy"] else "on purpose" if why else "wrong"] += 1
        if why:
            used.add(why)
            print(f"{row['name']}: {why}")
        elif not entry["healthy"]:
            wrong.append(f"{row['name']}: {entry.get('reason')}: {entry.get('detail')} | {entry.get('error')}")
    for provider, counts in sorted(table.items()):
        print(f"{provider:<26} " + ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))
    total = sum(table.values(), collections.Counter())
    print("in all: " + ", ".join(f"{n} {what}" for what, n in sorted(total.items())))
    assert not wrong, "\n".join(wrong)
    unused = {why for _, why in ON_PURPOSE.values()} - used
    assert not unused, unused
