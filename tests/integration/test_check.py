# SPDX-License-Identifier: Apache-2.0
"""`llmhealth check`: verdicts, exit status, formats, choices, and what a terminal sees."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import xml.etree.ElementTree

import pytest

from program import judge_output, name_of, session_members, wait_for

KEY = "sk-canary-provider-0123456789"


def deployment(standin, name, model=None, info=None, **more):
    return {
        "model_name": name,
        "litellm_params": {"model": "openai/" + (model or name), "api_base": standin.url, "api_key": KEY, **more},
        "model_info": {"id": "id-" + name, **(info or {})},
    }


def fleet(*deployments, **more):
    return {"model_list": list(deployments), **more}


@pytest.fixture
def mixed(standin):
    return fleet(
        deployment(standin, "good", "ok"),
        deployment(standin, "denied", "e401"),
        deployment(standin, "limited", "e429"),
        deployment(standin, "embed", "emb--ok", {"mode": "embedding"}),
        {"model_name": "keyless", "litellm_params": {"model": "openai/ok"}, "model_info": {"id": "id-keyless"}},
    )


def test_all_healthy(llmhealth, standin):
    done = llmhealth.check(fleet(deployment(standin, "a", "ok"), deployment(standin, "b", "ok")))
    assert done.returncode == 0
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["MODEL", "GROUP", "DEPLOYMENT", "PROVIDER", "MODE", "VERDICT", "LATENCY", "REASON"]
    assert lines[1].split()[:5] == ["a", "id-a", "openai", "chat", "healthy"]
    assert re.fullmatch(r"2 healthy, 0 unhealthy of 2 deployments in .+s", lines[-1])
    assert standin.stats()["requests"] == 2


def test_mixed_fleet(llmhealth, mixed):
    done = llmhealth.check(mixed)
    assert done.returncode == 1
    rows = {line.split()[0]: line for line in done.stdout.splitlines()[1:6]}
    assert " healthy " in rows["good"]
    assert "UNHEALTHY" in rows["denied"] and "auth 401" in rows["denied"]
    assert "UNHEALTHY" in rows["limited"] and "rate_limited 429" in rows["limited"]
    assert " embedding " in rows["embed"] and " healthy " in rows["embed"]
    assert "UNHEALTHY" in rows["keyless"] and "config" in rows["keyless"] and "OPENAI_API_KEY" in rows["keyless"]
    assert "2 healthy, 3 unhealthy of 5 deployments" in done.stdout
    assert list(rows) == ["good", "denied", "limited", "embed", "keyless"]
    assert "\033" not in done.stdout


def test_json_is_the_body_of_health(llmhealth, mixed, standin):
    body = json.loads(llmhealth.check(mixed, "--json").stdout)
    assert (body["healthy_count"], body["unhealthy_count"]) == (2, 3)
    assert [entry["model_id"] for entry in body["healthy_endpoints"]] == ["id-good", "id-embed"]
    daemon = llmhealth.serve({**mixed, "general_settings": {"background_health_checks": True, "master_key": "sk-m"}})
    served = wait_for(lambda: (lambda b: b if b["healthy_count"] + b["unhealthy_count"] == 5 else None)(
        daemon.health("sk-m")))
    assert list(served) == list(body)
    moving = ("checked_at", "since", "latency_ms", "raw_request_typed_dict")
    for name in ("healthy_endpoints", "unhealthy_endpoints"):
        for here, there in zip(body[name], served[name], strict=True):
            assert {k: v for k, v in here.items() if k not in moving} == \
                {k: v for k, v in there.items() if k not in moving}


def test_junit(llmhealth, mixed):
    done = llmhealth.check(mixed, "--format", "junit")
    assert done.returncode == 1
    root = xml.etree.ElementTree.fromstring(done.stdout)
    assert (root.get("tests"), root.get("failures")) == ("5", "3")
    cases = root.findall("testsuite/testcase")
    assert cases[0].get("name") == "good (openai/ok, id-good)"
    assert cases[1].find("failure").get("type") == "auth"
    assert int(cases[1].get("line")) > 0


def test_tap(llmhealth, mixed):
    lines = llmhealth.check(mixed, "--format", "tap").stdout.splitlines()
    assert lines[:2] == ["TAP version 14", "1..5"]
    assert "ok 1 - good (openai/ok, id-good)" in lines
    assert [line for line in lines if line.startswith("not ok")][0].startswith("not ok 2 - denied")


def test_github(llmhealth, mixed):
    lines = llmhealth.check(mixed, "--format=github").stdout.splitlines()
    assert re.match(r"::error file=.*config\.yaml,line=\d+,title=denied .*::auth 401: ", lines[0])
    assert len([line for line in lines if line.startswith("::error ")]) == 3


def test_choices(llmhealth, mixed, standin):
    for args, names in (
            (("--model", "good"), ["good"]),
            (("-m", "openai/e401"), ["denied"]),
            (("--model", "good", "--model", "embed"), ["good", "embed"]),
            (("--id", "id-limited"), ["limited"]),
            (("--id", "id-li"), ["limited"]),
            (("--mode", "embedding"), ["embed"])):
        standin.reset()
        body = json.loads(llmhealth.check(mixed, "--json", *args).stdout)
        shown = body["healthy_endpoints"] + body["unhealthy_endpoints"]
        assert [entry["model_name"] for entry in shown] == names, args
        assert standin.stats()["requests"] == len(names)


@pytest.mark.parametrize("args, words", [
    (("--model", "nope"), ["--model nope", "good"]),
    (("--id", "nope"), ["--id nope"]),
    (("--id", "id-"), ["5 deployments"]),
    (("--mode", "rerank"), ["none of the 5"]),
    (("--jsn",), ["--jsn", "did you mean --json?"]),
    (("--timeout", "soon"), ["--timeout soon"]),
])
def test_wrong_choices(llmhealth, mixed, standin, args, words):
    done = llmhealth.check(mixed, *args)
    assert done.returncode == 2
    assert done.stdout == ""
    assert all(word in done.stderr for word in words), done.stderr
    assert done.stderr.count("\n") == 1
    assert standin.stats()["requests"] == 0


def test_broken_config(llmhealth, standin):
    done = llmhealth.check("model_list: [\n  {model_name: x\n")
    assert done.returncode == 2
    assert re.search(r"config\.yaml:\d+:\d+: error: ", done.stderr)
    assert done.stdout == ""


def test_missing_config(llmhealth, tmp_path):
    done = llmhealth.check(tmp_path / "none.yaml")
    assert done.returncode == 2
    assert "none.yaml" in done.stderr


def test_nothing_to_check(llmhealth):
    done = llmhealth.check("general_settings: {}\n")
    assert done.returncode == 2
    assert "no deployment to check" in done.stderr


def test_timeout_option(llmhealth, standin):
    start = time.monotonic()
    body = json.loads(llmhealth.check(fleet(deployment(standin, "slow")), "--json", "--timeout", "300ms").stdout)
    assert time.monotonic() - start < 8
    assert body["unhealthy_endpoints"][0]["reason"] == "timeout"


def test_concurrency_option(llmhealth, standin):
    made = fleet(*(deployment(standin, f"m{i}", "latency=50") for i in range(12)))
    assert llmhealth.check(made, "--concurrency", "3").returncode == 0
    assert standin.stats()["peak_in_flight"] <= 3


def test_quiet(llmhealth, mixed):
    done = llmhealth.check(mixed, "-q")
    assert done.returncode == 1
    assert "good" not in done.stdout
    assert "denied" in done.stdout


def test_worker_killed_in_a_round(llmhealth, standin):
    """The round goes on: the probe that was lost is asked again, the status is as without the death."""
    config = llmhealth.write_config(fleet(deployment(standin, "slow", "latency=1500"), deployment(standin, "ok")))
    process = subprocess.Popen([llmhealth.program, "check", config, "--json"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, env=llmhealth.environment(),
                               start_new_session=True)
    wait_for(lambda: standin.stats()["requests"] >= 2, 10)
    for pid in session_members(process.pid):
        if name_of(pid) == "llmhealth-worke":
            os.kill(pid, signal.SIGKILL)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert json.loads(out)["healthy_count"] == 2
    assert not session_members(process.pid)
    judge_output(out, err)


def test_front_killed_in_a_round(llmhealth, standin):
    """The round begins again with the new front, and ends as if nothing had been."""
    config = llmhealth.write_config(fleet(deployment(standin, "slow", "latency=1000"), deployment(standin, "ok")))
    process = subprocess.Popen([llmhealth.program, "check", config, "--json"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, env=llmhealth.environment(),
                               start_new_session=True)
    wait_for(lambda: standin.stats()["requests"] >= 2, 10)
    killed = [pid for pid in session_members(process.pid) if name_of(pid) == "llmhealth-front"]
    os.kill(killed[0], signal.SIGKILL)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert json.loads(out)["healthy_count"] == 2
    assert not session_members(process.pid)
    judge_output(out, err)


def test_reader_that_has_seen_enough(llmhealth, standin):
    config = llmhealth.write_config(fleet(deployment(standin, "ok")))
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([llmhealth.program, "check", config], stdout=writer, stderr=subprocess.PIPE, text=True,
                          env=llmhealth.environment(), timeout=30)
    os.close(writer)
    assert done.returncode == 0
    assert done.stderr == ""


def test_interrupted(llmhealth, standin):
    config = llmhealth.write_config(fleet(deployment(standin, "hang")))
    process = subprocess.Popen([llmhealth.program, "check", config], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, env=llmhealth.environment(),
                               start_new_session=True)
    wait_for(lambda: standin.stats()["requests"] >= 1, 10)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 3
    assert out == ""
    assert "interrupted" in err
    wait_for(lambda: not session_members(process.pid), 5)
    judge_output(out, err)


def test_closed_output(llmhealth, standin):
    config = llmhealth.write_config(fleet(deployment(standin, "ok")))
    with open("/dev/full", "w") as full:
        done = subprocess.run([llmhealth.program, "check", config], stdout=full, stderr=subprocess.PIPE, text=True,
                              env=llmhealth.environment(), timeout=30)
    assert done.returncode == 3
    assert "cannot write the report" in done.stderr


def on_terminal(llmhealth, args, columns=100, env=None):
    """Runs it on a terminal of its own; what that was sent, and the exit status."""
    try:
        pid, fd = pty.fork()
    except OSError as e:
        pytest.skip(f"no terminal can be made here: {e}")
    if pid == 0:
        os.execve(llmhealth.program, [str(llmhealth.program), *map(str, args)],
                  llmhealth.environment({"TERM": "xterm", "LANG": "C.UTF-8", **(env or {})}))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 25, columns, 0, 0))
    seen = b""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if not select.select([fd], [], [], 1)[0]:
            continue
        try:
            more = os.read(fd, 65536)
        except OSError:
            break
        if not more:
            break
        seen += more
    os.close(fd)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    judge_output(seen.decode(errors="replace"))
    return seen.decode(), status


def test_on_a_terminal(llmhealth, standin):
    config = llmhealth.write_config(fleet(*(deployment(standin, f"m{i}", "latency=400") for i in range(5)),
                                          deployment(standin, "denied", "e401")))
    seen, status = on_terminal(llmhealth, ["check", config, "--concurrency", "1"])
    assert status == 1
    assert re.search(r"\r3/6  .*3 healthy, .*left.*\x1b\[K", seen), seen
    shown = seen.rpartition("\r\x1b[K")[2]
    assert "\x1b[1;31mUNHEALTHY\x1b[0m" in shown
    assert "\x1b[32mhealthy\x1b[0m" in shown
    assert all(len(re.sub(r"\x1b\[[0-9;]*[mK]", "", line)) <= 100 for line in shown.splitlines())


def test_no_color(llmhealth, standin):
    config = llmhealth.write_config(fleet(deployment(standin, "ok")))
    seen, _ = on_terminal(llmhealth, ["check", config, "-q"], env={"NO_COLOR": "1"})
    assert "\x1b" not in seen
    seen, _ = on_terminal(llmhealth, ["check", config, "--color=never", "-q"])
    assert "\x1b" not in seen
    done = llmhealth.check(config, "--color", "always", env={"NO_COLOR": "1"})
    assert "\x1b[32mhealthy\x1b[0m" in done.stdout


def test_hostile_names_reach_no_terminal(llmhealth, standin):
    bell = "\x1b]0;owned\x07\x1b[31m\u202e\x9b2J"
    made = fleet(deployment(standin, "x" + bell, "e500"), deployment(standin, "narrow" * 40, "ok"))
    config = llmhealth.write_config(made)
    for form in ("table", "json", "junit", "tap", "github"):
        done = llmhealth.check(config, "--format", form)
        assert done.returncode == 1
        for text in (done.stdout, done.stderr):
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text), form
    seen, _ = on_terminal(llmhealth, ["check", config, "-q"], columns=80, env={"NO_COLOR": "1"})
    assert "\x1b]0;" not in seen and "\x07" not in seen


def test_a_status_is_one_that_was_given(llmhealth, standin):
    """Nobody has answered 500 or 408 where nobody has answered."""
    nobody = deployment(standin, "nobody")
    nobody["litellm_params"]["api_base"] = "http://127.0.0.1:1/v1"
    late = deployment(standin, "slow")
    text = llmhealth.check(fleet(nobody, late, deployment(standin, "denied", "e401")), "--timeout", "300ms").stdout
    assert re.search(r"^nobody .* connect: ", text, re.M), text
    assert re.search(r"^slow .* timeout: ", text, re.M), text
    assert re.search(r"^denied .* auth 401: (?!code)", text, re.M), text
