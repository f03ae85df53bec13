/* SPDX-License-Identifier: Apache-2.0 */
/* Microsoft Entra ID: a token for a client secret, a certificate, a federated token, or a user. */
#include "workers/auth/schemes.h"

#include "shared/json.h"
#include "workers/auth/rsa.h"
#include "workers/auth/steps.h"
#include "workers/auth/subject.h"

#define SERVICE "Microsoft Entra ID"
#define AUTHORITY "https://login.microsoftonline.com"
#define SCOPE "https://cognitiveservices.azure.com/.default"
#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define ASSERTION_S 600

static const char *const parts[] = { "azure_ad_token", "tenant_id", "client_id", "client_secret",
	"azure_username", "azure_password", "azure_client_certificate",
	"azure_federated_token_file", "azure_scope", "azure_authority_host" };

static int
identity(const struct target *t, struct buf *key, struct result *why)
{
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		identity_add_named(key, t, parts[i]);
	for (size_t i = 0; subject_parts[i]; i++)
		identity_add_named(key, t, subject_parts[i]);
	return 0;
}

static bool
is_user(const struct target *t)
{
	return param_of(t, "azure_username").n > 0 && secret_of(t, "azure_password").n > 0 &&
	       param_of(t, "client_id").n > 0;
}

/* A tenant is a part of the path. */
static int
add_token_url(const struct target *t, struct buf *url, struct result *why)
{
	struct str host = param_of(t, "azure_authority_host"), tenant = param_of(t, "tenant_id");

	if (is_user(t) && secret_of(t, "client_secret").n == 0 && !subject_is(t))
		tenant = STR("organizations");
	if (host.n == 0)
		host = STR(AUTHORITY);
	while (host.n > 0 && host.p[host.n - 1] == '/')
		host.n--;
	if (tenant.n == 0)
		return auth_refuse(t, why, NULL, "Entra ID needs tenant_id");
	for (size_t i = 0; i < tenant.n; i++)
		if (!((tenant.p[i] >= '0' && tenant.p[i] <= '9') ||
			(tenant.p[i] >= 'a' && tenant.p[i] <= 'z') ||
			(tenant.p[i] >= 'A' && tenant.p[i] <= 'Z') || strchr("-._", tenant.p[i])))
			return auth_refuse(t, why, NULL,
			    "tenant_id holds what no tenant has: letters, digits, dots and "
			    "dashes were expected");
	if (!str_starts(host, "http"))
		buf_add_text(url, "https://");
	buf_addf(url, "%.*s/%.*s/oauth2/v2.0/token", (int)host.n, host.p, (int)tenant.n, tenant.p);
	return 0;
}

/* learn.microsoft.com/entra/identity-platform/certificate-credentials */
static int
add_certificate_assertion(const struct target *t, struct auth_exchange *x,
    const struct build_context *ctx, struct str url, struct request *req, struct result *why)
{
	struct str pem = secret_of(t, "azure_client_certificate"),
		   client = param_of(t, "client_id");
	struct buf header = BUF_INIT(1024), claims = BUF_INIT(8192),
		   jwt = BUF_INIT(STEPS_MAX_TOKEN);
	long long now = (long long)(ctx->now_ms / 1000);
	const char *what = "it is too long";
	int err;

	buf_add_text(&header, "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"x5t\":\"");
	if (certificate_thumbprint(pem, &header) < 0) {
		err =
		    auth_refuse(t, why, NULL, "the client certificate is no PEM that can be read");
		goto out;
	}
	buf_add_text(&header, "\"}");
	buf_add_text(&claims, "{\"aud\":");
	json_add_string(&claims, url);
	buf_add_text(&claims, ",\"iss\":");
	json_add_string(&claims, client);
	buf_add_text(&claims, ",\"sub\":");
	json_add_string(&claims, client);
	buf_addf(&claims, ",\"nbf\":%lld,\"exp\":%lld,\"iat\":%lld,\"jti\":\"", now,
	    now + ASSERTION_S, now);
	request_add_uuid(&claims, ctx, 1);
	buf_add_text(&claims, "\"}");
	err = jwt_sign(pem, buf_str(&header), buf_str(&claims), &jwt, &what);
	if (err == 0 && (!buf_ok(&claims) || !buf_ok(&jwt)))
		err = ERR_LIMIT;
	if (err < 0) {
		err = auth_refuse(t, why, NULL, "the client certificate cannot sign: %s", what);
		goto out;
	}
	auth_hide(x, buf_str(&jwt));
	form_add(&req->body, "client_assertion_type", STR(ASSERTION_TYPE));
	form_add(&req->body, "client_assertion", buf_str(&jwt));
out:
	buf_clear(&header);
	buf_clear(&claims);
	buf_clear(&jwt);
	return err;
}

static int
add_federated_assertion(
    const struct target *t, struct auth_exchange *x, struct request *req, struct result *why)
{
	struct str token = subject_is(t) ? secret_reveal(x->kept) : x->file;

	while (token.n > 0 && strchr(" \t\r\n", token.p[token.n - 1]))
		token.n--;
	if (token.n == 0)
		return auth_refuse(
		    t, why, NULL, "the federated token %.256s is empty", buf_text(&x->path));
	if (!subject_is(t))
		auth_hide(x, token);
	form_add(&req->body, "client_assertion_type", STR(ASSERTION_TYPE));
	form_add(&req->body, "client_assertion", token);
	return 0;
}

static int
add_user(const struct target *t, struct auth_exchange *x, struct request *req, struct str scope)
{
	struct buf scopes = BUF_INIT(2048);

	form_add(&req->body, "client_id", param_of(t, "client_id"));
	form_add(&req->body, "grant_type", STR("password"));
	form_add(&req->body, "client_info", STR("1"));
	form_add(&req->body, "username", param_of(t, "azure_username"));
	form_add(&req->body, "password", secret_of(t, "azure_password"));
	buf_addf(&scopes, "%.*s offline_access openid profile", (int)scope.n, scope.p);
	form_add(&req->body, "scope", buf_str(&scopes));
	buf_clear(&scopes);
	return 0;
}

static int
add_client(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    struct str url, struct request *req, struct result *why, struct str scope)
{
	struct str secret = secret_of(t, "client_secret");
	int err = 0;

	form_add(&req->body, "client_id", param_of(t, "client_id"));
	form_add(&req->body, "grant_type", STR("client_credentials"));
	form_add(&req->body, "client_info", STR("1"));
	if (subject_is(t))
		err = add_federated_assertion(t, x, req, why);
	else if (secret.n > 0)
		form_add(&req->body, "client_secret", secret);
	else if (secret_of(t, "azure_client_certificate").n > 0)
		err = add_certificate_assertion(t, x, ctx, url, req, why);
	else
		err = add_federated_assertion(t, x, req, why);
	form_add(&req->body, "scope", scope);
	return err;
}

static int
ask(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    struct request *req, struct result *why)
{
	struct str given = secret_of(t, "azure_ad_token"), scope = param_of(t, "azure_scope");
	struct str secret = secret_of(t, "client_secret"),
		   file = param_of(t, "azure_federated_token_file");
	struct buf url = BUF_INIT(1024);
	int err;

	x->service = SERVICE;
	if (given.n > 0) {
		x->service = "the configured azure_ad_token";
		return step_keep(t, x, "token", given, &x->credential->token, why);
	}
	if (scope.n == 0)
		scope = STR(SCOPE);
	if (machine_is(t))
		return machine_ask(t, x, scope, req, why);
	x->metadata = false;
	if (param_of(t, "client_id").n == 0)
		return auth_refuse(t, why, NULL, "Entra ID needs client_id");
	if (subject_is(t) && x->kept == NULL)
		return subject_ask(t, x, req, why);
	x->service = SERVICE;
	if (!subject_is(t) && secret.n == 0 && secret_of(t, "azure_client_certificate").n == 0 &&
	    !is_user(t)) {
		if (file.n == 0)
			return auth_refuse(t, why, NULL,
			    "Entra ID needs client_secret, a certificate, a federated token "
			    "file, or azure_username and azure_password");
		if (x->file.p == NULL) {
			buf_reset(&x->path);
			buf_add_str(&x->path, file);
			return AUTH_READ;
		}
	}
	err = add_token_url(t, &url, why);
	if (err == 0)
		err = step_form(t, x, SERVICE, buf_str(&url), "", req, why);
	if (err == 0 && is_user(t) && secret.n == 0 && !subject_is(t))
		err = add_user(t, x, req, scope);
	else if (err == 0)
		err = add_client(t, x, ctx, buf_str(&url), req, why, scope);
	buf_clear(&url);
	return err < 0 ? err : AUTH_SEND;
}

static int
judge(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    const struct response *resp, struct result *why)
{
	if (machine_is(t))
		return machine_judge(t, x, ctx, resp, why);
	if (subject_is(t) && x->kept == NULL)
		return subject_judge(t, x, resp, why);
	return step_token(t, x, ctx, resp, "access_token", NULL, why);
}

static const struct auth_scheme entra = { "entra", identity, ask, judge, NULL };

/* LiteLLM's order: a given key first, then a given token, then what a token is fetched with. */
const struct auth_scheme *
auth_entra(const struct target *t)
{
	if (secret_of(t, "api_key").n > 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (strcmp(parts[i], "azure_scope") != 0 &&
		    strcmp(parts[i], "azure_authority_host") != 0 &&
		    (secret_of(t, parts[i]).n > 0 || param_of(t, parts[i]).n > 0))
			return &entra;
	return machine_is(t) || subject_is(t) ? &entra : NULL;
}
