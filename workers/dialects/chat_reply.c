/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a family has read out of an answer, as OpenAI's chat.completion or its chunks; and the
 * framings that streams come in. Amazon's: docs.aws.amazon.com/AmazonS3/latest/API/
 * RESTSelectObjectAppendix.html (the same encoding), with both checksums.
 */
#include "workers/dialects/chat_family.h"

#include <openssl/evp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shared/json.h"
#include "shared/json_read.h"

void
chat_init(struct chat *c)
{
	*c = (struct chat){ .family = NULL };
	buf_init(&c->model, 4096);
	buf_init(&c->pending, CHAT_MAX_EVENT + ((size_t)1 << 20));
	buf_init(&c->said, CHAT_MAX_ANSWER);
	buf_init(&c->thought, CHAT_MAX_ANSWER);
	buf_init(&c->calls, 2 * CHAT_MAX_ANSWER);
}

void
chat_clear(struct chat *c)
{
	buf_clear(&c->model);
	buf_clear(&c->pending);
	buf_clear(&c->said);
	buf_clear(&c->thought);
	buf_clear(&c->calls);
}

int64_t
chat_number(struct str value)
{
	int64_t n = 0;

	if (value.n == 0 || value.n > 15)
		return 0;
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return 0;
		n = n * 10 + (value.p[i] - '0');
	}
	return n;
}

void
chat_fail(struct chat *c, const char *fmt, ...)
{
	va_list ap;

	if (c->failed)
		return;
	c->failed = true;
	va_start(ap, fmt);
	buf_vaddf(c->why, fmt, ap);
	va_end(ap);
}

void
chat_add_error(struct buf *out, int status, struct str message)
{
	buf_add_text(out, "{\"error\":{\"message\":");
	json_add_string(out, message);
	buf_addf(out, ",\"type\":\"%s\",\"param\":null,\"code\":\"%d\"}}",
	    status == 429   ? "throttling_error"
	    : status == 408 ? "timeout_error"
	    : status >= 500 ? "internal_server_error"
			    : "invalid_request_error",
	    status);
}

/* ---- chunks ---- */

static void
add_id(struct chat *c)
{
	buf_add_text(c->out, "\"id\":\"chatcmpl-");
	request_add_uuid(c->out, &c->ctx, 0);
	buf_addf(c->out, "\",\"created\":%lld,\"model\":", (long long)c->created_s);
	buf_add_str(c->out, buf_str(&c->model));
}

static void
begin_chunk(struct chat *c)
{
	buf_add_text(c->out, "data: {");
	add_id(c);
	buf_add_text(c->out, ",\"object\":\"chat.completion.chunk\",\"choices\":[");
}

static void
begin_delta(struct chat *c)
{
	begin_chunk(c);
	buf_addf(c->out, "{\"index\":0,\"delta\":{%s", c->begun ? "" : "\"role\":\"assistant\"");
	c->begun = true;
}

static void
end_delta(struct chat *c, const char *finish)
{
	if (finish)
		buf_addf(c->out, "},\"finish_reason\":\"%s\"}]}\n\n", finish);
	else
		buf_add_text(c->out, "},\"finish_reason\":null}]}\n\n");
}

static void
add_text(struct chat *c, struct buf *whole, const char *key, struct str inner)
{
	if (c->failed || inner.n == 0)
		return;
	if (!c->stream) {
		buf_add_str(whole, inner);
		return;
	}
	begin_delta(c);
	json_add_key(c->out, key);
	buf_add_char(c->out, '"');
	buf_add_str(c->out, inner);
	buf_add_char(c->out, '"');
	end_delta(c, NULL);
}

void
chat_say(struct chat *c, struct str inner)
{
	add_text(c, &c->said, "content", inner);
}

void
chat_think(struct chat *c, struct str inner)
{
	add_text(c, &c->thought, "reasoning_content", inner);
}

void
chat_call(struct chat *c, struct str id, struct str name, struct str args)
{
	struct buf *b = c->stream ? c->out : &c->calls;

	if (c->failed)
		return;
	if (chat_inner(name).n == 0) {
		chat_fail(c, "a tool's call has no name");
		return;
	}
	if (c->stream) {
		begin_delta(c);
		json_add_key(b, "tool_calls");
		buf_addf(b, "[{\"index\":%zu,\"id\":", c->n_calls);
	} else {
		/* The call before it is closed here, or at the end. */
		buf_addf(b, "%s{\"id\":", c->n_calls > 0 ? "\"}}," : "");
	}
	if (chat_inner(id).n > 0) {
		buf_add_str(b, id);
	} else {
		buf_add_text(b, "\"call_");
		request_add_uuid(b, &c->ctx, (unsigned char)(1 + c->n_calls % 255));
		buf_add_char(b, '"');
	}
	buf_add_text(b, ",\"type\":\"function\",\"function\":{\"name\":");
	buf_add_str(b, name);
	buf_add_text(b, ",\"arguments\":\"");
	buf_add_str(b, args);
	c->n_calls++;
	if (c->stream) {
		buf_add_text(b, "\"}}]");
		end_delta(c, NULL);
	}
}

void
chat_call_object(struct chat *c, struct str id, struct str name, struct str object)
{
	struct buf args = BUF_INIT(2 * CHAT_MAX_ANSWER);

	json_add_string(&args, object.n > 0 ? object : STR("{}"));
	chat_call(c, id, name, chat_inner(buf_str(&args)));
	buf_clear(&args);
}

void
chat_call_more(struct chat *c, struct str args)
{
	if (c->failed || args.n == 0)
		return;
	if (c->n_calls == 0) {
		chat_fail(c, "arguments came before the call that they are of");
		return;
	}
	if (!c->stream) {
		buf_add_str(&c->calls, args);
		return;
	}
	begin_delta(c);
	json_add_key(c->out, "tool_calls");
	buf_addf(c->out, "[{\"index\":%zu,\"function\":{\"arguments\":\"", c->n_calls - 1);
	buf_add_str(c->out, args);
	buf_add_text(c->out, "\"}}]");
	end_delta(c, NULL);
}

void
chat_finish(struct chat *c, const char *reason)
{
	c->finish = reason;
}

void
chat_finish_as(struct chat *c, struct str theirs, const char *pairs)
{
	static const char *const ours[] = { "length", "tool_calls", "content_filter" };

	c->finish = "stop";
	while (*pairs) {
		size_t n = strcspn(pairs, "="), end = strcspn(pairs, " ");

		if (n == theirs.n && memcmp(pairs, theirs.p, n) == 0)
			for (size_t i = 0; i < ARRAY_LEN(ours); i++)
				if (strlen(ours[i]) == end - n - 1 &&
				    memcmp(ours[i], pairs + n + 1, end - n - 1) == 0)
					c->finish = ours[i];
		pairs += end + (pairs[end] == ' ');
	}
}

void
chat_usage(struct chat *c, int64_t in, int64_t out)
{
	c->tokens_in = in;
	c->tokens_out = out;
}

static const char *
finish_of(const struct chat *c)
{
	return c->n_calls > 0 && strcmp(c->finish, "stop") == 0 ? "tool_calls" : c->finish;
}

static void
add_usage(struct chat *c)
{
	buf_addf(c->out,
	    "\"usage\":{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,\"total_tokens\":%lld}",
	    (long long)c->tokens_in, (long long)c->tokens_out,
	    (long long)(c->tokens_in + c->tokens_out));
}

/* ---- a whole answer ---- */

static void
add_completion(struct chat *c)
{
	struct buf *b = c->out;

	buf_add_char(b, '{');
	add_id(c);
	buf_add_text(b, ",\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":"
			"{\"role\":\"assistant\",\"content\":");
	if (c->said.len > 0 || c->n_calls == 0) {
		buf_add_char(b, '"');
		buf_add_str(b, buf_str(&c->said));
		buf_add_char(b, '"');
	} else {
		buf_add_text(b, "null");
	}
	if (c->thought.len > 0) {
		buf_add_text(b, ",\"reasoning_content\":\"");
		buf_add_str(b, buf_str(&c->thought));
		buf_add_char(b, '"');
	}
	if (c->n_calls > 0) {
		buf_add_text(b, ",\"tool_calls\":[");
		buf_add_str(b, buf_str(&c->calls));
		buf_add_text(b, "\"}}]");
	}
	buf_addf(b, "},\"finish_reason\":\"%s\"}],", finish_of(c));
	add_usage(c);
	buf_add_char(b, '}');
}

/* What it read was too long for what is kept of it. */
static bool
fits(const struct chat *c)
{
	return buf_ok(&c->model) && buf_ok(&c->said) && buf_ok(&c->thought) && buf_ok(&c->calls) &&
	       buf_ok(c->out);
}

static int
result_of(struct chat *c)
{
	if (!c->failed && !fits(c))
		chat_fail(c, "the answer is too long");
	return c->failed ? ERR_INVALID : 0;
}

int
chat_whole(struct chat *c, struct str body, struct buf *out, struct buf *why)
{
	struct buf json = BUF_INIT(4 * CHAT_MAX_ANSWER);

	c->out = out;
	c->why = why;
	if (body.n > CHAT_MAX_ANSWER)
		chat_fail(c, "the answer is too long");
	else if (json_read(body, &json, NULL) < 0 || *json.data != '{')
		chat_fail(c, "the answer is not a JSON object");
	else
		c->family->whole(c, buf_str(&json));
	if (!c->failed && c->finish == NULL)
		c->finish = "stop";
	if (!c->failed)
		add_completion(c);
	buf_clear(&json);
	return result_of(c);
}

/* ---- streams ---- */

bool
chat_type_fits(const struct chat *c, struct str type)
{
	static const char *const types[] = { [CHAT_EVENTS] = "text/event-stream",
		[CHAT_LINES] = "application/", [CHAT_AMAZON] = "application/vnd.amazon.eventstream" };
	const char *wanted = types[c->family->framing];

	/* A whole answer is read whatever it is called. */
	return !c->stream ||
	       (type.n >= strlen(wanted) && strncasecmp(type.p, wanted, strlen(wanted)) == 0);
}

static void
take_event(struct chat *c, struct str type, struct str text)
{
	struct buf json = BUF_INIT(8 * CHAT_MAX_EVENT);

	if (str_is(text, "[DONE]"))
		return;
	if (json_read(text, &json, NULL) < 0 || *json.data != '{')
		chat_fail(c, "an event of the stream is not a JSON object");
	else
		c->family->event(c, type, buf_str(&json));
	buf_clear(&json);
}

static void
take_sse(struct chat *c, bool ended)
{
	struct buf data = BUF_INIT(CHAT_MAX_EVENT);
	int rc = 0;

	c->sse.max = CHAT_MAX_EVENT;
	while (!c->failed && (rc = sse_next(&c->sse, buf_str(&c->pending), ended, &data)) > 0) {
		take_event(c, STR(""), buf_str(&data));
		buf_reset(&data);
	}
	if (rc < 0)
		chat_fail(c, "an event of the stream is too long");
	c->sse.later = c->sse.later || c->sse.event > 0;
	buf_drain(&c->pending, c->sse.event);
	c->sse.line -= c->sse.event;
	c->sse.seen = c->sse.seen > c->sse.event ? c->sse.seen - c->sse.event : 0;
	c->sse.event = 0;
	buf_clear(&data);
}

static void
take_lines(struct chat *c, bool ended)
{
	struct str rest = buf_str(&c->pending);
	const char *end;

	while (!c->failed && rest.n > 0) {
		struct str line = rest;

		end = memchr(rest.p + c->sse.seen, '\n', rest.n - c->sse.seen);
		if (end == NULL && !ended)
			break;
		if (end)
			line.n = (size_t)(end - rest.p);
		rest.p += line.n + (end != NULL);
		rest.n -= line.n + (end != NULL);
		c->sse.seen = 0;
		while (line.n > 0 && (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == ' '))
			line.n--;
		if (line.n > CHAT_MAX_EVENT)
			chat_fail(c, "a line of the stream is too long");
		else if (line.n > 0)
			take_event(c, STR(""), line);
	}
	c->sse.seen = rest.n;
	if (rest.n > CHAT_MAX_EVENT)
		chat_fail(c, "a line of the stream is too long");
	buf_drain(&c->pending, c->pending.len - rest.n);
}

/* The checksum of IEEE 802.3, four bits at a time. */
static uint32_t
crc32_of(const unsigned char *p, size_t n)
{
	static const uint32_t table[16] = { 0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
		0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8,
		0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c };
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < n; i++) {
		crc = table[(crc ^ p[i]) & 15] ^ crc >> 4;
		crc = table[(crc ^ (uint32_t)p[i] >> 4) & 15] ^ crc >> 4;
	}
	return ~crc;
}

static uint32_t
number_at(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* A header's text; only texts (type 7) are sent by Bedrock. False: they cannot be read. */
static bool
find_header(struct str headers, const char *name, struct str *value)
{
	static const signed char sizes[] = { 0, 0, 1, 2, 4, 8, -1, -1, 8, 16 };
	const unsigned char *p = (const unsigned char *)headers.p;
	size_t at = 0, n = headers.n;

	*value = STR("");
	while (at < n) {
		size_t key = at + 1, len = p[at], type, size;

		at = key + len;
		if (at >= n || (type = p[at++]) >= sizeof(sizes))
			return false;
		size = (size_t)(sizes[type] < 0 ? 0 : sizes[type]);
		if (sizes[type] < 0) {
			if (n - at < 2)
				return false;
			size = (size_t)p[at] << 8 | p[at + 1];
			at += 2;
		}
		if (n - at < size)
			return false;
		if (type == 7 && len == strlen(name) && memcmp(p + key, name, len) == 0)
			*value = (struct str){ headers.p + at, size };
		at += size;
	}
	return true;
}

/* {"bytes": "base64"}: what InvokeModel wraps each event of the model in. */
static void
take_wrapped(struct chat *c, struct str payload)
{
	struct buf json = BUF_INIT(8 * CHAT_MAX_EVENT), text = BUF_INIT(CHAT_MAX_EVENT);
	struct str inner = STR("");
	char *room = NULL;
	int n = -1;

	if (json_read(payload, &json, NULL) == 0)
		inner = chat_inner(chat_at(buf_str(&json), "bytes"));
	if (inner.n > 0 && inner.n % 4 == 0 && (room = buf_reserve(&text, inner.n / 4 * 3 + 1)))
		n = EVP_DecodeBlock(
		    (unsigned char *)room, (const unsigned char *)inner.p, (int)inner.n);
	if (n <= 0) {
		chat_fail(c, "an event of the stream has no bytes in base64");
	} else {
		for (size_t i = inner.n; i > 0 && inner.p[i - 1] == '='; i--)
			n--;
		buf_commit(&text, (size_t)(n > 0 ? n : 0));
		take_event(c, STR(""), buf_str(&text));
	}
	buf_clear(&json);
	buf_clear(&text);
}

static void
take_message(struct chat *c, struct str headers, struct str payload)
{
	struct str kind, event, exception;

	if (!find_header(headers, ":message-type", &kind) ||
	    !find_header(headers, ":event-type", &event) ||
	    !find_header(headers, ":exception-type", &exception))
		chat_fail(c, "a message of the stream has headers that cannot be read");
	else if (!str_is(kind, "event"))
		chat_fail(c, "the stream has an error: %.*s: %.*s",
		    (int)(exception.n < 200 ? exception.n : 200), exception.p,
		    (int)(payload.n < 2000 ? payload.n : 2000), payload.p);
	else if (str_is(event, "chunk"))
		take_wrapped(c, payload);
	else
		take_event(c, event, payload);
}

static void
take_amazon(struct chat *c, bool ended)
{
	struct str rest = buf_str(&c->pending);

	while (!c->failed && rest.n >= 12) {
		const unsigned char *p = (const unsigned char *)rest.p;
		size_t total = number_at(p), headers = number_at(p + 4);

		if (number_at(p + 8) != crc32_of(p, 8) || total < 16 || headers > total - 16) {
			chat_fail(c, "the stream is none of Amazon's: a message's checksum or "
				     "length is wrong");
			break;
		}
		if (total > CHAT_MAX_EVENT) {
			chat_fail(c, "a message of the stream is too long");
			break;
		}
		if (rest.n < total)
			break;
		if (number_at(p + total - 4) != crc32_of(p, total - 4)) {
			chat_fail(c, "a message of the stream has a wrong checksum");
			break;
		}
		take_message(c, (struct str){ rest.p + 12, headers },
		    (struct str){ rest.p + 12 + headers, total - 16 - headers });
		rest.p += total;
		rest.n -= total;
	}
	if (ended && rest.n > 0)
		chat_fail(c, "the stream ends in the middle of a message");
	buf_drain(&c->pending, c->pending.len - rest.n);
}

static int
take(struct chat *c, struct str bytes, bool ended, struct buf *out, struct buf *why)
{
	c->out = out;
	c->why = why;
	buf_add_str(&c->pending, bytes);
	if (!buf_ok(&c->pending))
		chat_fail(c, "the stream comes in pieces that are too long");
	else if (c->family->framing == CHAT_EVENTS)
		take_sse(c, ended);
	else if (c->family->framing == CHAT_LINES)
		take_lines(c, ended);
	else
		take_amazon(c, ended);
	return result_of(c);
}

int
chat_piece(struct chat *c, struct str bytes, struct buf *out, struct buf *why)
{
	return c->failed ? ERR_INVALID : take(c, bytes, false, out, why);
}

int
chat_end(struct chat *c, struct buf *out, struct buf *why)
{
	int rc = c->failed ? ERR_INVALID : take(c, STR(""), true, out, why);

	if (rc == 0 && c->finish == NULL)
		chat_fail(c, "the stream ended before the answer did");
	if (c->failed)
		return ERR_INVALID;
	begin_delta(c);
	end_delta(c, finish_of(c));
	if (c->usage_wanted) {
		begin_chunk(c);
		buf_add_text(out, "],");
		add_usage(c);
		buf_add_text(out, "}\n\n");
	}
	buf_add_text(out, "data: [DONE]\n\n");
	return result_of(c);
}
