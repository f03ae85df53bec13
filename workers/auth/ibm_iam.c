/* SPDX-License-Identifier: Apache-2.0 */
/* IBM Cloud IAM, for watsonx: an API key is changed into a token. */
#include "workers/auth/schemes.h"

#include "workers/auth/steps.h"

#define SERVICE "IBM Cloud IAM"
#define URL "https://iam.cloud.ibm.com/identity/token"

static int
identity(const struct target *t, struct buf *key, struct result *why)
{
	identity_add_named(key, t, "token");
	identity_add_named(key, t, "api_key");
	identity_add_named(key, t, "watsonx_iam_url");
	return 0;
}

static int
ask(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    struct request *req, struct result *why)
{
	struct str given = secret_of(t, "token"), key = secret_of(t, "api_key"),
		   url = param_of(t, "watsonx_iam_url");
	int err;

	x->service = "the configured token";
	if (given.n > 0)
		return step_keep(t, x, "token", given, &x->credential->token, why);
	if (key.n == 0)
		return auth_refuse(
		    t, why, NULL, "no key for watsonx: set api_key or WATSONX_API_KEY, or a token");
	err = step_form(t, x, SERVICE, url.n > 0 ? url : STR(URL), "", req, why);
	if (err < 0)
		return err;
	form_add(&req->body, "grant_type", STR("urn:ibm:params:oauth:grant-type:apikey"));
	form_add(&req->body, "apikey", key);
	return AUTH_SEND;
}

static int
judge(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    const struct response *resp, struct result *why)
{
	return step_token(t, x, ctx, resp, "access_token", "expiration", why);
}

static const struct auth_scheme ibm_iam = { "ibm_iam", identity, ask, judge, NULL };

const struct auth_scheme *
auth_ibm_iam(const struct target *t)
{
	return secret_of(t, "zen_api_key").n > 0 && secret_of(t, "token").n == 0 ? NULL : &ibm_iam;
}
