# SPDX-License-Identifier: Apache-2.0
"""What may happen to a fleet and its Redis, each at its full length, all side by side: judged is the record of every probe."""

import concurrent.futures
import contextlib
import glob
import random
import re
import select
import shutil
import socket
import subprocess
import threading
import time
import traceback

import pytest

from fleet_history import HEARTBEAT, SLACK, Fleet, view
from program import wait_for

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
SIDE_BY_SIDE = 5


class Between(threading.Thread):
    """Stands before a server's Unix socket: delays what it says, or lets nothing through."""

    def __init__(self, target):
        super().__init__(daemon=True)
        self.target, self.delay, self.cut = target, 0.0, False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        late = []  # (when, bytes): each piece as late as the others, not one after the other
        server = socket.socket(socket.AF_UNIX)
        with client, server, contextlib.suppress(OSError):
            if self.cut:
                return
            server.connect(self.target)
            while not self.cut:
                for ready in select.select([client, server], [], [], 0.05)[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    if ready is client:
                        server.sendall(data)
                    else:
                        late.append((time.monotonic() + self.delay, data))
                while late and late[0][0] <= time.monotonic():
                    client.sendall(late.pop(0)[1])

    def config(self, fleet, **redis):
        made = fleet.config(host="127.0.0.1", port=self.port, **redis)
        del made["llmhealth"]["redis"]["socket"]
        return made

    def close(self):
        self.listener.close()


def steady(fleet):
    """Nothing happens: not one slot twice."""
    for _ in range(3):
        fleet.join()
    fleet.healthy()
    since = time.time() + fleet.interval
    fleet.run(40)
    fleet.disturbed.clear()
    figures = fleet.judge(longest=fleet.interval + SLACK, since=since)
    fleet.never_unhealthy()
    return figures


def killed_and_restarted_empty(fleet):
    for _ in range(2):
        fleet.join()
    fleet.healthy()
    fleet.run(5)
    began = time.time()
    fleet.redis.kill()
    wait_for(lambda: all("redis_offline" in d.stderr for d in fleet.up), 10)
    assert all(fleet.details(d)["redis"] == "disconnected" for d in fleet.up)
    fleet.run(12)
    fleet.redis.start()
    wait_for(lambda: all(d.stderr.count("redis_online") == 2 for d in fleet.up), 20, "not back")
    wait_for(lambda: len(fleet.redis.hash("{llmhealth}:verdicts")) == len(fleet.ids), 5, "not refilled")
    fleet.disturbed.append((began, time.time()))
    fleet.run(15)
    fleet.never_unhealthy()
    return fleet.judge(doubled=0.01)


def restarted_with_data(fleet):
    first = fleet.join()
    fleet.healthy()
    # It answers before Redis has what it answers with.
    wait_for(lambda: len(fleet.redis.hash("{llmhealth}:verdicts")) == len(fleet.ids), 5, "not all were put")
    fleet.redis.command("SAVE")
    fleet.leave(first)
    fleet.redis.kill()
    fleet.redis.start()
    asked = len(fleet.standin.requests())
    fleet.change = lambda made: made["llmhealth"].update(interval="600s")
    second = fleet.join()
    assert second.health()["healthy_count"] == len(fleet.ids)
    assert len(fleet.standin.requests()) == asked, "what Redis knew was asked again"
    # And under instances that live on.
    fleet.redis.command("SAVE")
    fleet.redis.kill()
    wait_for(lambda: "redis_offline" in second.stderr)
    fleet.redis.start()
    wait_for(lambda: second.stderr.count("redis_online") == 2, 20)
    assert second.health()["healthy_count"] == len(fleet.ids)
    fleet.judge_answers()


def paused_for_30_s(fleet):
    for _ in range(2):
        fleet.join()
    fleet.healthy()
    fleet.run(3)
    began = time.time()
    fleet.redis.pause()
    fleet.run(30)
    fleet.redis.resume()
    wait_for(lambda: all(d.stderr.count("redis_online") >= 2 for d in fleet.up), 20, "not back")
    fleet.disturbed.append((began, time.time()))
    fleet.run(12)
    fleet.never_unhealthy()
    return fleet.judge(doubled=0.01)


def slow_by_2_s(fleet):
    """Probing goes on from memory, and nobody probes what is another's."""
    between = Between(fleet.redis.socket)
    for _ in range(2):
        fleet.join(made=between.config(fleet, timeout="10s"))
    fleet.healthy()
    fleet.run(fleet.interval)
    between.delay = 2.0
    since = time.time() + fleet.interval
    fleet.run(30)
    assert all("redis_offline" not in d.stderr for d in fleet.up)
    fleet.never_unhealthy()
    fleet.disturbed.clear()
    figures = fleet.judge(doubled=0.01, since=since)
    between.close()
    return figures


def claims_of(fleet, name):
    keys = fleet.redis.command("KEYS", "{llmhealth}:claim:*")
    holders = fleet.redis.command("MGET", *keys) if keys else []
    return {key for key, holder in zip(keys, holders) if holder == name.encode()}


def instance_stopped_for_a_minute(fleet):
    for _ in range(3):
        fleet.join()
    fleet.healthy()
    # Answers take their time, so that it is stopped with probes under way that were going well.
    fleet.standin.behaviour("ok", "latency=2000")
    fleet.run(fleet.interval)
    victim = fleet.up[0]
    name = re.search(r"redis_online instance=(\S+)", victim.stderr)[1]
    held = claims_of(fleet, name)
    wait_for(lambda: claims_of(fleet, name) - held, 2 * fleet.interval, "it probes nothing")
    fleet.stop(victim)
    fleet.standin.behaviour("ok", "ok")
    fleet.run(25)
    fleet.standin.behaviour("ok", "e500")
    fleet.run(35)
    events = fleet.redis.command("XLEN", "{llmhealth}:events")
    resumed = time.time()
    fleet.resume(victim)
    # Whoever was there goes on saying what is true; the one that was away learns it.
    wait_for(lambda: victim.health()["unhealthy_count"] == len(fleet.ids), 10, "it never learned the truth")
    fleet.run(8)
    with fleet.lock:
        said = [(daemon, healthy) for when, daemon, _, _, healthy in fleet.records if when > resumed]
    assert all(healthy == 0 for daemon, healthy in said if daemon is not victim), "newer truth was overwritten"
    # And whatever was kept since, and each change of a state in the stream, says what is true.
    kept = fleet.said_after(resumed)
    assert {by for by, _, _ in kept} >= {name} and len({by for by, _, _ in kept}) == 3, f"not all have said something: {kept}"
    assert "was_stopped" in victim.stderr and "result_too_late" in victim.stderr
    assert all(letter == "u" for _, _, letter in kept), [put for put in kept if put[2] != "u"]
    assert fleet.redis.command("XLEN", "{llmhealth}:events") == events, "a state has changed"
    assert {v["state"] for v in view(fleet).values()} == {"unhealthy"}
    # Failing deployments are asked more often: the gaps are judged, slots are not.
    return fleet.judge(doubled=1)


def partitioned(fleet):
    between = Between(fleet.redis.socket)
    cut_off = fleet.join(made=between.config(fleet))
    for _ in range(2):
        fleet.join()
    fleet.healthy()
    fleet.run(3)
    began = time.time()
    between.cut = True
    wait_for(lambda: fleet.details(cut_off)["redis"] == "disconnected", 10, "not marked as cut off")
    fleet.run(10)
    fleet.standin.behaviour("ok", "e500")
    for daemon in fleet.up:
        wait_for(lambda: daemon.health()["unhealthy_count"] == len(fleet.ids), 15, "it does not probe on")
    fleet.run(5)
    fleet.standin.behaviour("ok", "ok")
    for daemon in fleet.up:
        wait_for(lambda: daemon.health()["healthy_count"] == len(fleet.ids), 15)
    between.cut = False
    wait_for(lambda: fleet.details(cut_off)["redis"] == "connected", 15, "it never came back")
    wait_for(lambda: fleet.redis.command("ZCARD", "{llmhealth}:instances") == 3, 5)
    fleet.disturbed.append((began, time.time()))
    fleet.run(12)
    assert all(d.health()["healthy_count"] == len(fleet.ids) for d in fleet.up)
    between.close()
    return fleet.judge(doubled=0.01)


def elsewhen(fleet, library, offset):
    """A folder of programs that live so much later or earlier."""
    folder = fleet.llmhealth.directory / f"at{offset}"
    folder.mkdir()
    for name in ("llmhealth-front", "llmhealth-worker"):
        script = folder / name
        # That the library is there before a sanitizer's is no mistake of ours.
        script.write_text(f"""#!/bin/sh
LD_PRELOAD={library} FAKETIME={offset} FAKETIME_DONT_FAKE_MONOTONIC=1 ASAN_OPTIONS=$ASAN_OPTIONS:verify_asan_link_order=0
export LD_PRELOAD FAKETIME FAKETIME_DONT_FAKE_MONOTONIC ASAN_OPTIONS
exec {fleet.llmhealth.builddir / name} "$@"
""")
        script.chmod(0o755)
    return folder


def clocks_an_hour_off(fleet):
    library = next(iter(glob.glob("/usr/lib/*/faketime/libfaketime.so.1")), None)
    if library is None:
        return "libfaketime is not installed (Debian: apt-get install faketime)"
    for offset in (None, "+3600s", "-3600s"):
        fleet.join(env=offset and {"LLMHEALTH_LIBEXECDIR": str(elsewhen(fleet, library, offset))})
    wait_for(lambda: sum("redis_clock" in d.stderr for d in fleet.up) == 2, 10, "no clock is off")
    fleet.healthy()
    since = time.time() + fleet.interval
    fleet.run(25)
    fleet.never_unhealthy()
    for v in view(fleet).values():
        assert v["state"] == "healthy"
    stamps = [int(value[:16]) / 1000 for value in fleet.redis.hash("{llmhealth}:verdicts").values()]
    assert all(abs(at - time.time()) < fleet.interval + HEARTBEAT + SLACK for at in stamps), "not in Redis's time"
    fleet.disturbed.clear()
    figures = fleet.judge(since=since)
    fleet.standin.behaviour("ok", "e500")
    for daemon in fleet.up:
        wait_for(lambda: daemon.health()["unhealthy_count"] == len(fleet.ids), 15, "one never heard of it")
    return figures


def foreign_values(fleet):
    def lie(*words):
        with contextlib.suppress(Exception):
            fleet.redis.command(*words)

    for _ in range(2):
        fleet.join()
    fleet.healthy()
    rubbish = random.Random(20261121)
    theirs = ("health_check_results", "litellm:health_check:deployment_health_state", "health_check_lock")
    values = (b"", b"\xff\xfe\x00", b"null", b"[]", b'"', b'"{\\"healthy_endpoints\\": nul', b"{'a': {'is_healthy': ",
              b"[" * 5000, b"9" * 400, b'{"timestamp": 1e999, "healthy_endpoints": {}}')
    end = time.monotonic() + 25
    while time.monotonic() < end:
        ident = rubbish.choice(fleet.ids)
        lie("SET", rubbish.choice(theirs), rubbish.choice(values))
        lie("HSET", "{llmhealth}:view", ident, rubbish.choice(values))
        lie("PUBLISH", "{llmhealth}:channel", rubbish.choice((b"V", b"V99x", b"S", b"V02abx", b"S03abc", rubbish.choice(values))))
        lie("PUBLISH", "{llmhealth}:channel", b"V03abc" + b"%016d" % 1 + b"h" + b"%06d%08d" % (999999, 99999999) + b"x")
        lie("XADD", "{llmhealth}:events", "*", "a", "b")
        if rubbish.random() < 0.3:
            lie("DEL", rubbish.choice(theirs))
            lie("LPUSH", rubbish.choice(theirs), "a list")
        time.sleep(0.1)
    assert all(d.front for d in fleet.up) and all("front_ended" not in d.stderr for d in fleet.up)
    fleet.never_unhealthy()
    figures = fleet.judge(doubled=0.01)
    # Keys of another type put all offline until they are gone; then all is put again.
    began = time.time()
    fleet.redis.command("DEL", "{llmhealth}:verdicts", "{llmhealth}:instances", "{llmhealth}:view", "{llmhealth}:counters")
    for key in ("verdicts", "instances", "view", "counters"):
        fleet.redis.command("SET", "{llmhealth}:" + key, "a string")
    wait_for(lambda: all("why=WRONGTYPE" in d.stderr for d in fleet.up), 10, "nobody has noticed")
    fleet.run(6)
    for key in ("verdicts", "instances", "view", "counters"):
        fleet.redis.command("DEL", "{llmhealth}:" + key)
    wait_for(lambda: len(fleet.redis.hash("{llmhealth}:verdicts")) == len(fleet.ids), 15, "not refilled")
    fleet.disturbed.append((began, time.time()))
    fleet.never_unhealthy()
    fleet.judge(doubled=0.01)
    return figures


def coming_and_going(fleet):
    """For a minute, two to five instances that are started, stopped and killed at random."""
    chance = random.Random(20261121)
    for _ in range(3):
        fleet.join()
    fleet.healthy()
    end = time.monotonic() + 60
    while time.monotonic() < end:
        what = chance.random()
        if (what < 0.5 or len(fleet.up) <= 2) and len(fleet.up) < 5:
            fleet.join()
        elif what < 0.75:
            fleet.leave(chance.choice(fleet.up))
        else:
            fleet.kill(chance.choice(fleet.up))
            fleet.run(HEARTBEAT)
        fleet.run(chance.random() * 4)
    fleet.run(HEARTBEAT)
    fleet.never_unhealthy()
    fleet.disturbed.clear()  # a change of membership is no excuse
    return fleet.judge(doubled=0.01)


SCENARIOS = {
    # The longest first.
    instance_stopped_for_a_minute: {}, coming_and_going: {}, paused_for_30_s: {}, steady: {}, partitioned: {},
    slow_by_2_s: {"interval": 3}, foreign_values: {}, clocks_an_hour_off: {}, killed_and_restarted_empty: {},
    restarted_with_data: {"save": True, "interval": 60},
}


@pytest.fixture(scope="module")
def outcomes(builddir, tmp_path_factory, request):
    """All that are wanted, at once; {name: what it returned, or what went wrong}."""
    wanted = {item.callspec.params["scenario"] for item in request.session.items
              if item.module is request.module and hasattr(item, "callspec")}

    directory = tmp_path_factory.mktemp("faults")

    def play(scenario, options):
        try:
            with Fleet(builddir, directory / scenario.__name__, **options) as fleet:
                return scenario(fleet)
        except BaseException as e:
            return AssertionError(f"{e}\n{traceback.format_exc()}")

    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        running = {s.__name__: pool.submit(play, s, options) for s, options in SCENARIOS.items() if s.__name__ in wanted}
        return {name: future.result() for name, future in running.items()}


@pytest.mark.parametrize("scenario", [s.__name__ for s in SCENARIOS])
def test_fault(scenario, outcomes):
    outcome = outcomes[scenario]
    if isinstance(outcome, str):
        pytest.skip(outcome)
    if isinstance(outcome, AssertionError):
        raise outcome
    if outcome:
        print(scenario, outcome)


def test_the_example_shows_a_share_move(builddir, srcdir):
    if not (builddir / "llmhealth-standin").exists():
        pytest.skip("llmhealth-standin is not built")
    done = subprocess.run([srcdir / "examples" / "fleet", "--builddir", builddir, "--kill", "8", "--seconds", "16"],
                          capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    before, _, after = done.stdout.partition("B is killed")
    whose = [re.search(r"\d+ s  ([ABC?.]+)", line)[1] for line in before.splitlines() if " s  " in line]
    assert set(whose[-1]) == set("ABC"), done.stdout
    last = after.splitlines()[-1]
    shares = re.search(r"\d+ s  ([ABC?.]+)", last)[1]
    assert set(shares) == set("AC") and "B  0 gone" in last, done.stdout
    # Nobody else's has moved.
    assert all(now == was for now, was in zip(shares, whose[-1]) if was != "B"), done.stdout
