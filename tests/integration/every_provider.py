# SPDX-License-Identifier: Apache-2.0
"""One deployment of each provider and mode, as they were recorded, and a proxy that leads them all to the stand-in.

A provider's own host is asked through the proxy's CONNECT, so the URL, the host that is signed and the token services
are the real ones; every tunnel ends at the stand-in's TLS port.
"""

import contextlib
import json
import pathlib
import socket
import subprocess
import threading

PROBES = pathlib.Path(__file__).resolve().parents[1] / "fixtures" / "probes"


def all_recorded():
    return [json.loads(line) for path in sorted(PROBES.glob("*.jsonl")) for line in path.read_text().splitlines()]


def recorded():
    """Every recorded pair: {"provider", "mode", "deployment", ...}, the variations left out."""
    return [row for row in all_recorded() if row["name"] == f"{row['provider']}-{row['mode']}"]


def variations():
    """The others: bases, models, parameters, environments."""
    return [row for row in all_recorded() if row["name"] != f"{row['provider']}-{row['mode']}"]


# What the recorded deployments have for token services (Entra ID, IBM, Databricks, GigaChat, SAP) and for Azure itself.
SECRETS = [word for text in ("CSEC", "pw", "cs", "bar", "sk-test-KEY", "csec", "AD-TOKEN") for word in ("--secret", text)]

# Providers without a host of their own that the proxy could be asked for: theirs is this machine, or must be given.
OWN_BASE = {
    "aiohttp_openai": "https://own.test/v1/chat/completions", "custom_openai": "https://own.test/v1",
    "hosted_vllm": "https://own.test/v1", "litellm_proxy": "https://own.test/v1", "lm_studio": "https://own.test/v1",
    "xinference": "https://own.test/v1", "llamafile": "https://own.test/v1", "ollama": "https://own.test",
    "ollama_chat": "https://own.test", "langgraph": "https://own.test", "langflow": "https://own.test",
    "lemonade": "https://own.test/api/v1", "ragflow": "https://own.test", "oobabooga": "https://own.test",
}


class Keys:
    """A private key of this run, and what holds it."""

    def __init__(self, directory):
        self.private = directory / "private.pem"
        self.public = directory / "public.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out",
                        self.private], check=True, capture_output=True, timeout=60)
        subprocess.run(["openssl", "pkey", "-in", self.private, "-pubout", "-out", self.public], check=True,
                       capture_output=True, timeout=60)

    def fill(self, params):
        """The parameters with what the recording left out: credentials in full."""
        account = {"type": "service_account", "project_id": "my-proj", "private_key_id": "k1",
                   "private_key": self.private.read_text(), "token_uri": "https://oauth2.googleapis.com/token",
                   "client_email": "sa@my-proj.iam.gserviceaccount.com"}
        known = {"<PEM>": self.private.read_text(), "<service account JSON>": json.dumps(account)}
        return {name: known.get(value, value) if isinstance(value, str) else value for name, value in params.items()}


def model_list(rows, keys, words=None, by_name=False):
    """The rows as deployments, with the id PROVIDER:MODE, or the recording's name."""
    found = []
    for row in rows:
        params = keys.fill(row["deployment"]["litellm_params"])
        base = params.get("api_base", "//localhost")
        if row["provider"] in OWN_BASE and ("//localhost" in base or row["provider"] == "oobabooga"):
            params["api_base"] = OWN_BASE[row["provider"]]
        if words:
            params["extra_headers"] = {"X-Standin": words}
        name = row["name"] if by_name else f"{row['provider']}:{row['mode']}"
        found.append({"model_name": name, "litellm_params": params,
                      "model_info": {**row["deployment"].get("model_info", {}), "id": name}})
    return found


class Tunnels:
    """An HTTP proxy on 127.0.0.1 that ends every CONNECT at `port`, and all else at `plain_port`, where there is one."""

    def __init__(self, port, plain_port=None):
        self.port = port
        self.plain_port = plain_port
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.hosts = set()
        self.refuses = False  # a CONNECT, as where there is no way
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                more = client.recv(1)
                if not more:
                    return
                head += more
            method, host, _ = head.decode("latin-1").split(" ", 2)
            if method != "CONNECT" and self.plain_port:
                with socket.create_connection(("127.0.0.1", self.plain_port)) as there:
                    there.sendall(head)
                    self._both_ways(client, there)
                return
            if method != "CONNECT":
                client.sendall(b"HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n")
                return
            self.hosts.add(host)
            if self.refuses:
                client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
                return
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            tls = client.recv(1, socket.MSG_PEEK) == b"\x16"
            port = self.port if tls or not self.plain_port else self.plain_port
            with socket.create_connection(("127.0.0.1", port)) as there:
                self._both_ways(client, there)

    @staticmethod
    def _both_ways(client, there):
        back = threading.Thread(target=pump, args=(there, client), daemon=True)
        back.start()
        pump(client, there)
        back.join()


def pump(source, sink):
    try:
        while True:
            data = source.recv(65536)
            if not data:
                break
            sink.sendall(data)
    except OSError:
        pass
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def environment(tunnels):
    found = {"HTTPS_PROXY": tunnels.url, "https_proxy": tunnels.url, "NO_PROXY": "", "no_proxy": ""}
    if tunnels.plain_port:
        found.update(HTTP_PROXY=tunnels.url, http_proxy=tunnels.url)
    return found
