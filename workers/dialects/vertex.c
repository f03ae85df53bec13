/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Google Vertex AI: Gemini, the partners' models (Claude, Mistral, AI21, and all that speak
 * OpenAI's chat), embeddings, Imagen, rerank, speech both ways, OCR, agents and endpoints of one's
 * own. The token is had in workers/auth/. A video is a paid job of minutes: unless the deployment
 * wants it made, the model's own entry is asked for. The live API is a WebSocket that names the model
 * in its first message, the client's (BidiGenerateContentSetup, ai.google.dev/api/live), and is
 * answered by setupComplete: no word is said, and none is paid for.
 */
#include "workers/dialects/vertex.h"

#include <stdio.h>
#include <string.h>

#include "workers/auth/credential.h"
#include "workers/auth/schemes.h"
#include "workers/dialects/answer.h"
#include "workers/dialects/forms.h"
#include "workers/dialects/google.h"
#include "workers/dialects/headers.h"
#include "workers/dialects/realtime.h"
#include "workers/dialects/samples.h"

#define DEFAULT_LOCATION "us-central1"

/* Of a chat, by how the name begins; the first row that fits counts, what fits none is Gemini's. */
static const struct {
	const char *start;
	enum family family;
} chats[] = {
	{ "gemini/", GEMINI_ENDPOINT },
	{ "claude-", CLAUDE },
	{ "anthropic/", CLAUDE },
	{ "mistral", MISTRAL },
	{ "codestral", MISTRAL },
	{ "jamba", AI21 },
	{ "meta/", OPENAPI },
	{ "deepseek-ai/", OPENAPI },
	{ "minimaxai/", OPENAPI },
	{ "moonshotai/", OPENAPI },
	{ "xai/", OPENAPI },
	{ "qwen/", OPENAPI_GLOBAL },
	{ "zai-org/", OPENAPI_GLOBAL },
	{ "agent_engine/", ENGINE },
	{ "bge/", ENDPOINT },
	{ "gemma/", ENDPOINT },
};

static bool
all_digits(const char *s)
{
	return *s && s[strspn(s, "0123456789")] == '\0';
}

static enum family
chat_family(const char *model)
{
	if (all_digits(model))
		return ENDPOINT;
	if (strncmp(model, "openai/", 7) == 0)
		return all_digits(model + 7) ? ENDPOINT : OPENAPI;
	for (size_t i = 0; i < ARRAY_LEN(chats); i++)
		if (strncmp(model, chats[i].start, strlen(chats[i].start)) == 0)
			return chats[i].family;
	return GEMINI;
}

enum family
vertex_family(const struct target *t)
{
	const char *m = t->model;

	switch (t->mode) {
	case MODE_EMBEDDING:
		if (all_digits(m) || strncmp(m, "bge/", 4) == 0)
			return ENDPOINT;
		return strncmp(m, "multimodalembedding", 19) == 0 ? MULTIMODAL : EMBEDDING;
	case MODE_IMAGE_GENERATION:
		return strstr(m, "gemini") ? GEMINI_IMAGE : IMAGEN;
	case MODE_IMAGE_EDIT:
		return EDIT;
	case MODE_VIDEO_GENERATION:
		return ask_generates(t) ? VIDEO_MADE : VIDEO;
	case MODE_BATCH:
		return strcmp(t->provider->name, "vertex_ai") == 0 ? BATCHES : chat_family(m);
	case MODE_RERANK:
		return RANK;
	case MODE_AUDIO_SPEECH:
		return strstr(m, "gemini") ? GEMINI_TTS : TTS;
	case MODE_AUDIO_TRANSCRIPTION:
		return SPEECH;
	case MODE_REALTIME:
		return LIVE;
	case MODE_OCR:
		return strncmp(m, "deepseek-ai/", 12) == 0 ? DEEPSEEK_OCR : MISTRAL_OCR;
	default:
		return chat_family(m);
	}
}

/* ---- where to ---- */

/* What the service account's JSON calls its project, copied to `out`. */
static const char *
project_of_credentials(const struct target *t, char *out, size_t n)
{
	static const struct answer_place places[] = { { -1, NULL }, { 0, "project_id" } };
	struct str json = secret_reveal(target_secret(t, "vertex_credentials"));
	struct answer_value v[ARRAY_LEN(places)];
	struct answer_fault fault;

	if (json.n == 0 || answer_read(json, places, ARRAY_LEN(places), v, &fault) < 0 ||
	    v[1].kind != ANSWER_STRING || v[1].raw.n == 0 || v[1].raw.n >= n)
		return NULL;
	memcpy(out, v[1].raw.p, v[1].raw.n);
	out[v[1].raw.n] = '\0';
	return out[strspn(out, "abcdefghijklmnopqrstuvwxyz0123456789-.:")] ? NULL : out;
}

struct place {
	const char *project, *location;
	char text[256]; /* of the project, where it came from the credentials */
};

static int
find_place(struct asking *a, enum family family, struct place *where)
{
	where->location = ask_param(a, "vertex_location", DEFAULT_LOCATION);
	where->project = ask_param(a, "vertex_project", NULL);
	if (where->project == NULL)
		where->project = project_of_credentials(a->t, where->text, sizeof(where->text));
	if (where->project == NULL && a->ctx->credential && a->ctx->credential->account)
		where->project = a->ctx->credential->account;
	if (where->project == NULL)
		return ask_refuse(a, "no project for %s: set vertex_project or VERTEXAI_PROJECT",
		    a->t->provider->name);
	if (family == OPENAPI_GLOBAL || family == DEEPSEEK_OCR)
		where->location = "global";
	return 0;
}

/* Google's own host for a location. */
static void
add_host(struct buf *b, const char *service, const char *location)
{
	if (strcmp(location, "global") == 0)
		buf_addf(b, "https://%s.googleapis.com", service);
	else if (strcmp(location, "us") == 0 || strcmp(location, "eu") == 0)
		buf_addf(b, "https://%s.%s.rep.googleapis.com", service, location);
	else
		buf_addf(b, "https://%s-%s.googleapis.com", location, service);
}

/* The path behind …/locations/L, up to the verb. */
static void
add_model_path(struct buf *b, const struct target *t, enum family family)
{
	const char *m = t->model, *slash = strchr(m, '/');

	switch (family) {
	case GEMINI_ENDPOINT:
	case ENDPOINT:
		buf_add_text(b, "/endpoints/");
		ask_encode(b, str_of(slash ? slash + 1 : m), "@:");
		return;
	case ENGINE:
		buf_add_text(b, "/reasoningEngines/");
		ask_encode(b, str_of(slash ? slash + 1 : m), "");
		return;
	case OPENAPI:
	case OPENAPI_GLOBAL:
	case DEEPSEEK_OCR:
		buf_add_text(b, "/endpoints/openapi");
		return;
	case BATCHES:
		buf_add_text(b, "/batchPredictionJobs");
		return;
	default:
		break;
	}
	buf_addf(b, "/publishers/%s/models/",
	    family == CLAUDE				 ? "anthropic"
	    : family == MISTRAL || family == MISTRAL_OCR ? "mistralai"
	    : family == AI21				 ? "ai21"
							 : "google");
	if (family == CLAUDE && strncmp(m, "anthropic/", 10) == 0)
		m += 10;
	ask_encode(b, str_of(m), "@:/");
}

static const char *
verb_of(const struct target *t, enum family family)
{
	switch (family) {
	case CLAUDE:
	case MISTRAL:
	case AI21:
	case MISTRAL_OCR:
		return ":rawPredict";
	case OPENAPI:
	case OPENAPI_GLOBAL:
	case DEEPSEEK_OCR:
		return "/chat/completions";
	case ENDPOINT:
		return strncmp(t->model, "openai/", 7) == 0 ? "/chat/completions" : ":predict";
	case ENGINE:
		return ":streamQuery";
	case EMBEDDING:
	case MULTIMODAL:
	case IMAGEN:
		return ":predict";
	case VIDEO_MADE:
		return ":predictLongRunning";
	case VIDEO:
	case BATCHES:
		return "";
	default:
		return ":generateContent";
	}
}

/* LiteLLM's rule: a bare host, or one with /v1, gets the whole path; any other base only the verb.
 */
static bool
takes_path(const char *base)
{
	const char *p = strstr(base, "://");
	size_t n;

	p = p ? strchr(p + 3, '/') : NULL;
	if (p == NULL)
		return true;
	n = strlen(p);
	while (n > 0 && p[n - 1] == '/')
		n--;
	return n == 0 || (n == 3 && strncmp(p, "/v1", 3) == 0);
}

static int
add_url(struct asking *a, enum family family)
{
	const struct target *t = a->t;
	struct buf host = BUF_INIT(REQUEST_MAX_URL), path = BUF_INIT(REQUEST_MAX_URL);
	const char *base = t->api_base, *version = "/v1";
	enum provider_join join = JOIN_STRIP;
	struct place where;
	int err = find_place(a, family, &where);

	if (err < 0)
		return err;
	add_host(&host, "aiplatform", ask_param(a, "vertex_location", DEFAULT_LOCATION));
	/* The default base has the location in front of every host, which is not so for three of
	 * them. */
	if (strcmp(base, buf_text(&host)) == 0 || strstr(base, "-aiplatform.googleapis.com")) {
		buf_reset(&host);
		add_host(&host, "aiplatform", where.location);
		base = buf_text(&host);
	} else if (family == TTS || family == IMAGEN || t->mode == MODE_IMAGE_EDIT) {
		/* LiteLLM's rule: such a base is the URL. */
		buf_clear(&host);
		return ask_path(a, base, family == TTS ? JOIN_VERBATIM : JOIN_STRIP, "");
	}
	if (family == AI21 || family == ENGINE)
		version = "/v1beta1";
	switch (family) {
	case RANK:
		base = "https://discoveryengine.googleapis.com";
		buf_addf(&path,
		    "/v1/projects/%s/locations/global/rankingConfigs/default_ranking_config:rank",
		    where.project);
		break;
	case TTS:
		base = "https://texttospeech.googleapis.com";
		buf_add_text(&path, "/v1/text:synthesize");
		break;
	case SPEECH:
		buf_reset(&host);
		if (strcmp(where.location, "global") == 0)
			buf_add_text(&host, "https://speech.googleapis.com");
		else
			buf_addf(&host, "https://%s-speech.googleapis.com", where.location);
		base = buf_text(&host);
		buf_addf(&path, "/v2/projects/%s/locations/%s/recognizers/_:recognize",
		    where.project, where.location);
		break;
	case LIVE:
		buf_add_text(&path,
		    "/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent");
		break;
	case VIDEO:
		/* The catalogue of models belongs to no project. */
		buf_add_text(&path, "/v1beta1");
		add_model_path(&path, t, family);
		break;
	default:
		if (family == MISTRAL_OCR || takes_path(base)) {
			size_t n = strlen(base);

			while (n > 0 && base[n - 1] == '/')
				n--;
			if (n < 3 || strncmp(base + n - 3, "/v1", 3) != 0)
				buf_add_text(&path, version);
			buf_addf(&path, "/projects/%s/locations/%s", where.project, where.location);
			add_model_path(&path, t, family);
		} else {
			join = JOIN_APPEND;
		}
		buf_add_text(&path, verb_of(t, family));
		break;
	}
	if ((family == RANK || family == TTS || family == SPEECH) &&
	    strstr(t->api_base, "-aiplatform.googleapis.com") == NULL)
		base = t->api_base;
	err = buf_ok(&path) ? ask_path(a, base, join, buf_text(&path))
			    : ask_refuse(a, "the URL would be too long");
	buf_clear(&host);
	buf_clear(&path);
	return err;
}

static void
add_setup(struct asking *a)
{
	struct buf name = BUF_INIT(REQUEST_MAX_URL);
	struct place where;

	if (find_place(a, LIVE, &where) == 0)
		buf_addf(&name, "projects/%s/locations/%s/publishers/google/models/%s",
		    where.project, where.location, a->t->model);
	google_live_body(a, buf_text(&name));
	buf_clear(&name);
}

/* The handshake's headers, behind the body that is the first message. */
static int
make_handshake(struct asking *a)
{
	const char *project = ask_param(a, "vertex_project", NULL);
	int err = 0;

	if (a->ctx->credential == NULL)
		return ask_refuse(a, "there is no token to ask %s with", a->t->provider->name);
	a->call.flags |= CALL_NO_AUTH;
	if (project)
		err = ask_header(a, "x-goog-user-project", project);
	if (err == 0)
		err = headers_add_token(
		    a->t, a->req, secret_reveal(a->ctx->credential->token), a->why);
	return err < 0 ? err : realtime_end(a);
}

static int
add_headers(struct asking *a, enum family family)
{
	const char *project = ask_param(a, "vertex_project", "");
	struct str type = STR("application/json");
	int err = 0;

	if (strcmp(a->req->method, "GET") == 0)
		type = STR("");
	else if (family == MULTIMODAL)
		type = STR("application/json; charset=utf-8");
	if ((family == CLAUDE && ((err = ask_header(a, "anthropic-version", "2023-06-01")) < 0 ||
				     (err = ask_header(a, "Accept", "application/json")) < 0)) ||
	    (family == TTS && (err = ask_header(a, "charset", "UTF-8")) < 0))
		return err;
	if (err == 0 && *project && (family == TTS || family == SPEECH || family == RANK))
		err = ask_header(a, "x-goog-user-project", project);
	return err < 0 ? err : ask_headers(a, ASK_TOKEN, type);
}

static int
vertex_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	enum family family = vertex_family(t);
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	if (family == VIDEO || family == BATCHES || family == LIVE)
		req->method = "GET";
	if ((err = add_url(&a, family)) < 0)
		return err;
	if (family == LIVE) {
		add_setup(&a);
		return make_handshake(&a);
	}
	if ( (err = add_headers(&a, family)) < 0)
		return err;
	vertex_add_body(&a, family);
	ask_add_params(&a,
	    family == MISTRAL || family == AI21 || family == OPENAPI || family == OPENAPI_GLOBAL);
	return ask_end(&a);
}

/* ---- the answers ---- */

static void
vertex_judge(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form pages = { .wants = {
						     { "pages", JUDGE_LIST | JUDGE_FILLED } } };
	static const struct judge_form sound = {
		.wants = { { "audioContent", JUDGE_TEXT | JUDGE_FILLED } }
	};
	/* Nothing but a quiet tone is heard: there may be no results. */
	static const struct judge_form heard = {
		.wants = { { "results|metadata", JUDGE_LIST | JUDGE_OBJECT } }
	};
	static const struct judge_form predictions = {
		.wants = { { "predictions", JUDGE_LIST | JUDGE_FILLED } }
	};
	enum family family = vertex_family(t);
	const struct judge_form *form = &form_generate;

	switch (family) {
	case LIVE:
		google_live_judge(t, resp, res);
		return;
	case CLAUDE:
		form = &form_messages;
		break;
	case MISTRAL:
	case AI21:
	case OPENAPI:
	case OPENAPI_GLOBAL:
	case DEEPSEEK_OCR:
		form = &form_chat;
		break;
	case ENDPOINT:
		form = t->mode == MODE_EMBEDDING	      ? &form_predict_embedding
		       : strncmp(t->model, "openai/", 7) == 0 ? &form_chat
							      : &predictions;
		break;
	case ENGINE:
		(void)judge_stream(t, resp, res);
		return;
	case EMBEDDING:
	case MULTIMODAL:
		form = &form_predict_embedding;
		break;
	case IMAGEN:
		form = &form_predict_image;
		break;
	case VIDEO:
	case VIDEO_MADE:
		form = &form_model;
		break;
	case BATCHES:
		/* A project without jobs is answered with {}. */
		form = NULL;
		break;
	case RANK:
		form = &form_rank;
		break;
	case TTS:
		form = &sound;
		break;
	case SPEECH:
		form = &heard;
		break;
	case MISTRAL_OCR:
		form = &pages;
		break;
	default:
		break;
	}
	(void)judge_form(t, resp, form, res);
}

/* ---- the list of models: publishers.models.list of v1beta1, of the model's publisher ---- */

/* Whose list a published model is in; n 0: it is none, but somebody's own deployment. */
static struct str
publisher_of(const struct target *t)
{
	const char *slash = strchr(t->model, '/');
	enum family family = vertex_family(t);

	switch (family == BATCHES ? chat_family(t->model) : family) {
	case CLAUDE:
		return STR("anthropic");
	case MISTRAL:
	case MISTRAL_OCR:
		return STR("mistralai");
	case AI21:
		return STR("ai21");
	case OPENAPI:
	case OPENAPI_GLOBAL:
	case DEEPSEEK_OCR:
		return (struct str){ t->model, slash ? (size_t)(slash - t->model) : 0 };
	case GEMINI_ENDPOINT:
	case ENDPOINT:
	case ENGINE:
		return STR("");
	default:
		return STR("google");
	}
}

static int
vertex_list(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct str publisher = publisher_of(t);
	struct buf host = BUF_INIT(REQUEST_MAX_URL);
	const char *base = t->api_base;
	struct asking a;
	char path[256];
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	if (publisher.n == 0 || publisher.n > 64)
		return ask_refuse(&a,
		    "\"%.256s\" is deployed on an endpoint of its own and in no publisher's list of "
		    "models",
		    t->model);
	snprintf(path, sizeof(path),
	    "/v1beta1/publishers/%.*s/models?pageSize=1000&listAllVersions=true", (int)publisher.n,
	    publisher.p);
	req->method = "GET";
	if (strstr(base, "-aiplatform.googleapis.com")) {
		add_host(&host, "aiplatform", ask_param(&a, "vertex_location", DEFAULT_LOCATION));
		base = buf_text(&host);
	}
	if ((err = ask_path(&a, base, JOIN_STRIP, path)) == 0 &&
	    (err = ask_headers(&a, ASK_TOKEN, STR(""))) == 0)
		err = ask_end(&a);
	buf_clear(&host);
	return err;
}

struct telling {
	const struct target *t;
	struct str publisher;
	void (*each)(void *arg, struct str name);
	void *arg;
};

/* As the config would write it: behind its publisher, with its version. */
static void
tell(void *arg, struct str name)
{
	const struct telling *telling = arg;
	const char *m = telling->t->model;
	struct buf own = BUF_INIT(4096);

	if (strncmp(m, telling->publisher.p, telling->publisher.n) == 0 &&
	    m[telling->publisher.n] == '/') {
		buf_add_str(&own, telling->publisher);
		buf_add_char(&own, '/');
	}
	buf_add_str(&own, name);
	/* The list has a version beside the name. */
	if (strncmp(m, buf_text(&own), own.len) == 0 && m[own.len] == '@')
		buf_add_text(&own, m + own.len);
	if (buf_ok(&own))
		telling->each(telling->arg, buf_str(&own));
	buf_clear(&own);
}

static int
vertex_listed(const struct target *t, const struct response *resp,
    void (*each)(void *arg, struct str name), void *arg, struct result *res)
{
	struct telling telling = { t, publisher_of(t), each, arg };
	char start[128];

	snprintf(start, sizeof(start), "publishers/%.*s/models/",
	    telling.publisher.n <= 64 ? (int)telling.publisher.n : 0, telling.publisher.p);
	return google_listed(t, resp, start, tell, &telling, res);
}

const struct dialect dialect_vertex = {
	.name = "vertex",
	.scheme = auth_google,
	.build = vertex_build,
	.judge = vertex_judge,
	.list = vertex_list,
	.listed = vertex_listed,
	.stable = true,
	.variants = 2,
};
