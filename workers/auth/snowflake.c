/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snowflake's key-pair authentication: the token is a JWT of our own making, no service is asked.
 * LiteLLM takes one that was made elsewhere (SNOWFLAKE_JWT), which expires within the hour.
 */
#include "workers/auth/schemes.h"

#include <ctype.h>

#include "shared/json.h"
#include "workers/auth/rsa.h"
#include "workers/auth/steps.h"

#define LIFETIME_S 3540 /* Snowflake takes an hour at most */

static int
identity(const struct target *t, struct buf *key, struct result *why)
{
	identity_add_named(key, t, "snowflake_private_key");
	identity_add_named(key, t, "account_id");
	identity_add_named(key, t, "snowflake_user");
	return 0;
}

/* The account's name without its region, in capitals:
 * docs.snowflake.com/en/developer-guide/sql-api/authenticating */
static void
add_upper(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_add_char(b, (char)toupper((unsigned char)s.p[i]));
}

static int
ask(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    struct request *req, struct result *why)
{
	struct str pem = secret_of(t, "snowflake_private_key"), account = param_of(t, "account_id");
	struct str user = param_of(t, "snowflake_user");
	struct buf name = BUF_INIT(1024), issuer = BUF_INIT(2048), claims = BUF_INIT(8192);
	struct buf jwt = BUF_INIT(STEPS_MAX_TOKEN);
	long long now = (long long)(ctx->now_ms / 1000);
	const char *what = "it is too long";
	size_t n = 0;
	int err;

	if (pem.n == 0 || account.n == 0 || user.n == 0)
		return auth_refuse(t, why, NULL,
		    "no key for snowflake: set api_key or SNOWFLAKE_JWT, or "
		    "snowflake_private_key with account_id and snowflake_user");
	while (n < account.n && account.p[n] != '.')
		n++;
	add_upper(&name, (struct str){ account.p, n });
	buf_add_char(&name, '.');
	add_upper(&name, user);
	buf_addf(&issuer, "%s.SHA256:", buf_text(&name));
	err = public_key_fingerprint(pem, &issuer, &what);
	buf_add_text(&claims, "{\"iss\":");
	json_add_string(&claims, buf_str(&issuer));
	buf_add_text(&claims, ",\"sub\":");
	json_add_string(&claims, buf_str(&name));
	buf_addf(&claims, ",\"iat\":%lld,\"exp\":%lld}", now, now + LIFETIME_S);
	if (err == 0)
		err = jwt_sign(
		    pem, STR("{\"typ\":\"JWT\",\"alg\":\"RS256\"}"), buf_str(&claims), &jwt, &what);
	if (err == 0 && (!buf_ok(&claims) || !buf_ok(&jwt)))
		err = ERR_LIMIT;
	if (err < 0) {
		err = auth_refuse(t, why, NULL, "snowflake_private_key: %s", what);
	} else {
		x->credential->token = secret_new(buf_str(&jwt));
		x->credential->expires_ms = ctx->now_ms + LIFETIME_S * INT64_C(1000);
	}
	buf_clear(&name);
	buf_clear(&issuer);
	buf_clear(&claims);
	buf_clear(&jwt);
	return err < 0 ? err : AUTH_DONE;
}

static int
judge(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    const struct response *resp, struct result *why)
{
	return auth_refuse(t, why, NULL, "Snowflake has no token service");
}

static const struct auth_scheme snowflake = { "snowflake", identity, ask, judge, NULL };

const struct auth_scheme *
auth_snowflake(const struct target *t)
{
	return secret_of(t, "api_key").n > 0 ? NULL : &snowflake;
}
