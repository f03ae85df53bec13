/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Azure OpenAI: OpenAI's bodies and answers under Azure's paths, by deployment or by version. The
 * key is in a header of its own; a token of Entra ID is a bearer token.
 */
#include "workers/dialects/azure.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "workers/auth/credential.h"
#include "workers/auth/schemes.h"
#include "workers/dialects/body.h"
#include "workers/dialects/frame.h"
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
add_key(const struct target *t, enum azure_key how, struct request *req, struct result *why)
{
	const struct provider_call *call = provider_call(t->provider, t->mode);
	int err;

	switch (how) {
	case AZURE_API_KEY:
		return headers_add_key(t, call, STR("api-key"), NULL, req, why);
	case AZURE_BEARER:
		return headers_add_key(t, call, STR("Authorization"), "Bearer", req, why);
	case AZURE_BOTH:
		err = headers_add_key(t, call, STR("x-api-key"), NULL, req, why);
		return err < 0 ? err : headers_add_key(t, call, STR("api-key"), NULL, req, why);
	case AZURE_X_API_KEY:
		return headers_add_key(t, call, STR("x-api-key"), NULL, req, why);
	case AZURE_SUBSCRIPTION:
		return headers_add_key(t, call, STR("Ocp-Apim-Subscription-Key"), NULL, req, why);
	}
	return 0;
}

int
azure_add_auth(const struct target *t, const struct build_context *ctx, enum azure_key how,
    struct request *req, struct result *why)
{
	struct str token = secret_reveal(target_secret(t, "azure_ad_token"));

	if (headers_configured(t, STR("api-key")) || headers_configured(t, STR("Authorization")))
		return 0;
	if (secret_reveal(target_secret(t, "api_key")).n > 0)
		return add_key(t, how, req, why);
	if (ctx->credential && ctx->credential->token)
		token = secret_reveal(ctx->credential->token);
	if (token.n > 0)
		return headers_add_token(t, req, token, why);
	return t->provider->without_key == KEY_OPTIONAL ? 0 : missing_key(t, why);
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
			const char *name = deployment(t);

			buf_add_text(url, "/openai/deployments/");
			/* A name may be a path in itself: LiteLLM's users have such. */
			for (const char *p = name; *p; p++) {
				if (*p == '/')
					buf_add_char(url, '/');
				else
					frame_add_encoded(url, (struct str){ p, 1 });
			}
		}
		buf_addf(url, "/%s", route_of(call));
		break;
	}
	buf_add_text(url, "?api-version=");
	frame_add_encoded(url, str_of(version));
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
	return call->shape == SHAPE_BATCHES ||
	       (call->shape == SHAPE_VIDEO && !openai_makes_video(t));
}

int
azure_ask(const struct target *t, const struct build_context *ctx, struct provider_call *call,
    struct request *req, struct result *why)
{
	struct buf checked = BUF_INIT(REQUEST_MAX_URL);
	struct str type = STR("application/json");
	struct provider_call verbatim = *call;
	char version[64];
	bool bearer;
	int err;

	/* The table's rules for what is a URL. */
	verbatim.join = JOIN_VERBATIM;
	verbatim.path = "";
	err = provider_url(&verbatim, str_of(t->api_base), STR(""), &checked);
	buf_clear(&checked);
	if (err < 0)
		return headers_refuse(
		    t, why, "api_base is not a URL with http:// or https:// and a host");

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
	if ((err = azure_add_auth(t, ctx, bearer ? AZURE_BEARER : AZURE_API_KEY, req, why)) < 0 ||
	    (err = headers_add(t, call, type, req, why)) < 0 ||
	    (err = openai_add_bodies(t, call, ctx->variant, req, why)) < 0)
		return err;
	if (call->client == CLIENT_SDK) {
		buf_add_text(&req->shown_base, t->api_base);
		if (req->shown_base.len > 0 && req->shown_base.data[req->shown_base.len - 1] != '/')
			buf_add_char(&req->shown_base, '/');
	}
	return frame_end(t, req, why);
}

/* ---- Azure's own voices: `speech/…` ---- */

#define COGNITIVE ".api.cognitive.microsoft.com"

static bool
is_voice(const struct target *t)
{
	return t->mode == MODE_AUDIO_SPEECH && strncmp(t->model, "speech/", 7) == 0;
}

static void
add_xml(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		switch (s.p[i]) {
		case '<':
			buf_add_text(b, "&lt;");
			break;
		case '>':
			buf_add_text(b, "&gt;");
			break;
		case '&':
			buf_add_text(b, "&amp;");
			break;
		case '\'':
			buf_add_text(b, "&apos;");
			break;
		case '"':
			buf_add_text(b, "&quot;");
			break;
		default:
			buf_add_char(b, s.p[i]);
			break;
		}
	}
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
voice_build(const struct target *t, const struct build_context *ctx, struct provider_call *call,
    struct request *req, struct result *why)
{
	const char *voice = target_param(t, "voice");
	struct buf *b = &req->body;
	int err;

	add_voice_url(t, &req->url);
	call->flags |= CALL_NO_AUTH;
	call->accept = ACCEPT_ANY;
	if ((err = azure_add_auth(t, ctx, AZURE_SUBSCRIPTION, req, why)) < 0 ||
	    (err = headers_add_own(t, req, STR("X-Microsoft-OutputFormat"),
		 STR("audio-24khz-48kbitrate-mono-mp3"), why)) < 0 ||
	    (err = headers_add(t, call, STR("application/ssml+xml"), req, why)) < 0)
		return err;
	buf_add_text(b,
	    "<speak version='1.0' xmlns='http://www.w3.org/2001/10/synthesis' xml:lang='en-US'>\n"
	    "    <voice name='");
	add_xml(b, voice && strcmp(voice, "alloy") != 0 ? str_of(voice) : STR("en-US-JennyNeural"));
	buf_add_text(b, "'>\n        <prosody rate='0%'>");
	add_xml(b, str_of(body_prompt(t)));
	buf_add_text(b, "</prosody>\n    </voice>\n</speak>");
	buf_add_text(&req->shown_body, "{}");
	return frame_end(t, req, why);
}

/* ---- the dialects ---- */

static int
azure_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct provider_call call;
	int err;

	if ((err = frame_call(t, &call, why)) < 0)
		return err;
	if (call.shape == SHAPE_REALTIME) {
		if (provider_url(&call, str_of(t->api_base), str_of(t->model), &req->url) < 0)
			return headers_refuse(
			    t, why, "api_base is not a URL with http:// or https:// and a host");
		req->method = call.method;
		call.flags |= CALL_NO_AUTH;
		if ((err = azure_add_auth(t, ctx, AZURE_API_KEY, req, why)) < 0)
			return err;
		return realtime_end(t, ctx, &call, req, why);
	}
	if (is_voice(t))
		return voice_build(t, ctx, &call, req, why);
	return azure_ask(t, ctx, &call, req, why);
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
