/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Azure OpenAI: OpenAI's bodies and answers under Azure's paths, by deployment or by version. The
 * key is in a header of its own; a token of Entra ID is a bearer token.
 */
#include "workers/dialects/azure.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "shared/xml.h"
#include "workers/auth/credential.h"
#include "workers/auth/schemes.h"
#include "workers/dialects/body.h"
#include "workers/dialects/headers.h"
#include "workers/dialects/multipart.h"
#include "workers/dialects/openai.h"
#include "workers/dialects/realtime.h"
#include "workers/dialects/words.h"

#define USUAL_VERSION "2025-02-01-preview"
#define NO_TYPE ((struct str){ NULL, 0 })

/* ---- who asks ---- */

static int
missing_key(const struct target *t, struct result *why)
{
	words_config(t, 500,
	    "litellm.APIError: AzureException APIError - Missing credentials. Please pass one of "
	    "`api_key`, `azure_ad_token`, `azure_ad_token_provider`, or the `AZURE_OPENAI_API_KEY` "
	    "or `AZURE_OPENAI_AD_TOKEN` environment variables.",
	    STR("no key for azure: set api_key or the environment variable AZURE_API_KEY, or what "
		"Entra "
		"ID signs in with"),
	    why);
	return ERR_INVALID;
}

static int
add_key(struct asking *a, enum azure_key how)
{
	static const char *const names[] = { [AZURE_API_KEY] = "api-key",
		[AZURE_BEARER] = "Authorization",
		[AZURE_BOTH] = "api-key",
		[AZURE_X_API_KEY] = "x-api-key",
		[AZURE_SUBSCRIPTION] = "Ocp-Apim-Subscription-Key" };
	int err = 0;

	if (how == AZURE_BOTH)
		err = headers_add_key(a->t, &a->call, STR("x-api-key"), NULL, a->req, a->why);
	return err < 0 ? err
		       : headers_add_key(a->t, &a->call, str_of(names[how]),
			     how == AZURE_BEARER ? "Bearer" : NULL, a->req, a->why);
}

int
azure_add_auth(struct asking *a, enum azure_key how)
{
	const struct target *t = a->t;
	const struct credential *credential = a->ctx->credential;
	struct str token = secret_reveal(target_secret(t, "azure_ad_token"));

	if (headers_configured(t, STR("api-key")) || headers_configured(t, STR("Authorization")))
		return 0;
	if (secret_reveal(target_secret(t, "api_key")).n > 0)
		return add_key(a, how);
	if (credential && credential->token)
		token = secret_reveal(credential->token);
	if (token.n > 0)
		return headers_add_token(t, a->req, token, a->why);
	return t->provider->without_key == KEY_OPTIONAL ? 0 : missing_key(t, a->why);
}

/* ---- where ---- */

/* A deployment has any name; what stands in front of it says what it is. */
static const char *
deployment(const struct target *t)
{
	if (strncmp(t->model, "o_series/", 9) == 0 || strncmp(t->model, "gpt5_series/", 12) == 0)
		return strchr(t->model, '/') + 1;
	return t->model;
}

static const char *
route_of(const struct provider_call *call)
{
	switch (call->shape) {
	case SHAPE_TEXT:
		return "completions";
	case SHAPE_EMBEDDING:
		return "embeddings";
	case SHAPE_IMAGE:
		return "images/generations";
	case SHAPE_IMAGE_EDIT:
		return "images/edits";
	case SHAPE_SPEECH:
		return "audio/speech";
	case SHAPE_TRANSCRIPTION:
		return "audio/transcriptions";
	case SHAPE_RESPONSES:
		return "responses";
	case SHAPE_BATCHES:
		return "batches";
	case SHAPE_VIDEO:
		return "videos";
	default:
		return "chat/completions";
	}
}

/* The versions without a date are those of OpenAI's own paths. */
static bool
is_v1(const char *version)
{
	return strcmp(version, "v1") == 0 || strcmp(version, "latest") == 0 ||
	       strcmp(version, "preview") == 0;
}

/* `?api-version=…` of a base that was copied from Azure's page. */
static bool
version_of_base(const char *base, char *out, size_t size)
{
	const char *query = strchr(base, '?'), *v = query ? strstr(query, "api-version=") : NULL;

	if (v == NULL)
		return false;
	snprintf(out, size, "%.*s", (int)strcspn(v + 12, "&#"), v + 12);
	return *out != '\0';
}

/*
 * The resource without what was copied along: query, trailing slash, and the path of a deployment,
 * which is then in `own`.
 */
static struct str
resource(const char *base, struct str *own)
{
	static const char *const routes[] = { "/chat/completions", "/completions", "/embeddings",
		"/images/generations", "/audio/speech", "/audio/transcriptions" };
	struct str s = { base, strcspn(base, "?#") };
	const char *at = memmem(s.p, s.n, "/openai/deployments/", 20);

	*own = (struct str){ NULL, 0 };
	while (s.n > 0 && s.p[s.n - 1] == '/')
		s.n--;
	if (at == NULL)
		return s;
	*own = (struct str){ at, s.n - (size_t)(at - s.p) };
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		size_t n = strlen(routes[i]);

		if (own->n > n && memcmp(own->p + own->n - n, routes[i], n) == 0) {
			own->n -= n;
			break;
		}
	}
	return (struct str){ s.p, (size_t)(at - s.p) };
}

static void
add_url(
    const struct target *t, const struct provider_call *call, const char *version, struct buf *url)
{
	struct str own, base = resource(t->api_base, &own);
	bool v1 = is_v1(version);

	buf_add_str(url, base);
	switch (call->shape) {
	case SHAPE_RESPONSES:
	case SHAPE_BATCHES:
	case SHAPE_VIDEO:
		/* Of the resource, not of a deployment. */
		buf_addf(url, "/openai/%s%s", v1 || call->shape == SHAPE_VIDEO ? "v1/" : "",
		    route_of(call));
		break;
	default:
		if (v1) {
			buf_addf(url, "/openai/v1/%s", route_of(call));
			return;
		}
		if (own.n > 0) {
			buf_add_str(url, own);
		} else {
			buf_add_text(url, "/openai/deployments/");
			/* A name may be a path in itself: LiteLLM's users have such. */
			ask_encode(url, str_of(deployment(t)), "/");
		}
		buf_addf(url, "/%s", route_of(call));
		break;
	}
	buf_add_text(url, "?api-version=");
	ask_encode(url, str_of(version), "");
}

/* The version is the deployment's; without one it is the path's own. */
static void
find_version(const struct target *t, const struct provider_call *call, char *version, size_t size)
{
	const char *given = target_param(t, "api_version");

	if (call->shape == SHAPE_TRANSCRIPTION && !(given && is_v1(given)))
		snprintf(version, size, USUAL_VERSION); /* as LiteLLM's traffic, whatever is set */
	else if (given && *given)
		snprintf(version, size, "%s", given);
	else if (!version_of_base(t->api_base, version, size))
		snprintf(version, size, "%s",
		    call->shape == SHAPE_RESPONSES || call->shape == SHAPE_VIDEO ? "preview"
										 : USUAL_VERSION);
}

/* Making a video is a paid job: those that were made are listed, unless the config asks for it. */
static bool
is_list(const struct target *t, const struct provider_call *call)
{
	return call->shape == SHAPE_BATCHES || (call->shape == SHAPE_VIDEO && !ask_generates(t));
}

int
azure_ask(struct asking *a)
{
	const struct target *t = a->t;
	struct request *req = a->req;
	struct provider_call *call = &a->call;
	struct str type = STR("application/json");
	char version[64];
	bool bearer;
	int err;

	/* The table's rules for what is a URL. */
	if ((err = ask_path(a, NULL, JOIN_VERBATIM, "")) < 0)
		return err;
	buf_reset(&req->url);
	find_version(t, call, version, sizeof(version));
	req->method = call->method = is_list(t, call) ? "GET" : "POST";
	add_url(t, call, version, &req->url);
	bearer = is_v1(version) && call->shape != SHAPE_RESPONSES && call->shape != SHAPE_VIDEO;
	if (is_v1(version))
		call->flags &= ~CALL_NO_MODEL; /* the path names none */
	if (is_list(t, call))
		type = NO_TYPE;
	else if (openai_is_form(call))
		type = STR(MULTIPART_TYPE);
	call->flags |= CALL_NO_AUTH;
	call->flags &= ~CALL_HEADERS;
	if ((err = azure_add_auth(a, bearer ? AZURE_BEARER : AZURE_API_KEY)) < 0 ||
	    (err = ask_headers(a, ASK_KEY, type)) < 0 ||
	    (err = openai_add_bodies(t, call, a->ctx->variant, req, a->why)) < 0)
		return err;
	if (call->client == CLIENT_SDK)
		ask_show_base(a);
	return ask_end(a);
}

/* ---- Azure's own voices: `speech/…` ---- */

#define COGNITIVE ".api.cognitive.microsoft.com"

static bool
is_voice(const struct target *t)
{
	return t->mode == MODE_AUDIO_SPEECH && strncmp(t->model, "speech/", 7) == 0;
}

/* A resource's own host is not the one that speaks. */
static void
add_voice_url(const struct target *t, struct buf *url)
{
	struct str own, base = resource(t->api_base, &own);
	const char *host = strstr(t->api_base, "://"), *dot;

	host = host ? host + 3 : t->api_base;
	dot = strstr(host, COGNITIVE);
	if (dot && memchr(host, '/', (size_t)(dot - host)) == NULL)
		buf_addf(url, "https://%.*s.tts.speech.microsoft.com/cognitiveservices/v1",
		    (int)(dot - host), host);
	else
		buf_addf(url, "%.*s/cognitiveservices/v1", (int)base.n, base.p);
}

static int
voice_build(struct asking *a)
{
	const struct target *t = a->t;
	const char *voice = target_param(t, "voice");
	struct buf *b = &a->req->body;
	int err;

	add_voice_url(t, &a->req->url);
	a->call.accept = ACCEPT_ANY;
	if ((err = azure_add_auth(a, AZURE_SUBSCRIPTION)) < 0 ||
	    (err = ask_header(a, "X-Microsoft-OutputFormat", "audio-24khz-48kbitrate-mono-mp3")) <
		0 ||
	    (err = ask_headers(a, ASK_NOTHING, STR("application/ssml+xml"))) < 0)
		return err;
	buf_add_text(b,
	    "<speak version='1.0' xmlns='http://www.w3.org/2001/10/synthesis' xml:lang='en-US'>\n"
	    "    <voice name='");
	xml_add_text(
	    b, voice && strcmp(voice, "alloy") != 0 ? str_of(voice) : STR("en-US-JennyNeural"));
	buf_add_text(b, "'>\n        <prosody rate='0%'>");
	xml_add_text(b, str_of(body_prompt(t)));
	buf_add_text(b, "</prosody>\n    </voice>\n</speak>");
	return ask_end(a);
}

/* ---- the dialects ---- */

static int
azure_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	if (a.call.shape == SHAPE_REALTIME) {
		a.call.flags |= CALL_NO_AUTH;
		if ((err = ask_url(&a, NULL)) < 0 || (err = azure_add_auth(&a, AZURE_API_KEY)) < 0)
			return err;
		return realtime_end(&a);
	}
	return is_voice(t) ? voice_build(&a) : azure_ask(&a);
}

static void
azure_judge(const struct target *t, const struct response *resp, struct result *res)
{
	const struct provider_call *call = provider_call(t->provider, t->mode);
	struct provider_call listed;

	/* Videos that were made, if any: a list. */
	if (call && call->shape == SHAPE_VIDEO && is_list(t, call)) {
		listed = *call;
		listed.shape = SHAPE_BATCHES;
		call = &listed;
	}
	openai_judge_as(t, call, resp, res);
}

const struct dialect dialect_azure = {
	.name = "azure",
	.scheme = auth_entra,
	.build = azure_build,
	.judge = azure_judge,
	.stable = true,
	.variants = BODY_GREETINGS,
};

const struct dialect dialect_azure_text = {
	.name = "azure_text",
	.scheme = auth_entra,
	.build = azure_build,
	.judge = openai_judge,
	.stable = true,
	.variants = BODY_GREETINGS,
};
