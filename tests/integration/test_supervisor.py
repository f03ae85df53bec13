# SPDX-License-Identifier: Apache-2.0
"""The life of the three programs: start, death, reload, stop. Nothing is left behind, nobody waits long."""

import concurrent.futures
import contextlib
import http.client
import os
import pathlib
import random
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time

import pytest

from program import (children_of, descriptors, http_request, judge_output, kept_descriptors, session_members,
                     stat_fields, wait_for)

KEY = "sk-canary-provider-0123456789"
MASTER = "sk-canary-master-9876543210"


def deployment(standin, name, model=None, **more):
    info = more.pop("model_info", {})
    return {
        "model_name": name,
        "litellm_params": {"model": "openai/" + (model or name), "api_base": standin.url, "api_key": KEY, **more},
        "model_info": {"id": "id-" + name, **info},
    }


def config(deployments, settings=None, general=None):
    made = {"model_list": deployments, "llmhealth": {"workers": 2, **(settings or {})}}
    made["general_settings"] = {"background_health_checks": True, **(general or {})}
    return made


def all_checked(daemon, healthy, unhealthy=0, seconds=20):
    """Waits for a round of verdicts, and gives /health."""
    def there():
        body = daemon.get("/health").json
        if (body["healthy_count"], body["unhealthy_count"]) == (healthy, unhealthy):
            return body
        return None
    return wait_for(there, seconds, f"never {healthy} healthy and {unhealthy} unhealthy")


def find(body, model_id):
    for entry in body["healthy_endpoints"] + body["unhealthy_endpoints"]:
        if entry["model_id"] == model_id:
            return entry
    raise AssertionError(f"{model_id} is not there")


class Poller:
    """Asks for something all the time; every answer but 200 and every broken connection is kept."""

    def __init__(self, daemon, path="/health", threads=2):
        self.daemon = daemon
        self.path = path
        self.bad = []
        self.good = 0
        self.longest = 0
        self.end = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(threads)]

    def run(self):
        while not self.end.is_set():
            start = time.monotonic()
            try:
                answer = http_request(self.daemon.host, self.daemon.port, "GET", self.path, timeout=20)
                if answer.status != 200:
                    self.bad.append(answer.status)
                self.good += 1
            except (OSError, http.client.HTTPException) as e:
                self.bad.append(repr(e))
            self.longest = max(self.longest, time.monotonic() - start)
            time.sleep(0.002)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        for thread in self.threads:
            thread.join()


def test_starts_and_stops(llmhealth, standin):
    daemon = llmhealth.serve(config([deployment(standin, "ok")]))
    all_checked(daemon, 1)
    assert len(daemon.workers) == 2
    assert daemon.front is not None
    pids = [daemon.pid, daemon.front, *daemon.workers]
    daemon.stop()
    assert not [pid for pid in pids if pathlib.Path(f"/proc/{pid}").exists()]


def test_children_hold_nothing_that_is_not_theirs(llmhealth, standin):
    daemon = llmhealth.serve(config([deployment(standin, "ok")]), env={"SECRET_OF_OURS": "sk-canary-env"})
    all_checked(daemon, 1)
    for pid in [daemon.front, *daemon.workers]:
        fields = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
        assert b"SECRET_OF_OURS" not in fields
        assert pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().count(b"\0") == 1
        assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"


def test_killed_worker_comes_back(llmhealth, standin):
    daemon = llmhealth.serve(config([deployment(standin, "ok")]))
    all_checked(daemon, 1)
    before = daemon.workers
    with Poller(daemon) as poller:
        os.kill(before[0], signal.SIGKILL)
        start = time.monotonic()
        wait_for(lambda: len(daemon.workers) == 2 and before[0] not in daemon.workers, 5)
        assert time.monotonic() - start < 1
    assert poller.good > 0
    assert poller.bad == []
    assert not [pid for pid in children_of(daemon.pid) if stat_fields(pid)[0] == "Z"]


def test_worker_killed_while_it_probes(llmhealth, standin):
    """The probe is asked once more, and the verdict comes."""
    daemon = llmhealth.serve(config([deployment(standin, "slow", "latency=1500")], {"workers": 1}))
    wait_for(lambda: standin.stats()["requests"] >= 1, 10)
    os.kill(daemon.workers[0], signal.SIGKILL)
    all_checked(daemon, 1)
    assert standin.stats()["requests"] == 2


def test_worker_that_dies_twice_while_probing(llmhealth, standin):
    daemon = llmhealth.serve(config([deployment(standin, "slow", "latency=3000")], {"workers": 1, "recheck": "1h"}))
    for n in (1, 2):
        wait_for(lambda: standin.stats()["requests"] >= n, 10)
        os.kill(wait_for(lambda: daemon.workers, 5)[0], signal.SIGKILL)
    body = all_checked(daemon, 0, 1)
    assert body["unhealthy_endpoints"][0]["reason"] == "probe_crashed"


def test_killed_front_comes_back_under_load(llmhealth, standin):
    """No connection is refused, verdicts stay; only what was being answered may break."""
    daemon = llmhealth.serve(config([deployment(standin, "ok"), deployment(standin, "bad", "e500")]))
    before = all_checked(daemon, 1, 1)
    front = daemon.front
    with Poller(daemon, threads=4) as poller:
        time.sleep(0.2)
        os.kill(front, signal.SIGKILL)
        wait_for(lambda: daemon.front not in (None, front), 5)
        time.sleep(0.5)
    assert not [bad for bad in poller.bad if "refused" in str(bad).lower() or isinstance(bad, int)], poller.bad
    assert len(poller.bad) <= 4, poller.bad
    assert poller.longest < 5
    after = daemon.get("/health").json
    for one in ("id-ok", "id-bad"):
        assert find(after, one)["checked_at"] == find(before, one)["checked_at"]


def test_restarts_back_off(llmhealth, standin):
    daemon = llmhealth.serve(config([deployment(standin, "ok")], {"workers": 1}))
    all_checked(daemon, 1)
    killed = set()
    end = time.monotonic() + 2
    while time.monotonic() < end:
        for pid in daemon.workers:
            if pid not in killed:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        time.sleep(0.005)
    # At once, then after 100, 200, 400, 800 ms: not more than these fit.
    assert 3 <= len(killed) <= 7
    assert daemon.get("/health/liveliness").status == 200
    wait_for(lambda: daemon.workers, 5)
    all_checked(daemon, 1)


def reloaded(daemon, count):
    wait_for(lambda: len([line for line in daemon.stderr.splitlines()
                          if " reloaded " in line or " reload added=" in line and " same=" in line]) >= count, 10,
             f"never reloaded:\n{daemon.stderr}")


def test_reload_brings_the_difference(llmhealth, standin):
    kept = deployment(standin, "kept")
    daemon = llmhealth.serve(config([kept, deployment(standin, "goes")]))
    before = all_checked(daemon, 2)
    asked = standin.stats()["requests"]
    with Poller(daemon) as poller:
        daemon.reload(config([deployment(standin, "comes"), kept]))
        body = wait_for(lambda: (lambda b: b if b["healthy_count"] == 2 and
                                 {e["model_id"] for e in b["healthy_endpoints"]} == {"id-kept", "id-comes"}
                                 else None)(daemon.get("/health").json), 10)
    assert poller.bad == []
    assert find(body, "id-kept")["checked_at"] == find(before, "id-kept")["checked_at"]
    assert [e["model_id"] for e in body["healthy_endpoints"]] == ["id-comes", "id-kept"]
    assert standin.stats()["requests"] == asked + 1


def test_reload_of_a_changed_deployment_asks_it_again(llmhealth, standin):
    daemon = llmhealth.serve(config([deployment(standin, "one")]))
    all_checked(daemon, 1)
    changed = deployment(standin, "one", "e401")
    daemon.reload(config([changed]))
    body = all_checked(daemon, 0, 1)
    assert body["unhealthy_endpoints"][0]["reason"] == "auth"


@pytest.mark.parametrize("text", ["model_list: [", "model_list: 7\n", "\0"])
def test_broken_reload_keeps_the_old_config(llmhealth, standin, text):
    daemon = llmhealth.serve(config([deployment(standin, "ok")]))
    before = all_checked(daemon, 1)
    daemon.config.write_text(text)
    with Poller(daemon) as poller:
        daemon.reload()
        wait_for(lambda: "reload_refused" in daemon.stderr, 10)
    assert poller.bad == []
    assert daemon.config.name + ":" in daemon.stderr
    assert daemon.get("/health").json == before
    daemon.reload(config([deployment(standin, "ok"), deployment(standin, "new")]))
    all_checked(daemon, 2)


def test_unchanged_reload_does_nothing(llmhealth, standin):
    made = config([deployment(standin, f"m{i}") for i in range(20)])
    daemon = llmhealth.serve(made)
    before = all_checked(daemon, 20)
    asked = standin.stats()["requests"]
    pids = children_of(daemon.pid)
    daemon.reload(made)
    reloaded(daemon, 1)
    assert daemon.get("/health").json == before
    assert standin.stats()["requests"] == asked
    assert children_of(daemon.pid) == pids


def test_reload_changes_the_number_of_workers(llmhealth, standin):
    deployments = [deployment(standin, f"m{i}") for i in range(6)]
    daemon = llmhealth.serve(config(deployments, {"workers": 1}))
    before = all_checked(daemon, 6)
    with Poller(daemon) as poller:
        daemon.reload(config(deployments, {"workers": 3}))
        wait_for(lambda: len(daemon.workers) == 3, 10)
        daemon.reload(config(deployments, {"workers": 1}))
        wait_for(lambda: len(daemon.workers) == 1, 10)
    assert poller.bad == []
    assert daemon.get("/health").json == before


def test_a_worker_that_stops_is_wanted_again(llmhealth, standin):
    """Fewer workers, and more again before the surplus ones have ended."""
    slow = [deployment(standin, f"m{i}", f"latency=700--m{i}") for i in range(6)]
    daemon = llmhealth.serve(config(slow, {"workers": 3}))
    wait_for(lambda: standin.stats()["in_flight"] == 6 and " serving " in daemon.stderr, 10)
    first = set(daemon.workers)
    daemon.reload(config(slow, {"workers": 1}))
    wait_for(lambda: " reloaded " in daemon.stderr, 10)
    daemon.reload(config(slow, {"workers": 3}))
    wait_for(lambda: daemon.stderr.count(" reloaded ") >= 2, 10)
    wait_for(lambda: len(set(daemon.workers) - first) == 2 and len(daemon.workers) == 3, 10)
    all_checked(daemon, 6)
    assert len(daemon.workers) == 3


def test_a_reload_waits_for_no_worker_that_stops(llmhealth, standin):
    """What it asks still may take as long as the drain time; the new configuration is in force before."""
    hanging = [deployment(standin, f"m{i}", f"hang--m{i}") for i in range(6)]
    daemon = llmhealth.serve(config(hanging, {"workers": 3, "drain": "60s"}))
    wait_for(lambda: standin.stats()["in_flight"] == 6 and " serving " in daemon.stderr, 10)
    daemon.reload(config(hanging, {"workers": 1, "drain": "60s"}))
    wait_for(lambda: " reloaded " in daemon.stderr, 10)
    daemon.reload(config([*hanging, deployment(standin, "ok")], {"workers": 3, "drain": "60s"}))
    wait_for(lambda: daemon.get("/health").json["healthy_count"] == 1, 10)
    assert daemon.stderr.count(" reloaded ") == 2


def test_reload_warns_of_what_needs_a_new_start(llmhealth, standin):
    daemon = llmhealth.serve(config([deployment(standin, "ok")]))
    all_checked(daemon, 1)
    daemon.reload(config([deployment(standin, "ok")], {"listen": ["127.0.0.1:1"], "log": {"level": "error"}}))
    wait_for(lambda: "setting_needs_restart setting=llmhealth.listen" in daemon.stderr, 10)
    wait_for(lambda: "setting_needs_restart setting=llmhealth.log.level" in daemon.stderr, 10)
    assert daemon.get("/health/liveliness").status == 200


def test_no_descriptor_leaks(llmhealth, standin):
    """The provider closes each connection, so that what a worker keeps open on purpose is not counted either."""
    def connected():
        kept = kept_descriptors([daemon.front, *daemon.workers])
        return sum(len(descriptors(pid)) - number for pid, number in kept.items())

    def fleet(*names):
        return config([deployment(standin, name, "goodbye--" + name) for name in names],
                      {"workers": 4, "http": {"idle": "200ms"}})

    daemon = llmhealth.serve(fleet("one", "two"))
    all_checked(daemon, 2)
    with daemon.same_descriptors(30):
        for i in range(50):
            daemon.reload(fleet("one") if i % 2 == 0 else fleet("one", "two"))
            reloaded(daemon, i + 1)
        all_checked(daemon, 2)
    with daemon.same_descriptors(30):
        for i in range(20):
            victim = wait_for(lambda: len(daemon.workers) == 4 and daemon.workers, 60)[0]
            os.kill(victim, signal.SIGKILL)
            wait_for(lambda: victim not in daemon.workers, 10)
        wait_for(lambda: len(daemon.workers) == 4, 60)
        daemon.reload(fleet("three", "four"))
        all_checked(daemon, 2, seconds=60)
    wait_for(lambda: connected() == 0, 10, "connections that nobody uses stay open")


def test_sigterm_drains(llmhealth, standin):
    daemon = llmhealth.serve(config([deployment(standin, "ok")]), settings={"grace": "1s", "drain": "5s"})
    all_checked(daemon, 1)
    start = time.monotonic()
    daemon.send(signal.SIGTERM)
    answer = wait_for(lambda: (lambda a: a if a.status == 503 else None)(daemon.get("/health/liveliness")), 5)
    assert answer.json == {"status": "shutting_down"}
    assert daemon.process.wait(10) == 0
    assert time.monotonic() - start >= 1
    with pytest.raises(OSError):
        socket.create_connection((daemon.host, daemon.port), 2)
    daemon.wait()


def test_sigterm_waits_for_a_running_request(llmhealth, standin):
    made = config([deployment(standin, "slow", "latency=1500")], general={"background_health_checks": False})
    daemon = llmhealth.serve(made, settings={"grace": 0, "drain": "10s"})
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(daemon.get, "/health")
        wait_for(lambda: standin.stats()["requests"] >= 1, 10)
        daemon.send(signal.SIGTERM)
        answer = waiting.result(20)
    assert answer.status == 200
    assert answer.json["healthy_count"] == 1
    daemon.wait()


def test_second_signal_ends_at_once(llmhealth, standin):
    daemon = llmhealth.serve(config([deployment(standin, "ok")]), settings={"grace": "30s", "drain": "30s"})
    all_checked(daemon, 1)
    daemon.send(signal.SIGINT)
    wait_for(lambda: "stopping" in daemon.stderr, 5)
    start = time.monotonic()
    daemon.send(signal.SIGINT)
    daemon.wait()
    assert time.monotonic() - start < 5


def test_killed_supervisor_leaves_nobody_behind(llmhealth, standin):
    daemon = llmhealth.serve(config([deployment(standin, "ok")]), status=-signal.SIGKILL)
    all_checked(daemon, 1)
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.wait()  # fails when anybody of the session is left


@pytest.mark.parametrize("delay_ms", range(0, 120, 15))
def test_stopped_while_it_starts(llmhealth, standin, delay_ms):
    """Whenever the signal comes, it ends well and alone."""
    made = llmhealth.write_config(config([deployment(standin, f"m{i}") for i in range(50)]))
    process = subprocess.Popen([llmhealth.program, "serve", made], stderr=subprocess.PIPE, text=True,
                               env=llmhealth.environment(), start_new_session=True)
    time.sleep(delay_ms / 1000)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    # Before the loop runs, the signal ends it as it ends any program.
    assert process.returncode in (0, -signal.SIGTERM), said
    wait_for(lambda: not session_members(process.pid), 5)
    judge_output(said)


def test_anything_at_any_time(llmhealth, standin):
    """Deaths and reloads in any order, for a while: afterwards everything is as if nothing had been."""
    dice = random.Random(20)
    fleets = [config([deployment(standin, f"m{i}") for i in range(n)], {"workers": workers})
              for n, workers in ((5, 1), (8, 3), (3, 2))]
    daemon = llmhealth.serve(fleets[0])
    all_checked(daemon, 5)
    with Poller(daemon, "/health/liveliness") as poller:
        for _ in range(60):
            what = dice.randrange(10)
            victims = [daemon.front] if what < 1 else daemon.workers if what < 5 else []
            if what >= 5:
                daemon.reload(dice.choice(fleets))
            for victim in dice.sample(victims, min(1, len(victims))):
                if victim is not None:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(victim, signal.SIGKILL)
            time.sleep(dice.random() / 20)
        daemon.reload(fleets[1])
        wait_for(lambda: len(daemon.workers) == 3 and daemon.front, 60)
        # No connection was refused; what a killed front was about to answer is lost with it.
        assert not [bad for bad in poller.bad if "refused" in str(bad).lower() or isinstance(bad, int)], poller.bad
    body = all_checked(daemon, 8, seconds=60)
    assert [entry["model_id"] for entry in body["healthy_endpoints"]] == [f"id-m{i}" for i in range(8)]
    assert len(children_of(daemon.pid)) == 4
    assert poller.good > 0


def test_port_taken(llmhealth, standin):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        made = config([deployment(standin, "ok")], {"listen": [address]})
        done = llmhealth.run("serve", llmhealth.write_config(made))
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert address in done.stderr
    assert "another program has it" in done.stderr


def test_no_permission_for_a_socket(llmhealth, standin, tmp_path):
    made = config([deployment(standin, "ok")], {"listen": [f"unix:{tmp_path}/none/x.sock"]})
    done = llmhealth.run("serve", llmhealth.write_config(made))
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert "make the socket's folder first" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up being root")
def test_no_permission_for_a_port(llmhealth, standin):
    """As nobody: port 1 is not for it (where the kernel still keeps low ports for root)."""
    first = int(pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if first <= 1:
        pytest.skip("every port is free for everybody here")
    made = llmhealth.write_config(config([deployment(standin, "ok")], {"listen": ["127.0.0.1:1"]}))
    for folder in (made.parent, *made.parents):
        if not stat.S_IMODE(folder.stat().st_mode) & 0o5 == 0o5:
            if "pytest" not in str(folder):
                pytest.skip(f"{folder} is closed to other users")
            folder.chmod(0o755)
    made.chmod(0o644)
    done = subprocess.run([llmhealth.program, "serve", made], capture_output=True, text=True, user=65534,
                          env=llmhealth.environment(), timeout=30)
    if done.returncode == 126 or "Permission denied" in done.stderr and "listen" not in done.stderr:
        pytest.skip("the build folder is closed to other users")
    assert done.returncode == 4
    assert "127.0.0.1:1" in done.stderr
    assert "privilege" in done.stderr


def test_no_such_user(llmhealth, standin):
    if os.geteuid() != 0:
        pytest.skip("without root there is no change of user")
    made = config([deployment(standin, "ok")], {"user": "nobody-of-this-name"})
    done = llmhealth.run("serve", llmhealth.write_config(made))
    assert done.returncode == 4
    assert "nobody-of-this-name" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user")
def test_children_run_as_their_user(llmhealth, standin):
    programs = [llmhealth.builddir, *llmhealth.builddir.parents]
    if not all(stat.S_IMODE(folder.stat().st_mode) & 1 for folder in programs):
        pytest.skip("the build folder is closed to other users")
    daemon = llmhealth.serve(config([deployment(standin, "ok")], {"user": "nobody"}))
    all_checked(daemon, 1)
    for pid in [daemon.front, *daemon.workers]:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        ids = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:]
        assert ids == ["65534"] * 4
    assert pathlib.Path(f"/proc/{daemon.pid}").stat().st_uid == 0


@pytest.mark.parametrize("missing", ["llmhealth-front", "llmhealth-worker"])
def test_missing_program(llmhealth, standin, tmp_path, missing):
    there = tmp_path / "libexec"
    there.mkdir()
    for name in {"llmhealth-front", "llmhealth-worker"} - {missing}:
        (there / name).symlink_to(llmhealth.builddir / name)
    done = llmhealth.run("serve", llmhealth.write_config(config([deployment(standin, "ok")])),
                         env={"LLMHEALTH_LIBEXECDIR": str(there)})
    assert done.returncode == 4
    assert str(there / missing) in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_installed_tree_may_be_moved(llmhealth, tmp_path):
    """As `make install DESTDIR=` leaves it, or an archive that was unpacked anywhere."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "libexec/llmhealth").mkdir(parents=True)
    shutil.copy2(llmhealth.program, tmp_path / "bin/llmhealth")
    for name in ("llmhealth-front", "llmhealth-worker"):
        (tmp_path / "libexec/llmhealth" / name).symlink_to(llmhealth.builddir / name)
    made = llmhealth.write_config({"model_list": [{"model_name": "m", "litellm_params": {
        "model": "openai/ok", "api_base": "http://127.0.0.1:1", "api_key": "sk-1"}}]})
    env = {k: v for k, v in os.environ.items() if k != "LLMHEALTH_LIBEXECDIR"}
    done = subprocess.run([tmp_path / "bin/llmhealth", "validate", made], capture_output=True, text=True, env=env, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "POST http://127.0.0.1:1/chat/completions" in done.stdout


def fake(directory, front, worker):
    directory.mkdir()
    for name, script in (("llmhealth-front", front), ("llmhealth-worker", worker)):
        (directory / name).write_text("#!/bin/sh\n" + script + "\n")
        (directory / name).chmod(0o755)
    return {"LLMHEALTH_LIBEXECDIR": str(directory)}


@pytest.mark.parametrize("front, worker, status, words", [
    ("exec sleep 60", "echo no such thing >&2; exit 4", 4, "worker 0 cannot start"),
    ("exit 4", "exec sleep 60", 4, "front cannot start"),
    ("exec sleep 60", "kill -SEGV $$", 3, "died 5 times while starting"),
    ("exit 3", "exec sleep 60", 3, "died 5 times while starting"),
])
def test_children_that_cannot_start(llmhealth, standin, tmp_path, front, worker, status, words):
    made = config([deployment(standin, "ok")], {"workers": 1})
    done = llmhealth.run("serve", llmhealth.write_config(made), env=fake(tmp_path / "fake", front, worker))
    assert done.returncode == status, done.stderr
    assert words in done.stderr


@pytest.mark.parametrize("command", ["check", "serve"])
def test_too_few_descriptors(llmhealth, standin, command):
    made = llmhealth.write_config(config([deployment(standin, "ok")]))
    done = subprocess.run(["prlimit", "--nofile=40", llmhealth.program, command, made],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 4, done.stderr
    assert "only 40 files may be open" in done.stderr
    assert done.stderr.count("\n") == 1


def test_open_address_needs_a_key(llmhealth, standin):
    made = config([deployment(standin, "ok")], {"listen": ["0.0.0.0:0"]})
    done = llmhealth.run("serve", llmhealth.write_config(made))
    assert done.returncode == 2
    assert "master_key" in done.stderr
    on_top = llmhealth.write_config(config([deployment(standin, "ok")]))
    done = llmhealth.run("serve", on_top, "--listen", "0.0.0.0:0")
    assert done.returncode == 2
    assert "without a key" in done.stderr
    assert llmhealth.check(config([deployment(standin, "ok")], {"listen": ["0.0.0.0:0"]})).returncode == 0
    made["general_settings"]["master_key"] = "sk-master"
    daemon = llmhealth.serve(made)
    assert daemon.get("/health").status == 401
    assert daemon.get("/health", "sk-master").status == 200


def test_reload_that_takes_the_key_away_is_refused(llmhealth, standin):
    made = config([deployment(standin, "ok")], {"listen": ["0.0.0.0:0"]}, {"master_key": "sk-master"})
    daemon = llmhealth.serve(made)
    del made["general_settings"]["master_key"]
    daemon.reload(made)
    wait_for(lambda: "reload_refused" in daemon.stderr, 10)
    assert daemon.get("/health").status == 401


def test_tells_systemd(llmhealth, standin, tmp_path):
    path = str(tmp_path / "notify.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(10)

        def read_until(word):
            seen = []
            while not seen or word not in seen[-1]:
                seen.append(notify.recv(4096).decode())
            return seen

        daemon = llmhealth.serve(config([deployment(standin, "ok")]),
                                 env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"})
        first = read_until("READY=1")[-1]
        assert "STATUS=watching 1 deployments" in first
        read_until("WATCHDOG=1")
        daemon.reload(config([deployment(standin, "ok"), deployment(standin, "two")]))
        assert "MONOTONIC_USEC=" in read_until("RELOADING=1")[-1]
        assert "watching 2 deployments" in read_until("READY=1")[-1]
        daemon.stop()
        read_until("STOPPING=1")


def test_state_survives_a_restart(llmhealth, standin, tmp_path):
    made = config([deployment(standin, "ok")], {"state_file": str(tmp_path / "state")})
    daemon = llmhealth.serve(made)
    before = all_checked(daemon, 1)
    daemon.stop()
    again = llmhealth.serve(made)
    assert again.get("/health").json["healthy_endpoints"][0]["checked_at"] == \
        before["healthy_endpoints"][0]["checked_at"]


def test_key_is_nowhere(llmhealth, standin, tmp_path):
    """Not in a log, an answer, the state file, the front's memory, environment or command line."""
    state = tmp_path / "state"
    made = config([deployment(standin, "ok"), deployment(standin, "echo", "echokey"), deployment(standin, "bad", "e401")],
                  {"state_file": str(state), "state_interval": "100ms", "log": {"level": "debug"}},
                  {"master_key": MASTER})
    daemon = llmhealth.serve(made, "-v")
    wait_for(lambda: daemon.get("/health", MASTER).json.get("healthy_count", 0) +
             daemon.get("/health", MASTER).json.get("unhealthy_count", 0) == 3, 20)
    for path in ("/health", "/v1/model/info", "/health/readiness/details", "/v1/models"):
        daemon.get(path, MASTER)
    daemon.reload(config([deployment(standin, "ok")], {"state_file": str(state)}, {"master_key": MASTER}))
    wait_for(lambda: daemon.get("/health", MASTER).json.get("healthy_count") == 1, 10)
    front = daemon.front
    for name in ("environ", "cmdline"):
        text = pathlib.Path(f"/proc/{front}/{name}").read_bytes()
        assert b"sk-canary" not in text
    for pid in [daemon.pid, *daemon.workers]:
        assert b"sk-canary" not in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    if os.geteuid() == 0:
        assert any("provider-0123456789".encode() in chunk for pid in daemon.workers for chunk in memory(pid)), \
            "the search finds nothing even where the key is"
        assert not any("provider-0123456789".encode() in chunk for chunk in memory(front))
    daemon.stop()
    assert b"sk-canary" not in state.read_bytes()
    shown = llmhealth.validate(made, "--json")
    assert "sk-canary" not in shown.stdout + shown.stderr


def memory(pid):
    """Every private, readable piece of a process's memory, as a core file would hold it."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            where, rights = line.split()[:2]
            start, end = (int(part, 16) for part in where.split("-"))
            if rights[0] != "r" or end - start > 1 << 28 or "[v" in line:
                continue
            try:
                mem.seek(start)
                yield mem.read(end - start)
            except (OSError, OverflowError, ValueError):
                continue
