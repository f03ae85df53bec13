# SPDX-License-Identifier: Apache-2.0
"""Credentials that are fetched: once for all, within the probe's time, never the provider's fault, never shown."""

import base64
import hashlib
import hmac
import http.server
import json
import os
import re
import socket
import threading
import time
import urllib.parse

import pytest

SECRET = "sk-canary-client-secret"
TOKEN = "sk-canary-token-of-the-workspace"
ANSWER = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [
    {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}


class Workspace(http.server.ThreadingHTTPServer):
    """A Databricks workspace: a token service and the model behind it. `reply` is (status, body) or a function."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.fetches = []
        self.asked = []
        self.token = TOKEN
        self.lifetime = 3600
        self.reply = None
        self.delay = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send(self, status, body):
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        w = self.server
        if self.path == "/oidc/v1/token":
            with w.lock:
                w.fetches.append((self.headers, urllib.parse.parse_qs(body)))
            time.sleep(w.delay)
            if w.reply is not None:
                self.send(*w.reply)
            else:
                self.send(200, {"access_token": w.token, "expires_in": w.lifetime, "token_type": "Bearer"})
            return
        with w.lock:
            w.asked.append(self.headers.get("Authorization"))
        if self.headers.get("Authorization") == "Bearer " + w.token:
            self.send(200, ANSWER)
        else:
            self.send(401, {"error_code": "UNAUTHENTICATED",
                            "message": "no: " + self.headers.get("Authorization", "")})


@pytest.fixture
def workspace():
    w = Workspace()
    yield w
    w.shutdown()
    w.server_close()


def fleet(workspace, n=1, **more):
    return {
        "model_list": [{
            "model_name": f"m{i}",
            "litellm_params": {"model": f"databricks/m{i}", "api_base": workspace.url + "/serving-endpoints",
                               "client_id": "cid", "client_secret": SECRET, **more},
            "model_info": {"id": f"id-{i}"}} for i in range(n)],
        "llmhealth": {"workers": 1},
    }


def verdict(llmhealth, config, **kwargs):
    """The only entry of /health, and how the round went."""
    daemon = llmhealth.serve(config, env={"DATABRICKS_CLIENT_ID": "", "HOME": str(llmhealth.directory)}, **kwargs)
    health = daemon.health()
    entries = health["healthy_endpoints"] + health["unhealthy_endpoints"]
    daemon.stop()
    return entries[0] if len(entries) == 1 else entries, health


def test_one_fetch_for_all(llmhealth, workspace):
    workspace.delay = 0.3
    done = llmhealth.check(fleet(workspace, 100), env={"HOME": str(llmhealth.directory)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(workspace.fetches) == 1
    headers, form = workspace.fetches[0]
    assert headers["Authorization"] == "Basic " + base64.b64encode(f"cid:{SECRET}".encode()).decode()
    assert form == {"grant_type": ["client_credentials"], "scope": ["all-apis"]}
    assert workspace.asked == ["Bearer " + TOKEN] * 100


def test_from_the_environment(llmhealth, workspace):
    config = fleet(workspace)
    for key in ("client_id", "client_secret"):
        del config["model_list"][0]["litellm_params"][key]
    done = llmhealth.check(config, env={"DATABRICKS_CLIENT_ID": "cid", "DATABRICKS_CLIENT_SECRET": SECRET,
                                        "HOME": str(llmhealth.directory)})
    assert done.returncode == 0, done.stdout
    assert len(workspace.fetches) == 1


def test_two_identities(llmhealth, workspace):
    config = fleet(workspace, 6)
    for one in config["model_list"][3:]:
        one["litellm_params"]["client_id"] = "other"
    done = llmhealth.check(config, env={"HOME": str(llmhealth.directory)})
    assert done.returncode == 0
    assert len(workspace.fetches) == 2


def test_renewed_when_it_expires(llmhealth, workspace):
    workspace.lifetime = 1
    config = fleet(workspace)
    config["llmhealth"]["interval"] = "700ms"
    config["general_settings"] = {"background_health_checks": True}
    daemon = llmhealth.serve(config, env={"HOME": str(llmhealth.directory)})
    deadline = time.monotonic() + 15
    while len(workspace.fetches) < 3 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(workspace.fetches) >= 3
    assert daemon.health()["healthy_count"] == 1
    daemon.stop()


@pytest.mark.parametrize("reply, detail", [
    ((401, {"error": "invalid_client", "error_description": "wrong: " + SECRET}), "status 401, invalid_client: wrong: "),
    ((400, {"error": "x", "error_description": "you sent " +
            base64.b64encode(f"cid:{SECRET}".encode()).decode()}), "status 400, x: you sent "),
    ((500, b"<html>" + b"x" * 100000), "status 500 without a reason"),
    ((200, b"{"), "its answer is no JSON object that can be read"),
    ((200, {}), "its answer has no access_token"),
    ((200, {"access_token": "a\r\nX-Evil: 1"}), "its access_token holds a blank, a line break"),
    ((200, {"access_token": "t", "expires_in": 0}), "the token that it gave has expired already"),
    ((200, b"[" * 100000), "its answer is no JSON object that can be read"),
    ((200, b"x" * 2000000), "than"),
])
def test_token_service_says_no(llmhealth, workspace, reply, detail):
    workspace.reply = reply
    entry, health = verdict(llmhealth, fleet(workspace))
    assert health["unhealthy_count"] == 1
    assert entry["reason"] == "auth"
    assert entry["exception_status"] == 401
    assert entry["error"].startswith("litellm.AuthenticationError: DatabricksException - ")
    assert "Databricks workspace's token service: " in entry["detail"]
    assert detail in entry["detail"]
    encoded = base64.b64encode(f"cid:{SECRET}".encode()).decode()
    assert encoded not in json.dumps(health)
    assert workspace.asked == []


def test_token_service_is_slow(llmhealth, workspace):
    workspace.delay = 5
    config = fleet(workspace)
    config["model_list"][0]["model_info"]["health_check_timeout"] = 1
    before = time.monotonic()
    done = llmhealth.check(config, "--format", "json", env={"HOME": str(llmhealth.directory)})
    assert time.monotonic() - before < 4
    assert done.returncode == 1
    assert "no token in 1000 ms" in done.stdout
    assert workspace.asked == []


def test_token_service_is_down(llmhealth, workspace):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    entry, _ = verdict(llmhealth, fleet(workspace, api_base=f"http://127.0.0.1:{port}/serving-endpoints"))
    assert entry["reason"] == "auth"
    assert f"token service: connection refused by 127.0.0.1:{port}" in entry["detail"]


def test_provider_refuses_the_token(llmhealth, workspace):
    """The provider's own 401 is the provider's; the token that it repeats is not shown."""
    workspace.reply = (200, {"access_token": "sk-canary-another", "expires_in": 60})
    entry, health = verdict(llmhealth, fleet(workspace))
    assert entry["reason"] == "auth"
    assert "token service" not in entry["detail"]
    assert "sk-canary" not in json.dumps(health)


def test_validate_asks_nobody(llmhealth, workspace):
    done = llmhealth.validate(fleet(workspace), env={"HOME": str(llmhealth.directory)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert workspace.fetches == [] and workspace.asked == []


def test_link_local_token_service_is_refused(llmhealth, workspace):
    """Only the schemes of the clouds themselves may ask an instance metadata address."""
    entry, _ = verdict(llmhealth, fleet(workspace, api_base="http://169.254.169.254/serving-endpoints"))
    assert entry["reason"] == "auth"
    assert "link-local" in entry["detail"]


# ---- AWS: the instance's metadata, a role by STS, and what is signed with what they gave ----

KEYS = {"Code": "Success", "AccessKeyId": "ASIAMACHINE", "SecretAccessKey": "sk-canary-machine-secret",
        "Token": "sk-canary-machine-token", "Expiration": "2099-01-01T00:00:00Z"}
ROLE = """<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId>
<SecretAccessKey>sk-canary-role-secret</SecretAccessKey><SessionToken>sk-canary-role-token</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""
CONVERSE = {"output": {"message": {"role": "assistant", "content": [{"text": "hi"}]}}, "stopReason": "end_turn",
            "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}}
BEDROCK = "bedrock/anthropic.claude-3-haiku-20240307-v1:0"


def hmac256(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signed_by(request, path, body, secrets):
    """The access key that signed the request, when the signature is right; else None."""
    match = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=(\w+)/(\d+)/([\w-]+)/(\w+)/aws4_request, "
                         r"SignedHeaders=([\w;-]+), Signature=(\w+)", request.headers["Authorization"])
    access, day, region, service, names, signature = match.groups()
    headers = "".join(f"{n}:{request.headers[n]}\n" for n in names.split(";"))
    canonical = "\n".join([request.command, urllib.parse.quote(path, safe="/-_.~"), "", headers, names,
                           hashlib.sha256(body).hexdigest()])
    to_sign = "\n".join(["AWS4-HMAC-SHA256", request.headers["X-Amz-Date"], f"{day}/{region}/{service}/aws4_request",
                         hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + secrets[access]).encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac256(key, part)
    return access if hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest() == signature else None


class Aws(Handler):
    def take(self):
        w = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with w.lock:
            w.asked.append(f"{self.command} {self.path}")
        if self.path == "/latest/api/token":
            self.send(200, b"imds-session")
        elif self.path == "/latest/meta-data/iam/security-credentials/":
            self.send(200 if self.headers["X-aws-ec2-metadata-token"] == "imds-session" else 401, b"the-role")
        elif self.path == "/latest/meta-data/iam/security-credentials/the-role":
            self.send(200, KEYS)
        elif self.path == "/":
            w.form = urllib.parse.parse_qs(body.decode())
            if "WebIdentityToken" not in w.form and signed_by(self, self.path, body, w.secrets) is None:
                self.send(403, b"<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>")
            else:
                self.send(200, ROLE.encode())
        else:
            w.signers.append((signed_by(self, self.path, body, w.secrets), self.headers["X-Amz-Security-Token"]))
            self.send(200 if w.signers[-1][0] else 403, CONVERSE if w.signers[-1][0] else {"message": "signature"})

    do_GET = do_PUT = do_POST = take


@pytest.fixture
def aws():
    w = Workspace()
    w.RequestHandlerClass = Aws
    w.signers = []
    w.form = None
    w.secrets = {"ASIAMACHINE": KEYS["SecretAccessKey"], "ASIAROLE": "sk-canary-role-secret",
                 "AKIACONFIG": "sk-canary-config-secret"}
    yield w
    w.shutdown()
    w.server_close()


def bedrock(aws, n=1, **more):
    return {"model_list": [{
        "model_name": f"m{i}",
        "litellm_params": {"model": BEDROCK, "aws_region_name": "us-west-2", "aws_bedrock_runtime_endpoint": aws.url,
                           "aws_sts_endpoint": aws.url, **more},
        "model_info": {"id": f"id-{i}"}} for i in range(n)], "llmhealth": {"workers": 1}}


def no_home(llmhealth, **more):
    kept = {name: "" for name in os.environ if name.startswith("AWS_")}
    return {**kept, "HOME": str(llmhealth.directory), **more}


def test_instance_credentials(llmhealth, aws):
    done = llmhealth.check(bedrock(aws, 5), env=no_home(llmhealth, AWS_EC2_METADATA_SERVICE_ENDPOINT=aws.url))
    assert done.returncode == 0, done.stdout + done.stderr
    assert aws.signers == [("ASIAMACHINE", KEYS["Token"])] * 5
    assert sum("latest" in one for one in aws.asked) == 3


def test_role_by_configured_keys(llmhealth, aws):
    done = llmhealth.check(bedrock(
        aws, 5, aws_access_key_id="AKIACONFIG", aws_secret_access_key="sk-canary-config-secret",
        aws_role_name="arn:aws:iam::123456789012:role/r", aws_session_name="sess1", aws_external_id="ext1"),
        env=no_home(llmhealth))
    assert done.returncode == 0, done.stdout + done.stderr
    assert aws.form == {"Action": ["AssumeRole"], "Version": ["2011-06-15"], "RoleSessionName": ["sess1"],
                        "RoleArn": ["arn:aws:iam::123456789012:role/r"], "ExternalId": ["ext1"]}
    assert aws.signers == [("ASIAROLE", "sk-canary-role-token")] * 5
    assert aws.asked.count("POST /") == 1


def test_web_identity_is_read_for_each_fetch(llmhealth, aws):
    path = llmhealth.directory / "token"
    path.write_text("sk-canary-web-identity\n")
    env = no_home(llmhealth, AWS_WEB_IDENTITY_TOKEN_FILE=str(path), AWS_ROLE_ARN="arn:aws:iam::1:role/w")
    assert llmhealth.check(bedrock(aws), env=env).returncode == 0
    assert aws.form["WebIdentityToken"] == ["sk-canary-web-identity"]
    assert aws.signers == [("ASIAROLE", "sk-canary-role-token")]
    path.unlink()
    done = llmhealth.check(bedrock(aws), "--format", "json", env=env)
    assert done.returncode == 1
    assert "cannot be read: No such file or directory" in done.stdout


def test_wrong_keys_are_the_token_services_word(llmhealth, aws):
    done = llmhealth.check(bedrock(aws, aws_access_key_id="AKIACONFIG", aws_secret_access_key="sk-canary-wrong",
                                   aws_role_name="arn:aws:iam::1:role/r"), "--format", "json", env=no_home(llmhealth))
    assert done.returncode == 1
    assert "AWS STS: status 403, SignatureDoesNotMatch" in done.stdout
    assert aws.signers == []


def test_no_instance_metadata_where_it_is_not_wanted(llmhealth, aws):
    config = bedrock(aws)
    config["llmhealth"]["instance_metadata"] = False
    done = llmhealth.check(config, "--format", "json",
                           env=no_home(llmhealth, AWS_EC2_METADATA_SERVICE_ENDPOINT=aws.url))
    assert done.returncode != 0
    assert "Unable to locate credentials" in done.stdout
    assert aws.asked == []


def profile_with(tmp_path, script):
    """An AWS profile that runs the script; its runs are counted in the file beside it."""
    program = tmp_path / "give keys"
    program.write_text(f"#!/bin/sh\necho run >> '{tmp_path}/runs'\n{script}\n")
    program.chmod(0o755)
    (tmp_path / "config").write_text(
        f"[profile p]\nregion = us-east-1\ncredential_process = \"{program}\" --for 'a b'\n")
    (tmp_path / "runs").write_text("")
    return {"AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
            "OPENAI_API_KEY": "sk-canary-elsewhere"}


def by_program(standin, n=1, **settings):
    return {"llmhealth": settings, "model_list": [
        {"model_name": f"b{i}", "litellm_params": {
            "model": "bedrock/converse/amazon.nova-lite-v1:0", "aws_profile_name": "p",
            "aws_bedrock_runtime_endpoint": standin.url.removesuffix("/v1")}} for i in range(n)]}


def test_program_gives_keys(llmhealth, standin, tmp_path):
    env = profile_with(tmp_path, """
[ -z "$OPENAI_API_KEY" ] && [ "$1 $2" = "--for a b" ] || exit 9
printf '{"Version": 1, "AccessKeyId": "AKIAPROGRAM", "SecretAccessKey": "sk-canary-s", "SessionToken": "sk-canary-t"}'""")
    done = llmhealth.check(by_program(standin, 8, credential_programs=True, workers=1), env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "canary" not in done.stdout + done.stderr
    assert (tmp_path / "runs").read_text() == "run\n"
    assert all("Credential=AKIAPROGRAM/" in r["headers"]["authorization"] for r in standin.requests())
    assert len(standin.requests()) == 8


def test_program_is_not_run_unasked(llmhealth, standin, tmp_path):
    env = profile_with(tmp_path, "exit 0")
    done = llmhealth.check(by_program(standin), env=env)
    assert done.returncode == 1
    assert "llmhealth.credential_programs: true" in done.stdout
    assert (tmp_path / "runs").read_text() == ""
    assert llmhealth.validate(by_program(standin, credential_programs=True), env=env).returncode == 0
    assert (tmp_path / "runs").read_text() == ""


@pytest.mark.parametrize("script, words", [
    ("echo sk-canary-printed; echo sk-canary-err >&2; exit 3", "the program ended with status 3"),
    ("echo sk-canary-printed", "what it printed is no JSON object"),
    ("exec sleep 100", "no token in"),
])
def test_program_fails(llmhealth, standin, tmp_path, script, words):
    config = by_program(standin, credential_programs=True)
    config["model_list"][0]["model_info"] = {"health_check_timeout": 2}
    done = llmhealth.check(config, "--json", env=profile_with(tmp_path, script))
    entry = json.loads(done.stdout)["unhealthy_endpoints"][0]
    assert (done.returncode, entry["reason"]) == (1, "auth"), entry
    assert words in entry["detail"] and "the program of credential_process" in entry["detail"], entry
    assert "canary" not in done.stdout + done.stderr
    assert standin.stats()["requests"] == 0
