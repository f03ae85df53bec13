/* SPDX-License-Identifier: Apache-2.0 */
/* GitHub Copilot: the access token of a person's login is changed into one of half an hour. */
#include "workers/auth/schemes.h"

#include "workers/auth/steps.h"

#define SERVICE "GitHub's Copilot token service"
#define URL "https://api.github.com/copilot_internal/v2/token"

static int
identity(const struct target *t, struct buf *key, struct result *why)
{
	identity_add_named(key, t, "github_copilot_access_token");
	identity_add_named(key, t, "github_copilot_token_url");
	return 0;
}

static int
ask(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    struct request *req, struct result *why)
{
	struct str token = secret_of(t, "github_copilot_access_token"),
		   url = param_of(t, "github_copilot_token_url");
	struct buf value = BUF_INIT(STEPS_MAX_TOKEN);
	int err;

	if (token.n == 0)
		return auth_refuse(t, why, NULL,
		    "no login for GitHub Copilot: LiteLLM's folder has no access-token, "
		    "and a login needs a person");
	err = step_get(t, x, SERVICE, url.n > 0 ? url : STR(URL), "", req, why);
	if (err == 0) {
		buf_add_text(&value, "token ");
		buf_add_str(&value, token);
		err = step_header(t, x, req, "Authorization", buf_str(&value), why);
		secret_wipe(value.data, value.len);
	}
	buf_clear(&value);
	if (err == 0)
		err = step_header(t, x, req, "Accept", STR("application/json"), why);
	if (err == 0)
		err = step_header(t, x, req, "Editor-Version", STR("vscode/1.95.0"), why);
	if (err == 0)
		err = step_header(
		    t, x, req, "Editor-Plugin-Version", STR("copilot-chat/0.26.7"), why);
	return err < 0 ? err : AUTH_SEND;
}

/* {"token":…,"expires_at":1,"endpoints":{"api":"https://api.business.githubcopilot.com"}} */
static int
judge(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    const struct response *resp, struct result *why)
{
	static const char *const name[] = { "endpoints.api" };
	struct buf text;
	int err = step_token(t, x, ctx, resp, "token", "expires_at", why);

	if (err < 0)
		return err;
	/* The key goes to GitHub's hosts only, whatever an answer says. */
	if (json_texts(resp->body, name, 1, &text) == 0 && str_starts(buf_str(&text), "https://") &&
	    text.len < 256 && strcspn(buf_text(&text) + 8, "/?#@:") == text.len - 8 &&
	    text.len > 22 && strcmp(buf_text(&text) + text.len - 18, ".githubcopilot.com") == 0)
		x->credential->base = xstrdup(buf_text(&text));
	json_texts_clear(&text, 1);
	return AUTH_DONE;
}

static const struct auth_scheme github_copilot = { "github_copilot", identity, ask, judge, NULL };

const struct auth_scheme *
auth_github_copilot(const struct target *t)
{
	return &github_copilot;
}
