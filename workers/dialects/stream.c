/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request is that of the provider's own dialect with `stream` in it; an answer is read event by
 * event, until one has content, an error, or nothing that such a stream may have. Formats: OpenAI's
 * chat, completions and responses, Anthropic's messages, Gemini's generateContent.
 */
#include "workers/dialects/stream.h"

#include <string.h>

#include "shared/json.h"
#include "shared/probes.h"
#include "workers/dialects/answer.h"
#include "workers/dialects/body.h"
#include "workers/dialects/headers.h"
#include "workers/dialects/words.h"

static const struct str no_text = { NULL, 0 };

static const struct dialect *
own_dialect(const struct target *t)
{
	return dialect_find(str_of(t->provider->dialect));
}

bool
stream_is(const struct target *t)
{
	const char *name = target_param(t, "probe");

	return name && strcmp(name, "stream") == 0;
}

/* ---- the request ---- */

/* Gemini has a verb of its own for it. */
static void
stream_url(struct buf *url)
{
	static const char verb[] = ":generateContent";
	struct buf made = BUF_INIT(REQUEST_MAX_URL + 64);
	struct str left = buf_str(url);
	const char *at = left.n ? memmem(left.p, left.n, verb, sizeof(verb) - 1) : NULL;

	if (at == NULL)
		return;
	buf_add(&made, left.p, (size_t)(at - left.p));
	buf_add_text(&made, ":streamGenerateContent");
	at += sizeof(verb) - 1;
	buf_add(&made, at, left.n - (size_t)(at - left.p));
	buf_add_text(&made, memchr(at, '?', left.n - (size_t)(at - left.p)) ? "&alt=sse" : "?alt=sse");
	buf_reset(url);
	buf_add_str(url, buf_str(&made));
	buf_clear(&made);
}

/* Puts `"stream": true` among the members of an object, in the place of one that is there. */
static void
stream_body(struct buf *body)
{
	struct buf made = BUF_INIT(REQUEST_MAX_BODY + 64);
	struct str key, value;
	size_t at = 0;

	buf_add_char(&made, '{');
	while (answer_member(buf_str(body), &at, &key, &value)) {
		if (str_is(key, "stream"))
			continue;
		json_add_comma(&made);
		buf_add_char(&made, '"');
		buf_add_str(&made, key);
		buf_add_text(&made, "\":");
		buf_add_str(&made, value);
	}
	json_add_key(&made, "stream");
	buf_add_text(&made, "true}");
	buf_reset(body);
	buf_add_str(body, buf_str(&made));
	if (made.data)
		secret_wipe(made.data, made.len);
	buf_clear(&made);
}

static const struct auth_scheme *
stream_scheme(const struct target *t)
{
	const struct dialect *own = own_dialect(t);

	return own && own->scheme ? own->scheme(t) : NULL;
}

static int
stream_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	enum probe_stream format = probe_stream_of(t->provider, t->mode);
	int err;

	if (format == PROBE_STREAM_NONE)
		return headers_refuse(t, why, "the probe `stream` is not known of this provider in this mode");
	err = own_dialect(t)->build(t, ctx, req, why);
	if (err < 0)
		return err;
	if (format == PROBE_STREAM_GEMINI) {
		stream_url(&req->url);
		stream_url(&req->shown_base);
	} else {
		stream_body(&req->body);
		stream_body(&req->shown_body);
	}
	if (!buf_ok(&req->url) || !buf_ok(&req->body) || !buf_ok(&req->shown_body) ||
	    !buf_ok(&req->shown_base))
		return headers_refuse(t, why, "the request would be too large");
	return 0;
}

/* A provider whose wildcards can be asked has a list, or the config is refused. */
static int
stream_list(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	const struct dialect *own = own_dialect(t);

	if (own->list == NULL)
		return headers_refuse(t, why, "this provider has no list of models");
	return own->list(t, ctx, req, why);
}

static int
stream_listed(const struct target *t, const struct response *resp,
    void (*each)(void *arg, struct str name), void *arg, struct result *res)
{
	return own_dialect(t)->listed(t, resp, each, arg, res);
}

/* ---- the answer ---- */

enum place {
	ROOT,
	CHOICES,
	CHOICE,
	DELTA,
	CONTENT,
	REASONING_CONTENT,
	REASONING,
	REFUSAL,
	TOOL_CALLS,
	FINISH,
	TEXT,
	TYPE,
	TOP_DELTA, /* a text of responses, an object of messages */
	DELTA_TEXT,
	DELTA_THINKING,
	DELTA_JSON,
	DELTA_STOP,
	CANDIDATES,
	CANDIDATE,
	CANDIDATE_CONTENT,
	PARTS,
	PART,
	PART_TEXT,
	CANDIDATE_FINISH,
	ERROR,
	RESPONSE,
	RESPONSE_ERROR,
	USAGE,
	PROMPT_TOKENS,
	COMPLETION_TOKENS,
	MESSAGE,
	MESSAGE_USAGE,
	INPUT_TOKENS,
	GEMINI_USAGE,
	GEMINI_TOKENS,
	PLACES
};

static const struct answer_place places[PLACES] = {
	[ROOT] = { -1, NULL },
	[CHOICES] = { ROOT, "choices" },
	[CHOICE] = { CHOICES, "[]" },
	[DELTA] = { CHOICE, "delta" },
	[CONTENT] = { DELTA, "content" },
	[REASONING_CONTENT] = { DELTA, "reasoning_content" },
	[REASONING] = { DELTA, "reasoning" },
	[REFUSAL] = { DELTA, "refusal" },
	[TOOL_CALLS] = { DELTA, "tool_calls" },
	[FINISH] = { CHOICE, "finish_reason" },
	[TEXT] = { CHOICE, "text" },
	[TYPE] = { ROOT, "type" },
	[TOP_DELTA] = { ROOT, "delta" },
	[DELTA_TEXT] = { TOP_DELTA, "text" },
	[DELTA_THINKING] = { TOP_DELTA, "thinking" },
	[DELTA_JSON] = { TOP_DELTA, "partial_json" },
	[DELTA_STOP] = { TOP_DELTA, "stop_reason" },
	[CANDIDATES] = { ROOT, "candidates" },
	[CANDIDATE] = { CANDIDATES, "[]" },
	[CANDIDATE_CONTENT] = { CANDIDATE, "content" },
	[PARTS] = { CANDIDATE_CONTENT, "parts" },
	[PART] = { PARTS, "[]" },
	[PART_TEXT] = { PART, "text" },
	[CANDIDATE_FINISH] = { CANDIDATE, "finishReason" },
	[ERROR] = { ROOT, "error" },
	[RESPONSE] = { ROOT, "response" },
	[RESPONSE_ERROR] = { RESPONSE, "error" },
	[USAGE] = { ROOT, "usage" },
	[PROMPT_TOKENS] = { USAGE, "prompt_tokens" },
	[COMPLETION_TOKENS] = { USAGE, "completion_tokens" },
	[MESSAGE] = { ROOT, "message" },
	[MESSAGE_USAGE] = { MESSAGE, "usage" },
	[INPUT_TOKENS] = { MESSAGE_USAGE, "input_tokens" },
	[GEMINI_USAGE] = { ROOT, "usageMetadata" },
	[GEMINI_TOKENS] = { GEMINI_USAGE, "promptTokenCount" },
};

enum piece {
	PIECE_NONE,  /* an event as it should be, without content */
	PIECE_TOKEN, /* the first content */
	PIECE_ERROR,
	PIECE_WRONG, /* no event of such a stream */
	PIECE_END,
};

/* What has been read of a stream. Its texts are in `data`, until the next event is read. */
struct reading {
	struct sse sse;
	struct buf data;
	struct answer_value v[PLACES];
	size_t events;
	char finish[32]; /* the reason that was given last */
	uint32_t tokens_in, tokens_out;
	const char *wrong;
};

static bool
is_there(const struct answer_value *v)
{
	return v->kind != ANSWER_ABSENT && v->kind != ANSWER_NULL;
}

static bool
is_text(const struct answer_value *v)
{
	return v->kind == ANSWER_STRING && v->raw.n > 0;
}

static void
note_finish(struct reading *r, const struct answer_value *v)
{
	if (!is_text(v))
		return;
	if (v->raw.n < sizeof(r->finish)) {
		memcpy(r->finish, v->raw.p, v->raw.n);
		r->finish[v->raw.n] = '\0';
	} else {
		strcpy(r->finish, "?");
	}
}

static enum piece
wrong(struct reading *r, const char *what)
{
	r->wrong = what;
	return PIECE_WRONG;
}

static enum piece
read_chat(struct reading *r)
{
	static const enum place contents[] = { CONTENT, REASONING_CONTENT, REASONING, REFUSAL };

	if (r->v[CHOICES].kind != ANSWER_ARRAY)
		return wrong(r, "an event has no list `choices`");
	note_finish(r, &r->v[FINISH]);
	for (size_t i = 0; i < ARRAY_LEN(contents); i++)
		if (is_text(&r->v[contents[i]]))
			return PIECE_TOKEN;
	return r->v[TOOL_CALLS].kind == ANSWER_ARRAY && r->v[TOOL_CALLS].count > 0 ? PIECE_TOKEN
										   : PIECE_NONE;
}

static enum piece
read_text(struct reading *r)
{
	if (r->v[CHOICES].kind != ANSWER_ARRAY)
		return wrong(r, "an event has no list `choices`");
	note_finish(r, &r->v[FINISH]);
	return is_text(&r->v[TEXT]) ? PIECE_TOKEN : PIECE_NONE;
}

static enum piece
read_responses(struct reading *r)
{
	struct str type = r->v[TYPE].raw;

	if (r->v[TYPE].kind != ANSWER_STRING)
		return wrong(r, "an event has no `type`");
	if (str_is(type, "error") || str_is(type, "response.failed"))
		return PIECE_ERROR;
	if (str_is(type, "response.incomplete")) {
		strcpy(r->finish, "length");
		return PIECE_END;
	}
	if (str_is(type, "response.completed"))
		return PIECE_END;
	return type.n > 6 && memcmp(type.p + type.n - 6, ".delta", 6) == 0 &&
			       is_text(&r->v[TOP_DELTA])
		   ? PIECE_TOKEN
		   : PIECE_NONE;
}

static enum piece
read_messages(struct reading *r)
{
	struct str type = r->v[TYPE].raw;

	if (r->v[TYPE].kind != ANSWER_STRING)
		return wrong(r, "an event has no `type`");
	if (str_is(type, "error"))
		return PIECE_ERROR;
	if (str_is(type, "message_stop"))
		return PIECE_END;
	if (str_is(type, "message_start"))
		r->tokens_in = answer_count(&r->v[INPUT_TOKENS]);
	if (str_is(type, "message_delta"))
		note_finish(r, &r->v[DELTA_STOP]);
	return str_is(type, "content_block_delta") &&
		       (is_text(&r->v[DELTA_TEXT]) || is_text(&r->v[DELTA_THINKING]) ||
			   is_text(&r->v[DELTA_JSON]))
		   ? PIECE_TOKEN
		   : PIECE_NONE;
}

static enum piece
read_gemini(struct reading *r)
{
	if (r->v[CANDIDATES].kind != ANSWER_ARRAY && !is_there(&r->v[GEMINI_USAGE]))
		return wrong(r, "an event has no list `candidates`");
	r->tokens_in = answer_count(&r->v[GEMINI_TOKENS]);
	note_finish(r, &r->v[CANDIDATE_FINISH]);
	return is_text(&r->v[PART_TEXT]) ? PIECE_TOKEN : PIECE_NONE;
}

static enum piece
read_event(enum probe_stream format, struct reading *r)
{
	struct answer_fault fault;

	r->events++;
	if (str_is(buf_str(&r->data), "[DONE]"))
		return PIECE_END;
	if (answer_read(buf_str(&r->data), places, PLACES, r->v, &fault) < 0)
		return wrong(r, "an event is no JSON");
	if (r->v[ROOT].kind != ANSWER_OBJECT)
		return wrong(r, "an event is no JSON object");
	if (is_there(&r->v[ERROR]))
		return PIECE_ERROR;
	if (is_there(&r->v[USAGE])) {
		r->tokens_in = answer_count(&r->v[PROMPT_TOKENS]);
		r->tokens_out = answer_count(&r->v[COMPLETION_TOKENS]);
	}
	switch (format) {
	case PROBE_STREAM_CHAT:
		return read_chat(r);
	case PROBE_STREAM_TEXT:
		return read_text(r);
	case PROBE_STREAM_RESPONSES:
		return read_responses(r);
	case PROBE_STREAM_MESSAGES:
		return read_messages(r);
	case PROBE_STREAM_GEMINI:
		return read_gemini(r);
	case PROBE_STREAM_NONE:
		break;
	}
	return wrong(r, "no stream is known of this provider in this mode");
}

/* Reads on to what decides; PIECE_NONE: nothing has come yet that does. */
static enum piece
read_on(const struct target *t, struct reading *r, struct str body, bool ended)
{
	enum probe_stream format = probe_stream_of(t->provider, t->mode);

	for (;;) {
		enum piece piece;
		int rc;

		buf_reset(&r->data);
		rc = sse_next(&r->sse, body, ended, &r->data);
		if (rc < 0)
			return wrong(r, "an event is longer than any is");
		if (rc == 0)
			return PIECE_NONE;
		piece = read_event(format, r);
		if (piece != PIECE_NONE)
			return piece;
	}
}

static enum dialect_watched
stream_watch(const struct target *t, struct sse *sse, struct str body)
{
	struct reading r = { .sse = *sse, .data = BUF_INIT(SSE_MAX_EVENT + 1) };
	enum piece piece = read_on(t, &r, body, false);

	*sse = r.sse;
	buf_clear(&r.data);
	if (piece == PIECE_NONE)
		return DIALECT_WAITS;
	return piece == PIECE_TOKEN ? DIALECT_TOKEN : DIALECT_ENOUGH;
}

/* ---- the judge ---- */

static void
refuse(const struct target *t, const char *what, struct result *res)
{
	struct buf ours = BUF_INIT(1024);

	buf_addf(&ours, "status 200, but %s", what);
	words_shape(t, NULL, no_text, buf_str(&ours), res);
	buf_clear(&ours);
}

/* An error that comes as an event reads like an answer that is one. */
static void
judge_error(const struct target *t, const struct response *resp, const struct reading *r,
    struct result *res)
{
	struct buf body = BUF_INIT(SSE_MAX_EVENT + 64);
	struct response one = *resp;

	if (is_there(&r->v[RESPONSE_ERROR])) {
		bool text = r->v[RESPONSE_ERROR].kind == ANSWER_STRING;

		buf_addf(&body, "{\"error\":%s%.*s%s}", text ? "\"" : "",
		    (int)r->v[RESPONSE_ERROR].raw.n, r->v[RESPONSE_ERROR].raw.p, text ? "\"" : "");
	} else if (is_there(&r->v[ERROR])) {
		buf_add_str(&body, buf_str(&r->data));
	} else {
		/* OpenAI's responses: {"type": "error", "message": …} */
		buf_add_text(&body, "{\"error\":");
		buf_add_str(&body, buf_str(&r->data));
		buf_add_char(&body, '}');
	}
	one.body = buf_str(&body);
	own_dialect(t)->judge(t, &one, res);
	if (res->healthy)
		refuse(t, "the stream says an error", res);
	buf_clear(&body);
}

/* No event at all: perhaps it is an answer in one piece. */
static void
judge_no_events(const struct target *t, const struct response *resp, struct result *res)
{
	struct str type = resp->header ? resp->header(resp, "content-type") : no_text;
	struct answer_value v[PLACES];
	struct buf what = BUF_INIT(512);
	struct answer_fault fault;

	if (resp->body.n == 0) {
		refuse(t, "the stream is empty", res);
		return;
	}
	if (answer_read(resp->body, places, PLACES, v, &fault) == 0 && is_there(&v[ERROR])) {
		own_dialect(t)->judge(t, resp, res);
		if (!res->healthy)
			return;
	}
	buf_add_text(&what, "the answer is no stream of events");
	if (type.n > 0)
		buf_addf(&what, " (content-type %.*s)", type.n < 80 ? (int)type.n : 80, type.p);
	refuse(t, buf_text(&what), res);
	buf_clear(&what);
}

/* A model that thinks out of sight may use up its limit without a word. */
static bool
ran_out(const char *finish)
{
	return strcmp(finish, "length") == 0 || strcmp(finish, "max_tokens") == 0 ||
	       strcmp(finish, "MAX_TOKENS") == 0;
}

static void
judge_end(const struct target *t, const struct reading *r, bool said, struct result *res)
{
	struct buf what = BUF_INIT(256);

	if (ran_out(r->finish)) {
		res->healthy = true;
		res->reason = REASON_OK;
		return;
	}
	if (r->finish[0] && r->finish[0] != '?')
		buf_addf(&what, "the stream ended without any content (%s)", r->finish);
	else if (said || r->finish[0])
		buf_add_text(&what, "the stream ended without any content");
	else
		buf_add_text(&what, "the stream was cut off before any content");
	refuse(t, buf_text(&what), res);
	buf_clear(&what);
}

static void
stream_judge(const struct target *t, const struct response *resp, struct result *res)
{
	struct reading r = { .data = BUF_INIT(SSE_MAX_EVENT + 1) };
	enum piece piece;

	if (resp->status < 200 || resp->status >= 300) {
		own_dialect(t)->judge(t, resp, res);
		return;
	}
	result_reset(res);
	piece = read_on(t, &r, resp->body, true);
	switch (piece) {
	case PIECE_TOKEN:
		res->healthy = true;
		res->reason = REASON_OK;
		break;
	case PIECE_ERROR:
		judge_error(t, resp, &r, res);
		break;
	case PIECE_WRONG:
		refuse(t, r.wrong, res);
		break;
	case PIECE_NONE:
	case PIECE_END:
		if (r.events == 0)
			judge_no_events(t, resp, res);
		else
			judge_end(t, &r, piece == PIECE_END, res);
		break;
	}
	if (res->healthy) {
		res->tokens_in = r.tokens_in;
		res->tokens_out = r.tokens_out;
	}
	buf_clear(&r.data);
}

const struct dialect dialect_stream = {
	.name = "stream",
	.scheme = stream_scheme,
	.build = stream_build,
	.judge = stream_judge,
	.list = stream_list,
	.listed = stream_listed,
	.watch = stream_watch,
	.stable = true,
	.variants = BODY_GREETINGS,
};
