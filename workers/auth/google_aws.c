/* SPDX-License-Identifier: Apache-2.0 */
/*
 * google.aip.dev/auth/4117, "AWS": the request is signed and not sent; Google sends it and learns
 * who we are. Region and keys are those of the environment, else of the machine (IMDSv2 where the
 * account names its token's URL).
 */
#include "workers/auth/google_aws.h"

#include <string.h>

#include "shared/json.h"
#include "workers/auth/aws_internal.h"
#include "workers/dialects/ask.h"

#define SERVICE "AWS instance metadata"
#define VERIFICATION "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"

enum { AWS_TOKEN = GOOGLE_AWS_STATES, AWS_REGION, AWS_ROLE, AWS_KEYS, AWS_SIGNED };

enum { SOURCE_REGION_URL, SOURCE_URL, SOURCE_VERIFICATION, SOURCE_TOKEN_URL, SOURCE_ENVIRONMENT, SOURCES };

static const char *const sources[SOURCES] = { "credential_source.region_url", "credential_source.url",
	"credential_source.regional_cred_verification_url",
	"credential_source.imdsv2_session_token_url", "credential_source.environment_id" };

const char *const google_aws_parts[] = { "aws_access_key_id", "aws_secret_access_key",
	"aws_session_token", "aws_region_name", NULL };

/* As Google's libraries have it: the file may name the machine's metadata, and nobody else. */
static bool
is_metadata(struct str url)
{
	return str_starts(url, "http://169.254.169.254/") || str_starts(url, "http://[fd00:ec2::254]/");
}

static int
ask_machine(const struct target *t, struct auth_exchange *x, struct str url, const char *path,
    unsigned state, struct request *req, struct result *why)
{
	int err;

	x->service = SERVICE;
	if (!is_metadata(url))
		return auth_refuse(t, why, SERVICE,
		    "`%.*s` is no address of an AWS machine's metadata", SHORT(url, 200));
	err = step_get(t, x, SERVICE, url, path, req, why);
	if (err == 0 && state == AWS_TOKEN) {
		req->method = "PUT";
		err = step_header(t, x, req, "X-aws-ec2-metadata-token-ttl-seconds", STR("300"), why);
	} else if (err == 0 && x->kept) {
		err = step_header(
		    t, x, req, "X-aws-ec2-metadata-token", secret_reveal(x->kept), why);
	}
	x->metadata = true;
	x->state = state;
	return err < 0 ? err : AUTH_SEND;
}

/* "region LF role", as far as they are known. */
static struct str
known(const struct auth_exchange *x, bool role)
{
	struct str all = buf_str(&x->note);
	const char *end = all.n ? memchr(all.p, '\n', all.n) : NULL;

	if (!role)
		return (struct str){ all.p, end ? (size_t)(end - all.p) : all.n };
	return end ? (struct str){ end + 1, all.n - (size_t)(end + 1 - all.p) } : STR("");
}

static int
take_environment(const struct target *t, struct auth_exchange *x, struct result *why)
{
	struct str id = secret_of(t, "aws_access_key_id"),
		   secret = secret_of(t, "aws_secret_access_key"),
		   session = secret_of(t, "aws_session_token");
	int err;

	x->service = "the AWS keys of the environment";
	if (x->note.len == 0)
		buf_add_str(&x->note, param_of(t, "aws_region_name"));
	if (x->credential->access_key || id.n == 0 || secret.n == 0)
		return 0;
	if ((err = step_keep(t, x, "access key", id, &x->credential->access_key, why)) < 0 ||
	    (err = step_keep(t, x, "secret key", secret, &x->credential->secret_key, why)) < 0)
		return err;
	return session.n == 0 ? 0
			      : step_keep(t, x, "session token", session,
				    &x->credential->session_token, why);
}

static void
add_header(struct buf *b, const char *key, struct str value)
{
	json_add_comma(b);
	buf_addf(b, "{\"key\":\"%s\",\"value\":", key);
	json_add_string(b, value);
	buf_add_char(b, '}');
}

/* The signed request as JSON, percent-encoded: that is the token. */
static int
make_subject(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    struct str verification, struct str audience, struct result *why)
{
	struct str region = known(x, false), mark = STR("{region}"), host;
	struct buf name = BUF_INIT(64), json = BUF_INIT(16384), subject = BUF_INIT(STEPS_MAX_TOKEN);
	const char *at = memmem(verification.p, verification.n, mark.p, mark.n);
	struct request r;
	int err = 0;

	x->service = "the question to AWS STS";
	request_init(&r);
	r.method = "POST";
	buf_add_str(&name, region);
	buf_add(&r.url, verification.p, at ? (size_t)(at - verification.p) : verification.n);
	if (at) {
		buf_add_str(&r.url, region);
		at += mark.n;
		buf_add(&r.url, at, (size_t)(verification.p + verification.n - at));
	}
	host = buf_str(&r.url);
	if (!aws_is_scope(region) || !buf_ok(&name) || !str_starts(host, "https://"))
		err = ERR_INVALID;
	if (err == 0)
		err = request_add_header(&r, STR("x-goog-cloud-target-resource"), audience);
	if (err == 0)
		err = aws_sign_with(x->credential, "sts", buf_text(&name), ctx->now_ms, &r);
	if (err == 0) {
		host = (struct str){ host.p + 8, strcspn(host.p + 8, "/?#") };
		buf_add_text(&json, "{\"headers\":[");
		add_header(&json, "Authorization", request_header(&r, "Authorization"));
		add_header(&json, "host", host);
		add_header(&json, "x-amz-date", request_header(&r, "X-Amz-Date"));
		if (x->credential->session_token)
			add_header(&json, "x-amz-security-token",
			    secret_reveal(x->credential->session_token));
		add_header(&json, "x-goog-cloud-target-resource", audience);
		buf_add_text(&json, "],\"method\":\"POST\",\"url\":");
		json_add_string(&json, buf_str(&r.url));
		buf_add_char(&json, '}');
		ask_encode(&subject, buf_str(&json), "/");
	}
	if (err < 0 || !buf_ok(&json) || !buf_ok(&subject))
		err = auth_refuse(t, why, x->service,
		    "it cannot be signed: region, URL or audience is not valid, or it is too large");
	else
		err = step_keep(t, x, "subject token", buf_str(&subject), &x->kept, why);
	/* Google's token is all that is left. */
	secret_free(x->credential->access_key);
	secret_free(x->credential->secret_key);
	secret_free(x->credential->session_token);
	x->credential->access_key = x->credential->secret_key = x->credential->session_token = NULL;
	if (subject.data)
		secret_wipe(subject.data, subject.cap);
	if (json.data)
		secret_wipe(json.data, json.cap);
	buf_clear(&name);
	buf_clear(&json);
	buf_clear(&subject);
	request_clear(&r);
	x->state = AWS_SIGNED;
	return err;
}

int
google_aws_ask(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    struct str json, struct str audience, struct request *req, struct result *why)
{
	struct buf s[SOURCES], path = BUF_INIT(256);
	struct str role;
	int err;

	if (x->state == AWS_SIGNED)
		return 0;
	err = json_texts(json, sources, SOURCES, s);
	if (err < 0) {
		json_texts_clear(s, SOURCES);
		return auth_refuse(t, why, NULL, "credential_source is not as it should be");
	}
	role = known(x, true);
	if (!str_is(buf_str(&s[SOURCE_ENVIRONMENT]), "aws1"))
		err = auth_refuse(t, why, NULL,
		    "an external account of the kind `%.32s` is not known, expected aws1",
		    buf_text(&s[SOURCE_ENVIRONMENT]));
	else if ((err = take_environment(t, x, why)) < 0)
		;
	else if ((x->note.len == 0 || x->credential->access_key == NULL) && x->kept == NULL &&
		 s[SOURCE_TOKEN_URL].len > 0)
		err = ask_machine(t, x, buf_str(&s[SOURCE_TOKEN_URL]), "", AWS_TOKEN, req, why);
	else if (x->note.len == 0)
		err = ask_machine(t, x, buf_str(&s[SOURCE_REGION_URL]), "", AWS_REGION, req, why);
	else if (x->credential->access_key == NULL && role.n == 0)
		err = ask_machine(t, x, buf_str(&s[SOURCE_URL]), "", AWS_ROLE, req, why);
	else if (x->credential->access_key == NULL) {
		buf_addf(&path, "/%.*s", (int)role.n, role.p);
		err = ask_machine(t, x, buf_str(&s[SOURCE_URL]), buf_text(&path), AWS_KEYS, req, why);
	} else {
		err = make_subject(t, x, ctx,
		    s[SOURCE_VERIFICATION].len > 0 ? buf_str(&s[SOURCE_VERIFICATION])
						   : STR(VERIFICATION),
		    audience, why);
	}
	json_texts_clear(s, SOURCES);
	buf_clear(&path);
	return err;
}

static int
take_name(const struct target *t, struct auth_exchange *x, struct str name, const char *what,
    struct result *why)
{
	while (name.n > 0 && strchr(" \t\r\n", name.p[name.n - 1]))
		name.n--;
	for (size_t i = 0; i < name.n; i++)
		if (!((name.p[i] >= 'a' && name.p[i] <= 'z') ||
			(name.p[i] >= 'A' && name.p[i] <= 'Z') ||
			(name.p[i] >= '0' && name.p[i] <= '9') || strchr("+=,.@_-", name.p[i])))
			name.n = 0;
	if (name.n < 2 || name.n > 128)
		return auth_refuse(t, why, x->service, "what it names is no %s", what);
	buf_add_str(&x->note, name);
	return 0;
}

int
google_aws_judge(const struct target *t, struct auth_exchange *x, const struct response *resp,
    struct result *why)
{
	static const char *const names[] = { "AccessKeyId", "SecretAccessKey", "Token" };
	struct buf texts[ARRAY_LEN(names)];
	struct str text = resp->body;
	int err;

	if (resp->status != 200)
		return step_refused(t, x, resp, why);
	switch (x->state) {
	case AWS_TOKEN:
		while (text.n > 0 && strchr(" \t\r\n", text.p[text.n - 1]))
			text.n--;
		err = step_keep(t, x, "session token", text, &x->kept, why);
		break;
	case AWS_REGION:
		err = take_name(t, x, text, "zone", why);
		/* The zone us-east-1d is in the region us-east-1. */
		if (err == 0)
			x->note.data[--x->note.len] = '\0';
		break;
	case AWS_ROLE:
		buf_add_char(&x->note, '\n');
		err = take_name(t, x, text, "role", why);
		break;
	default:
		err = json_texts(resp->body, names, ARRAY_LEN(names), texts);
		if (err < 0)
			err = auth_refuse(
			    t, why, x->service, "its answer is no JSON object that can be read");
		else if ((err = step_keep(t, x, "access key", buf_str(&texts[0]),
			      &x->credential->access_key, why)) == 0 &&
			 (err = step_keep(t, x, "secret key", buf_str(&texts[1]),
			      &x->credential->secret_key, why)) == 0)
			err = step_keep(t, x, "session token", buf_str(&texts[2]),
			    &x->credential->session_token, why);
		json_texts_clear(texts, ARRAY_LEN(names));
		break;
	}
	return err < 0 ? err : AUTH_MORE;
}
