/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the auth schemes with the answers of token services, and with files that they read. The
 * first byte chooses the scheme, the second the status; the rest, cut at NUL bytes, is one answer a
 * step, the last one repeated. What must hold: it ends; a failure has a reason, words in one line
 * and no credential that is used; what a success gives can stand in a header.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "shared/json.h"
#include "workers/auth/auth.h"
#include "workers/auth/schemes.h"

#define NOW_MS INT64_C(1795250000000)

static const int statuses[] = { 200, 200, 200, 201, 302, 400, 401, 404, 500, 503 };

static const struct row {
	const struct auth_scheme *(*scheme)(const struct target *t);
	struct kv params[6], secrets[2];
} rows[] = {
	{ auth_aws, { { STR("aws_source"), STR("instance") } }, { { { NULL, 0 }, { NULL, 0 } } } },
	{ auth_aws,
	    { { STR("aws_source"), STR("container") },
		{ STR("aws_container_url"), STR("https://c.test/") },
		{ STR("aws_role_name"), STR("arn:r") } },
	    { { { NULL, 0 }, { NULL, 0 } } } },
	{ auth_aws,
	    { { STR("aws_source"), STR("web_identity") },
		{ STR("aws_web_identity_token_file"), STR("/t") },
		{ STR("aws_web_identity_role"), STR("arn:w") } },
	    { { { NULL, 0 }, { NULL, 0 } } } },
	{ auth_aws, { { STR("aws_role_name"), STR("arn:r") } },
	    { { STR("aws_access_key_id"), STR("AKIA") },
		{ STR("aws_secret_access_key"), STR("S") } } },
	{ auth_google, { { STR("google_metadata"), STR("true") } },
	    { { { NULL, 0 }, { NULL, 0 } } } },
	{ auth_google, { { { NULL, 0 }, { NULL, 0 } } },
	    { { STR("vertex_credentials"),
		STR("{\"type\":\"external_account\",\"audience\":\"a\",\"credential_source\":{"
		    "\"url\":\"https://s.test/\","
		    "\"headers\":{\"a\":\"b\"},\"format\":{\"type\":\"json\",\"subject_token_field_"
		    "name\":\"t\"}},"
		    "\"service_account_impersonation_url\":\"https://i.test/\"}") } } },
	{ auth_google, { { { NULL, 0 }, { NULL, 0 } } },
	    { { STR("vertex_credentials"), STR("{\"type\":\"external_account\",\"credential_"
					       "source\":{\"file\":\"/f\"}}") } } },
	{ auth_google, { { { NULL, 0 }, { NULL, 0 } } },
	    { { STR("vertex_credentials"),
		STR("{\"type\":\"authorized_user\",\"client_id\":\"i\",\"client_secret\":\"s\","
		    "\"refresh_token\":\"r\"}") } } },
	{ auth_entra, { { STR("tenant_id"), STR("t") }, { STR("client_id"), STR("c") } },
	    { { STR("client_secret"), STR("s") } } },
	{ auth_entra,
	    { { STR("tenant_id"), STR("t") }, { STR("client_id"), STR("c") },
		{ STR("azure_federated_token_file"), STR("/f") } },
	    { { { NULL, 0 }, { NULL, 0 } } } },
	{ auth_ibm_iam, { { { NULL, 0 }, { NULL, 0 } } }, { { STR("api_key"), STR("k") } } },
	{ auth_databricks, { { STR("client_id"), STR("c") } },
	    { { STR("client_secret"), STR("s") } } },
	{ auth_gigachat, { { { NULL, 0 }, { NULL, 0 } } }, { { STR("api_key"), STR("k") } } },
	{ auth_sap, { { { NULL, 0 }, { NULL, 0 } } },
	    { { STR("api_key"),
		STR("{\"clientid\":\"a\",\"clientsecret\":\"b\","
		    "\"url\":\"https://u.test\",\"serviceurls\":{\"AI_API_URL\":\"https://"
		    "s.test\"}}") } } },
	{ auth_github_copilot, { { { NULL, 0 }, { NULL, 0 } } },
	    { { STR("github_copilot_access_token"), STR("g") } } },
	{ auth_chatgpt, { { STR("chatgpt_auth_file"), STR("/f") } },
	    { { { NULL, 0 }, { NULL, 0 } } } },
	{ auth_aws,
	    { { STR("aws_source"), STR("sso") }, { STR("aws_sso_region"), STR("r") },
		{ STR("aws_sso_token_file"), STR("/t") }, { STR("aws_roles"), STR("arn:a\ts\te") },
		{ STR("aws_role_name"), STR("arn:r") } },
	    { { { NULL, 0 }, { NULL, 0 } } } },
	{ auth_aws,
	    { { STR("aws_source"), STR("web_identity") }, { STR("oidc_source"), STR("github") },
		{ STR("oidc_url"), STR("https://g.test/") },
		{ STR("aws_web_identity_role"), STR("arn:w") } },
	    { { STR("oidc_token"), STR("b") } } },
	{ auth_entra, { { STR("azure_managed_identity"), STR("arc") },
			  { STR("azure_identity_endpoint"), STR("http://127.0.0.1:1/") } },
	    { { { NULL, 0 }, { NULL, 0 } } } },
	{ auth_entra,
	    { { STR("oidc_source"), STR("google") }, { STR("client_id"), STR("c") },
		{ STR("tenant_id"), STR("t") } },
	    { { { NULL, 0 }, { NULL, 0 } } } },
	{ auth_aws, { { STR("aws_source"), STR("process") } },
	    { { STR("aws_process"), STR("/bin/p\nx") } } },
	{ auth_google, { { STR("google_executables"), STR("1") } },
	    { { STR("vertex_credentials"),
		STR("{\"type\":\"external_account\",\"credential_source\":{\"executable\":{"
		    "\"command\":\"/bin/p x\"}}}") } } },
	{ auth_google, { { { NULL, 0 }, { NULL, 0 } } },
	    { { STR("vertex_credentials"),
		STR("{\"type\":\"external_account\",\"credential_source\":{\"environment_id\":\"aws1\","
		    "\"region_url\":\"http://169.254.169.254/z\",\"url\":\"http://169.254.169.254/c\","
		    "\"imdsv2_session_token_url\":\"http://169.254.169.254/t\"}}") } } },
};

static struct target *targets[ARRAY_LEN(rows)];

static void
must(int truth)
{
	if (!truth)
		abort();
}

static struct str
no_header(const struct response *r, const char *name)
{
	return strcmp(name, "www-authenticate") == 0
		   ? STR("Basic realm=/var/opt/azcmagent/tokens/a.key")
		   : STR("");
}

static size_t
count(const struct kv *list, size_t max)
{
	size_t n = 0;

	while (n < max && list[n].key.p)
		n++;
	return n;
}

static const struct target *
target_of(size_t i)
{
	if (targets[i] == NULL) {
		struct row *row = (struct row *)(uintptr_t)&rows[i];
		struct msg_conf_target m = { .id = STR("i"),
			.provider = STR("openai"),
			.dialect = STR("openai"),
			.mode = MODE_CHAT,
			.model = STR("m"),
			.api_base = STR("https://b.test"),
			.timeout_ms = 1,
			.params = { row->params, count(row->params, ARRAY_LEN(row->params)) },
			.secrets = { row->secrets, count(row->secrets, ARRAY_LEN(row->secrets)) } };

		must(target_new(&m, &targets[i]) == 0);
	}
	return targets[i];
}

static void
check_header(const struct secret *s)
{
	struct str text = secret_reveal(s);

	for (size_t i = 0; i < text.n; i++)
		must(text.p[i] > ' ' && text.p[i] <= '~');
}

/* The next answer: up to a NUL byte, or what is left. */
static struct str
next(struct str *rest)
{
	const char *end = rest->n ? memchr(rest->p, '\0', rest->n) : NULL;
	struct str one = { rest->p, end ? (size_t)(end - rest->p) : rest->n };

	if (end)
		*rest = (struct str){ end + 1, rest->n - one.n - 1 };
	return one;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct build_context ctx = { .now_ms = NOW_MS };
	struct auth_exchange x;
	struct request req;
	struct result why;
	struct str rest = { size > 2 ? (const char *)data + 2 : "", size > 2 ? size - 2 : 0 };
	size_t row = size > 0 ? data[0] % ARRAY_LEN(rows) : 0;
	const struct target *t = target_of(row);
	const struct auth_scheme *scheme = rows[row].scheme(t);
	int rc = AUTH_MORE;

	must(scheme != NULL);
	request_init(&req);
	result_init(&why);
	auth_exchange_init(&x);
	for (unsigned i = 0; i < AUTH_MAX_STEPS && rc == AUTH_MORE; i++) {
		struct response resp = { .status =
					     statuses[size > 1 ? data[1] % ARRAY_LEN(statuses) : 0],
			.header = no_header };

		request_reset(&req);
		rc = scheme->ask(t, &x, &ctx, &req, &why);
		if (rc == AUTH_READ || rc == AUTH_RUN) {
			must(rc == AUTH_RUN ? x.words.len > 0 : x.path.len > 0);
			x.file = next(&rest);
			if (x.file.p == NULL)
				x.file.p = "";
			rc = scheme->ask(t, &x, &ctx, &req, &why);
			must(rc != AUTH_READ && rc != AUTH_RUN);
			x.file = (struct str){ NULL, 0 };
		}
		if (rc != AUTH_SEND)
			break;
		must(req.url.len > 0 && x.service != NULL);
		resp.body = next(&rest);
		rc = scheme->judge(t, &x, &ctx, &resp, &why);
	}
	if (rc < 0) {
		must(why.reason == REASON_AUTH && why.detail.len > 0 && why.error.len > 0);
		must(memchr(why.detail.data, '\n', why.detail.len) == NULL);
		must(utf8_valid(buf_str(&why.detail)));
	} else if (rc == AUTH_DONE) {
		must(x.credential->token || x.credential->secret_key);
		must(x.credential->expires_ms == 0 || x.credential->expires_ms > NOW_MS);
	}
	check_header(x.credential->token);
	check_header(x.credential->access_key);
	check_header(x.credential->session_token);
	auth_exchange_clear(&x);
	result_clear(&why);
	request_clear(&req);
	return 0;
}
