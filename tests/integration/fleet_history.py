# SPDX-License-Identifier: Apache-2.0
"""Several instances on one redis-server, and the record of what they did: every probe, and what each of them said when.

    with Fleet(builddir, directory, interval=5) as fleet:
        fleet.join(); fleet.join()
        fleet.run(20)
        fleet.judge()
"""

import http.client
import json
import os
import signal
import threading
import time

from program import Llmhealth, wait_for
from redis_server import RedisServer
from standin import Standin

DEPLOYMENTS = 20
HEARTBEAT = 2
# A request leaves later than its turn on a machine that has other work, and the record is of arrivals.
SLACK = 1.5


def hash64(data, seed=0):
    """MurmurHash64A, as supervisor/front/hash.h."""
    m, mask = 0xc6a4a7935bd1e995, (1 << 64) - 1
    h = seed ^ (len(data) * m & mask)
    while len(data) >= 8:
        k = int.from_bytes(data[:8], "little") * m & mask
        h = (h ^ ((k ^ k >> 47) * m & mask)) * m & mask
        data = data[8:]
    if data:
        h = (h ^ int.from_bytes(data, "little")) * m & mask
    h = (h ^ h >> 47) * m & mask
    return h ^ h >> 47


class Fleet:
    def __init__(self, builddir, directory, interval=5, deployments=DEPLOYMENTS, save=False, change=None):
        directory.mkdir(parents=True)
        self.interval = interval
        self.ids = [f"dep-{i:02d}" for i in range(deployments)]
        self.redis = RedisServer(directory / "redis", save=save)
        self.standin = Standin()
        self.llmhealth = Llmhealth(builddir, directory)
        self.change = change or (lambda config: None)
        self.up = []  # daemons that must answer
        self.all = []
        self.records = []  # (time, daemon, status, {id: checked_at}, healthy count)
        self.stamps = []  # (time, {id: ms}) of Redis
        self.puts = []  # (time, by, id, ms, "h" or "u"): each verdict that was kept, as the channel says; None: not heard
        self.disturbed = []  # (from, to): times in which a slot may be probed more than once
        self.lock = threading.Lock()
        self.ended = threading.Event()

    def __enter__(self):
        self.redis.start()
        self.standin.start()
        self.recorder = threading.Thread(target=self.record, daemon=True)
        self.recorder.start()
        self.listener = threading.Thread(target=self.listen, daemon=True)
        self.listener.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.recorder.join()
        self.listener.join()
        try:
            self.llmhealth.close()
        finally:
            self.standin.stop()
            self.redis.kill()

    def config(self, **redis):
        made = {
            "model_list": [
                {"model_name": f"group-{i // 4}",
                 "litellm_params": {"model": "openai/ok", "api_base": self.standin.url, "api_key": f"sk-canary-{ident}"},
                 "model_info": {"id": ident}}
                for i, ident in enumerate(self.ids)],
            "general_settings": {"background_health_checks": True, "use_shared_health_check": True,
                                 "enable_health_check_routing": True},
            "llmhealth": {"interval": f"{self.interval}s", "workers": 1, "recheck": "1s",
                          "redis": {"socket": self.redis.socket, "heartbeat": f"{HEARTBEAT}s", "timeout": "1s", **redis}},
        }
        self.change(made)
        return made

    def join(self, env=None, made=None):
        began = time.time()
        daemon = self.llmhealth.serve(made or self.config(), env=env)
        wait_for(lambda: "redis_online" in daemon.stderr, 30, "never online")
        with self.lock:
            self.up.append(daemon)
            self.all.append(daemon)
        self.disturbed.append((began, time.time()))
        return daemon

    def away(self, daemon):
        with self.lock:
            self.up.remove(daemon)

    def kill(self, daemon):
        self.away(daemon)
        began = time.time()
        daemon.kill_all()
        daemon.status = 0
        self.disturbed.append((began, began + HEARTBEAT))

    def leave(self, daemon):
        self.away(daemon)
        began = time.time()
        daemon.stop()
        self.disturbed.append((began, time.time()))

    def processes(self, daemon):
        return [daemon.pid, daemon.front, *daemon.workers]

    def signal(self, daemon, number):
        for pid in self.processes(daemon) if number == signal.SIGSTOP else reversed(daemon.stopped):
            os.kill(pid, number)

    def stop(self, daemon):
        self.away(daemon)
        daemon.stopped = self.processes(daemon)
        self.signal(daemon, signal.SIGSTOP)

    def resume(self, daemon):
        self.signal(daemon, signal.SIGCONT)
        with self.lock:
            self.up.append(daemon)

    def record(self):
        client = None
        while not self.ended.is_set():
            with self.lock:
                up = list(self.up)
            for daemon in up:
                try:
                    answer = daemon.get("/health", timeout=10)
                    body = answer.json if answer.status == 200 else {}
                    checked = {entry["model_id"]: entry["checked_at"]
                               for kind in ("healthy", "unhealthy") for entry in body.get(f"{kind}_endpoints", [])}
                    seen = (time.time(), daemon, answer.status, checked, body.get("healthy_count"))
                except (OSError, http.client.HTTPException) as e:
                    seen = (time.time(), daemon, f"{e!r}", {}, None)
                with self.lock:
                    # One that was killed or stopped while it answered is no witness.
                    if daemon in self.up:
                        self.records.append(seen)
            try:
                client = client or self.redis.connect()
                flat = client.command("HGETALL", "{llmhealth}:verdicts")
                self.stamps.append((time.time(), {flat[i].decode(): int(flat[i + 1][:16]) for i in range(0, len(flat), 2)}))
            except Exception:  # paused, killed, or what a test has put there
                client = None
            time.sleep(0.2)

    def listen(self):
        while not self.ended.is_set():
            client = None
            try:
                client = self.redis.connect()
                client.command("SUBSCRIBE", "{llmhealth}:channel")
                client.socket.settimeout(2)
                while not self.ended.is_set():
                    # Between two heartbeats there is nothing: pings say whether it is still there.
                    client.send("PING")
                    answer = client.read()
                    while answer[0] != b"pong":
                        self.puts += self.records_of(answer[2])
                        answer = client.read()
                    time.sleep(0.02)
            except Exception:  # paused, killed
                if client:
                    client.close()
                self.puts.append(None)
                time.sleep(0.05)

    @staticmethod
    def records_of(message):
        """The records of a message, as supervisor/front/store/redis_script.h says; what is none has none."""
        found = []
        try:
            if message[:1] != b"V":
                return found
            at = 3 + int(message[1:3])
            by = message[3:at].decode()
            while len(message) - at >= 31:
                stamp, letter = int(message[at:at + 16]), message[at + 16:at + 17].decode()
                of_id, of_packed = int(message[at + 17:at + 23]), int(message[at + 23:at + 31])
                at += 31 + of_id + of_packed
                if at > len(message):
                    break
                found.append((time.time(), by, message[at - of_packed - of_id:at - of_packed].decode(), stamp, letter))
        except ValueError:
            pass
        return found

    def said_after(self, when):
        """What was kept since then: (by, id, letter)."""
        return [(put[1], put[2], put[4]) for put in self.puts if put and put[0] > when]

    def run(self, seconds):
        time.sleep(seconds)

    def healthy(self, seconds=20):
        for daemon in list(self.up):
            wait_for(lambda: daemon.health()["healthy_count"] == len(self.ids), seconds, "not all are healthy")

    def probes(self):
        """{id: [times in ms]}"""
        found = {ident: [] for ident in self.ids}
        for request in self.standin.requests():
            if request["method"] == "POST":
                found[request["headers"]["authorization"].rpartition("sk-canary-")[2]].append(request["time_ms"])
        return found

    def slot(self, ident, ms):
        interval = self.interval * 1000
        return (ms - hash64(ident.encode()) % interval) // interval

    def judge(self, longest=None, doubled=0.0, since=0):
        """No gap, no slot twice (of `doubled` at most, outside of what was disturbed), no step back, no answer missing."""
        longest = longest or self.interval + HEARTBEAT + SLACK
        end, probes = time.time() * 1000, self.probes()
        twice, total, gaps = [], 0, []
        for ident, times in probes.items():
            assert times, f"{ident} was never probed"
            gaps += [(b - a, ident, a) for a, b in zip(times, times[1:] + [end]) if a >= since * 1000]
            total += sum(a >= since * 1000 for a in times)
            for a, b in zip(times, times[1:]):
                if self.slot(ident, a) == self.slot(ident, b) and a >= since * 1000:
                    if not any(begin * 1000 - 100 <= b <= (over + self.interval) * 1000 for begin, over in self.disturbed):
                        twice.append((ident, a, b))
        worst = max(gaps)
        assert worst[0] <= longest * 1000, f"{worst[1]} was not probed for {worst[0]} ms from {worst[2]}, now {end}"
        assert len(twice) <= doubled * total, f"{len(twice)} of {total} slots twice: {twice[:5]}"
        self.judge_answers()
        return {"probes": total, "twice": len(twice), "longest_ms": worst[0]}

    def judge_answers(self):
        last = {}
        for when, daemon, status, checked, _ in self.records:
            assert status == 200, f"/health said {status} at {when}"
            for ident, at in checked.items():
                before = last.get((daemon, ident))
                assert before is None or at is None or before <= at, f"{ident} went back from {before} to {at} at {when}"
                last[(daemon, ident)] = at
        kept = {}
        for put in self.puts:
            if put is None:
                kept = {}
                continue
            when, by, ident, at, _ = put
            assert kept.get(ident, 0) < at, f"{by} has replaced {kept[ident]} by {at} of {ident} at {when}"
            kept[ident] = at
        kept = {}
        for when, stamps in self.stamps:
            if not stamps:
                kept = {}
            for ident, at in stamps.items():
                assert kept.get(ident, 0) <= at, f"Redis went back from {kept[ident]} to {at} of {ident} at {when}"
                kept[ident] = at

    def never_unhealthy(self, since=0):
        """Whoever had all of them healthy never said anything else."""
        whole = set()
        for when, daemon, _, _, healthy in self.records:
            if when >= since and daemon in whole:
                assert healthy == len(self.ids), f"a false verdict at {when}: {healthy}"
            if healthy == len(self.ids):
                whole.add(daemon)

    def details(self, daemon):
        return daemon.get("/health/readiness/details").json


def view(fleet):
    return {ident: json.loads(text) for ident, text in fleet.redis.hash("{llmhealth}:view").items()}
