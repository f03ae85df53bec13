/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OpenAI dialect, which most providers speak, with all routes of its API. This file makes the
 * request: URL, headers, and which body. What differs between providers (path, joining, auth,
 * names, constants) is in their rows; what is asked is what LiteLLM's health check asks.
 */
#include "workers/dialects/openai.h"

#include <stdio.h>
#include <string.h>

#include "shared/json.h"
#include "workers/auth/credential.h"
#include "workers/auth/schemes.h"
#include "workers/dialects/ask.h"
#include "workers/dialects/body.h"
#include "workers/dialects/headers.h"
#include "workers/dialects/multipart.h"
#include "workers/dialects/realtime.h"

static bool
is_text_route(const struct provider_call *call)
{
	return call->shape == SHAPE_CHAT || call->shape == SHAPE_TEXT ||
	       call->shape == SHAPE_RESPONSES || call->shape == SHAPE_MESSAGES ||
	       call->shape == SHAPE_EMBEDDING;
}

/* The model's name as some providers want it; all others take it as it is configured. */
void
openai_add_model(struct buf *b, const struct target *t, const struct provider_call *call)
{
	const char *name = t->model, *dot = strchr(name, '.'),
		   *dot2 = dot ? strchr(dot + 1, '.') : NULL, *slash;
	struct buf text = BUF_INIT(REQUEST_MAX_URL);

	if (strstr(call->path, "{chat}")) {
		/* `chat/ID/name`: the ID is in the path */
		for (int i = 0; i < 2 && (slash = strchr(name, '/')) != NULL; i++)
			name = slash + 1;
		buf_add_text(&text, name);
	} else if (!is_text_route(call)) {
		if (call->shape == SHAPE_RERANK && strcmp(t->provider->name, "fireworks_ai") == 0 &&
		    strncmp(name, "fireworks/", 10) != 0)
			buf_add_text(&text, "fireworks/");
		buf_add_text(&text, name);
	} else if (strncmp(name, "o_series/", 9) == 0 || strncmp(name, "gpt5_series/", 12) == 0) {
		/* Azure's deployments have any name: LiteLLM's users say in front what it is. */
		buf_add_text(&text, strchr(name, '/') + 1);
	} else if (strcmp(t->provider->name, "clarifai") == 0 && dot2) {
		/* `user.app.model` */
		buf_addf(&text, "https://clarifai.com/%.*s/%.*s/models/%s", (int)(dot - name), name,
		    (int)(dot2 - dot - 1), dot + 1, dot2 + 1);
	} else if (strcmp(t->provider->name, "fireworks_ai") == 0 &&
		   call->shape != SHAPE_EMBEDDING && strncmp(name, "accounts/", 9) != 0 &&
		   strchr(name, '#') == NULL) {
		buf_addf(&text, "accounts/fireworks/models/%s", name);
	} else {
		buf_add_text(&text, name);
	}
	json_add_string(b, buf_str(&text));
	buf_clear(&text);
}

/* Eden AI takes as JSON what others take as a form. */
bool
openai_is_form(const struct provider_call *call)
{
	return call->shape == SHAPE_TRANSCRIPTION || call->shape == SHAPE_IMAGE_EDIT ||
	       (call->shape == SHAPE_VIDEO && strcmp(call->method, "POST") == 0 &&
		   strcmp(call->provider->name, "edenai") != 0);
}

/* A list is asked for: nothing is sent. */
static bool
is_list(const struct provider_call *call)
{
	return call->shape == SHAPE_BATCHES ||
	       (call->shape == SHAPE_VIDEO && strcmp(call->method, "GET") == 0);
}

/*
 * Making a video is a paid job of minutes. That the key is good and the model there is said by the
 * list of models as well, which stands beside it. The config can ask for the job all the same.
 */
static struct provider_call
call_of(const struct target *t, char *path, size_t size)
{
	struct provider_call call = *provider_call(t->provider, t->mode);
	size_t n = strlen(call.path);

	if (call.shape == SHAPE_VIDEO && !ask_generates(t) && n >= 7 &&
	    strcmp(call.path + n - 7, "/videos") == 0) {
		snprintf(path, size, "%.*s/models", (int)(n - 7), call.path);
		call.path = path;
		call.method = "GET";
	}
	return call;
}

int
openai_add_bodies(const struct target *t, const struct provider_call *call, uint32_t variant,
    struct request *req, struct result *why)
{
	if (openai_is_form(call)) {
		if (openai_media_form(&req->body, &req->shown_body, t, call) < 0)
			return headers_refuse(t, why, "a parameter cannot be sent in a form");
		return 0;
	}
	if (is_list(call)) {
		buf_add(&req->shown_body, "{}", 2);
		return 0;
	}
	switch (call->shape) {
	case SHAPE_VIDEO:
	case SHAPE_IMAGE:
	case SHAPE_IMAGE_INPUT:
	case SHAPE_IMAGE_EDIT_CHAT:
	case SHAPE_SPEECH:
	case SHAPE_SPEECH_TEXT:
	case SHAPE_SPEECH_VOICE_ID:
		openai_media_body(&req->body, t, call);
		break;
	case SHAPE_RERANK:
	case SHAPE_RERANK_PASSAGES:
	case SHAPE_RERANK_QUERIES:
	case SHAPE_OCR:
	case SHAPE_DECISIONS:
	case SHAPE_DECISIONS_INPUT:
		openai_document_body(&req->body, t, call);
		break;
	default:
		openai_text_body(&req->body, t, call, variant, false);
		openai_text_body(&req->shown_body, t, call, variant, true);
		return 0;
	}
	buf_add_str(&req->shown_body, buf_str(&req->body));
	return 0;
}

/* Anthropic's own route at a provider that has it beside OpenAI's. */
static int
add_messages_headers(struct asking *a)
{
	int err = ask_header(a, "anthropic-version", "2023-06-01");

	if (err == 0 && provider_call(a->t->provider, a->t->mode)->flags & CALL_NO_AUTH)
		err = headers_add_key(a->t, &a->call, STR("x-api-key"), NULL, a->req, a->why);
	return err;
}

/* Those that speak OpenAI's dialect with a token that must be fetched first. */
static const struct {
	const char *provider;
	const struct auth_scheme *(*scheme)(const struct target *t);
} schemes[] = {
	{ "databricks", auth_databricks },
	{ "gigachat", auth_gigachat },
	{ "github_copilot", auth_github_copilot },
	{ "snowflake", auth_snowflake },
};

static const struct auth_scheme *
openai_scheme(const struct target *t)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (strcmp(t->provider->name, schemes[i].provider) == 0)
			return schemes[i].scheme(t);
	return NULL;
}

/* Anthropic's route of GitHub Copilot is a proxy of its own. */
static int
add_copilot_messages(struct asking *a)
{
	static const char *const lines[][2] = { { "OpenAI-Intent", "messages-proxy" },
		{ "X-Interaction-Type", "messages-proxy" },
		{ "X-GitHub-Api-Version", "2026-06-01" } };
	int err = 0;

	for (size_t i = 0; err == 0 && i < ARRAY_LEN(lines); i++)
		err = ask_header(a, lines[i][0], lines[i][1]);
	return err;
}

int
openai_add_headers(struct asking *a, struct str type)
{
	const struct credential *credential = a->ctx->credential;
	struct buf id = BUF_INIT(64);
	int err = 0;

	if (strcmp(a->t->provider->name, "github_copilot") == 0 && a->call.flags & CALL_HEADERS) {
		request_add_uuid(&id, a->ctx, 1);
		err = ask_header(a, "X-Request-Id", buf_text(&id));
		buf_clear(&id);
		if (err == 0 && a->call.shape == SHAPE_MESSAGES)
			err = add_copilot_messages(a);
	}
	return err < 0
		   ? err
		   : ask_headers(a, credential && credential->token ? ASK_TOKEN : ASK_KEY, type);
}

/* Who gives the token may say where its owner's provider is; a base of the config's own stays. */
static const char *
base_of(const struct asking *a)
{
	const struct target *t = a->t;
	const struct credential *credential = a->ctx->credential;

	if (credential && credential->base && t->provider->base &&
	    strcmp(t->api_base, t->provider->base) == 0)
		return credential->base;
	return t->api_base;
}

static int
openai_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct str type = STR("application/json");
	struct asking a;
	char path[256];
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	a.call = call_of(t, path, sizeof(path));
	req->method = a.call.method;
	if ((err = ask_url(&a, base_of(&a))) < 0)
		return err;
	if (a.call.shape == SHAPE_REALTIME)
		return realtime_end(&a);
	if (is_list(&a.call))
		type = STR("");
	else if (openai_is_form(&a.call))
		type = STR(MULTIPART_TYPE);
	if ((err = openai_add_headers(&a, type)) < 0 ||
	    (a.call.shape == SHAPE_MESSAGES && (err = add_messages_headers(&a)) < 0) ||
	    (err = openai_add_bodies(t, &a.call, ctx->variant, req, why)) < 0)
		return err;
	if (a.call.client == CLIENT_SDK)
		ask_show_base(&a);
	return ask_end(&a);
}

const struct dialect dialect_openai = {
	.name = "openai",
	.scheme = openai_scheme,
	.build = openai_build,
	.judge = openai_judge,
	.list = openai_list,
	.listed = openai_listed,
	.stable = true,
	.variants = BODY_GREETINGS,
};
