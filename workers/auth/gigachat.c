/* SPDX-License-Identifier: Apache-2.0 */
/* GigaChat: the authorization key is changed into a token for half an hour. */
#include "workers/auth/schemes.h"

#include "workers/auth/steps.h"

#define SERVICE "GigaChat's token service"
#define URL "https://ngw.devices.sberbank.ru:9443/api/v2/oauth"
#define SCOPE "GIGACHAT_API_PERS"

static int
identity(const struct target *t, struct buf *key, struct result *why)
{
	identity_add_named(key, t, "token");
	identity_add_named(key, t, "api_key");
	identity_add_named(key, t, "gigachat_scope");
	identity_add_named(key, t, "gigachat_auth_url");
	return 0;
}

static int
ask(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    struct request *req, struct result *why)
{
	struct str key = secret_of(t, "api_key"), url = param_of(t, "gigachat_auth_url");
	struct str scope = param_of(t, "gigachat_scope"), given = secret_of(t, "token");
	struct buf value = BUF_INIT(STEPS_MAX_TOKEN), id = BUF_INIT(64);
	int err;

	x->service = "the configured token";
	if (given.n > 0)
		return step_keep(t, x, "token", given, &x->credential->token, why);
	if (key.n == 0)
		return auth_refuse(
		    t, why, NULL, "no key for gigachat: set api_key or GIGACHAT_CREDENTIALS");
	err = step_form(t, x, SERVICE, url.n > 0 ? url : STR(URL), "", req, why);
	if (err == 0) {
		buf_add_text(&value, "Basic ");
		buf_add_str(&value, key);
		err = step_header(t, x, req, "Authorization", buf_str(&value), why);
		secret_wipe(value.data, value.len);
	}
	if (err == 0) {
		request_add_uuid(&id, ctx, 1);
		err = step_header(t, x, req, "RqUID", buf_str(&id), why);
	}
	buf_clear(&value);
	buf_clear(&id);
	if (err < 0)
		return err;
	form_add(&req->body, "scope", scope.n > 0 ? scope : STR(SCOPE));
	return AUTH_SEND;
}

/* expires_at is in milliseconds. */
static int
judge(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    const struct response *resp, struct result *why)
{
	static const char *const name[] = { "expires_at" };
	struct buf text;
	int64_t at;
	int err = step_token(t, x, ctx, resp, "access_token", "expires_in", why);

	if (err < 0)
		return err;
	if (json_texts(resp->body, name, 1, &text) == 0 && text.len > 3) {
		at = time_seconds((struct str){ text.data, text.len - 3 });
		err = step_expires(t, x, ctx, at, why);
	}
	json_texts_clear(&text, 1);
	return err;
}

static const struct auth_scheme gigachat = { "gigachat", identity, ask, judge, NULL };

const struct auth_scheme *
auth_gigachat(const struct target *t)
{
	return &gigachat;
}
