# SPDX-License-Identifier: Apache-2.0
"""`llmhealth check` on one deployment of each provider and mode, at the stand-in that asks for each one's own auth."""

import collections
import json

import pytest

from every_provider import SECRETS, Keys, Tunnels, environment, model_list, recorded
from standin import BUILD, Standin

AWS_SECRET = "SECRETTEST"
SIGNED = {"aws": ("bedrock", "sagemaker", "sagemaker_chat", "sagemaker_nova", "aws_polly"), "oci": ("oci",),
          "google": ("vertex_ai", "vertex_ai_beta")}


@pytest.fixture
def keys(tmp_path):
    return Keys(tmp_path)


@pytest.fixture
def ask(llmhealth, builddir, tmp_path, keys):
    """Checks rows at a strict stand-in: ({id: endpoint}, the stand-in's requests)."""
    if not (builddir / "llmhealth-standin").exists():
        pytest.skip("llmhealth-standin is not built")

    def run(rows, words=None, options=(), with_keys=keys):
        options = ["--strict", "--aws-secret", AWS_SECRET, "--public-key", str(keys.public), *SECRETS, *options]
        with Standin(tls=True, options=options) as standin, Tunnels(standin.https_port) as tunnels:
            config = {"model_list": model_list(rows, with_keys, words), "litellm_settings": {"ssl_verify": False}}
            done = llmhealth.check(config, "--json", env={**environment(tunnels), **logins(tmp_path)}, timeout=100)
            body = json.loads(done.stdout)
            found = {e["model_id"]: dict(e, healthy=True) for e in body["healthy_endpoints"]}
            found.update((e["model_id"], dict(e, healthy=False)) for e in body["unhealthy_endpoints"])
            assert not body["unknown_endpoints"] and not body["disabled_endpoints"]
            return found, standin.requests()

    return run


def logins(directory):
    """What a person's login at GitHub and ChatGPT leaves behind."""
    home = directory / "home"
    for name, file, text in (("github_copilot", "access-token", "gho_test"),
                             ("chatgpt", "auth.json", json.dumps({"access_token": "t", "account_id": "acct",
                                                                  "expires_at": 4102444800}))):
        folder = home / ".config" / "litellm" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)
    return {"HOME": str(home)}


def spoken():
    """All pairs; in a build without libwslay a realtime deployment is a config problem instead."""
    websockets = "#define HAVE_WSLAY" in (BUILD / "config.h").read_text()
    return [row for row in recorded() if websockets or row["mode"] != "realtime"]


def table(rows, found):
    """Provider by provider the modes: + healthy, - not."""
    providers = collections.defaultdict(dict)
    for row in rows:
        providers[row["provider"]][row["mode"]] = "+" if found[f"{row['provider']}:{row['mode']}"]["healthy"] else "-"
    return "\n".join(f"{name:<26}" + " ".join(f"{mark}{mode}" for mode, mark in sorted(modes.items()))
                     for name, modes in sorted(providers.items()))


def test_all_are_healthy(ask):
    rows = spoken()
    found, requests = ask(rows)
    assert len(found) == len(rows) and len(recorded()) == 1032
    print(table(rows, found))
    print(f"{len(rows)} pairs asked")
    wrong = {name: e["error"] for name, e in found.items() if not e["healthy"]}
    assert not wrong, wrong
    # One probe is one request; the rest fetched tokens or looked up where to ask.
    assert len(requests) >= len(rows)


def test_a_refused_key_is_auth(ask):
    rows = spoken()
    found, _ = ask(rows, words="e401")
    wrong = {name: (e.get("reason"), e.get("error")) for name, e in found.items()
             if e["healthy"] or e["reason"] != "auth" or e["exception_status"] != 401}
    assert len(found) == len(rows) and not wrong, wrong


def test_an_overload_is_no_auth(ask):
    rows = [row for row in spoken() if row["mode"] == "chat"]
    found, _ = ask(rows, words="e503")
    wrong = {name: (e.get("reason"), e.get("error")) for name, e in found.items()
             if e["healthy"] or e["reason"] in ("auth", "config", "connect", "bad_response")}
    assert len(found) == len(rows) > 90 and not wrong, wrong


@pytest.mark.parametrize("scheme", SIGNED)
def test_a_wrong_signature_is_refused(ask, tmp_path, scheme):
    """The stand-in recomputes and verifies: another secret or key is found out, and nothing else is wrong then."""
    rows = [row for row in spoken() if row["provider"] in sum(SIGNED.values(), ())]
    (tmp_path / "other").mkdir()
    other = Keys(tmp_path / "other")
    wrong_rows = [row for row in rows if row["provider"] in SIGNED[scheme]]
    if scheme == "aws":
        found, _ = ask(wrong_rows, options=["--aws-secret", "another"])
    else:
        found, _ = ask(wrong_rows, with_keys=other)
    # What a provider asks without a signature stays healthy: there is none such among these.
    assert len(found) == len(wrong_rows) > 5
    healthy = sorted(name for name, e in found.items() if e["healthy"])
    assert not healthy
    assert {e["reason"] for e in found.values()} == {"auth"}, found


ENTRA = {"tenant_id": "TENANT", "client_id": "CID"}
RESOURCE = {"azure": "https://my-res.openai.azure.com", "azure_ai": "https://my-res.services.ai.azure.com"}
# Name -> (what the deployment has, what must be sent)
AZURE = {
    "secret": ({**ENTRA, "client_secret": "CSEC"}, "Bearer standin-entra-token"),
    "password": ({"client_id": "CID", "azure_username": "u", "azure_password": "pw"}, "Bearer standin-entra-token"),
    "token": ({"azure_ad_token": "AD-TOKEN"}, "Bearer AD-TOKEN"),
    "key": ({"api_key": "sk-test-KEY"}, "sk-test-KEY"),
    "wrong-secret": ({**ENTRA, "client_secret": "another"}, None),
    "wrong-key": ({"api_key": "sk-another"}, "sk-another"),
    "wrong-token": ({"azure_ad_token": "standin-another-token"}, "Bearer standin-another-token"),
}


def test_azure_is_shown_the_token_that_entra_gave(ask):
    rows = [{"provider": provider, "mode": f"{way}-{mode}", "name": "", "deployment": {
        "litellm_params": {"model": f"{provider}/{model}", "api_base": RESOURCE[provider], "api_version": "2024-10-21", **params},
        "model_info": {"mode": mode}}}
        for provider in RESOURCE for way, (params, _) in AZURE.items()
        for mode, model in (("chat", f"dep-{way}"), ("embedding", f"emb-{way}"))
        if provider == "azure" or way in ("secret", "key", "wrong-secret", "wrong-key")]
    found, requests = ask(rows)
    assert len(found) == len(rows)
    for name, entry in found.items():
        right = not name.split(":")[1].startswith("wrong-")
        assert entry["healthy"] == right, (name, entry)
        if not right:
            assert entry["reason"] == "auth" and ("Entra ID" in entry["detail"]) == ("wrong-secret" in name), entry
    fetches = [r for r in requests if r["path"].endswith("/oauth2/v2.0/token")]
    # One for each identity and scope: a resource of OpenAI's models and one of AI Foundry may differ in it.
    assert 3 <= len(fetches) <= 5, fetches
    sent = collections.defaultdict(set)
    for r in requests:
        if ".azure.com" in r["headers"]["host"]:
            sent[r["model"].partition("-")[2]].update(
                r["headers"][name].removeprefix("Bearer ") for name in ("authorization", "api-key") if name in r["headers"])
    wanted = {way: {word.removeprefix("Bearer ")} for way, (_, word) in AZURE.items() if word}
    assert sent == wanted


def test_inference_profiles_are_looked_for_among_their_own(ask):
    """`probe: models` of Bedrock: a profile is in no list of foundation models."""
    listed = {
        "foundation": "anthropic.claude-3-haiku-20240307-v1:0",
        "profile": "us.anthropic.claude-3-haiku-20240307-v1:0",
        "converse": "converse/us.anthropic.claude-3-haiku-20240307-v1:0",
        "arn": "arn:aws:bedrock:us-west-2:123456789012:inference-profile/us.anthropic.claude-3-haiku-20240307-v1:0",
        "application": "converse/arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/abc123",
        "other-area": "eu.anthropic.claude-3-haiku-20240307-v1:0",
        "other": "anthropic.claude-unknown-v1:0",
    }
    rows = [{"provider": "bedrock", "mode": name, "name": "", "deployment": {
        "litellm_params": {"model": "bedrock/" + model, "aws_access_key_id": "AKIATEST", "aws_region_name": "us-west-2",
                           "aws_secret_access_key": AWS_SECRET},
        "model_info": {"mode": "chat", "llmhealth": {"probe": "models"}}}} for name, model in listed.items()]
    found, requests = ask(rows)
    healthy = {name: found["bedrock:" + name]["healthy"] for name in listed}
    assert healthy == {name: not name.startswith("other") for name in listed}, found
    assert {found["bedrock:" + name]["reason"] for name in ("other-area", "other")} == {"not_found"}
    asked = [r["target"] for r in requests]
    assert asked.count("/foundation-models") == 2 and len(asked) == len(rows)
    assert asked.count("/inference-profiles?maxResults=1000&type=APPLICATION") == 1
