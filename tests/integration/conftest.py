# SPDX-License-Identifier: Apache-2.0
"""What all integration tests share: the fixtures, a limit on each test's time, and the TAP reporter.

With PYTEST_TAP=N the results are written to descriptor N as TAP (tests/integration/run uses 3).
"""

import os
import pathlib
import signal
import sys

import pytest

from program import Llmhealth
from standin import Standin

SOURCE = pathlib.Path(__file__).resolve().parents[2]
TEST_SECONDS = 120
PROGRAMS = ("llmhealth", "llmhealth-front", "llmhealth-worker")


@pytest.fixture(scope="session")
def srcdir():
    return SOURCE


@pytest.fixture(scope="session")
def builddir():
    """Where the programs were built: $BUILDDIR, else build/ of the source tree."""
    return pathlib.Path(os.environ.get("BUILDDIR", SOURCE / "build")).resolve()


@pytest.fixture(scope="session")
def corpus():
    """Input of others with the right answers beside it; no part of this repository."""
    path = SOURCE.parent / "shared" / "corpus"
    if not path.is_dir():
        pytest.skip(f"no corpus at {path}")
    return path


@pytest.fixture(scope="session")
def reference():
    """LiteLLM's recorded behaviour; no part of this repository."""
    path = SOURCE.parent / "shared" / "reference"
    if not path.is_dir():
        pytest.skip(f"no recordings at {path}")
    return path


@pytest.fixture
def standin(builddir):
    """A stand-in provider of this test alone, plain and TLS."""
    if not (builddir / "llmhealth-standin").exists():
        pytest.skip("llmhealth-standin is not built")
    with Standin(tls=True) as provider:
        yield provider


@pytest.fixture
def llmhealth(builddir, tmp_path):
    """Starts llmhealth (program.py); judges the ends of all that it started."""
    missing = [name for name in PROGRAMS if not (builddir / name).exists()]
    if missing:
        pytest.skip("not built: " + ", ".join(missing))
    programs = Llmhealth(builddir, tmp_path)
    yield programs
    programs.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """A test that hangs fails after TEST_SECONDS; its fixtures still end what they started."""
    def too_long(*_):
        raise AssertionError(f"the test took more than {TEST_SECONDS} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(TEST_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


class Tap:
    """Test Anything Protocol, version 13: https://testanything.org/"""

    def __init__(self, descriptor):
        self.file = os.fdopen(os.dup(descriptor), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
        self.number = 0
        self.open = {}

    def say(self, line):
        self.file.write(line + "\n")

    def comment(self, text):
        for line in text.splitlines():
            self.say("# " + line)

    def result(self, passed, name, directive=""):
        self.number += 1
        name = name.replace("\\", "\\\\").replace("#", "\\#").replace("\n", " ")
        self.say(f"{'ok' if passed else 'not ok'} {self.number} - {name}{directive}")

    def pytest_collectreport(self, report):
        if report.failed:
            self.result(False, report.nodeid or "collection")
            self.comment(str(report.longrepr))
        elif report.skipped:
            self.result(True, report.nodeid, " # SKIP " + self.reason(report))

    @staticmethod
    def reason(report):
        longrepr = report.longrepr
        text = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
        return text.replace("Skipped: ", "").replace("\n", " ")

    def pytest_runtest_logreport(self, report):
        """One result a test, when its teardown is over: that can fail it, too."""
        reports = self.open.setdefault(report.nodeid, [])
        reports.append(report)
        if report.when != "teardown":
            return
        del self.open[report.nodeid]
        failed = [r for r in reports if r.failed]
        skipped = [r for r in reports if r.skipped]
        if failed:
            self.result(False, report.nodeid)
        elif skipped and hasattr(skipped[0], "wasxfail"):
            self.result(False, report.nodeid, " # TODO " + skipped[0].wasxfail)
        elif skipped:
            self.result(True, report.nodeid, " # SKIP " + self.reason(skipped[0]))
        else:
            self.result(True, report.nodeid)
        for r in failed:
            self.comment(f"{r.when}:\n{r.longreprtext}")

    def pytest_internalerror(self, excrepr):
        self.say("Bail out! pytest: " + str(excrepr).splitlines()[-1])

    def pytest_sessionfinish(self, session):
        self.say(f"1..{self.number}")
        self.file.flush()


def pytest_configure(config):
    descriptor = os.environ.pop("PYTEST_TAP", "")
    if descriptor:
        config.pluginmanager.register(Tap(int(descriptor)), "tap")
    sys.dont_write_bytecode = True
