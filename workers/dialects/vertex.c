/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Google Vertex AI: Gemini, the partners' models (Claude, Mistral, AI21, and all that speak
 * OpenAI's chat), embeddings, Imagen, rerank, speech both ways, OCR, agents and endpoints of one's
 * own. The token is had in workers/auth/. A video is a paid job of minutes: unless the deployment
 * wants it made, the model's own entry is asked for.
 */
#include <string.h>

#include "workers/auth/credential.h"
#include "workers/auth/schemes.h"
#include "workers/dialects/answer.h"
#include "workers/dialects/forms.h"
#include "workers/dialects/google.h"
#include "workers/dialects/samples.h"

#define DEFAULT_LOCATION "us-central1"

enum family {
	GEMINI,
	GEMINI_ENDPOINT, /* gemini/ID: tuned, behind an endpoint */
	CLAUDE,
	MISTRAL,
	AI21,
	OPENAPI,	/* OpenAI's chat */
	OPENAPI_GLOBAL, /* the same, served at location global alone */
	ENDPOINT,	/* a deployed model: ID, bge/ID, gemma/ID, openai/ID */
	ENGINE,		/* agent_engine/ID */
	EMBEDDING,
	MULTIMODAL,
	IMAGEN,
	VIDEO, /* the model's entry */
	VIDEO_MADE,
	BATCHES,
	RANK,
	TTS,
	GEMINI_TTS,
	SPEECH,
	MISTRAL_OCR,
	DEEPSEEK_OCR,
	EDIT,
	GEMINI_IMAGE,
};

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

static enum family
family_of(const struct target *t)
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
	case VIDEO:
		/* The catalogue of models belongs to no project. */
		buf_add_text(&path, "/v1beta1");
		add_model_path(&path, t, family);
		break;
	default:
		if (takes_path(base)) {
			size_t n = strlen(base);

			while (n > 0 && base[n - 1] == '/')
				n--;
			if (n < 3 || strncmp(base + n - 3, "/v1", 3) != 0)
				buf_add_text(&path, version);
			buf_addf(&path, "/projects/%s/locations/%s", where.project, where.location);
			add_model_path(&path, t, family);
		}
		buf_add_text(&path, verb_of(t, family));
		break;
	}
	if ((family == RANK || family == TTS || family == SPEECH) &&
	    strstr(t->api_base, "-aiplatform.googleapis.com") == NULL)
		base = t->api_base;
	err = buf_ok(&path) ? ask_path(a, base, JOIN_STRIP, buf_text(&path))
			    : ask_refuse(a, "the URL would be too long");
	buf_clear(&host);
	buf_clear(&path);
	return err;
}

/* ---- what is sent ---- */

static void
add_limit(struct asking *a, const char *pattern)
{
	if (a->t->max_tokens >= 0)
		ask_json(&a->req->body, pattern, a->t->max_tokens);
}

static void
add_ocr_body(struct asking *a, enum family family)
{
	struct buf *b = &a->req->body;

	if (family == DEEPSEEK_OCR)
		ask_json(b,
		    "{'model':%s,'messages':[{'role':'user','content':[{'type':'image_url',"
		    "'image_url':'data:application/pdf;base64,",
		    a->t->model);
	else
		ask_json(b,
		    "{'model':%s,'document':{'type':'document_url',"
		    "'document_url':'data:application/pdf;base64,",
		    a->t->model);
	sample_add_base64(b, sample_pdf());
	ask_json(b,
	    family == DEEPSEEK_OCR ? "'}]}],'temperature':0.0,'repetition_penalty':1.05}" : "'}}");
}

static void
add_endpoint_body(struct asking *a)
{
	const struct target *t = a->t;
	struct buf *b = &a->req->body;

	if (strncmp(t->model, "openai/", 7) == 0) {
		ask_json(b, "{'messages':[{'role':'user','content':%s}]", ask_text(a));
		add_limit(a, ",'max_tokens':%d");
		buf_add_char(b, '}');
	} else if (t->mode == MODE_EMBEDDING) {
		ask_json(b,
		    strncmp(t->model, "bge/", 4) == 0
			? "{'instances':[{'prompt':%s}],'parameters':{}}"
			: "{'instances':[{'inputs':%s}],'parameters':{}}",
		    ask_text(a));
	} else {
		ask_json(b, "{'instances':[{'prompt':%s", ask_text(a));
		add_limit(a, ",'max_tokens':%d");
		buf_add_text(b, "}]}");
	}
}

static void
add_body(struct asking *a, enum family family)
{
	const struct target *t = a->t;
	struct buf *b = &a->req->body;
	const char *text = ask_text(a);

	switch (family) {
	case CLAUDE:
		ask_json(
		    b, "{'messages':[{'role':'user','content':[{'type':'text','text':%s}]}]", text);
		ask_json(b, ",'max_tokens':%d,'anthropic_version':'vertex-2023-10-16'}",
		    t->max_tokens >= 0 ? t->max_tokens : INT64_C(16));
		break;
	case MISTRAL:
	case AI21:
	case OPENAPI:
	case OPENAPI_GLOBAL:
		ask_json(
		    b, "{'model':%s,'messages':[{'role':'user','content':%s}]", t->model, text);
		add_limit(a, ",'max_tokens':%d");
		ask_json(b, ",'stream':false}");
		break;
	case ENDPOINT:
		add_endpoint_body(a);
		break;
	case ENGINE: {
		struct buf user = BUF_INIT(64);

		buf_add_text(&user, "llmhealth-");
		request_add_uuid(&user, a->ctx, 0);
		ask_json(b, "{'class_method':'stream_query','input':{'message':%s,'user_id':%s}}",
		    text, buf_text(&user));
		buf_clear(&user);
		break;
	}
	case EMBEDDING:
		ask_json(b, "{'instances':[{'content':%s}],'parameters':{}}", text);
		break;
	case MULTIMODAL:
		ask_json(b, "{'instances':[{'text':%s}]}", text);
		break;
	case IMAGEN:
		ask_json(b, "{'instances':[{'prompt':%s}],'parameters':{'sampleCount':1}}", text);
		break;
	case GEMINI_IMAGE:
		ask_json(b,
		    "{'contents':[{'role':'user','parts':[{'text':%s}]}],'generationConfig':"
		    "{'responseModalities':['IMAGE']}}",
		    text);
		break;
	case EDIT:
		google_edit_body(a, true);
		break;
	case VIDEO_MADE:
		ask_json(b, "{'instances':[{'prompt':%s}]}", text);
		break;
	case VIDEO:
	case BATCHES:
		break;
	case RANK:
		ask_json(b,
		    "{'model':%s,'query':%s,'records':[{'id':'0','title':'my sample text',"
		    "'content':'my sample text'}],'ignoreRecordDetailsInResponse':true}",
		    t->model, text);
		break;
	case TTS:
		ask_json(b,
		    "{'input':{'text':%s},'voice':{'languageCode':'en-US','name':'en-US-Studio-O'},"
		    "'audioConfig':{'audioEncoding':'LINEAR16','speakingRate':'1'}}",
		    text);
		break;
	case GEMINI_TTS:
		google_speech_body(a);
		break;
	case SPEECH:
		ask_json(b,
		    "{'config':{'model':%s,'languageCodes':['auto'],'features':"
		    "{'enableAutomaticPunctuation':true},'autoDecodingConfig':{}},'content':",
		    t->model);
		google_add_sound(b);
		buf_add_char(b, '}');
		break;
	case MISTRAL_OCR:
	case DEEPSEEK_OCR:
		add_ocr_body(a, family);
		break;
	case GEMINI:
	case GEMINI_ENDPOINT:
		google_chat_body(a);
		break;
	}
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
	enum family family = family_of(t);
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	if (family == VIDEO || family == BATCHES)
		req->method = "GET";
	if ((err = add_url(&a, family)) < 0 || (err = add_headers(&a, family)) < 0)
		return err;
	add_body(&a, family);
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
	enum family family = family_of(t);
	const struct judge_form *form = &form_generate;

	switch (family) {
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

const struct dialect dialect_vertex = {
	.name = "vertex",
	.scheme = auth_google,
	.build = vertex_build,
	.judge = vertex_judge,
	.stable = true,
	.variants = 2,
};
