/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must be in the answer of each of the rarer routes: images, sound, rankings, pages,
 * decisions, messages and lists of models.
 */
#include "workers/dialects/openai.h"

#include <string.h>
#include <strings.h>

#include "workers/dialects/judge.h"
#include "workers/dialects/words.h"

enum place {
	AT_ROOT,
	AT_ID,
	AT_DATA,
	AT_DATUM,
	AT_URL,
	AT_BASE64,
	AT_DATUM_INDEX,
	AT_DATUM_SCORE,
	AT_DATA_AUDIO,
	AT_OUTPUT,
	AT_OUTPUT_CHOICES,
	AT_OUTPUT_CHOICE,
	AT_RESULTS,
	AT_RESULT,
	AT_RESULT_INDEX,
	AT_RESULT_SCORE,
	AT_RANKINGS,
	AT_RANKING,
	AT_RANKING_INDEX,
	AT_SCORES,
	AT_SCORE,
	AT_TEXT,
	AT_AUDIO_DATA,
	AT_BASE_RESP,
	AT_STATUS_CODE,
	AT_STATUS_MSG,
	AT_PAGES,
	AT_PAGE,
	AT_ANSWERS,
	AT_CONTENT,
	AT_BLOCK,
	AT_BLOCK_TYPE,
	N_PLACES
};

static const struct answer_place places[N_PLACES] = {
	[AT_ROOT] = { -1, NULL },
	[AT_ID] = { AT_ROOT, "id" },
	[AT_DATA] = { AT_ROOT, "data" },
	[AT_DATUM] = { AT_DATA, "[]" },
	[AT_URL] = { AT_DATUM, "url" },
	[AT_BASE64] = { AT_DATUM, "b64_json" },
	[AT_DATUM_INDEX] = { AT_DATUM, "index" },
	[AT_DATUM_SCORE] = { AT_DATUM, "relevance_score" },
	[AT_DATA_AUDIO] = { AT_DATA, "audio" },
	[AT_OUTPUT] = { AT_ROOT, "output" },
	[AT_OUTPUT_CHOICES] = { AT_OUTPUT, "choices" },
	[AT_OUTPUT_CHOICE] = { AT_OUTPUT_CHOICES, "[]" },
	[AT_RESULTS] = { AT_ROOT, "results" },
	[AT_RESULT] = { AT_RESULTS, "[]" },
	[AT_RESULT_INDEX] = { AT_RESULT, "index" },
	[AT_RESULT_SCORE] = { AT_RESULT, "relevance_score" },
	[AT_RANKINGS] = { AT_ROOT, "rankings" },
	[AT_RANKING] = { AT_RANKINGS, "[]" },
	[AT_RANKING_INDEX] = { AT_RANKING, "index" },
	[AT_SCORES] = { AT_ROOT, "scores" },
	[AT_SCORE] = { AT_SCORES, "[]" },
	[AT_TEXT] = { AT_ROOT, "text" },
	[AT_AUDIO_DATA] = { AT_ROOT, "audio_data" },
	[AT_BASE_RESP] = { AT_ROOT, "base_resp" },
	[AT_STATUS_CODE] = { AT_BASE_RESP, "status_code" },
	[AT_STATUS_MSG] = { AT_BASE_RESP, "status_msg" },
	[AT_PAGES] = { AT_ROOT, "pages" },
	[AT_PAGE] = { AT_PAGES, "[]" },
	[AT_ANSWERS] = { AT_ROOT, "answers" },
	[AT_CONTENT] = { AT_ROOT, "content" },
	[AT_BLOCK] = { AT_CONTENT, "[]" },
	[AT_BLOCK_TYPE] = { AT_BLOCK, "type" },
};

static const struct str no_text = { NULL, 0 };

/* A list with at least one element of that kind. */
static bool
is_list(const struct target *t, struct result *res, const char *name,
    const struct answer_value *list, const struct answer_value *first, enum answer_kind kind)
{
	struct buf text = BUF_INIT(256);

	if (list->kind != ANSWER_ARRAY) {
		buf_addf(&text, "`%s`", name);
		judge_bad_shape(t, res, buf_text(&text), list, "a list");
	} else if (list->count == 0) {
		buf_addf(&text, "status 200, but `%s` is an empty list", name);
		words_shape(t, NULL, no_text, buf_str(&text), res);
	} else if (first->kind != kind) {
		buf_addf(&text, "`%s[0]`", name);
		judge_bad_shape(t, res, buf_text(&text), first,
		    kind == ANSWER_OBJECT ? "an object" : "a number");
	} else {
		buf_clear(&text);
		return true;
	}
	buf_clear(&text);
	return false;
}

static bool
is_text(const struct answer_value *v)
{
	return v->kind == ANSWER_STRING && v->raw.n > 0;
}

static bool
image(const struct target *t, const struct answer_value *v, struct result *res)
{
	if (!is_list(t, res, "data", &v[AT_DATA], &v[AT_DATUM], ANSWER_OBJECT))
		return false;
	if (is_text(&v[AT_URL]) || is_text(&v[AT_BASE64]))
		return true;
	words_shape(t, NULL, no_text,
	    STR("status 200, but `data[0]` holds no image: neither `url` nor `b64_json`"), res);
	return false;
}

static bool
rerank(const struct target *t, const struct answer_value *v, struct result *res)
{
	bool data = v[AT_RESULTS].kind == ANSWER_ABSENT && v[AT_DATA].kind == ANSWER_ARRAY;
	const struct answer_value *index = &v[data ? AT_DATUM_INDEX : AT_RESULT_INDEX];
	const struct answer_value *score = &v[data ? AT_DATUM_SCORE : AT_RESULT_SCORE];

	if (!is_list(t, res, data ? "data" : "results", &v[data ? AT_DATA : AT_RESULTS],
		&v[data ? AT_DATUM : AT_RESULT], ANSWER_OBJECT))
		return false;
	if (index->kind == ANSWER_NUMBER || score->kind == ANSWER_NUMBER)
		return true;
	words_shape(t, NULL, no_text,
	    STR("status 200, but the first result has neither `index` nor `relevance_score`"), res);
	return false;
}

/* MiniMax says of a refusal that it was a success, and what was wrong in `base_resp`. */
static bool
speech_text(const struct target *t, const struct answer_value *v, struct result *res)
{
	struct buf text = BUF_INIT(1024);

	if (is_text(&v[AT_DATA_AUDIO]))
		return true;
	if (v[AT_STATUS_CODE].kind == ANSWER_NUMBER && !str_is(v[AT_STATUS_CODE].raw, "0")) {
		struct words_reply reply = { .code = v[AT_STATUS_CODE].raw };

		if (v[AT_STATUS_MSG].kind == ANSWER_STRING)
			answer_text(&text, v[AT_STATUS_MSG].raw);
		reply.message = buf_str(&text);
		reply.shown = reply.searched = v[AT_ROOT].raw;
		words_error_body(t, &reply, res);
	} else {
		judge_bad_shape(t, res, "`data.audio`", &v[AT_DATA_AUDIO], "a text");
	}
	buf_clear(&text);
	return false;
}

/* The model is in the provider's list of models. */
static bool
listed(const struct target *t, const struct answer_value *v, struct result *res)
{
	unsigned count;

	if (v[AT_DATA].kind != ANSWER_ARRAY) {
		judge_bad_shape(t, res, "`data`", &v[AT_DATA], "a list of models");
		return false;
	}
	if (judge_listed(v[AT_DATA].raw, "id", t->model, &count))
		return true;
	judge_not_listed(t, count, res);
	return false;
}

static bool
messages(const struct target *t, const struct answer_value *v, struct result *res)
{
	if (!is_list(t, res, "content", &v[AT_CONTENT], &v[AT_BLOCK], ANSWER_OBJECT))
		return false;
	if (is_text(&v[AT_BLOCK_TYPE]))
		return true;
	judge_bad_shape(t, res, "`content[0].type`", &v[AT_BLOCK_TYPE], "a text");
	return false;
}

static bool
must_be(const struct target *t, struct result *res, const char *where, const struct answer_value *v,
    bool is, const char *wanted)
{
	if (!is)
		judge_bad_shape(t, res, where, v, wanted);
	return is;
}

bool
openai_shape(
    const struct target *t, const struct provider_call *call, struct str body, struct result *res)
{
	struct answer_value v[N_PLACES];
	struct answer_fault fault;

	if (answer_read(body, places, N_PLACES, v, &fault) < 0) {
		words_not_json(t, call->client, body, &fault, res);
		return false;
	}
	switch (call->shape) {
	case SHAPE_IMAGE:
	case SHAPE_IMAGE_EDIT:
		return image(t, v, res);
	case SHAPE_IMAGE_INPUT:
		return is_list(t, res, "output.choices", &v[AT_OUTPUT_CHOICES],
		    &v[AT_OUTPUT_CHOICE], ANSWER_OBJECT);
	case SHAPE_SPEECH_TEXT:
		return speech_text(t, v, res);
	case SHAPE_SPEECH_VOICE_ID:
		return must_be(t, res, "`audio_data`", &v[AT_AUDIO_DATA],
		    is_text(&v[AT_AUDIO_DATA]), "a text in base64");
	case SHAPE_SPEECH:
		words_shape(t, NULL, no_text,
		    STR("status 200, but the answer is JSON where sound was expected"), res);
		return false;
	case SHAPE_TRANSCRIPTION:
		/* Of a tone there is nothing to write down: the text may be empty. */
		return must_be(
		    t, res, "`text`", &v[AT_TEXT], v[AT_TEXT].kind == ANSWER_STRING, "a text");
	case SHAPE_VIDEO:
		return ask_generates(t)
			   ? must_be(t, res, "`id`", &v[AT_ID], is_text(&v[AT_ID]), "a job's id")
			   : listed(t, v, res);
	case SHAPE_RERANK:
		return rerank(t, v, res);
	case SHAPE_RERANK_PASSAGES:
		return is_list(
			   t, res, "rankings", &v[AT_RANKINGS], &v[AT_RANKING], ANSWER_OBJECT) &&
		       must_be(t, res, "`rankings[0].index`", &v[AT_RANKING_INDEX],
			   v[AT_RANKING_INDEX].kind == ANSWER_NUMBER, "a number");
	case SHAPE_RERANK_QUERIES:
		return is_list(t, res, "scores", &v[AT_SCORES], &v[AT_SCORE], ANSWER_NUMBER);
	case SHAPE_OCR:
		return is_list(t, res, "pages", &v[AT_PAGES], &v[AT_PAGE], ANSWER_OBJECT);
	case SHAPE_DECISIONS:
	case SHAPE_DECISIONS_INPUT:
		return must_be(t, res, "`answers`", &v[AT_ANSWERS],
		    (v[AT_ANSWERS].kind == ANSWER_OBJECT || v[AT_ANSWERS].kind == ANSWER_ARRAY) &&
			v[AT_ANSWERS].count > 0,
		    "an object with an answer");
	case SHAPE_MESSAGES:
		return messages(t, v, res);
	default:
		words_shape(
		    t, NULL, no_text, STR("status 200, but nobody knows what it should be"), res);
		return false;
	}
}

static bool
begins(struct str body, size_t at, const char *magic, size_t n)
{
	return body.n >= at + n && memcmp(body.p + at, magic, n) == 0;
}

bool
openai_is_sound(const struct provider_call *call, const struct response *resp)
{
	struct str type = resp->header ? resp->header(resp, "content-type") : no_text;
	struct str b = resp->body;

	/* The head of a frame alone has four bytes. */
	if (call->shape != SHAPE_SPEECH || b.n < 4)
		return false;
	if (type.n >= 6 && strncasecmp(type.p, "audio/", 6) == 0)
		return b.p[0] != '{';
	/* Some gateways say nothing, or octets: then the bytes decide. */
	return begins(b, 0, "ID3", 3) || begins(b, 0, "RIFF", 4) || begins(b, 0, "OggS", 4) ||
	       begins(b, 0, "fLaC", 4) || begins(b, 4, "ftyp", 4) ||
	       (b.n >= 2 && (unsigned char)b.p[0] == 0xff &&
		   ((unsigned char)b.p[1] & 0xe0) == 0xe0);
}
