/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gemini at Google AI Studio: generateContent for words, speech and pictures, its embeddings,
 * Imagen's predict, interactions for transcription. A video is a paid job of minutes: there the
 * model's own entry is asked for, which proves the key and the model. A live model is a WebSocket
 * (ai.google.dev/api/live) that is told the model and says setupComplete.
 */
#include <string.h>

#include "workers/dialects/forms.h"
#include "workers/dialects/google.h"
#include "workers/dialects/headers.h"
#include "workers/dialects/realtime.h"

#define STUDIO "https://generativelanguage.googleapis.com/"

static bool
is_imagen(const struct target *t)
{
	return t->mode == MODE_IMAGE_GENERATION && strstr(t->model, "imagen") != NULL;
}

static const char *
verb_of(const struct target *t)
{
	switch (t->mode) {
	case MODE_EMBEDDING:
		return ":batchEmbedContents";
	case MODE_IMAGE_GENERATION:
		return is_imagen(t) ? ":predict" : ":generateContent";
	case MODE_VIDEO_GENERATION:
		return ask_generates(t) ? ":predictLongRunning" : "";
	default:
		return ":generateContent";
	}
}

static bool
is_chat(const struct target *t)
{
	return t->mode == MODE_CHAT || t->mode == MODE_COMPLETION || t->mode == MODE_BATCH ||
	       t->mode == MODE_RESPONSES || t->mode == MODE_ANTHROPIC_MESSAGES;
}

static int
add_url(struct asking *a)
{
	const struct target *t = a->t;
	bool own = strcmp(t->api_base, t->provider->base) == 0;
	/* A stroke too many at the end of an api_base stays where LiteLLM leaves it. */
	enum provider_join join =
	    is_chat(t) || t->mode == MODE_EMBEDDING || t->mode == MODE_AUDIO_TRANSCRIPTION
		? JOIN_APPEND
		: JOIN_STRIP;
	struct buf path = BUF_INIT(4096);
	int err;

	if (t->mode == MODE_AUDIO_TRANSCRIPTION) {
		/* The version is in the default base; a base of one's own gets it here, and in no other mode
		 * but the videos'. */
		buf_add_text(&path, own ? "/interactions" : "/v1beta/interactions");
	} else {
		if (!own && t->mode == MODE_VIDEO_GENERATION)
			buf_add_text(&path, "/v1beta");
		buf_add_text(&path, "/models/");
		ask_encode(&path, str_of(t->model), "@:/");
		buf_add_text(&path, verb_of(t));
	}
	err = ask_path(a, own && is_chat(t) && google_is_new(t->model) ? STUDIO "v1alpha" : NULL,
	    join, buf_text(&path));
	buf_clear(&path);
	return err;
}

static void
add_body(struct asking *a)
{
	const struct target *t = a->t;
	struct buf *b = &a->req->body, name = BUF_INIT(2048);

	switch (t->mode) {
	case MODE_EMBEDDING:
		buf_addf(&name, "models/%s", t->model);
		ask_json(b, "{'requests':[{'model':%s,'content':{'parts':[{'text':%s}]}}]}",
		    buf_text(&name), ask_text(a));
		break;
	case MODE_IMAGE_GENERATION:
		if (is_imagen(t))
			ask_json(b, "{'instances':[{'prompt':%s}],'parameters':{}}", ask_text(a));
		else
			ask_json(b,
			    "{'contents':[{'parts':[{'text':%s}]}],'generationConfig':"
			    "{'response_modalities':['IMAGE','TEXT']}}",
			    ask_text(a));
		break;
	case MODE_IMAGE_EDIT:
		google_edit_body(a, false);
		break;
	case MODE_AUDIO_SPEECH:
		google_speech_body(a);
		break;
	case MODE_AUDIO_TRANSCRIPTION:
		ask_json(b, "{'model':%s,'input':[{'type':'audio','data':", t->model);
		google_add_sound(b);
		ask_json(b, ",'mime_type':'audio/wav'}]}");
		break;
	case MODE_VIDEO_GENERATION:
		if (ask_generates(t))
			ask_json(b, "{'instances':[{'prompt':%s}],'parameters':{}}", ask_text(a));
		break;
	default:
		google_chat_body(a);
		break;
	}
	buf_clear(&name);
}

/* Beside the version in the base's path. */
static int
build_live(struct asking *a)
{
	static const char version[] = "/v1beta";
	struct buf base = BUF_INIT(REQUEST_MAX_URL), name = BUF_INIT(2048);
	size_t n = strlen(a->t->api_base);
	int err;

	while (n > 0 && a->t->api_base[n - 1] == '/')
		n--;
	if (n > sizeof(version) - 1 &&
	    memcmp(a->t->api_base + n - sizeof(version) + 1, version, sizeof(version) - 1) == 0)
		n -= sizeof(version) - 1;
	buf_add(&base, a->t->api_base, n);
	a->req->method = "GET";
	a->call.flags |= CALL_NO_AUTH;
	if ((err = ask_path(a, buf_text(&base), JOIN_STRIP,
		 "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent")) == 0 &&
	    (err = headers_add_key(
		 a->t, &a->call, STR("x-goog-api-key"), "", a->req, a->why)) == 0) {
		buf_addf(&name, "models/%s", a->t->model);
		google_live_body(a, buf_text(&name));
		err = realtime_end(a);
	}
	buf_clear(&base);
	buf_clear(&name);
	return err;
}

static int
gemini_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	bool looks = t->mode == MODE_VIDEO_GENERATION && !ask_generates(t);
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	if (t->mode == MODE_REALTIME)
		return build_live(&a);
	if (looks)
		req->method = "GET";
	if ((err = add_url(&a)) < 0 ||
	    (t->mode == MODE_AUDIO_TRANSCRIPTION &&
		(err = ask_header(&a, "Api-Revision", "2026-05-20")) < 0) ||
	    (err = ask_headers(&a, ASK_KEY,
		 looks			     ? STR("")
		 : t->mode == MODE_EMBEDDING ? STR("application/json; charset=utf-8")
					     : STR("application/json"))) < 0)
		return err;
	add_body(&a);
	ask_add_params(&a, false);
	return ask_end(&a);
}

static void
gemini_judge(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form interaction = {
		.wants = { { "outputs|steps|output|output_text|status", JUDGE_LIST | JUDGE_TEXT } }
	};
	const struct judge_form *form = &form_generate;

	if (t->mode == MODE_REALTIME) {
		google_live_judge(t, resp, res);
		return;
	}
	if (t->mode == MODE_EMBEDDING)
		form = &form_embed_contents;
	else if (t->mode == MODE_VIDEO_GENERATION)
		form = &form_model;
	else if (t->mode == MODE_AUDIO_TRANSCRIPTION)
		form = &interaction;
	else if (is_imagen(t))
		form = &form_predict_image;
	(void)judge_form(t, resp, form, res);
}

static int
gemini_list(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	req->method = "GET";
	if (err < 0 || (err = ask_path(&a, NULL, JOIN_STRIP, "/models?pageSize=1000")) < 0 ||
	    (err = ask_headers(&a, ASK_KEY, STR(""))) < 0)
		return err;
	return ask_end(&a);
}

/* "models/gemini-…" is asked as "gemini-…". */
static int
gemini_listed(const struct target *t, const struct response *resp,
    void (*each)(void *arg, struct str name), void *arg, struct result *res)
{
	return google_listed(t, resp, "models/", each, arg, res);
}

const struct dialect dialect_gemini = {
	.name = "gemini",
	.build = gemini_build,
	.judge = gemini_judge,
	.list = gemini_list,
	.listed = gemini_listed,
	.stable = true,
	.variants = 2,
};
