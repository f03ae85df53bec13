/* SPDX-License-Identifier: Apache-2.0 */
/* Databricks, machine to machine: the workspace itself gives the token. */
#include "workers/auth/schemes.h"

#include "workers/auth/steps.h"

#define SERVICE "the Databricks workspace's token service"

static int
identity(const struct target *t, struct buf *key, struct result *why)
{
	identity_add(key, str_of(t->api_base));
	identity_add_named(key, t, "client_id");
	identity_add_named(key, t, "client_secret");
	return 0;
}

/* Scheme and host of the base: https://adb-1.azuredatabricks.net of …/serving-endpoints */
static struct str
workspace(const struct target *t)
{
	struct str base = str_of(t->api_base);
	size_t n = str_starts(base, "https://") ? 8 : str_starts(base, "http://") ? 7 : 0;

	while (n < base.n && !strchr("/?#", base.p[n]))
		n++;
	base.n = n;
	return base;
}

static int
ask(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    struct request *req, struct result *why)
{
	struct str id = param_of(t, "client_id"), secret = secret_of(t, "client_secret");
	int err;

	if (id.n == 0 || secret.n == 0)
		return auth_refuse(t, why, NULL,
		    "no key for databricks: set api_key or DATABRICKS_API_KEY, or client_id "
		    "and client_secret (DATABRICKS_CLIENT_ID, DATABRICKS_CLIENT_SECRET)");
	err = step_form(t, x, SERVICE, workspace(t), "/oidc/v1/token", req, why);
	if (err == 0)
		err = step_basic(t, x, req, id, secret, why);
	if (err < 0)
		return err;
	form_add(&req->body, "grant_type", STR("client_credentials"));
	form_add(&req->body, "scope", STR("all-apis"));
	return AUTH_SEND;
}

static int
judge(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    const struct response *resp, struct result *why)
{
	return step_token(t, x, ctx, resp, "access_token", NULL, why);
}

static const struct auth_scheme databricks = { "databricks", identity, ask, judge, NULL };

const struct auth_scheme *
auth_databricks(const struct target *t)
{
	return secret_of(t, "api_key").n > 0 ? NULL : &databricks;
}
