/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers as bytes: the body that the behaviour asks for, its framing, the head around it, and
 * where the sending stops.
 */
#include "tests/standin/reply.h"

#include <stdlib.h>

#include "shared/json.h"
#include "tests/standin/spoil.h"
#include "tests/standin/websocket.h"

#define ANSWER_MAX (128 * 1024 * 1024)
#define ID_HEADER "x-request-id: req_"

static const char *
status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} texts[] = {
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 304, "Not Modified" },
		{ 307, "Temporary Redirect" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 402, "Payment Required" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 413, "Content Too Large" },
		{ 418, "I'm a teapot" },
		{ 422, "Unprocessable Content" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "Unknown";
}

void
reply_write_id(char *to, uint64_t number)
{
	for (size_t i = REPLY_ID_DIGITS; i-- > 0; number >>= 4)
		to[i] = "0123456789abcdef"[number & 15];
}

char *
reply_find_id(const struct reply *reply)
{
	char *at = memmem(reply->pre.p, reply->pre.n, ID_HEADER, sizeof(ID_HEADER) - 1);

	return at ? at + sizeof(ID_HEADER) - 1 : NULL;
}

void
reply_clear(struct reply *reply)
{
	if (reply->event != NULL)
		reply_clear(reply->event);
	free(reply->event);
	free(reply->owned);
	*reply = (struct reply){ 0 };
}

static void
add_status_line(struct buf *out, int status)
{
	buf_addf(
	    out, "HTTP/1.1 %d %s\r\nServer: llmhealth-standin\r\n", status, status_text(status));
}

static void
add_connection(struct buf *out, const struct request *r)
{
	if (!r->keep_alive)
		buf_add_text(out, "Connection: close\r\n");
	else if (r->minor == 0)
		buf_add_text(out, "Connection: keep-alive\r\n");
}

/* Hands out's bytes to the reply, split after `pre` bytes. */
static void
take(struct reply *reply, struct buf *out, size_t pre, const struct request *r)
{
	size_t n = out->len;

	*reply = (struct reply){ .limit = UINT64_MAX };
	reply->then = r == NULL || !r->keep_alive ? THEN_CLOSE : THEN_KEEP;
	if (!buf_ok(out)) { /* more was asked for than fits: nothing can be said */
		reply->then = THEN_CUT;
		n = pre = 0;
	}
	reply->owned = buf_take(out);
	reply->pre = (struct str){ reply->owned, pre < n ? pre : n };
	reply->post = (struct str){ reply->owned + reply->pre.n, n - reply->pre.n };
}

void
reply_make_json(struct reply *reply, const struct request *r, int status, const char *extra_header,
    struct buf *body)
{
	struct buf out = BUF_INIT(ANSWER_MAX);
	size_t head;

	add_status_line(&out, status);
	add_connection(&out, r);
	if (extra_header != NULL)
		buf_addf(&out, "%s\r\n", extra_header);
	buf_addf(&out, "Content-Type: " ROUTE_JSON "\r\nContent-Length: %zu\r\n\r\n", body->len);
	head = out.len;
	buf_add_str(&out, buf_str(body));
	buf_clear(body);
	take(reply, &out, out.len, r);
	if (str_is(r->method, "HEAD"))
		reply->limit = head;
}

void
reply_make_refusal(struct reply *reply, int status, const char *why)
{
	struct buf out = BUF_INIT(ANSWER_MAX);

	add_status_line(&out, status);
	buf_addf(&out,
	    "Connection: close\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s\n",
	    strlen(why) + 1, why);
	take(reply, &out, out.len, NULL);
}

/* The head between the status line and the lines about the body. */
static void
add_provider_headers(struct buf *out, const struct answer *a, const struct spoiled *body)
{
	const struct behaviour *b = a->behaviour;
	bool limited = body->status == 429;

	add_connection(out, a->request);
	if (b == NULL || !(b->flags & FLAG_NORATES)) {
		buf_add_text(
		    out, "x-ratelimit-limit-requests: 100\r\nx-ratelimit-limit-tokens: 10000\r\n");
		buf_add_text(out, limited ? "x-ratelimit-remaining-requests: 0\r\n"
					  : "x-ratelimit-remaining-requests: 99\r\n");
		buf_add_text(out,
		    "x-ratelimit-remaining-tokens: 9999\r\n"
		    "x-ratelimit-reset-requests: 600ms\r\nx-ratelimit-reset-tokens: 6ms\r\n");
	}
	buf_add_text(out, ID_HEADER);
	reply_write_id(buf_reserve(out, REPLY_ID_DIGITS), a->number);
	buf_commit(out, REPLY_ID_DIGITS);
	buf_add_text(out, "\r\n");
	if (b == NULL)
		return;
	if ((b->flags & FLAG_GOODBYE) && a->request->keep_alive)
		buf_add_text(out, "Connection: close\r\n");
	if (b->retry_after_s >= 0)
		buf_addf(out, "Retry-After: %lld\r\n", (long long)b->retry_after_s);
	if (b->location[0] != '\0' && body->status / 100 == 3)
		buf_addf(out, "Location: %s\r\n", b->location);
	for (uint64_t i = 0; i < b->many_headers && buf_ok(out); i++)
		buf_addf(out, "X-Filler-%llu: a\r\n", (unsigned long long)i);
}

/* The lines about the body and the empty one. */
static void
add_framing(struct buf *out, const struct answer *a, const struct spoiled *body, bool chunked)
{
	unsigned flags = a->behaviour ? a->behaviour->flags : 0;
	uint64_t length = body->text.len + body->fill + body->rest.n;

	if (body->status != 204 && body->status != 304) {
		buf_addf(out, "Content-Type: %s\r\n", body->content_type);
		if (body->gzip)
			buf_add_text(out, "Content-Encoding: gzip\r\n");
		if (chunked)
			buf_add_text(out, "Transfer-Encoding: chunked\r\n");
		else if (flags & FLAG_BADLENGTH)
			buf_add_text(out, "Content-Length: many\r\n");
		else
			buf_addf(out, "Content-Length: %llu\r\n", (unsigned long long)length);
		if (flags & FLAG_TWOLENGTHS)
			buf_addf(out, "Content-Length: %llu\r\n", (unsigned long long)length + 7);
	}
	buf_add_text(out, "\r\n");
}

/* The body's bytes in two chunks, so that a reader has to join them. */
static void
add_chunks(struct buf *out, struct str body)
{
	size_t half = (body.n + 1) / 2;

	if (half > 0) {
		buf_addf(out, "%zx\r\n", half);
		buf_add(out, body.p, half);
		buf_add_text(out, "\r\n");
	}
	if (body.n > half) {
		buf_addf(out, "%zx\r\n", body.n - half);
		buf_add(out, body.p + half, body.n - half);
		buf_add_text(out, "\r\n");
	}
	buf_add_text(out, "0\r\n\r\n");
}

/* Where the sending stops and what comes after. */
static void
set_end(struct reply *reply, const struct answer *a, uint64_t head, uint64_t whole)
{
	const struct behaviour *b = a->behaviour;

	if (str_is(a->request->method, "HEAD"))
		reply->limit = head;
	if (b == NULL)
		return;
	reply->drip_bytes = b->drip_bytes;
	reply->drip_ms = (uint32_t)b->drip_ms;
	if (b->flags & FLAG_GOODBYE)
		reply->then = THEN_CLOSE;
	switch (b->end) {
	case END_WHOLE:
		return;
	case END_CUT:
		reply->limit = head + b->cut_at;
		break;
	case END_HALF:
		reply->limit = head + (whole - head) / 2;
		break;
	case END_CUTHEADERS:
		reply->limit = head / 2;
		break;
	case END_CLOSE:
	case END_RESET:
	case END_HANG:
		reply->limit = 0;
		break;
	case END_HANGBODY:
		reply->limit = head;
		break;
	}
	reply->then = b->end == END_RESET			     ? THEN_RESET
		      : b->end == END_HANG || b->end == END_HANGBODY ? THEN_HANG
								     : THEN_CUT;
}

static void
make(struct reply *reply, const struct answer *a, struct spoiled *body)
{
	struct buf out = BUF_INIT(ANSWER_MAX);
	uint64_t header_fill = a->behaviour ? a->behaviour->fill_header : 0;
	size_t head, split;
	bool chunked = body->chunked && a->request->minor > 0 && body->fill != UINT64_MAX;
	bool endless = body->fill == UINT64_MAX;

	add_status_line(&out, body->status);
	add_provider_headers(&out, a, body);
	split = 0;
	if (header_fill > 0 && body->fill == 0) {
		buf_add_text(&out, "X-Filler: ");
		split = out.len;
		buf_add_text(&out, "\r\n");
	}
	add_framing(&out, a, body, chunked || endless);
	head = out.len;
	if (body->status == 204 || body->status == 304)
		buf_reset(&body->text);
	if (chunked)
		add_chunks(&out, buf_str(&body->text));
	else if (endless)
		buf_addf(&out, "%zx\r\n%s\r\n", body->text.len, buf_text(&body->text));
	else
		buf_add_str(&out, buf_str(&body->text));
	if (split == 0)
		split = out.len;
	buf_add_str(&out, body->rest);
	take(reply, &out, split, a->request);
	if (reply->then == THEN_CUT)
		return;
	reply->fill = header_fill > 0 && body->fill == 0 ? header_fill : body->fill;
	reply->pattern = endless ? spoil_endless_pattern() : spoil_pattern();
	set_end(reply, a, head + (body->fill == 0 ? reply->fill : 0),
	    reply->pre.n + reply->post.n + (endless ? 0 : reply->fill));
}

/* Bytes that are no HTTP at all. */
static void
make_raw(struct reply *reply, const struct answer *a)
{
	struct buf out = BUF_INIT(ANSWER_MAX);

	spoil_not_http(&out, a->behaviour->body);
	take(reply, &out, out.len, a->request);
	set_end(reply, a, 0, out.len);
	reply->then = THEN_CUT;
}

void
reply_make(struct reply *reply, const struct answer *a)
{
	struct spoiled body;

	if (a->behaviour != NULL && a->behaviour->body >= BODY_GARBAGE) {
		make_raw(reply, a);
		return;
	}
	spoil_body(&body, a);
	make(reply, a, &body);
	buf_clear(&body.text);
}

void
reply_make_fault(struct reply *reply, const struct answer *a, const struct fault *fault)
{
	struct spoiled body;

	spoil_fault(&body, a, fault);
	make(reply, a, &body);
	buf_clear(&body.text);
}

void
reply_make_bytes(struct reply *reply, struct buf *out, enum then then)
{
	take(reply, out, out->len, NULL);
	if (reply->then == THEN_CLOSE)
		reply->then = then;
}

/* The first event as frames; what is not sent by the byte is `fill`. */
static void
add_event(struct buf *out, struct spoiled *body, unsigned flags)
{
	uint64_t fill = body->fill == UINT64_MAX ? (uint64_t)1 << 40 : body->fill;
	uint64_t n = body->text.len + fill + body->rest.n;
	enum opcode opcode = flags & FLAG_BINARY ? OPCODE_BINARY : OPCODE_TEXT;
	size_t half = body->text.len / 2;

	if ((flags & FLAG_FRAGMENTS) && fill == 0) {
		websocket_add_frame(out, opcode, false, half, false);
		buf_add(out, buf_text(&body->text), half);
		websocket_add_frame(out, OPCODE_PING, true, 1, false);
		buf_add_char(out, 'p');
		websocket_add_frame(out, OPCODE_MORE, true, body->text.len - half, false);
		buf_add(out, buf_text(&body->text) + half, body->text.len - half);
		return;
	}
	websocket_add_frame(out, opcode, true, n, flags & FLAG_MASKED);
	buf_add_str(out, buf_str(&body->text));
}

/* An error is an event of that type. */
static void
make_error_event(struct spoiled *body)
{
	struct buf text = BUF_INIT(ANSWER_MAX);

	buf_add_text(&text, "{\"type\":\"error\",\"event_id\":\"event_1\",");
	buf_add(&text, buf_text(&body->text) + 1, body->text.len - 1);
	buf_clear(&body->text);
	body->text = text;
}

static void
make_event(struct reply *reply, const struct answer *a)
{
	const struct behaviour *b = a->behaviour;
	struct buf out = BUF_INIT(ANSWER_MAX);
	struct spoiled body;
	size_t split;

	spoil_body(&body, a);
	if (b != NULL && b->body == BODY_FAULT)
		make_error_event(&body);
	if (b != NULL && b->close_code > 0)
		websocket_add_close(&out, (unsigned)b->close_code, "as was asked for");
	else if (b != NULL && (b->flags & FLAG_BADFRAME))
		spoil_not_http(&out, BODY_NOTHTTP);
	else
		add_event(&out, &body, b ? b->flags : 0);
	split = out.len;
	buf_add_str(&out, body.rest);
	take(reply, &out, split, NULL);
	reply->then = THEN_TALK;
	reply->fill = body.fill;
	reply->pattern = spoil_pattern();
	set_end(reply, a, 0, reply->pre.n + reply->post.n + reply->fill);
	buf_clear(&body.text);
}

void
reply_make_websocket(struct reply *reply, const struct answer *a)
{
	const struct behaviour *b = a->behaviour;
	enum end end = b ? b->end : END_WHOLE;
	struct buf out = BUF_INIT(ANSWER_MAX);
	size_t n;

	websocket_add_head(&out, a->request, b && (b->flags & FLAG_BADACCEPT));
	n = out.len;
	reply_make_bytes(reply, &out, THEN_TALK);
	if (end == END_CUTHEADERS || end == END_CLOSE || end == END_RESET || end == END_HANG) {
		set_end(reply, a, n, n);
		return;
	}
	reply->drip_bytes = b ? b->drip_bytes : 0;
	reply->drip_ms = b ? (uint32_t)b->drip_ms : 0;
	reply->needs = a->route->needs;
	reply->event = xcalloc(1, sizeof(*reply->event));
	make_event(reply->event, a);
}
