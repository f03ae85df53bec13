# SPDX-License-Identifier: Apache-2.0
"""The stand-in's token services, its providers' own errors, and what --strict makes of credentials that are none."""

import base64
import json

import pytest

from program import http_request
from standin import Standin


@pytest.fixture(scope="module")
def strict(tmp_path_factory, builddir):
    from every_provider import Keys

    if not (builddir / "llmhealth-standin").exists():
        pytest.skip("llmhealth-standin is not built")
    keys = Keys(tmp_path_factory.mktemp("keys"))
    with Standin(options=["--strict", "--aws-secret", "SECRETTEST", "--public-key", str(keys.public), "--secret", "k",
                          "--secret", "s3cret", "--secret", "other"]) as provider:
        yield provider


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def ask(provider, path, body="", headers=None, method="POST"):
    return http_request("127.0.0.1", provider.port, method, path, headers, body)


@pytest.mark.parametrize("path,body,headers,token", [
    ("/TENANT/oauth2/v2.0/token", "grant_type=client_credentials&client_secret=s3cret", {}, "standin-entra-token"),
    ("/TENANT/oauth2/v2.0/token", "grant_type=password&username=u&password=s3cret", {}, "standin-entra-token"),
    ("/TENANT/oauth2/v2.0/token", "grant_type=client_credentials&client_assertion=other", {}, "standin-entra-token"),
    ("/identity/token", "grant_type=urn:ibm:params:oauth:grant-type:apikey&apikey=k", {}, "standin-iam-token"),
    ("/oidc/v1/token", "grant_type=client_credentials", {"Authorization": "Basic eDpzM2NyZXQ="}, "standin-databricks-token"),
    ("/oauth/token", "grant_type=client_credentials&client_id=a&client_secret=s3cret", {}, "standin-sap-token"),
    ("/api/v2/oauth", "scope=GIGACHAT_API_PERS", {"Authorization": "Basic eDpzM2NyZXQ="}, "standin-gigachat-token"),
])
def test_token_services(strict, path, body, headers, token):
    answer = ask(strict, path, body, {**FORM, **headers})
    assert answer.status == 200 and answer.json["access_token"] == token
    # Another secret, or none.
    for wrong in (body.replace("s3cret", "no").replace("apikey=k", "apikey=no").replace("=other", "=a.b.c"), "x=y"):
        other = {"Authorization": "Basic eDpubw=="} if headers else {}
        answer = ask(strict, path, wrong + "&apikey=&client_credentials&scope=", {**FORM, **other})
        assert answer.status == 401 and answer.json["error"] == "invalid_client", answer.text


def test_roles(strict):
    body = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&WebIdentityToken="
    answer = ask(strict, "/", body + "s3cret", FORM)
    assert answer.status == 200 and answer.text.startswith("<AssumeRoleWithWebIdentityResponse ")
    assert "<AccessKeyId>ASIASTANDIN</AccessKeyId>" in answer.text
    assert ask(strict, "/", body + "no", FORM).status == 401
    # A role is given to who has signed: test_variations.py has one that did.
    assert ask(strict, "/", "Action=AssumeRole&Version=2011-06-15", FORM).status == 401


@pytest.mark.parametrize("headers,what", [
    ({"Authorization": "Bearer k", "api-key": "l", "Content-Type": "application/json"}, "More than one key."),
    ({"Authorization": "Bearer k", "Content-Type": "text/plain"}, "Content-Type is not that of JSON."),
    ({"Authorization": "Bearer k"}, "Content-Type is missing."),
])
def test_headers_that_are_wrong(strict, headers, what):
    answer = ask(strict, "/v1/chat/completions", '{"model": "ok"}', headers)
    assert answer.status == 400 and answer.json["error"]["message"] == what


def test_a_key_is_wanted(strict):
    json_type = {"Content-Type": "application/json"}
    assert ask(strict, "/v1/chat/completions", '{"model": "ok"}', {**json_type, "Host": "api.openai.com"}).status == 401
    assert ask(strict, "/v1/chat/completions", '{"model": "ok"}', {**json_type, "Host": "own.test"}).status == 200
    for name in ("Authorization", "api-key"):
        answer = ask(strict, "/v1/chat/completions", '{"model": "ok"}', {**json_type, "Host": "a.test", name: "Bearer k"})
        assert answer.status == 200


def test_what_sts_gave_needs_its_session(strict):
    import datetime

    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = f"ASIASTANDIN/{now[:8]}/us-west-2/bedrock/aws4_request"
    for session in ({}, {"X-Amz-Security-Token": "another"}):
        signed = "host;x-amz-date" + (";x-amz-security-token" if session else "")
        answer = ask(strict, "/model/m/converse", "{}", {
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={signed}, Signature=00",
            "X-Amz-Date": now, "Content-Type": "application/json", **session})
        assert answer.status == 401 and "security token" in answer.json["message"]


# A path, whose refusal has this shape: message -> body.
SHAPES = [
    ("/v1/complete", lambda m: {"type": "error", "error": {"message": m, "type": "authentication_error"}}),
    ("/v2/chat", lambda m: {"message": m}),
    ("/model/m/converse", lambda m: {"message": m}),
    ("/v1beta/models/m:generateContent",
     lambda m: {"error": {"message": m, "code": 401, "status": "UNAUTHENTICATED"}}),
    ("/v1/projects/p/locations/l/publishers/google/models/m:generateContent",
     lambda m: {"error": {"message": m, "code": 401, "status": "UNAUTHENTICATED"}}),
    ("/ml/v1/text/chat", lambda m: {"errors": [{"message": m, "code": "invalid_credentials"}]}),
    ("/v1/text-to-speech/x", lambda m: {"detail": m}),
    ("/v2beta/stable-image/generate/sd3", lambda m: {"errors": [m]}),
    ("/oidc/v1/token", lambda m: {"error": "invalid_client", "error_description": m}),
]


@pytest.mark.parametrize("path,shape", SHAPES, ids=[path for path, _ in SHAPES])
def test_refusals_have_the_providers_shape(strict, path, shape):
    answer = ask(strict, path, "{}", {"Content-Type": "application/json"})
    assert answer.status == 401
    text = answer.text
    message = next(word for word in ("Invalid authentication credentials", "Missing Authentication Token", "Basic authentication is required.")
                   if word in text)
    assert answer.json == shape(message)


def jwt(head, claims, signature=b"x" * 256):
    parts = [json.dumps(head).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


GRANT = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion="
GOOD = {"alg": "RS256"}
AUD = "https://oauth2.googleapis.com/token"


@pytest.mark.parametrize("assertion", [
    "", "a", "a.b", "a.b.c", "..", "....", "%%%.%%%.%%%", "=.=.=", "e30.e30.e30",
    jwt({"alg": "none"}, {"aud": AUD, "iat": 1, "exp": 4102444800}),
    jwt(GOOD, {"aud": "https://elsewhere.test/", "iat": 1, "exp": 4102444800}),
    jwt(GOOD, {"aud": AUD, "iat": 1, "exp": 2}),
    jwt(GOOD, {"aud": AUD, "iat": 1, "exp": 4102444800}),
])
def test_assertions_that_are_none(strict, assertion):
    answer = ask(strict, "/token", GRANT + assertion)
    assert answer.status == 401 and answer.json["error"] == "invalid_client"


AWS = "AWS4-HMAC-SHA256 "


@pytest.mark.parametrize("value", [
    "Basic x", AWS, AWS + "Credential=", AWS + "Credential=A/1/r/s/aws4_request, SignedHeaders=, Signature=",
    AWS + "Credential=A/20260101/r/s/aws4_request, SignedHeaders=host;x-amz-date, Signature=00",
    AWS + "Credential=////, SignedHeaders=host;x-amz-date;;;, Signature=", AWS + "x" * 5000,
    AWS + "Credential=A/2/r/s/aws4_request, SignedHeaders=host;x-amz-date",
])
@pytest.mark.parametrize("date", ["", "now", "20260101T000000Z", "2", "99999999T999999Z"])
def test_aws_signatures_that_are_none(strict, value, date):
    answer = ask(strict, "/model/m/converse", "{}",
                 {"Authorization": value, "X-Amz-Date": date, "Content-Type": "application/json"})
    assert answer.status == 401 and list(answer.json) == ["message"]


@pytest.mark.parametrize("value", [
    "", "Signature", 'Signature version="1",', 'Signature version="1",keyId="a",algorithm="rsa-sha256",headers="',
    'Signature version="1",keyId="a",algorithm="rsa-sha256",headers="date (request-target) host",signature="%%%"',
    'Signature version="1",keyId="a",algorithm="rsa-sha256",headers="date (request-target) host content-length '
    'content-type x-content-sha256",signature="' + "A" * 344 + '"',
])
def test_oci_signatures_that_are_none(strict, value):
    answer = ask(strict, "/20231130/actions/chat", "{}", {"Authorization": value, "X-Content-SHA256": "AAAA"})
    assert answer.status == 401 and list(answer.json) == ["message"]


def test_a_key_file_that_is_none(builddir, tmp_path):
    import subprocess

    path = tmp_path / "none.pem"
    path.write_text("no key")
    done = subprocess.run([builddir / "llmhealth-standin", "--strict", "--public-key", path, "--max-seconds", "5"],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and "holds no public key" in done.stderr
