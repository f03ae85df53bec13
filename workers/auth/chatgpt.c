/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chatgpt: the token in LiteLLM's auth.json, as long as it holds. Refreshing it would take the
 * refresh token away from the gateway whose login it is, so that is left to the gateway; the file
 * is read anew when the token in it has expired.
 */
#include "workers/auth/schemes.h"

#include <stdlib.h>

#include "workers/auth/steps.h"

#define MAX_AGE_MS INT64_C(300000)

static int
identity(const struct target *t, struct buf *key, struct result *why)
{
	identity_add_named(key, t, "chatgpt_auth_file");
	return 0;
}

static int
ask(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    struct request *req, struct result *why)
{
	static const char *const names[] = { "access_token", "account_id", "expires_at" };
	struct str path = param_of(t, "chatgpt_auth_file");
	struct buf texts[ARRAY_LEN(names)];
	int64_t at;
	int err;

	x->service = "the chatgpt login";
	if (path.n == 0)
		return auth_refuse(t, why, NULL,
		    "no login for chatgpt: LiteLLM's folder has no auth.json, and a login "
		    "needs a person");
	if (x->file.p == NULL) {
		buf_add_str(&x->path, path);
		return AUTH_READ;
	}
	err = json_texts(x->file, names, ARRAY_LEN(names), texts);
	if (err < 0)
		err = auth_refuse(t, why, x->service, "%.256s is no JSON object that can be read",
		    buf_text(&x->path));
	if (err == 0)
		err =
		    step_keep(t, x, "access_token", buf_str(&texts[0]), &x->credential->token, why);
	at = time_seconds(buf_str(&texts[2]));
	if (err == 0 && at > 0 && at <= ctx->now_ms)
		err = auth_refuse(t, why, x->service,
		    "it expired %lld s ago; the gateway that it belongs to renews it",
		    (long long)((ctx->now_ms - at) / 1000));
	if (err == 0) {
		if (texts[1].len > 0)
			x->credential->account = xstrdup(buf_text(&texts[1]));
		/* The gateway may write another one at any time. */
		x->credential->expires_ms =
		    at > 0 && at < ctx->now_ms + MAX_AGE_MS ? at : ctx->now_ms + MAX_AGE_MS;
	}
	json_texts_clear(texts, ARRAY_LEN(names));
	return err < 0 ? err : AUTH_DONE;
}

static int
judge(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    const struct response *resp, struct result *why)
{
	return auth_refuse(t, why, x->service, "nobody was asked");
}

static const struct auth_scheme chatgpt = { "chatgpt", identity, ask, judge, NULL };

const struct auth_scheme *
auth_chatgpt(const struct target *t)
{
	return &chatgpt;
}
