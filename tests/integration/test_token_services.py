# SPDX-License-Identifier: Apache-2.0
"""Each way to a credential, through the real programs, at token services that serve, lie, or are not there.

The services and the providers behind them are one server: plain for the addresses of machines (metadata, agents), TLS
for all other hosts, which a proxy leads there. A host's service that is down is refused by the proxy."""

import dataclasses
import fnmatch
import hashlib
import http.server
import json
import re
import ssl
import subprocess
import threading
import time

import pytest

from every_provider import Tunnels

TOKEN = "sk-canary-token"
SECRET = "sk-canary-secret"
FUTURE = "2099-01-01T00:00:00Z"
PAST = "2001-01-01T00:00:00Z"
CHAT = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [
    {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}
CONVERSE = {"output": {"message": {"role": "assistant", "content": [{"text": "hi"}]}}, "stopReason": "end_turn",
            "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}}
GEMINI = {"candidates": [{"content": {"role": "model", "parts": [{"text": "hi"}]}, "finishReason": "STOP"}],
          "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}}
BEARER = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600}
KEYS = {"AccessKeyId": "ASIA1", "SecretAccessKey": SECRET, "Token": TOKEN, "Expiration": FUTURE, "Code": "Success"}
STS = f"""<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA2</AccessKeyId>
<SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>{TOKEN}</SessionToken><Expiration>{FUTURE}</Expiration>
</Credentials></AssumeRoleResult></AssumeRoleResponse>""".encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def take(self):
        services = self.server.services
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        host, path = self.headers["Host"], self.path.partition("?")[0]
        with services.lock:
            route = next(((at, reply) for at, reply in services.routes if fnmatch.fnmatchcase(f"{host}{path}", at)), None)
            (services.fetches if route else services.asked).append((self.command, f"{host}{self.path}", self.headers, body))
        if route:
            status, answer = services.lie or (200, route[1])
            if status == 403:  # repeats all that it was sent
                answer = {"error": "access_denied", "error_description": f"{body} {' '.join(self.headers.values())}"}
        else:
            shown = (self.headers["Authorization"] or "").removeprefix("Bearer ") == TOKEN or \
                self.headers["X-Amz-Security-Token"] == TOKEN
            status, answer = (200, services.answer) if shown else (401, {"message": "no"})
        text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_PUT = do_POST = take


class Services:
    def __init__(self, directory):
        self.lock = threading.Lock()
        self.routes, self.fetches, self.asked = [], [], []
        self.lie = None
        self.answer = CHAT
        self.key = (directory / "key.pem").read_text()
        self.servers = []
        for tls in (False, True):
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            server.daemon_threads = True
            server.services = self
            if tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(directory / "cert.pem", directory / "key.pem")
                server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.servers.append(server)
        self.plain = f"127.0.0.1:{self.servers[0].server_address[1]}"
        self.tunnels = Tunnels(self.servers[1].server_address[1])

    def stop(self):
        self.tunnels.listener.close()
        for server in self.servers:
            server.shutdown()
            server.server_close()


@dataclasses.dataclass
class Case:
    """`routes`: which requests are for a credential, in the order in which they are needed."""

    params: dict
    routes: list
    service: str
    env: dict = dataclasses.field(default_factory=dict)
    answer: dict = dataclasses.field(default_factory=lambda: CHAT)
    file: object = None  # which is read at each fetch
    settings: dict = dataclasses.field(default_factory=dict)
    fetches: int = 0  # 0: one for each route

    @property
    def times(self):
        return self.fetches or len(self.routes)


BEDROCK = {"model": "bedrock/anthropic.claude-3-haiku-20240307-v1:0", "aws_region_name": "us-west-2"}
VERTEX = {"model": "vertex_ai/gemini-2.0-flash", "vertex_project": "p", "vertex_location": "us-central1"}
AZURE = {"model": "azure/dep", "api_base": "https://res.openai.azure.com", "api_version": "2024-10-21"}
ENTRA = ("login.microsoftonline.com/*/oauth2/v2.0/token", BEARER)
NO_MODEL = {"AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"}


def aws_sso(services, home):
    file = home / ".aws" / "sso" / "cache" / (hashlib.sha1(b"corp").hexdigest() + ".json")
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"accessToken": SECRET, "expiresAt": FUTURE}))
    (home / ".aws" / "config").write_text(
        "[profile p]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = r\n"
        "[sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.awsapps.com/start\n")
    reply = {"roleCredentials": {"accessKeyId": "ASIA3", "secretAccessKey": SECRET, "sessionToken": TOKEN,
                                 "expiration": 4102444800000}}
    return Case({**BEDROCK, "aws_profile_name": "p"}, [("portal.sso.eu-west-1.amazonaws.com/federation/credentials", reply)],
                "AWS IAM Identity Center", answer=CONVERSE, file=file)


def aws_chain(services, home):
    (home / ".aws").mkdir()
    (home / ".aws" / "config").write_text(
        "[profile last]\nrole_arn = arn:aws:iam::1:role/last\nsource_profile = middle\n"
        "[profile middle]\nrole_arn = arn:aws:iam::1:role/middle\nsource_profile = first\n"
        f"[profile first]\naws_access_key_id = AKIA1\naws_secret_access_key = {SECRET}\n")
    return Case({**BEDROCK, "aws_profile_name": "last"}, [("sts.*amazonaws.com/", STS)], "AWS STS", answer=CONVERSE,
                fetches=2)


def aws_container(services, home):
    return Case(BEDROCK, [(f"{services.plain}/v2/credentials/x", KEYS)], "AWS container credentials", answer=CONVERSE,
                env={**NO_MODEL, "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{services.plain}/v2/credentials/x",
                     "AWS_CONTAINER_AUTHORIZATION_TOKEN": SECRET})


def aws_instance(services, home):
    at = f"{services.plain}/latest/meta-data/iam/security-credentials/"
    return Case(BEDROCK, [(f"{services.plain}/latest/api/token", b"session"), (at, b"role"), (at + "role", KEYS)],
                "AWS instance metadata", answer=CONVERSE,
                env={**NO_MODEL, "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://{services.plain}"})


def aws_web_identity(services, home):
    file = home / "web-token"
    file.write_text(SECRET)
    return Case(BEDROCK, [("sts.*amazonaws.com/", STS)], "AWS STS", answer=CONVERSE, file=file,
                env={**NO_MODEL, "AWS_WEB_IDENTITY_TOKEN_FILE": str(file), "AWS_ROLE_ARN": "arn:aws:iam::1:role/w"})


def google(params):
    return {**VERTEX, "vertex_credentials": json.dumps(params)}


GOOGLE = ("oauth2.googleapis.com/token", BEARER)


def google_service_account(services, home):
    return Case(google({"type": "service_account", "client_email": "a@b.test", "private_key": services.key}), [GOOGLE],
                "Google's token service", answer=GEMINI)


def google_user(services, home):
    return Case(google({"type": "authorized_user", "client_id": "c", "client_secret": SECRET, "refresh_token": SECRET}),
                [GOOGLE], "Google's token service", answer=GEMINI)


def google_external(services, home):
    file = home / "subject"
    file.write_text(SECRET)
    return Case(google({"type": "external_account", "audience": "//iam.googleapis.com/x", "subject_token_type":
                        "urn:ietf:params:oauth:token-type:jwt", "token_url": "https://sts.googleapis.com/v1/token",
                        "credential_source": {"file": str(file)},
                        "service_account_impersonation_url":
                        "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@b.test:generateAccessToken"}),
                [("sts.googleapis.com/v1/token", {**BEARER, "access_token": "sk-canary-federated"}),
                 ("iamcredentials.googleapis.com/*", {"accessToken": TOKEN, "expireTime": FUTURE})],
                "Google's token service", answer=GEMINI, file=file)


def google_metadata(services, home):
    return Case(VERTEX, [(f"{services.plain}/computeMetadata/v1/instance/service-accounts/default/token", BEARER)],
                "Google's metadata server", answer=GEMINI, env={"GCE_METADATA_HOST": services.plain})


def azure_secret(services, home):
    return Case({**AZURE, "tenant_id": "t", "client_id": "c", "client_secret": SECRET}, [ENTRA], "Microsoft Entra ID")


def azure_managed_identity(services, home):
    return Case(AZURE, [(f"{services.plain}/msi/token", BEARER)], "Azure's managed identity",
                env={"AZURE_CREDENTIAL": "ManagedIdentityCredential", "IDENTITY_HEADER": SECRET,
                     "IDENTITY_ENDPOINT": f"http://{services.plain}/msi/token"})


def azure_federated(services, home):
    file = home / "federated"
    file.write_text(SECRET)
    return Case(AZURE, [ENTRA], "Microsoft Entra ID", file=file, env={
        "AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_FEDERATED_TOKEN_FILE": str(file)})


def oidc_google(services, home):
    return Case({**AZURE, "azure_ad_token": "oidc/google/aud", "tenant_id": "t", "client_id": "c"},
                [(f"{services.plain}/computeMetadata/v1/instance/service-accounts/default/identity", SECRET.encode()), ENTRA],
                "Google's metadata server", env={"GCE_METADATA_HOST": services.plain})


def oidc_github(services, home):
    return Case({**AZURE, "azure_ad_token": "oidc/github/aud", "tenant_id": "t", "client_id": "c"},
                [(f"{services.plain}/idtoken", {"value": SECRET}), ENTRA], "GitHub's token service",
                env={"ACTIONS_ID_TOKEN_REQUEST_URL": f"http://{services.plain}/idtoken?v=1",
                     "ACTIONS_ID_TOKEN_REQUEST_TOKEN": SECRET})


def watsonx(services, home):
    return Case({"model": "watsonx/ibm/granite-3-8b-instruct", "api_key": SECRET, "project_id": "p",
                 "api_base": "https://us-south.ml.cloud.ibm.com"}, [("iam.cloud.ibm.com/identity/token", BEARER)],
                "IBM Cloud IAM")


def databricks(services, home):
    return Case({"model": "databricks/m", "client_id": "c", "client_secret": SECRET,
                 "api_base": "https://adb.azuredatabricks.net/serving-endpoints"},
                [("adb.azuredatabricks.net/oidc/v1/token", BEARER)], "Databricks workspace's token service")


def sap(services, home):
    key = {"clientid": "c", "clientsecret": SECRET, "url": "https://auth.sap.test",
           "serviceurls": {"AI_API_URL": "https://ai.sap.test"}}
    listed = {"count": 1, "resources": [{
        "id": "d1", "configurationId": "c1", "deploymentUrl": "https://ai.sap.test/v2/inference/deployments/d1",
        "createdAt": "2026-01-01T00:00:00Z", "status": "RUNNING", "scenarioId": "orchestration"}]}
    answer = {"request_id": "r", "intermediate_results": {}, "final_result": CHAT}
    return Case({"model": "sap/gpt-4o", "api_key": json.dumps(key)},
                [("auth.sap.test/oauth/token", BEARER), ("ai.sap.test/v2/lm/deployments", listed),
                 ("ai.sap.test/v2/lm/configurations/c1", {"scenarioId": "orchestration", "executableId": "orchestration"})],
                "SAP's token service",
                answer=answer)


def gigachat(services, home):
    return Case({"model": "gigachat/GigaChat", "api_key": SECRET},
                [("ngw.devices.sberbank.ru*", {"access_token": TOKEN, "expires_at": 4102444800000})], "GigaChat")


CASES = {case.__name__: case for case in (
    aws_sso, aws_chain, aws_container, aws_instance, aws_web_identity, google_service_account, google_user, google_external,
    google_metadata, azure_secret, azure_managed_identity, azure_federated, oidc_google, oidc_github, watsonx, databricks,
    sap, gigachat)}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    directory = tmp_path_factory.mktemp("certificate")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", directory / "key.pem", "-out",
                    directory / "cert.pem", "-days", "2", "-subj", "/CN=services"], check=True, capture_output=True,
                   timeout=60)
    return directory


@pytest.fixture
def services(certificate):
    one = Services(certificate)
    yield one
    one.stop()


@pytest.fixture
def home(tmp_path):
    directory = tmp_path / "home"
    directory.mkdir()
    return directory


def environment(services, home, case):
    """Nothing of this machine's, and the case's on top."""
    blank = dict.fromkeys(("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
                           "GOOGLE_APPLICATION_CREDENTIALS", "AZURE_API_KEY", "AZURE_CLIENT_ID"), "")
    return {**blank, "HOME": str(home), "HTTPS_PROXY": services.tunnels.url, "https_proxy": services.tunnels.url,
            "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", **case.env}


def fleet(case, n):
    return {"model_list": [{"model_name": f"m{i}", "litellm_params": case.params,
                            "model_info": {"id": f"id-{i}", "health_check_timeout": 10}} for i in range(n)],
            "litellm_settings": {"ssl_verify": False}, "llmhealth": {"workers": 1, **case.settings}}


def prepare(services, home, name):
    case = CASES[name](services, home)
    services.routes, services.answer = case.routes, case.answer
    return case


def checked(llmhealth, services, home, case, n=1):
    """What /health would say: (healthy, unhealthy). No canary is in any text: the program's own test sees to it."""
    done = llmhealth.check(fleet(case, n), "--json", env=environment(services, home, case))
    body = json.loads(done.stdout)
    return body["healthy_endpoints"], body["unhealthy_endpoints"]


def refused(entries, service, detail=None):
    for entry in entries:
        assert (entry["reason"], entry["exception_status"]) in (("auth", 401), ("auth", 500)), entry
        assert service in entry["detail"], entry
        assert detail is None or re.search(detail, entry["detail"]), entry


@pytest.mark.parametrize("name", CASES)
def test_one_fetch_for_all(llmhealth, services, home, name):
    case = prepare(services, home, name)
    healthy, unhealthy = checked(llmhealth, services, home, case, 8)
    assert len(healthy) == 8, unhealthy
    assert len(services.fetches) == case.times, [f"{f[0]} {f[1]}" for f in services.fetches]
    assert len(services.asked) == 8


# Status, body, what is said of it (None: what the service is called is enough).
LIES = {
    "no-json": (200, b"<html>sk-canary-page</html>", None), "empty-object": (200, {}, None),
    "line-break": (200, {"access_token": "a\r\nX-Evil: sk-canary-x", "value": "a\nb"}, None),
    "denied": (403, None, "status 403, access_denied"), "endless": (200, b"x" * 3000000, None),
}


@pytest.mark.parametrize("name", CASES)
def test_services_that_lie(llmhealth, services, home, name):
    case = prepare(services, home, name)
    for lie, (status, body, detail) in LIES.items():
        services.lie = (status, body)
        healthy, unhealthy = checked(llmhealth, services, home, case)
        assert not healthy and len(unhealthy) == 1, lie
        refused(unhealthy, "", detail)
        # Of the steps any may be the one that sees it.
        text = unhealthy[0]["detail"]
        assert case.service in text or name in ("oidc_google", "aws_instance"), (lie, text)
    assert services.asked == []


@pytest.mark.parametrize("name", CASES)
def test_services_that_are_not_there(llmhealth, services, home, name):
    case = prepare(services, home, name)
    host = case.routes[0][0].partition("/")[0]
    if host == services.plain:
        services.servers[0].shutdown()
        services.servers[0].server_close()
    else:
        services.tunnels.refuses = True
    healthy, unhealthy = checked(llmhealth, services, home, case, 2)
    assert not healthy and len(unhealthy) == 2
    refused(unhealthy, case.service)
    assert services.asked == [] and services.fetches == []


@pytest.mark.parametrize("name, field", [
    ("aws_container", "Expiration"), ("aws_instance", "Expiration"), ("google_user", "expires_in"),
    ("azure_secret", "expires_in"), ("watsonx", "expires_in"), ("azure_managed_identity", "expires_on")])
def test_credentials_that_are_over(llmhealth, services, home, name, field):
    """By this machine's clock: one of the two is wrong, and it is said which service gave it."""
    case = prepare(services, home, name)
    at, reply = case.routes[-1]
    reply = {key: value for key, value in reply.items() if key != "expires_in"}
    services.routes = [*case.routes[:-1], (at, {**reply, field: {"Expiration": PAST, "expires_in": 0}.get(field, "1000")})]
    healthy, unhealthy = checked(llmhealth, services, home, case)
    assert not healthy
    refused(unhealthy, case.service, "expired")
    assert services.asked == []


def test_a_login_that_is_over(llmhealth, services, home):
    case = prepare(services, home, "aws_sso")
    case.file.write_text(json.dumps({"accessToken": SECRET, "expiresAt": PAST}))
    healthy, unhealthy = checked(llmhealth, services, home, case)
    assert not healthy and services.fetches == []
    refused(unhealthy, case.service, "over since 2001-01-01T00:00:00Z; `aws sso login` renews it")


@pytest.mark.parametrize("name", ["aws_sso", "aws_web_identity", "google_external", "azure_federated"])
@pytest.mark.parametrize("how", ["missing", "folder", "huge", "empty"])
def test_files_that_are_not_there(llmhealth, services, home, name, how):
    case = prepare(services, home, name)
    case.file.unlink()
    if how == "folder":
        case.file.mkdir()
    elif how != "missing":
        case.file.write_text(SECRET * 100000 if how == "huge" else "")
    healthy, unhealthy = checked(llmhealth, services, home, case)
    assert not healthy and services.fetches == [] and services.asked == []
    refused(unhealthy, str(case.file) if how == "missing" else "")


GARBAGE = ["no key", "-----BEGIN PRIVATE KEY-----\nsk-canary-key\n-----END PRIVATE KEY-----\n", "-----BEGIN PRIVATE KEY-----"]


@pytest.mark.parametrize("key", GARBAGE)
def test_keys_that_do_not_parse(llmhealth, services, home, key):
    certificate = home / "certificate.pem"
    certificate.write_text(key)
    cases = [
        Case(google({"type": "service_account", "client_email": "a@b.test", "private_key": key}), [], ""),
        Case({"model": "oci/xai.grok-4", "oci_region": "us-ashburn-1", "oci_user": "u", "oci_fingerprint": "f",
              "oci_tenancy": "t", "oci_compartment_id": "c", "oci_key": key}, [], ""),
        Case({"model": "snowflake/m", "account_id": "a", "snowflake_user": "u", "snowflake_private_key": key}, [], ""),
        Case(AZURE, [], "", env={"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c",
                                 "AZURE_CLIENT_CERTIFICATE_PATH": str(certificate)}),
    ]
    for case in cases:
        healthy, unhealthy = checked(llmhealth, services, home, case)
        assert not healthy, case
        refused(unhealthy, "", "key|certificate")
    assert services.asked == [] and services.fetches == []


def test_renewed_before_it_expires(llmhealth, services, home):
    """While a token holds nobody waits for the next one, and nobody is asked with one that is over."""
    case = prepare(services, home, "azure_secret")
    services.routes = [(case.routes[0][0], {**BEARER, "expires_in": 3})]
    case.settings = {"interval": "300ms"}
    config = fleet(case, 3)
    config["general_settings"] = {"background_health_checks": True}
    daemon = llmhealth.serve(config, env=environment(services, home, case))
    deadline = time.monotonic() + 20
    while len(services.fetches) < 3 and time.monotonic() < deadline:
        assert daemon.health()["unhealthy_count"] == 0
        time.sleep(0.2)
    daemon.stop()
    assert len(services.fetches) >= 3
    assert all(headers["Authorization"] == "Bearer " + TOKEN for _, _, headers, _ in services.asked)
