/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Google: cloud.google.com/compute/docs/instances/verifying-instance-identity. GitHub:
 * docs.github.com/actions, "OpenID Connect". Azure:
 * learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token,
 * /azure/app-service/overview-managed-identity, /azure/azure-arc/servers/managed-identity-authentication.
 */
#include "workers/auth/subject.h"

#include <string.h>
#include <strings.h>

#include "workers/auth/steps.h"

#define GOOGLE "Google's metadata server"
#define GITHUB "GitHub's token service"
#define MACHINE "Azure's managed identity"
#define METADATA_BASE "http://169.254.169.254"
#define ARC_FOLDER "/var/opt/azcmagent/tokens/"
#define ARC_KEY_MAX 4096

const char *const subject_parts[] = { "oidc_source", "oidc_audience", "oidc_url", "oidc_token",
	"google_metadata_host", "azure_managed_identity", "azure_identity_endpoint",
	"azure_identity_header", NULL };

bool
subject_is(const struct target *t)
{
	return param_of(t, "oidc_source").n > 0;
}

static int
ask_google(const struct target *t, struct auth_exchange *x, struct request *req, struct result *why)
{
	struct str host = param_of(t, "google_metadata_host");
	struct buf base = BUF_INIT(512), form = BUF_INIT(4096), query = BUF_INIT(8192);
	int err;

	form_add(&form, "audience", param_of(t, "oidc_audience"));
	buf_addf(&query, "/computeMetadata/v1/instance/service-accounts/default/identity?%s",
	    buf_text(&form));
	buf_clear(&form);
	if (host.n > 0)
		buf_addf(&base, "http://%.*s", (int)host.n, host.p);
	else
		buf_add_text(&base, METADATA_BASE);
	err = step_get(t, x, GOOGLE, buf_str(&base), buf_text(&query), req, why);
	buf_clear(&base);
	buf_clear(&query);
	if (err == 0)
		err = step_header(t, x, req, "Metadata-Flavor", STR("Google"), why);
	x->metadata = true;
	return err < 0 ? err : AUTH_SEND;
}

static int
ask_github(const struct target *t, struct auth_exchange *x, struct request *req, struct result *why)
{
	struct str url = param_of(t, "oidc_url"), token = secret_of(t, "oidc_token");
	struct buf bearer = BUF_INIT(STEPS_MAX_TOKEN + 16), form = BUF_INIT(4096);
	int err;

	if (url.n == 0 || token.n == 0)
		return auth_refuse(t, why, GITHUB,
		    "ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN are not set; "
		    "has the job `permissions: id-token: write`?");
	if (!str_starts(url, "https://") && !str_starts(url, "http://127.0.0.1:") &&
	    !str_starts(url, "http://localhost:"))
		return auth_refuse(t, why, GITHUB, "`%.*s` is not https", SHORT(url, 200));
	err = step_get(t, x, GITHUB, url, "", req, why);
	if (err < 0)
		return err;
	form_add(&form, "audience", param_of(t, "oidc_audience"));
	buf_addf(&req->url, "%c%s", memchr(url.p, '?', url.n) ? '&' : '?', buf_text(&form));
	buf_clear(&form);
	if (!buf_ok(&req->url))
		return auth_refuse(t, why, GITHUB, "its URL is too long");
	buf_add_text(&bearer, "Bearer ");
	buf_add_str(&bearer, token);
	err = step_header(t, x, req, "Authorization", buf_str(&bearer), why);
	if (bearer.data)
		secret_wipe(bearer.data, bearer.len);
	buf_clear(&bearer);
	if (err == 0)
		err = step_header(t, x, req, "Accept", STR("application/json; api-version=2.0"), why);
	return err < 0 ? err : AUTH_SEND;
}

int
subject_ask(const struct target *t, struct auth_exchange *x, struct request *req, struct result *why)
{
	struct str source = param_of(t, "oidc_source");

	if (str_is(source, "google"))
		return ask_google(t, x, req, why);
	if (str_is(source, "github"))
		return ask_github(t, x, req, why);
	return auth_refuse(
	    t, why, NULL, "tokens of `%.*s` are not known", SHORT(source, 40));
}

int
subject_judge(const struct target *t, struct auth_exchange *x, const struct response *resp,
    struct result *why)
{
	static const char *const value[] = { "value" };
	struct str text = resp->body;
	struct buf found = BUF_INIT(1);
	int err = 0;

	if (resp->status != 200)
		return step_refused(t, x, resp, why);
	while (text.n > 0 && strchr(" \t\r\n", text.p[text.n - 1]))
		text.n--;
	if (str_is(param_of(t, "oidc_source"), "github")) {
		err = json_texts(resp->body, value, 1, &found);
		text = buf_str(&found);
	}
	if (err < 0)
		err = auth_refuse(
		    t, why, x->service, "its answer is no JSON object that can be read");
	else
		err = step_keep(t, x, "token", text, &x->kept, why);
	json_texts_clear(&found, 1);
	if (err < 0)
		return err;
	auth_hide(x, secret_reveal(x->kept));
	return AUTH_MORE;
}

/* ---- an Azure machine ---- */

enum machine_state { MACHINE_START, MACHINE_CHALLENGED, MACHINE_TOKEN };

bool
machine_is(const struct target *t)
{
	return param_of(t, "azure_managed_identity").n > 0;
}

/* "https://…/.default" is asked for as what it is of. */
static struct str
resource_of(struct str scope)
{
	static const char end[] = "/.default";
	size_t n = sizeof(end) - 1;

	if (scope.n > n && memcmp(scope.p + scope.n - n, end, n) == 0)
		scope.n -= n;
	return scope;
}

static int
begin_machine(const struct target *t, struct auth_exchange *x, struct str base, const char *version,
    struct str scope, struct request *req, struct result *why)
{
	struct str client = param_of(t, "client_id");
	int err = step_get(t, x, MACHINE, base, "", req, why);

	if (err < 0)
		return err;
	buf_addf(&req->url, "%capi-version=%s", memchr(base.p, '?', base.n) ? '&' : '?', version);
	form_add(&req->url, "resource", resource_of(scope));
	if (client.n > 0)
		form_add(&req->url, "client_id", client);
	return buf_ok(&req->url) ? 0 : auth_refuse(t, why, MACHINE, "its URL is too long");
}

/* The agent of Azure Arc wants to see that a file of its own can be read. */
static int
ask_arc(const struct target *t, struct auth_exchange *x, struct str scope, struct request *req,
    struct result *why)
{
	struct buf basic = BUF_INIT(ARC_KEY_MAX + 16);
	int err;

	if (x->state == MACHINE_CHALLENGED && x->file.p == NULL) {
		buf_reset(&x->path);
		buf_add_str(&x->path, buf_str(&x->note));
		return AUTH_READ;
	}
	err = begin_machine(t, x, param_of(t, "azure_identity_endpoint"), "2019-11-01", scope, req, why);
	if (err == 0)
		err = step_header(t, x, req, "Metadata", STR("true"), why);
	if (err == 0 && x->state == MACHINE_CHALLENGED) {
		if (x->file.n > ARC_KEY_MAX)
			return auth_refuse(t, why, MACHINE, "its key file is larger than any is");
		auth_hide(x, x->file);
		buf_add_text(&basic, "Basic ");
		buf_add_str(&basic, x->file);
		err = step_header(t, x, req, "Authorization", buf_str(&basic), why);
		if (basic.data)
			secret_wipe(basic.data, basic.len);
		buf_clear(&basic);
		x->state = MACHINE_TOKEN;
	}
	return err < 0 ? err : AUTH_SEND;
}

int
machine_ask(const struct target *t, struct auth_exchange *x, struct str scope, struct request *req,
    struct result *why)
{
	struct str kind = param_of(t, "azure_managed_identity");
	struct str endpoint = param_of(t, "azure_identity_endpoint");
	int err;

	x->service = MACHINE;
	x->metadata = true;
	if (str_is(kind, "arc"))
		return ask_arc(t, x, scope, req, why);
	if (str_is(kind, "app_service")) {
		err = begin_machine(t, x, endpoint, "2019-08-01", scope, req, why);
		if (err == 0)
			err = step_header(t, x, req, "X-IDENTITY-HEADER",
			    secret_of(t, "azure_identity_header"), why);
	} else if (str_is(kind, "imds")) {
		err = begin_machine(t, x,
		    endpoint.n > 0 ? endpoint : STR(METADATA_BASE "/metadata/identity/oauth2/token"),
		    "2018-02-01", scope, req, why);
		if (err == 0)
			err = step_header(t, x, req, "Metadata", STR("true"), why);
	} else {
		return auth_refuse(t, why, MACHINE, "`%.*s` is no kind of it", SHORT(kind, 40));
	}
	x->state = MACHINE_TOKEN;
	return err < 0 ? err : AUTH_SEND;
}

/* "Basic realm=/var/opt/azcmagent/tokens/ID.key": nothing else is read. */
static int
take_challenge(const struct target *t, struct auth_exchange *x, struct str said, struct result *why)
{
	const char *at = said.n ? memmem(said.p, said.n, "realm=", 6) : NULL;
	struct str path = { at ? at + 6 : "", at ? said.n - (size_t)(at + 6 - said.p) : 0 };

	if (path.n > 1 && *path.p == '"' && path.p[path.n - 1] == '"')
		path = (struct str){ path.p + 1, path.n - 2 };
	if (!str_starts(path, ARC_FOLDER) || path.n < 5 || path.n > 512 ||
	    memcmp(path.p + path.n - 4, ".key", 4) != 0 ||
	    memchr(path.p + strlen(ARC_FOLDER), '/', path.n - strlen(ARC_FOLDER)))
		return auth_refuse(t, why, MACHINE,
		    "it names no key in " ARC_FOLDER ", which is where the agent's are");
	buf_reset(&x->note);
	buf_add_str(&x->note, path);
	x->state = MACHINE_CHALLENGED;
	return AUTH_MORE;
}

int
machine_judge(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    const struct response *resp, struct result *why)
{
	if (x->state == MACHINE_START && resp->status == 401 && resp->header)
		return take_challenge(t, x, resp->header(resp, "www-authenticate"), why);
	return step_token(t, x, ctx, resp, "access_token", "expires_on", why);
}
