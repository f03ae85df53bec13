# SPDX-License-Identifier: Apache-2.0
"""Starts and steers the stand-in provider (tests/standin) from tests.

    with Standin(tls=True) as provider:
        provider.behaviour("gpt-4o", "e429,retry=7")
        ... provider.url, provider.https_url, provider.ca ...
        assert provider.stats()["requests"] == 1
        assert provider.requests()[0]["headers"]["authorization"] == "Bearer sk-test"
"""

import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILDDIR", SOURCE / "build"))


class Standin:
    def __init__(self, tls=False, client_cert=False, key=None, latency_ms=0, log=True, options=()):
        self.program = BUILD / "llmhealth-standin"
        self.tls = tls or client_cert
        self.client_cert = client_cert
        self.key = key
        self.latency_ms = latency_ms
        self.log = log
        self.options = list(options)
        self.process = None
        self.port = None
        self.https_port = None
        self.directory = None
        self.output = ""
        self.errors = ""

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="standin-"))
        command = [str(self.program), "--die-with-parent", "--max-seconds", "900"]
        if self.tls:
            command += ["--tls-self-signed", str(self.directory)]
        if self.client_cert:
            command += ["--client-ca", str(self.directory / "ca.pem")]
        if self.key:
            command += ["--key", self.key]
        if self.latency_ms:
            command += ["--latency-ms", str(self.latency_ms)]
        if self.log:
            command += ["--requests-log", str(self.directory / "requests.log")]
        self._errors = open(self.directory / "stderr", "w+b")
        self.process = subprocess.Popen(
            command + self.options, stdout=subprocess.PIPE, stderr=self._errors, text=True)
        for _ in range(2 if self.tls else 1):
            line = self.process.stdout.readline()
            if not line.startswith("listening "):
                self.process.wait()
                raise RuntimeError(f"the stand-in did not start: {line}{self._read_errors()}")
            _, scheme, where = line.split()
            setattr(self, "port" if scheme == "http" else "https_port", int(where.rpartition(":")[2]))
        return self

    def _read_errors(self):
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def stop(self):
        """Ends it and fails on anything that a sanitizer said, or on another end than an orderly one."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.output, _ = self.process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        self.errors = self._read_errors()
        self._errors.close()
        status, self.process = self.process.returncode, None
        shutil.rmtree(self.directory, ignore_errors=True)
        assert status == 0 and self.errors == "", f"the stand-in ended with {status}: {self.errors}"

    @property
    def pid(self):
        return self.process.pid

    @property
    def url(self):
        """What an api_base is: http://127.0.0.1:PORT/v1"""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def https_url(self):
        return f"https://localhost:{self.https_port}/v1"

    @property
    def ca(self):
        return self.directory / "ca.pem"

    @property
    def client_pem(self):
        return self.directory / "client.pem"

    @property
    def client_key(self):
        return self.directory / "client.key"

    def _control(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, "/_standin/" + path, body=json.dumps(body) if body else None)
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status == 200, text
            return json.loads(text)
        finally:
            connection.close()

    def stats(self):
        return self._control("GET", "stats")

    def behaviour(self, model, words):
        """From now on, for this model ("*": all), whatever its name says; "" ends it."""
        self._control("POST", "behaviour", {"model": model, "behaviour": words})

    def reset(self):
        """Counters to nothing, and every behaviour() forgotten. The requests log stays."""
        self._control("POST", "reset")

    def requests(self):
        """What has been asked so far: number, method, target, path, query, model, headers (a dictionary,
        lower case), header_list (as they came), body (text), json (when it is)."""
        found = []
        for line in (self.directory / "requests.log").read_text().splitlines():
            request = json.loads(line)
            request["header_list"] = request["headers"]
            request["headers"] = dict(request["header_list"])
            try:
                request["json"] = json.loads(request["body"])
            except ValueError:
                request["json"] = None
            found.append(request)
        return found
