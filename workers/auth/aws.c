/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS credentials: of the config, of a web identity, of the container or of the machine, and on top
 * of any of them a role by STS. Which of them it is was decided when the config was read (param
 * aws_source); the order there is that of LiteLLM and botocore. Requests are signed with SigV4.
 */
#include "workers/auth/schemes.h"

#include <string.h>

#include "workers/auth/aws_internal.h"
#include "workers/auth/steps.h"
#include "workers/auth/subject.h"

#define STS "AWS STS"
#define INSTANCE "AWS instance metadata"
#define CONTAINER "AWS container credentials"
#define INSTANCE_BASE "http://169.254.169.254"
#define ROLE_PATH "/latest/meta-data/iam/security-credentials/"
#define DEFAULT_SESSION "llmhealth"

/* What is had next. */
enum state {
	STATE_START,
	STATE_SUBJECT,
	STATE_SSO,
	STATE_WEB_IDENTITY,
	STATE_CONTAINER,
	STATE_INSTANCE_TOKEN,
	STATE_INSTANCE_ROLE,
	STATE_INSTANCE_KEYS,
	STATE_ROLE, /* the first; the others after it */
};

/* Roles that are taken one with another. */
#define MAX_ROLES 8

static const char *const parts[] = { "aws_source", "aws_access_key_id", "aws_secret_access_key",
	"aws_session_token", "aws_role_name", "aws_session_name", "aws_external_id",
	"aws_region_name", "aws_sts_endpoint", "aws_web_identity_token",
	"aws_web_identity_token_file", "aws_web_identity_role", "aws_container_url",
	"aws_container_token", "aws_container_token_file", "aws_metadata_url", "aws_roles",
	"aws_sso_account", "aws_sso_role", "aws_sso_region", "aws_sso_token_file",
	"aws_sso_endpoint", "aws_process", "program_env" };

static int
identity(const struct target *t, struct buf *key, struct result *why)
{
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		identity_add_named(key, t, parts[i]);
	for (size_t i = 0; subject_parts[i]; i++)
		identity_add_named(key, t, subject_parts[i]);
	return 0;
}

/* ---- the roles ---- */

struct aws_role {
	struct str arn, session, external;
};

/* Takes what stands before the byte. */
static struct str
cut_at(struct str *s, char c)
{
	const char *at = s->n ? memchr(s->p, c, s->n) : NULL;
	struct str part = { s->p, at ? (size_t)(at - s->p) : s->n };

	s->p += part.n + (at != NULL);
	s->n -= part.n + (at != NULL);
	return part;
}

/* Role i of those to be taken: profiles' first ("arn TAB session TAB external" a line), then the
 * deployment's own. False past the last. */
static bool
role_at(const struct target *t, size_t i, struct aws_role *role)
{
	struct str lines = param_of(t, "aws_roles"), line;

	for (; lines.n > 0; i--) {
		line = cut_at(&lines, '\n');
		if (i > 0)
			continue;
		role->arn = cut_at(&line, '\t');
		role->session = cut_at(&line, '\t');
		role->external = line;
		return true;
	}
	*role = (struct aws_role){ param_of(t, "aws_role_name"), param_of(t, "aws_session_name"),
		param_of(t, "aws_external_id") };
	return i == 0 && role->arn.n > 0;
}

/* ---- STS ---- */

static struct str
region_of(const struct target *t)
{
	struct str region = param_of(t, "aws_region_name");

	return region.n > 0 ? region : STR("us-east-1");
}

static int
begin_sts(const struct target *t, struct auth_exchange *x, const char *action,
    const struct aws_role *role, struct request *req, struct result *why)
{
	struct str endpoint = param_of(t, "aws_sts_endpoint"), region = region_of(t);
	struct buf made = BUF_INIT(512);
	int err;

	if (!aws_is_scope(region))
		return auth_refuse(t, why, STS, "the AWS region `%.*s` is none", SHORT(region, 80));
	if (endpoint.n == 0) {
		buf_addf(&made, "https://sts.%.*s.amazonaws.com%s", (int)region.n, region.p,
		    str_starts(region, "cn-") ? ".cn" : "");
		endpoint = buf_str(&made);
	}
	err = step_form(t, x, STS, endpoint, "/", req, why);
	buf_clear(&made);
	if (err < 0)
		return err;
	form_add(&req->body, "Action", str_of(action));
	form_add(&req->body, "Version", STR("2011-06-15"));
	form_add(&req->body, "RoleArn", role->arn);
	form_add(&req->body, "RoleSessionName",
	    role->session.n > 0 ? role->session : STR(DEFAULT_SESSION));
	return 0;
}

static int
ask_role(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    struct request *req, struct result *why)
{
	size_t i = x->state >= STATE_ROLE ? x->state - STATE_ROLE : 0;
	struct str region = region_of(t);
	struct aws_role role;
	char name[64];
	int err;

	if (i >= MAX_ROLES || !role_at(t, i, &role))
		return auth_refuse(t, why, STS, "more than %d roles, one taken with another", MAX_ROLES);
	err = begin_sts(t, x, "AssumeRole", &role, req, why);
	if (err < 0)
		return err;
	if (role.external.n > 0)
		form_add(&req->body, "ExternalId", role.external);
	if (region.n >= sizeof(name))
		return auth_refuse(t, why, STS, "the AWS region is longer than any is");
	memcpy(name, region.p, region.n);
	name[region.n] = '\0';
	if (aws_sign_with(x->credential, "sts", name, ctx->now_ms, req) < 0)
		return auth_refuse(t, why, STS, "the request for the role cannot be signed");
	x->state = STATE_ROLE + (unsigned)i;
	return AUTH_SEND;
}

static struct str
trimmed(struct str s)
{
	while (s.n > 0 && strchr(" \t\r\n", s.p[s.n - 1]))
		s.n--;
	while (s.n > 0 && strchr(" \t\r\n", *s.p)) {
		s.p++;
		s.n--;
	}
	return s;
}

/* Kubernetes writes a new token into the file before the old one expires: it is read for each
 * fetch. */
static int
ask_web_identity(
    const struct target *t, struct auth_exchange *x, struct request *req, struct result *why)
{
	const struct aws_role role = { param_of(t, "aws_web_identity_role"),
		param_of(t, "aws_session_name"), STR("") };
	struct str token = secret_of(t, "aws_web_identity_token"),
		   path = param_of(t, "aws_web_identity_token_file");
	int err;

	if (subject_is(t) && x->kept == NULL) {
		x->state = STATE_SUBJECT;
		return subject_ask(t, x, req, why);
	}
	x->service = STS;
	if (subject_is(t))
		token = secret_reveal(x->kept);
	if (token.n == 0 && x->file.p == NULL && path.n > 0) {
		buf_reset(&x->path);
		buf_add_str(&x->path, path);
		return AUTH_READ;
	}
	if (token.n == 0)
		token = trimmed(x->file);
	if (token.n == 0)
		return auth_refuse(
		    t, why, NULL, "the web identity token %.*s is empty", SHORT(path, 512));
	if (!subject_is(t))
		auth_hide(x, token);
	err = begin_sts(t, x, "AssumeRoleWithWebIdentity", &role, req, why);
	if (err < 0)
		return err;
	form_add(&req->body, "WebIdentityToken", token);
	x->state = STATE_WEB_IDENTITY;
	return AUTH_SEND;
}

/* ---- the container, the machine ---- */

/* ECS and EKS: only these hosts may see the authorization token over plain HTTP, as in AWS's own
 * SDKs. */
static bool
is_container_url(struct str url)
{
	static const char *const hosts[] = { "http://169.254.170.2", "http://169.254.170.23",
		"http://[fd00:ec2::23]", "http://127.0.0.1", "http://localhost", "http://[::1]" };

	if (str_starts(url, "https://"))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		size_t n = strlen(hosts[i]);

		if (str_starts(url, hosts[i]) && (url.n == n || url.p[n] == '/' || url.p[n] == ':'))
			return true;
	}
	return false;
}

static int
ask_container(
    const struct target *t, struct auth_exchange *x, struct request *req, struct result *why)
{
	struct str url = param_of(t, "aws_container_url"),
		   path = param_of(t, "aws_container_token_file");
	struct str token = secret_of(t, "aws_container_token");
	int err;

	x->service = CONTAINER;
	if (!is_container_url(url))
		return auth_refuse(t, why, CONTAINER,
		    "`%.*s` is neither https nor an address of the container's agent",
		    SHORT(url, 256));
	if (path.n > 0 && x->file.p == NULL) {
		buf_reset(&x->path);
		buf_add_str(&x->path, path);
		return AUTH_READ;
	}
	if (x->file.p)
		token = trimmed(x->file);
	err = step_get(t, x, CONTAINER, url, "", req, why);
	if (err == 0 && token.n > 0) {
		auth_hide(x, token);
		err = step_header(t, x, req, "Authorization", token, why);
	}
	if (err < 0)
		return err;
	x->metadata = !str_starts(url, "https://");
	x->state = STATE_CONTAINER;
	return AUTH_SEND;
}

static int
ask_instance(
    const struct target *t, struct auth_exchange *x, struct request *req, struct result *why)
{
	struct str base = param_of(t, "aws_metadata_url");
	struct buf path = BUF_INIT(1024);
	int err;

	if (base.n == 0)
		base = STR(INSTANCE_BASE);
	x->metadata = true;
	if (x->state == STATE_START) {
		err = step_get(t, x, INSTANCE, base, "/latest/api/token", req, why);
		req->method = "PUT";
		if (err == 0)
			err = step_header(
			    t, x, req, "X-aws-ec2-metadata-token-ttl-seconds", STR("21600"), why);
		x->state = STATE_INSTANCE_TOKEN;
	} else {
		buf_addf(&path, ROLE_PATH "%s",
		    x->state == STATE_INSTANCE_KEYS ? buf_text(&x->note) : "");
		err = step_get(t, x, INSTANCE, base, buf_text(&path), req, why);
		if (err == 0)
			err = step_header(
			    t, x, req, "X-aws-ec2-metadata-token", secret_reveal(x->kept), why);
		buf_clear(&path);
	}
	return err < 0 ? err : AUTH_SEND;
}

/* ---- the steps ---- */

/* LiteLLM's words, and ours. */
static int
refuse_none(const struct target *t, struct result *why)
{
	auth_refuse(t, why, NULL,
	    "no AWS credentials: none are configured, and neither the environment, a profile, "
	    "the container nor the machine has any");
	buf_reset(&why->error);
	buf_addf(&why->error,
	    "litellm.AuthenticationError: BedrockException Invalid Authentication - "
	    "Unable to locate credentials");
	return ERR_DENIED;
}

static int
give_static(const struct target *t, struct auth_exchange *x, struct result *why)
{
	struct str id = secret_of(t, "aws_access_key_id"),
		   secret = secret_of(t, "aws_secret_access_key");
	struct str session = secret_of(t, "aws_session_token");
	int err;

	if (id.n == 0 || secret.n == 0)
		return refuse_none(t, why);
	x->service = "the configured AWS keys";
	if ((err = step_keep(t, x, "aws_access_key_id", id, &x->credential->access_key, why)) < 0 ||
	    (err = step_keep(
		 t, x, "aws_secret_access_key", secret, &x->credential->secret_key, why)) < 0)
		return err;
	if (session.n > 0)
		return step_keep(
		    t, x, "aws_session_token", session, &x->credential->session_token, why);
	return 0;
}

static int
ask(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    struct request *req, struct result *why)
{
	struct str source = param_of(t, "aws_source");
	struct aws_role role;
	int err;

	x->metadata = false;
	if (x->state >= STATE_ROLE)
		return ask_role(t, x, ctx, req, why);
	if (str_is(source, "sso")) {
		x->state = STATE_SSO;
		return aws_ask_sso(t, x, ctx, req, why);
	}
	if (str_is(source, "web_identity"))
		return ask_web_identity(t, x, req, why);
	if (str_is(source, "container"))
		return ask_container(t, x, req, why);
	if (str_is(source, "instance"))
		return ask_instance(t, x, req, why);
	err = str_is(source, "process") ? aws_ask_process(t, x, ctx, why) : give_static(t, x, why);
	if (err != 0)
		return err;
	return role_at(t, 0, &role) ? ask_role(t, x, ctx, req, why) : AUTH_DONE;
}

/* <AccessKeyId>…</AccessKeyId>; keys and tokens hold nothing that XML escapes. */
static struct str
xml_member(struct str body, const char *tag)
{
	struct buf b = BUF_INIT(64);
	const char *from, *to;

	buf_addf(&b, "<%s>", tag);
	from = memmem(body.p, body.n, buf_text(&b), b.len);
	from = from ? from + b.len : NULL;
	buf_reset(&b);
	buf_addf(&b, "</%s>", tag);
	to = from ? memmem(from, (size_t)(body.p + body.n - from), buf_text(&b), b.len) : NULL;
	buf_clear(&b);
	return to ? trimmed((struct str){ from, (size_t)(to - from) }) : STR("");
}

int
aws_take_keys(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    struct str id, struct str secret, struct str session, struct str expires, struct result *why)
{
	int err;

	if ((err = step_keep(t, x, "access key", id, &x->credential->access_key, why)) < 0 ||
	    (err = step_keep(t, x, "secret key", secret, &x->credential->secret_key, why)) < 0 ||
	    (err = step_keep(t, x, "session token", session, &x->credential->session_token, why)) <
		0)
		return err;
	return step_expires(t, x, ctx, time_iso8601(expires), why);
}

static int
judge_sts(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    const struct response *resp, struct result *why)
{
	if (resp->status != 200)
		return step_refused(t, x, resp, why);
	return aws_take_keys(t, x, ctx, xml_member(resp->body, "AccessKeyId"),
	    xml_member(resp->body, "SecretAccessKey"), xml_member(resp->body, "SessionToken"),
	    xml_member(resp->body, "Expiration"), why);
}

static int
judge_json_keys(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    const struct response *resp, struct result *why)
{
	static const char *const names[] = { "AccessKeyId", "SecretAccessKey", "Token",
		"Expiration" };
	struct buf texts[ARRAY_LEN(names)];
	int err;

	if (resp->status != 200)
		return step_refused(t, x, resp, why);
	err = json_texts(resp->body, names, ARRAY_LEN(names), texts);
	if (err < 0)
		err = auth_refuse(
		    t, why, x->service, "its answer is no JSON object that can be read");
	else
		err = aws_take_keys(t, x, ctx, buf_str(&texts[0]), buf_str(&texts[1]),
		    buf_str(&texts[2]), buf_str(&texts[3]), why);
	json_texts_clear(texts, ARRAY_LEN(names));
	return err;
}

/* A role's name becomes part of a path. */
static int
take_role(const struct target *t, struct auth_exchange *x, struct str body, struct result *why)
{
	struct str name = trimmed(body);

	for (size_t i = 0; i < name.n; i++)
		if (!((name.p[i] >= 'a' && name.p[i] <= 'z') ||
			(name.p[i] >= 'A' && name.p[i] <= 'Z') ||
			(name.p[i] >= '0' && name.p[i] <= '9') || strchr("+=,.@_-", name.p[i])))
			name.n = 0;
	if (name.n == 0 || name.n > 128)
		return auth_refuse(t, why, x->service,
		    "what it names is no role; is one attached to the machine?");
	buf_reset(&x->note);
	buf_add_str(&x->note, name);
	return 0;
}

static int
judge(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    const struct response *resp, struct result *why)
{
	struct aws_role role;
	int err;

	switch (x->state < STATE_ROLE ? (enum state)x->state : STATE_ROLE) {
	case STATE_SUBJECT:
		return subject_judge(t, x, resp, why);
	case STATE_SSO:
		err = aws_judge_sso(t, x, ctx, resp, why);
		break;
	case STATE_INSTANCE_TOKEN:
		if (resp->status != 200)
			return step_refused(t, x, resp, why);
		err = step_keep(t, x, "session token", trimmed(resp->body), &x->kept, why);
		x->state = STATE_INSTANCE_ROLE;
		return err < 0 ? err : AUTH_MORE;
	case STATE_INSTANCE_ROLE:
		if (resp->status == 404)
			return refuse_none(t, why);
		if (resp->status != 200)
			return step_refused(t, x, resp, why);
		err = take_role(t, x, resp->body, why);
		x->state = STATE_INSTANCE_KEYS;
		return err < 0 ? err : AUTH_MORE;
	case STATE_INSTANCE_KEYS:
	case STATE_CONTAINER:
		err = judge_json_keys(t, x, ctx, resp, why);
		break;
	case STATE_WEB_IDENTITY:
		err = judge_sts(t, x, ctx, resp, why);
		break;
	case STATE_START:
	case STATE_ROLE:
	default:
		err = judge_sts(t, x, ctx, resp, why);
		if (err < 0)
			return err;
		x->state++;
		return role_at(t, x->state - STATE_ROLE, &role) ? AUTH_MORE : AUTH_DONE;
	}
	if (err < 0)
		return err;
	x->state = STATE_ROLE;
	return role_at(t, 0, &role) ? AUTH_MORE : AUTH_DONE;
}

static const struct auth_scheme aws = { "aws", identity, ask, judge, aws_sign };

const struct auth_scheme *
auth_aws(const struct target *t)
{
	return secret_of(t, "api_key").n > 0 ? NULL : &aws;
}
