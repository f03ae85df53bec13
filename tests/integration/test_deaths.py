# SPDX-License-Identifier: Apache-2.0
"""The three programs' life together: deaths, reloads and ends, under load and while probes run. The
fixture fails on whatever stays behind."""

import os
import signal
import socket
import threading
import time

import pytest

from program import descriptors, name_of, stat_fields, wait_for

EXIT_USAGE = 2
EXIT_START = 4


def fleet(provider, models, **general):
    """One deployment a model; ids are id-0, id-1 ..."""
    return {
        "model_list": [
            {"model_name": f"group-{i}",
             "litellm_params": {"model": "openai/" + model, "api_base": provider.url, "api_key": "sk-canary-1"},
             "model_info": {"id": f"id-{i}", "health_check_timeout": 10}}
            for i, model in enumerate(models)],
        "general_settings": {"background_health_checks": True, "health_check_interval": 300, **general},
    }


def counts(daemon):
    body = daemon.health()
    return body["healthy_count"], body["unhealthy_count"]


def entry(daemon, number):
    body = daemon.health()
    return next((e for e in body["healthy_endpoints"] + body["unhealthy_endpoints"] if e["model_id"] == f"id-{number}"),
                None)


class Asking:
    """Asks /health/liveliness all the time from a thread, and keeps what went wrong."""

    def __init__(self, daemon, path="/health/liveliness"):
        self.daemon, self.path, self.wrong, self.asked = daemon, path, [], 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def _ask(self):
        while not self._stop.is_set():
            try:
                status = self.daemon.get(self.path).status
                if status != 200:
                    self.wrong.append(status)
            except OSError as e:
                self.wrong.append(repr(e))
            self.asked += 1

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


def test_a_killed_worker_is_replaced_and_its_probes_are_asked_again(llmhealth, standin):
    daemon = llmhealth.serve(fleet(standin, [f"latency=5000--m{i}" for i in range(20)]), settings={"workers": 2})
    wait_for(lambda: standin.stats()["in_flight"] == 20)
    before = daemon.workers
    assert len(before) == 2
    with Asking(daemon) as asking:
        victim = max(before, key=lambda pid: len(descriptors(pid)))  # it has at least half of the probes
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: len(daemon.workers) == 2 and victim not in daemon.workers)
        wait_for(lambda: counts(daemon) == (20, 0))
    assert asking.asked > 0 and asking.wrong == []
    asked = standin.stats()["by_model"]
    assert all(1 <= n <= 2 for n in asked.values()) and sum(asked.values()) > 20


def test_a_probe_that_kills_twice_is_called_so(llmhealth, standin):
    daemon = llmhealth.serve(fleet(standin, ["hang"]), settings={"workers": 1})
    for _ in range(2):
        wait_for(lambda: standin.stats()["in_flight"] == 1)
        os.kill(daemon.workers[0], signal.SIGKILL)
        wait_for(lambda: standin.stats()["in_flight"] == 0)
    wait_for(lambda: counts(daemon) == (0, 1))
    assert entry(daemon, 0)["reason"] == "probe_crashed"
    assert standin.stats()["requests"] == 2


def test_a_killed_front_comes_back_with_its_verdicts(llmhealth, standin, tmp_path):
    daemon = llmhealth.serve(fleet(standin, ["ok", "e500"]), settings={"state_file": str(tmp_path / "state"),
                                                                       "state_interval": "100ms"})
    wait_for(lambda: counts(daemon) == (1, 1))
    time.sleep(0.5)  # five times the interval at which the state is saved
    asked = standin.stats()["by_model"]["ok"]
    before, workers = daemon.front, daemon.workers
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: daemon.front not in (None, before))
    daemon.wait_serving()
    assert counts(daemon) == (1, 1)
    assert daemon.workers == workers
    assert standin.stats()["by_model"]["ok"] == asked, "what is known need not be asked again"


def test_children_end_with_a_killed_supervisor(llmhealth, standin):
    daemon = llmhealth.serve(fleet(standin, ["hang", "ok"]), status=-signal.SIGKILL)
    wait_for(lambda: standin.stats()["in_flight"] == 1)
    daemon.send(signal.SIGKILL)
    daemon.wait()


def test_no_zombie_stays(llmhealth, standin):
    daemon = llmhealth.serve(fleet(standin, ["ok"]), settings={"workers": 1})
    for _ in range(3):
        worker = wait_for(lambda: daemon.workers)[0]
        os.kill(worker, signal.SIGKILL)
        wait_for(lambda: stat_fields(worker) is None, what="it is still in the process table")


def test_reload_keeps_what_has_not_changed(llmhealth, standin):
    """The provider closes each connection: what a worker keeps open on purpose would be counted."""
    daemon = llmhealth.serve(fleet(standin, ["goodbye--a", "e500--goodbye", "goodbye--c"]))
    wait_for(lambda: counts(daemon) == (2, 1))
    checked = entry(daemon, 0)["checked_at"]
    with daemon.same_descriptors():
        daemon.reload(fleet(standin, ["goodbye--a", "goodbye--new", "goodbye--c", "e401--goodbye"]))
        wait_for(lambda: counts(daemon) == (3, 1))
    asked = standin.stats()["by_model"]
    assert (asked["goodbye--a"], asked["goodbye--c"], asked["goodbye--new"], asked["e401--goodbye"]) == (1, 1, 1, 1)
    assert entry(daemon, 0)["checked_at"] == checked
    daemon.reload(fleet(standin, ["goodbye--a"]))
    wait_for(lambda: counts(daemon) == (1, 0))


def test_a_broken_file_changes_nothing(llmhealth, standin):
    daemon = llmhealth.serve(fleet(standin, ["ok", "e500"]))
    wait_for(lambda: counts(daemon) == (1, 1))
    pids = [daemon.front, *daemon.workers]
    for broken in ("model_list: [", "model_list: 7\n", "model_list:\n  - {model_name: x, litellm_params: [1]}\n"):
        said = len(daemon.stderr)
        daemon.reload(broken)
        wait_for(lambda: len(daemon.stderr) > said, what="nothing was said of the broken file")
        assert counts(daemon) == (1, 1)
    assert [daemon.front, *daemon.workers] == pids
    daemon.reload(fleet(standin, ["ok"]))
    wait_for(lambda: counts(daemon) == (1, 0))


def test_reloads_under_load_lose_no_request(llmhealth, standin):
    daemon = llmhealth.serve(fleet(standin, ["goodbye", "latency=100--goodbye"]))
    wait_for(lambda: counts(daemon) == (2, 0))
    with daemon.same_descriptors(), Asking(daemon) as asking, Asking(daemon, "/health") as health:
        for i in range(10):
            daemon.reload(fleet(standin, ["goodbye", "latency=100--goodbye"] + [f"goodbye--{i}"] * (i % 2)))
            time.sleep(0.1)
    assert asking.asked > 10 and asking.wrong == []
    assert health.asked > 10 and health.wrong == []


def test_the_end_says_503_first(llmhealth, standin):
    daemon = llmhealth.serve(fleet(standin, ["ok"]), settings={"grace": "1s"})
    daemon.send(signal.SIGTERM)
    answer = wait_for(lambda: (lambda a: a if a.status != 200 else None)(daemon.get("/health/liveliness")))
    assert (answer.status, answer.json) == (503, {"status": "shutting_down"})
    daemon.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_end_while_probes_run(llmhealth, standin, number):
    daemon = llmhealth.serve(fleet(standin, ["hang"] * 5), settings={"drain": "300ms"})
    wait_for(lambda: standin.stats()["in_flight"] == 5)
    daemon.stop(number)


def test_a_taken_port_is_one_clear_line(llmhealth, standin):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        where = "127.0.0.1:%d" % taken.getsockname()[1]
        config = fleet(standin, ["ok"])
        config["llmhealth"] = {"listen": [where]}
        done = llmhealth.run("serve", llmhealth.write_config(config))
    assert done.returncode == EXIT_START
    assert sum(where in line for line in done.stderr.splitlines()) == 1, done.stderr


def test_a_broken_config_does_not_start(llmhealth):
    done = llmhealth.run("serve", llmhealth.write_config("model_list:\n  - model_name: [\n"))
    assert done.returncode == EXIT_USAGE and "config.yaml:" in done.stderr


def test_state_survives_a_restart_and_a_torn_file_does_not_matter(llmhealth, standin, tmp_path):
    state = tmp_path / "state"
    config, settings = fleet(standin, ["ok", "e500"]), {"state_file": str(state)}
    daemon = llmhealth.serve(config, settings=settings)
    wait_for(lambda: counts(daemon) == (1, 1))
    daemon.stop()
    assert state.stat().st_size > 0
    asked = standin.stats()["by_model"]["ok"]
    daemon = llmhealth.serve(config, settings=settings)
    assert counts(daemon) == (1, 1)
    daemon.stop()
    assert standin.stats()["by_model"]["ok"] == asked
    state.write_bytes(state.read_bytes()[:-5])
    daemon = llmhealth.serve(config, settings=settings)
    wait_for(lambda: counts(daemon) == (1, 1))
    assert str(state) in daemon.stderr
    daemon.stop()
    state.write_bytes(b"\0" * 1000)
    daemon = llmhealth.serve(config, settings=settings)
    wait_for(lambda: counts(daemon) == (1, 1))


def test_what_runs_is_called_by_its_name(llmhealth, standin):
    daemon = llmhealth.serve(fleet(standin, ["ok"]), settings={"workers": 3})
    assert name_of(daemon.pid) == "llmhealth" and daemon.front and len(daemon.workers) == 3
