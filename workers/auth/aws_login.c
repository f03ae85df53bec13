/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that a program prints, and those that a person's login gives. */
#include <string.h>

#include "workers/auth/aws_internal.h"

#define PROCESS "the program of credential_process"
#define SSO "AWS IAM Identity Center"

/* ---- a program ---- */

/* docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html */
int
aws_ask_process(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    struct result *why)
{
	static const char *const names[] = { "Version", "AccessKeyId", "SecretAccessKey",
		"SessionToken", "Expiration" };
	struct buf texts[ARRAY_LEN(names)];
	int err;

	x->service = PROCESS;
	if (x->file.p == NULL)
		return step_run(t, x, PROCESS, secret_of(t, "aws_process"), STR(""));
	err = json_texts(x->file, names, ARRAY_LEN(names), texts);
	if (err < 0)
		err = auth_refuse(t, why, PROCESS, "what it printed is no JSON object");
	else if (!str_is(buf_str(&texts[0]), "1"))
		err = auth_refuse(t, why, PROCESS, "what it printed has the Version `%.20s`, expected 1",
		    buf_text(&texts[0]));
	else if ((err = step_keep(t, x, "AccessKeyId", buf_str(&texts[1]),
		      &x->credential->access_key, why)) == 0 &&
		 (err = step_keep(t, x, "SecretAccessKey", buf_str(&texts[2]),
		      &x->credential->secret_key, why)) == 0 &&
		 texts[3].len > 0)
		err = step_keep(t, x, "SessionToken", buf_str(&texts[3]),
		    &x->credential->session_token, why);
	if (err == 0 && texts[4].len > 0)
		err = step_expires(t, x, ctx, time_iso8601(buf_str(&texts[4])), why);
	json_texts_clear(texts, ARRAY_LEN(names));
	return err;
}

/* ---- a person's login ---- */

/*
 * IAM Identity Center (docs.aws.amazon.com/singlesignon/latest/PortalAPIReference): `aws sso login`
 * leaves a token in a file, which gives keys for hours. It is never renewed here: that needs the
 * person, or would end what others have of it.
 */
int
aws_ask_sso(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    struct request *req, struct result *why)
{
	static const char *const names[] = { "accessToken", "expiresAt" };
	struct str region = param_of(t, "aws_sso_region"), path = param_of(t, "aws_sso_token_file");
	struct str endpoint = param_of(t, "aws_sso_endpoint");
	struct buf texts[ARRAY_LEN(names)], base = BUF_INIT(512), form = BUF_INIT(2048);
	int64_t expires;
	int err;

	x->service = SSO;
	if (x->file.p == NULL) {
		buf_reset(&x->path);
		buf_add_str(&x->path, path);
		return AUTH_READ;
	}
	if (!aws_is_scope(region))
		return auth_refuse(t, why, SSO, "the sso_region `%.*s` is none", SHORT(region, 80));
	err = json_texts(x->file, names, ARRAY_LEN(names), texts);
	expires = err < 0 ? -1 : time_iso8601(buf_str(&texts[1]));
	if (err < 0 || texts[0].len == 0)
		err = auth_refuse(t, why, SSO, "the file %.*s holds no login", SHORT(path, 512));
	else if (expires > 0 && expires <= ctx->now_ms)
		err = auth_refuse(t, why, SSO,
		    "the login of %.*s is over since %s; `aws sso login` renews it", SHORT(path, 512),
		    buf_text(&texts[1]));
	if (err == 0) {
		auth_hide(x, buf_str(&texts[0]));
		if (endpoint.n == 0) {
			buf_addf(&base, "https://portal.sso.%.*s.amazonaws.com", (int)region.n, region.p);
			endpoint = buf_str(&base);
		}
		err = step_get(t, x, SSO, endpoint, "/federation/credentials?", req, why);
	}
	if (err == 0) {
		form_add(&form, "role_name", param_of(t, "aws_sso_role"));
		form_add(&form, "account_id", param_of(t, "aws_sso_account"));
		buf_add_str(&req->url, buf_str(&form));
		err = step_header(t, x, req, "x-amz-sso_bearer_token", buf_str(&texts[0]), why);
	}
	json_texts_clear(texts, ARRAY_LEN(names));
	buf_clear(&base);
	buf_clear(&form);
	return err < 0 ? err : AUTH_SEND;
}

int
aws_judge_sso(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    const struct response *resp, struct result *why)
{
	static const char *const names[] = { "roleCredentials.accessKeyId",
		"roleCredentials.secretAccessKey", "roleCredentials.sessionToken",
		"roleCredentials.expiration" };
	struct buf texts[ARRAY_LEN(names)];
	int64_t ms = 0;
	int err;

	if (resp->status != 200)
		return step_refused(t, x, resp, why);
	err = json_texts(resp->body, names, ARRAY_LEN(names), texts);
	if (err < 0)
		err = auth_refuse(
		    t, why, x->service, "its answer is no JSON object that can be read");
	else
		err = aws_take_keys(t, x, ctx, buf_str(&texts[0]), buf_str(&texts[1]),
		    buf_str(&texts[2]), STR(""), why);
	/* In milliseconds; a number of seconds is checked for what a time may be. */
	if (err == 0 && texts[3].len > 3) {
		ms = time_seconds((struct str){ texts[3].data, texts[3].len - 3 });
		err = step_expires(t, x, ctx, ms, why);
	}
	json_texts_clear(texts, ARRAY_LEN(names));
	return err;
}
