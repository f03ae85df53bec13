/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Azure AI Foundry: the model and the host say which of its routes is asked. OpenAI's models have
 * Azure's paths, Claude has Anthropic's, all others OpenAI's own; rankings, pages and decisions
 * have routes of their own.
 */
#include <string.h>
#include <strings.h>

#include "workers/auth/schemes.h"
#include "workers/dialects/anthropic.h"
#include "workers/dialects/azure.h"
#include "workers/dialects/body.h"
#include "workers/dialects/cohere.h"
#include "workers/dialects/ask.h"
#include "workers/dialects/judge.h"
#include "workers/dialects/openai.h"

#define INTELLIGENCE "doc-intelligence/"
#define INTELLIGENCE_VERSION "2024-11-30"

enum way {
	WAY_AZURE,  /* as a deployment of Azure OpenAI */
	WAY_CLAUDE, /* Anthropic's messages */
	WAY_OPENAI, /* OpenAI's paths under the base */
	WAY_EMBED,
	WAY_RANK,
	WAY_RESPONSES,
	WAY_DECIDE,
	WAY_PAGES,  /* Mistral's OCR */
	WAY_PARSE,  /* Cohere's */
	WAY_PAPERS, /* Document Intelligence */
};

/* Whether the base's host ends so. */
static bool
at_host(const struct target *t, const char *tail)
{
	const char *host = strstr(t->api_base, "://");
	size_t n, m = strlen(tail);

	host = host ? host + 3 : t->api_base;
	n = strcspn(host, ":/?#");
	return n >= m && strncasecmp(host + n - m, tail, m) == 0;
}

static bool
at_services(const struct target *t)
{
	return at_host(t, ".services.ai.azure.com");
}

/* OpenAI's own models, by name. */
static bool
is_openai(const char *m)
{
	return strncmp(m, "gpt-", 4) == 0 || strncmp(m, "chatgpt-", 8) == 0 ||
	       strncmp(m, "codex", 5) == 0 || strncmp(m, "computer-use-", 13) == 0 ||
	       strncmp(m, "text-embedding-", 15) == 0 ||
	       (m[0] == 'o' && m[1] >= '1' && m[1] <= '9' && (m[2] == '\0' || m[2] == '-'));
}

static bool
is_claude(const char *m)
{
	return strncasecmp(m, "claude", 6) == 0;
}

bool
azure_ai_is_claude(const struct target *t)
{
	return is_claude(t->model);
}

static enum way
way_of(const struct target *t)
{
	const char *m = t->model;

	switch (t->mode) {
	case MODE_EMBEDDING:
		return WAY_EMBED;
	case MODE_RERANK:
		return WAY_RANK;
	case MODE_DECISIONS:
		return WAY_DECIDE;
	case MODE_OCR:
		return strncmp(m, INTELLIGENCE, strlen(INTELLIGENCE)) == 0 ? WAY_PAPERS
		       : strncasecmp(m, "cohere", 6) == 0		   ? WAY_PARSE
									   : WAY_PAGES;
	case MODE_IMAGE_GENERATION:
	case MODE_AUDIO_SPEECH:
	case MODE_AUDIO_TRANSCRIPTION:
		return WAY_AZURE;
	case MODE_RESPONSES:
		if (is_openai(m))
			return at_services(t) ? WAY_RESPONSES : WAY_OPENAI;
		break;
	default:
		break;
	}
	if (is_claude(m))
		return WAY_CLAUDE;
	return is_openai(m) && !at_services(t) ? WAY_AZURE : WAY_OPENAI;
}

/* The call as it is made: shape, path and whose words an error has. */
static struct provider_call
call_of(const struct target *t, enum way way)
{
	struct provider_call call = *provider_call(t->provider, t->mode);

	call.join = JOIN_STRIP;
	call.client = CLIENT_HTTPX;
	call.flags |= CALL_NO_AUTH;
	switch (way) {
	case WAY_AZURE:
		if (call.shape != SHAPE_IMAGE && call.shape != SHAPE_SPEECH &&
		    call.shape != SHAPE_TRANSCRIPTION)
			call.shape = SHAPE_CHAT;
		call.client = call.shape == SHAPE_IMAGE ? CLIENT_HTTPX : CLIENT_SDK;
		call.accept = call.shape == SHAPE_IMAGE	   ? ACCEPT_ANY
			      : call.shape == SHAPE_SPEECH ? ACCEPT_BYTES
							   : ACCEPT_JSON;
		if (call.shape == SHAPE_IMAGE)
			call.flags |= CALL_NO_MODEL;
		break;
	case WAY_CLAUDE:
		call.shape = SHAPE_MESSAGES;
		call.path = "/anthropic/v1/messages";
		call.accept = t->mode == MODE_ANTHROPIC_MESSAGES ? ACCEPT_ANY : ACCEPT_JSON;
		call.flags |= CALL_HEADERS;
		break;
	case WAY_OPENAI:
		call.shape = SHAPE_CHAT;
		call.path = "/chat/completions";
		call.accept = ACCEPT_ANY;
		call.flags &= ~CALL_HEADERS;
		break;
	case WAY_EMBED:
		call.path = "/embeddings";
		call.client = CLIENT_SDK;
		break;
	case WAY_RANK:
	case WAY_DECIDE:
		call.join = JOIN_DROP_V1;
		break;
	case WAY_RESPONSES:
		call.path = "/openai/v1/responses";
		break;
	case WAY_PAGES:
	case WAY_PARSE:
		call.path = way == WAY_PAGES ? "/providers/mistral/azure/ocr"
					     : "/providers/cohere/v2/parse";
		break;
	case WAY_PAPERS:
		call.method = "GET";
		break;
	}
	return call;
}

/* Foundry's hosts serve models under /models, whether the base says so or not. */
static bool
needs_models(const struct target *t, enum way way)
{
	size_t n = strlen(t->api_base);

	if ((way != WAY_OPENAI && way != WAY_EMBED) || !at_services(t))
		return false;
	while (n > 0 && t->api_base[n - 1] == '/')
		n--;
	return n < 7 || memcmp(t->api_base + n - 7, "/models", 7) != 0;
}

static enum azure_key
key_of(const struct target *t, enum way way)
{
	switch (way) {
	case WAY_CLAUDE:
		return t->mode == MODE_ANTHROPIC_MESSAGES ? AZURE_X_API_KEY : AZURE_BOTH;
	case WAY_OPENAI:
		return at_services(t) || at_host(t, ".openai.azure.com") ? AZURE_API_KEY
									 : AZURE_BEARER;
	case WAY_RESPONSES:
		return AZURE_API_KEY;
	case WAY_PAPERS:
		return AZURE_SUBSCRIPTION;
	default:
		return AZURE_BEARER;
	}
}

/* Reading a page costs; that the key is good and the model there is said by the model's
 * description. */
static void
add_papers_path(struct buf *path, const struct target *t)
{
	const char *version = target_param(t, "api_version");

	buf_add_text(path, "/documentintelligence/documentModels/");
	ask_encode(path, str_of(t->model + strlen(INTELLIGENCE)), "");
	buf_addf(path, "?api-version=%s", version && *version ? version : INTELLIGENCE_VERSION);
}

static int
add_url(struct asking *a, enum way way)
{
	const struct target *t = a->t;
	const char *version = target_param(t, "api_version");
	size_t n = strcspn(t->api_base, "?");
	struct buf path = BUF_INIT(1024);
	int err;

	if (needs_models(t, way))
		buf_add_text(&path, "/models");
	if (way == WAY_PAPERS)
		add_papers_path(&path, t);
	else
		buf_add_text(&path, a->call.path);
	/* A base may have been copied with Claude's first path. */
	while (n > 0 && t->api_base[n - 1] == '/')
		n--;
	if (way == WAY_CLAUDE && n >= 10 && memcmp(t->api_base + n - 10, "/anthropic", 10) == 0) {
		buf_reset(&path);
		buf_add_text(&path, "/v1/messages");
	} else if (way == WAY_CLAUDE && n >= 12 &&
		   memcmp(t->api_base + n - 12, "/v1/messages", 12) == 0) {
		buf_reset(&path);
	}
	if (way == WAY_OPENAI && version && *version) {
		buf_add_text(&path, "?api-version=");
		ask_encode(&path, str_of(version), "");
	}
	err = ask_path(a, NULL, a->call.join, buf_text(&path));
	buf_clear(&path);
	return err;
}

static int
add_body(struct asking *a, enum way way)
{
	struct target named = *a->t;

	switch (way) {
	case WAY_CLAUDE:
		anthropic_body(a);
		return 0;
	case WAY_PARSE:
		cohere_parse_body(&a->req->body, a->t);
		return 0;
	case WAY_PAPERS:
		return 0;
	default:
		/* `model_router/NAME` is LiteLLM's word for a router of Azure's. */
		if (strncmp(named.model, "model_router/", 13) == 0)
			named.model += 13;
		return openai_add_bodies(&named, &a->call, a->ctx->variant, a->req, a->why);
	}
}

static int
azure_ai_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	enum way way = way_of(t);
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	a.call = call_of(t, way);
	if (way == WAY_AZURE)
		return azure_ask(&a);
	req->method = a.call.method;
	if ((err = add_url(&a, way)) < 0 || (err = azure_add_auth(&a, key_of(t, way))) < 0 ||
	    (err = ask_headers(
		 &a, ASK_KEY, way == WAY_PAPERS ? STR("") : STR("application/json"))) < 0 ||
	    (err = add_body(&a, way)) < 0)
		return err;
	return ask_end(&a);
}

static void
azure_ai_judge(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form papers = { .wants = {
						      { "modelId", JUDGE_TEXT | JUDGE_FILLED } } };
	enum way way = way_of(t);
	struct provider_call call;

	if (provider_call(t->provider, t->mode) == NULL) {
		openai_judge(t, resp, res);
		return;
	}
	call = call_of(t, way);
	switch (way) {
	case WAY_CLAUDE:
		anthropic_judge_as(t, &call, resp, res);
		break;
	case WAY_PARSE:
		cohere_parse_judge(t, &call, resp, res);
		break;
	case WAY_PAPERS:
		(void)judge_forms(t, &call, resp, &papers, 1, res);
		break;
	default:
		openai_judge_as(t, &call, resp, res);
		break;
	}
}

const struct dialect dialect_azure_ai = {
	.name = "azure_ai",
	.scheme = auth_entra,
	.build = azure_ai_build,
	.judge = azure_ai_judge,
	.stable = true,
	.variants = BODY_GREETINGS,
};
