# SPDX-License-Identifier: Apache-2.0
"""What scripts/bench measures with: processes, CPU, memory, and a table of figures beside their floors."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from program import children_of, http_request

CPU_CLOCK_OF_PROCESS = 2  # Linux's CPUCLOCK_SCHED; see clock_getcpuclockid(3)


class Skip(Exception):
    """A section whose programs are not there."""


def need(*paths):
    missing = [str(p) for p in paths if not os.access(p, os.X_OK)]
    if missing:
        raise Skip("not built: " + ", ".join(pathlib.Path(m).name for m in missing))


def need_command(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        raise Skip(f"{name} is not installed")
    return found


def run_json(*command, timeout=90):
    """Runs a program that prints one JSON object."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=timeout)
    if not done.stdout.startswith("{"):
        raise RuntimeError(f"{pathlib.Path(command[0]).name} ended with {done.returncode}: {done.stderr.strip()}")
    figures = json.loads(done.stdout)
    if figures.get("failed"):
        raise RuntimeError(f"{pathlib.Path(command[0]).name}: {figures['failed']} failed: {done.stderr.strip()}")
    if figures.get("exit"):
        raise RuntimeError(f"{pathlib.Path(command[0]).name}: the child ended with {figures['exit']}")
    return figures


def tree(pid):
    """The process and all below it."""
    found = [pid]
    for child in children_of(pid):
        found += tree(child)
    return found


def cpu_us(pids):
    """CPU time of processes, in microseconds."""
    return sum(time.clock_gettime(((~pid) << 3) | CPU_CLOCK_OF_PROCESS) for pid in pids) * 1e6


def memory_kb(pids):
    """Memory of processes, what they share counted once (PSS); where that may not be read, RSS."""
    total = 0
    for pid in pids:
        try:
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(re.search(r"Pss:\s+(\d+)", text).group(1))
        except OSError:
            text = pathlib.Path(f"/proc/{pid}/status").read_text()
            total += int(re.search(r"VmRSS:\s+(\d+)", text).group(1))
    return total


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def end(process, seconds=10):
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def serving(llmhealth, config, env=None, seconds=60):
    """A running `llmhealth serve` of program.py's Llmhealth, ended in any case."""
    daemon = llmhealth.serve(config, wait=False, env=env)
    try:
        yield daemon.wait_serving(seconds)
    finally:
        if daemon.process.poll() is None:
            daemon.send(signal.SIGTERM)
            try:
                daemon.process.wait(15)
            except subprocess.TimeoutExpired:
                pass
        daemon.kill_all()


@contextlib.contextmanager
def nginx(server_block):
    """A single-worker nginx of its own in a temporary folder; {dir} and {port} are put in."""
    program = need_command("nginx")
    directory = tempfile.mkdtemp(prefix="bench-nginx-")
    os.chmod(directory, 0o755)
    port = free_port()
    config = pathlib.Path(directory, "nginx.conf")
    config.write_text(
        ("user root;\n" if os.geteuid() == 0 else "") +
        "daemon off;\nworker_processes 1;\npid %(dir)s/pid;\nerror_log %(dir)s/error.log;\n"
        "events { worker_connections 4096; }\n"
        "http {\naccess_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 100000000;\n"
        "client_body_temp_path %(dir)s/a; proxy_temp_path %(dir)s/b; fastcgi_temp_path %(dir)s/c;\n"
        "uwsgi_temp_path %(dir)s/d; scgi_temp_path %(dir)s/e;\n"
        "server { listen 127.0.0.1:%(port)d; root %(dir)s; default_type application/json;\n%(block)s\n}\n}\n"
        % {"dir": directory, "port": port, "block": server_block})
    process = subprocess.Popen([program, "-p", directory, "-e", f"{directory}/error.log", "-c", config],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError):
                http_request("127.0.0.1", port, "GET", "/")
                break
            if process.poll() is not None:
                raise RuntimeError("nginx: " + pathlib.Path(directory, "error.log").read_text())
            time.sleep(0.02)
        yield pathlib.Path(directory), port, process.pid
    finally:
        end(process)
        shutil.rmtree(directory, ignore_errors=True)


def wrk(url, seconds, pid, connections=64, headers=()):
    """Requests a second, and the CPU time that each took the server's processes, in microseconds."""
    pids = tree(pid)
    before = cpu_us(pids)
    program = need_command("wrk")
    done = subprocess.run([program, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s",
                           *(word for header in headers for word in ("-H", header)), url],
                          capture_output=True, text=True, timeout=seconds + 30)
    if done.returncode != 0 or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise RuntimeError(f"wrk {url}: {done.stdout}{done.stderr}")
    requests = int(re.search(r"(\d+) requests in", done.stdout).group(1))
    return {"rate": float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout).group(1)),
            "cpu_us": (cpu_us(pids) - before) / requests}


def in_turns(rounds, *measures):
    """A B A B ...: for each measure, the list of what it gave."""
    found = [[] for _ in measures]
    for _ in range(rounds):
        for values, measure in zip(found, measures):
            values.append(measure())
    return found


def spread(values, digits=3):
    def text(value):
        return f"{value:.{digits}g}" if abs(value) < 1000 else f"{value:,.0f}"
    if len(values) == 1:
        return text(values[0])
    return f"{text(statistics.median(values))} ({text(min(values))} to {text(max(values))})"


class Table:
    """One row a figure; what is compared with the goal is the median of the ratios of each turn."""

    def __init__(self):
        self.rows = []
        self.missed = 0

    def add(self, section, name, unit, ours, floor=None, floor_name="", most=None, least=None, compare="ratio",
            digits=3):
        """`compare`: "ratio" (ours / floor, turn by turn), "difference", or "value" (ours alone)."""
        if compare == "ratio":
            judged = [a / b for a, b in zip(ours, floor)]
        elif compare == "difference":
            judged = [a - b for a, b in zip(ours, floor)]
        else:
            judged = list(ours)
        middle = statistics.median(judged)
        met = (most is None or middle <= most) and (least is None or middle >= least)
        goal = f"<= {most:g}" if most is not None else f">= {least:g}" if least is not None else "-"
        verdict = "-" if most is None and least is None else "pass" if met else "MISS"
        self.missed += verdict == "MISS"
        row = {"section": section, "name": name, "unit": unit, "ours": ours, "floor": floor,
               "floor_name": floor_name, "judged": judged, "median": middle, "goal": goal, "verdict": verdict}
        self.rows.append(row)
        print(f"  {name} [{unit}]")
        print(f"    ours   {spread(ours, digits)}")
        if floor:
            print(f"    floor  {spread(floor, digits)}  {floor_name}")
        if compare != "value":
            print(f"    {compare:<6} {spread(judged)}")
        if goal != "-":
            print(f"    goal   {goal}: {verdict}")
        sys.stdout.flush()

    def skip(self, section, why):
        self.rows.append({"section": section, "verdict": "skip", "why": why})
        print(f"  SKIP: {why}")

    def fail(self, section, why):
        self.rows.append({"section": section, "verdict": "error", "why": why})
        print(f"  ERROR: {why}")
