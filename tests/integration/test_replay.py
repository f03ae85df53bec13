# SPDX-License-Identifier: Apache-2.0
"""Replays LiteLLM's recorded exchanges (tests/fixtures/litellm-http) against the daemon: same status,
headers, shape and values, but for the differences that DIFFERENCES names. Fields that LiteLLM does not
have may be added; none may be missing."""

import concurrent.futures
import json
import pathlib
import re
import signal
import time

import pytest

from openapi import describe
from program import wait_for

FIXTURES = pathlib.Path(__file__).resolve().parents[1] / "fixtures" / "litellm-http"
RECORDINGS = [json.loads(line.rstrip(",")) for line in (FIXTURES / "recordings.json").read_text().splitlines()[1:-1]]

HEADERS = ("content-type", "allow", "location", "x-frame-options", "content-security-policy",
           "x-content-type-options", "litellm-health-field-notice")
LISTS = ("healthy_endpoints", "unhealthy_endpoints")

# Rows of docs/differences.md: the recordings that they are about, and the status that we answer.
DIFFERENCES = {
    "no key is 401, also where a package is missing": {
        "030-health-no-auth": 401, "036-health-bare-key": 401, "061-readiness-details-no-auth": 401,
        "077-services-no-auth": 401, "082-history-no-auth": 401, "084-shared-status-no-auth": 401,
        "086-test-connection-no-auth": 401,
        "092-backlog-no-auth": 401, "095-license-no-auth": 401, "100-active-callbacks-no-auth": 401,
        "106-model-info-no-auth": 401, "118-key-health-no-auth": 401},
    "an empty model or model_id is refused": {"015-health-model-empty": 400, "016-health-modelid-empty": 400},
    "a group that is wholly unhealthy is left out with healthy_only": {
        "109-models-healthy-only": 200, "161-background-models-healthy-only": 200},
    "results are shown as they come": {
        "150-background-before-first-round": 200, "151-background-before-first-round-model": None,
        "152-background-before-first-round-modelid": None},
    "history and latest results come from our own history": {"078-history": 200, "081-latest": 200},
    "the pages of `/v2/model/info` need no database": {"105-v2-model-info": 200},
    "a logging service is not set up, whatever its name": {
        "063-services-langfuse": 422, "064-services-datadog": 422, "065-services-webhook": 422,
        "066-services-email": 422, "068-services-openmeter": 422, "069-services-braintrust": 422,
        "070-services-generic_api": 422, "072-services-arize": 422, "073-services-sqs": 422},
    "a test needs no database": {"085-test-connection-no-db": 200, "088-test-connection-empty-body": 400},
    "a test without a model is refused: 400": {
        "232-test-connection-no-model": 400, "233-test-connection-no-params": 400},
    "a configured group's name may be tested": {"220-test-connection-configured-name": 200},
    "a test behind a wildcard asks the model that was named": {"224-test-connection-401": 200},
    "a configured key is never used with a caller's own connection": {
        "226-test-connection-override-api-base-only": 200},
    "`/health/services` without a name is the summary": {"076-services-missing": 200},
}
DIFFERENT = {name: status for rows in DIFFERENCES.values() for name, status in rows.items()}

# Deployments whose verdict is another one on purpose.
VERDICTS = {
    "id-429": "429 is the provider's status, not a timeout after three requests",
    "id-err200": "exception_status is a number",
    "id-badmode": "a mode that does not exist is a mistake in the config",
    "id-nokey": "a missing key is a mistake in the config that names the variable",
    "id-noprov": "a deployment that fails validation is in the answer",
}


def address(url):
    return url.split("//")[1].split("/")[0]


@pytest.fixture(scope="module")
def daemons(builddir, tmp_path_factory):
    """One daemon and one stand-in for all recordings of a config."""
    from conftest import PROGRAMS
    from program import Llmhealth
    from standin import Standin
    missing = [name for name in (*PROGRAMS, "llmhealth-standin") if not (builddir / name).exists()]
    if missing:
        pytest.skip("not built: " + ", ".join(missing))
    programs = Llmhealth(builddir, tmp_path_factory.mktemp("replay"))
    running = {}
    with Standin() as provider:
        def get(name):
            if name not in running:
                text = (FIXTURES / "configs" / f"{name}.yaml").read_text().replace(
                    "127.0.0.1:22001", address(provider.url)).replace("openai/wait5", "openai/latency=2000")
                settings = {"grace": "1s", "http": {"cors": "*"}}
                running[name] = programs.serve(text, settings=settings, env={
                    "STANDIN_BASE": f"http://{address(provider.url)}/v1", "STANDIN_KEY": "sk-prov-abcdwxyz",
                    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"})
                running[name].provider = address(provider.url)
                describe(running[name])
            return running[name]
        yield get
        programs.close()


def normal(value, daemon):
    """Our answer with the recording's addresses, the random prompt of two, and no numbers of time."""
    if isinstance(value, dict):
        return {k: normal(v, daemon) for k, v in value.items()}
    if isinstance(value, list):
        return [normal(v, daemon) for v in value]
    if isinstance(value, str):
        value = value.replace(daemon.provider, "127.0.0.1:22001").replace(
            f"{daemon.host}:{daemon.port}", "127.0.0.1:22020").replace("latency=2000", "wait5")
        value = re.sub(r", time taken=[\d.]+ seconds", "", value)
        value = re.sub(r"^[0-9a-f]{64}$", "<hash>", value)  # of the address, too
        return value.replace("Hey how's it going?", "What's 1 + 1?")
    return value


def same_entry(ours, theirs):
    """Every field of theirs, in their order, with their value."""
    assert [k for k in ours if k in theirs] == list(theirs), f"{list(ours)} instead of {list(theirs)}"
    for key, value in theirs.items():
        assert type(ours[key]) is type(value), f"{key}: {ours[key]!r} instead of {value!r}"
        if key == "raw_request_typed_dict" and value is not None:
            assert list(ours[key]) == list(value)
            assert ours[key]["raw_request_api_base"] == value["raw_request_api_base"]
            assert ours[key]["raw_request_body"] == value["raw_request_body"]
            continue
        assert ours[key] == value, f"{key}: {ours[key]!r} instead of {value!r}"


def without(entries, skipped):
    return [e for e in entries if e["model_id"] not in skipped]


def unprobed(entry):
    """A kind of model that no dialect asks yet."""
    return entry.get("reason") == "config" and entry["model_id"] not in VERDICTS


def same_health(ours, theirs):
    assert list(ours)[:len(theirs)] == list(theirs)
    entries = {e["model_id"]: e for name in LISTS for e in ours[name]}
    skipped = set(VERDICTS) | {i for i, e in entries.items() if unprobed(e)}
    for name in LISTS:
        mine, recorded = without(ours[name], skipped), without(theirs[name], skipped)
        assert [e["model_id"] for e in mine] == [e["model_id"] for e in recorded], name
        for a, b in zip(mine, recorded):
            same_entry(a, b)
    assert ours["healthy_count"] == len(ours["healthy_endpoints"])
    assert ours["unhealthy_count"] == len(ours["unhealthy_endpoints"])
    for e in entries.values():
        assert isinstance(e.get("exception_status", 0), int)
        assert "stack trace" not in str(e.get("error"))
        assert "model_name" in e and "state" in e
        if e["model_id"] in VERDICTS:
            assert e["state"] == "unhealthy" and e["error"]


def same_models(ours, theirs, some=False):
    """Their list, each with at least their fields; the wildcard itself is ours alone."""
    mine = [m for m in ours["data"] if m["id"] not in ("openai/*", "noprovider")]
    wanted = [m["id"] for m in theirs["data"]]
    if some:
        assert [m for m in wanted if m in [o["id"] for o in mine]] == [m["id"] for m in mine]
        return
    assert [m["id"] for m in mine] == wanted
    for a, b in zip(mine, theirs["data"]):
        assert {k: a[k] for k in b} == b


def same_info(ours, theirs):
    mine = [d for d in ours["data"] if d["model_info"]["id"] not in ("id-noprov", "id-wild")]
    assert len(mine) == len(theirs["data"])
    for a, b in zip(mine, theirs["data"]):
        assert list(a)[:3] == list(b)
        assert a["model_name"] == b["model_name"]
        for key, value in b["litellm_params"].items():
            assert a["litellm_params"][key] == value
        assert "sk-" not in json.dumps(a) and "api_key" not in a["litellm_params"]
        for key, value in b["model_info"].items():
            assert key == "mode" and value is None or a["model_info"].get(key) == value, key


# What a test answers where LiteLLM's own answer is another.
TESTED = {"085": "success", "220": "success", "224": "error", "226": "error", "235": "error"}


def same_test(ours, theirs):
    assert ours["status"] == theirs["status"]
    same_entry(ours["result"], theirs["result"])


def same_groups(ours, theirs):
    """Prices and abilities are those of a model that is not in the price map; the health is ours."""
    groups = {g["model_group"]: g for g in ours["data"]}
    for b in theirs["data"]:
        a = groups[b["model_group"]]
        assert list(a) == list(b)
        for key, value in b.items():
            if key == "mode" and value is None or key == "supported_reasoning_efforts":
                continue
            if not key.startswith("health_") and not key.startswith("supports_"):
                assert a[key] == value, key
        assert a["health_status"] in ("healthy", "unhealthy", None)


def same_details(ours, theirs):
    """What is about LiteLLM's own process has the value that says the least."""
    assert list(ours)[:len(theirs)] == list(theirs)
    for key in ("status", "db", "cache", "litellm_version", "success_callbacks"):
        assert ours[key] == theirs[key], key


def same_callbacks(ours, theirs):
    assert list(ours) == list(theirs)
    assert {k: type(v) for k, v in ours.items()} == {k: type(v) for k, v in theirs.items()}


def same_headers(answer, recording, daemon, always=False):
    if recording["status"] == 500 or recording["name"] in DIFFERENT and not always:
        return
    for name in HEADERS + tuple(h for h in recording["answer_headers"] if h.startswith("access-control")):
        theirs, ours = recording["answer_headers"].get(name), answer.headers.get(name)
        assert normal(ours, daemon) == theirs, name
    # Whether a body is large enough to be compressed differs: ours has more fields, or fewer.
    theirs, ours = (h.get("vary", "").replace(", Accept-Encoding", "") for h in (recording["answer_headers"], answer.headers))
    assert ours == theirs


def all_unprobed(body):
    entries = [e for name in LISTS for e in body[name]]
    return entries and all(unprobed(e) for e in entries)


# The first ones catch the daemon before its first round; then in the recorded order.
ORDER = sorted(RECORDINGS, key=lambda r: (r["config"], r["name"]))


@pytest.mark.parametrize("recording", [r for r in ORDER if r["config"] != "drain"], ids=lambda r: r["name"])
def test_replay(daemons, recording):
    daemon = daemons(recording["config"])
    name = recording["name"]
    if recording["config"].startswith("background") and name >= "154":
        wait_for(lambda: daemon.health(key="sk-master-1234")["unknown_count"] == 0, 20)
    body = recording.get("request_body")
    if isinstance(body, dict):
        body = json.dumps(body).replace("127.0.0.1:22001", daemon.provider)
    answer = daemon.request(recording["method"], recording["path"], headers=recording["headers"], body=body, timeout=60)
    same_headers(answer, recording, daemon)
    theirs = normal(recording.get("body"), daemon)
    wanted = DIFFERENT.get(name, recording["status"])
    ours = normal(answer.json, daemon) if answer.body and answer.headers.get("content-type") == "application/json" else None
    if isinstance(ours, dict) and "healthy_endpoints" in ours and all_unprobed(ours):
        pytest.skip("no dialect asks this kind of model: " + next(
            e["error"] for e in ours["unhealthy_endpoints"]))
    if wanted is not None:
        assert answer.status == wanted, answer.text
    if name in DIFFERENT:
        if name[:3] in TESTED:
            assert ours["status"] == TESTED[name[:3]]
        if "healthy_only" in name or "healthy-only" in name:
            same_models(ours, theirs, some=True)
        elif answer.status >= 400 and answer.status != 503:
            assert "error" in answer.text
            same_headers(answer, recording, daemon, always=True)
        return
    if theirs is None:
        assert answer.body == recording["text"].encode()
    elif isinstance(theirs, dict) and "healthy_endpoints" in theirs:
        same_health(ours, theirs)
    elif isinstance(theirs, dict) and theirs.get("object") == "list":
        same_models(ours, theirs)
    elif isinstance(theirs, dict) and "result" in theirs:
        same_test(ours, theirs)
    elif "/model_group/" in recording["path"]:
        same_groups(ours, theirs)
    elif isinstance(theirs, dict) and "data" in theirs:
        same_info(ours, theirs)
    elif isinstance(theirs, dict) and "litellm_version" in theirs:
        same_details(ours, theirs)
    elif isinstance(theirs, dict) and "num_callbacks" in theirs:
        same_callbacks(ours, theirs)
    else:
        assert ours == theirs


def drain_recordings(first, last):
    return [r for r in RECORDINGS if r["config"] == "drain" and first <= r["name"] < last]


def replay(daemon, recording):
    answer = daemon.request(recording["method"], recording["path"], headers=recording["headers"])
    assert answer.status == recording["status"], recording["name"]
    same_headers(answer, recording, daemon)
    theirs = normal(recording["body"], daemon)
    ours = normal(answer.json, daemon)
    if "healthy_endpoints" in theirs:
        same_health(ours, theirs)
    elif "litellm_version" in theirs:
        same_details(ours, theirs)
    else:
        assert ours == theirs, recording["name"]


def test_replay_drain_endpoint(daemons):
    """/health/drain waits for the request that is under way; both probes say so from then on."""
    daemon = daemons("drain")
    for recording in drain_recordings("180", "184"):
        replay(daemon, recording)
    under_way, = drain_recordings("184", "185")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        other = pool.submit(replay, daemon, under_way)
        wait_for(lambda: daemon.get("/health/backlog", "sk-master-1234").json["in_flight_requests"] == 2)
        for recording in drain_recordings("185", "186"):
            replay(daemon, recording)
        other.result()
    for recording in drain_recordings("186", "192"):
        replay(daemon, recording)


def test_replay_draining(daemons):
    """SIGTERM: both probes say so before the listener closes; LiteLLM needs /health/drain for that."""
    daemon = daemons("drain")
    daemon.send(signal.SIGTERM)
    time.sleep(0.2)
    for recording in drain_recordings("186", "188"):
        replay(daemon, recording)
    daemon.wait()


def test_every_difference_is_documented(srcdir):
    text = (srcdir / "docs" / "differences.md").read_text()
    for row in [*DIFFERENCES, *VERDICTS.values()]:
        assert row in text, row
