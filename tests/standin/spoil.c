/* SPDX-License-Identifier: Apache-2.0 */
/* The bodies of all behaviours. */
#include "tests/standin/spoil.h"

#include "shared/json.h"

#define BODY_MAX (128 * 1024 * 1024)
#define DEEP_MAX 16000000
#define HUGE_START \
	"{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1700000000," \
	"\"model\":\"huge\",\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"," \
	"\"message\":{\"role\":\"assistant\",\"content\":\""
#define HUGE_END \
	"\"}}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2,\"total_tokens\":11}}"

struct str
spoil_pattern(void)
{
	static char letters[64 * 1024];

	if (letters[0] == '\0')
		memset(letters, 'a', sizeof(letters));
	return (struct str){ letters, sizeof(letters) };
}

struct str
spoil_endless_pattern(void)
{
	static char chunks[6 + 32768 + 2];

	if (chunks[0] == '\0') {
		memcpy(chunks, "8000\r\n", 6);
		memset(chunks + 6, 'a', 32768);
		memcpy(chunks + 6 + 32768, "\r\n", 2);
	}
	return (struct str){ chunks, sizeof(chunks) };
}

void
spoil_not_http(struct buf *out, enum body what)
{
	uint32_t x = 2463534242u;

	if (what == BODY_NOTHTTP) {
		buf_add_text(out, "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n");
		return;
	}
	buf_add(out, "\0\377\r\n", 4);
	for (size_t i = 0; i < 252; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		buf_add_char(out, (char)x);
	}
}

/* The key as OpenAI shows a wrong one: its first seven characters and its last four. */
static void
add_masked(struct buf *out, struct str key)
{
	if (key.n < 12) {
		buf_add(out, key.p, key.n < 4 ? key.n : 4);
		buf_add_text(out, "***");
		return;
	}
	buf_add(out, key.p, 7);
	for (size_t i = 0; i < key.n - 11; i++)
		buf_add_char(out, '*');
	buf_add(out, key.p + key.n - 4, 4);
}

static void
add_member(struct buf *out, const char *key, const char *text)
{
	json_add_key(out, key);
	if (text == NULL)
		buf_add_text(out, "null");
	else
		json_add_string(out, str_of(text));
}

/* Google's name of a status. */
static const char *
google_status(int status)
{
	switch (status) {
	case 400:
		return "INVALID_ARGUMENT";
	case 401:
		return "UNAUTHENTICATED";
	case 403:
		return "PERMISSION_DENIED";
	case 404:
		return "NOT_FOUND";
	case 429:
		return "RESOURCE_EXHAUSTED";
	case 503:
		return "UNAVAILABLE";
	default:
		return "INTERNAL";
	}
}

/* The error as the route's provider writes one. */
static void
add_shaped(struct buf *out, enum error_shape shape, const struct fault *fault, int status,
    struct str message)
{
	static const char *const starts[] = {
		[ERRORS_OPENAI] = "{\"error\":{\"message\":",
		[ERRORS_CLAUDE] = "{\"type\":\"error\",\"error\":{\"message\":",
		[ERRORS_GOOGLE] = "{\"error\":{\"message\":",
		[ERRORS_AWS] = "{\"message\":",
		[ERRORS_OAUTH] = "{\"error\":\"invalid_client\",\"error_description\":",
		[ERRORS_MESSAGE] = "{\"message\":",
		[ERRORS_MESSAGES] = "{\"errors\":[{\"message\":",
		[ERRORS_ERRORS] = "{\"errors\":[",
		[ERRORS_ERROR] = "{\"error\":",
		[ERRORS_DETAIL] = "{\"detail\":",
	};

	buf_add_text(out, starts[shape]);
	json_add_string(out, message);
	switch (shape) {
	case ERRORS_OPENAI:
		add_member(out, "type", fault->type);
		add_member(out, "param", fault->param);
		add_member(out, "code", fault->code);
		buf_add_text(out, "}}");
		break;
	case ERRORS_CLAUDE:
		add_member(out, "type", status == 401 ? "authentication_error" : fault->type);
		buf_add_text(out, "}}");
		break;
	case ERRORS_GOOGLE:
		buf_addf(out, ",\"code\":%d", status);
		add_member(out, "status", google_status(status));
		buf_add_text(out, "}}");
		break;
	case ERRORS_MESSAGES:
		add_member(out, "code", fault->code);
		buf_add_text(out, "}]}");
		break;
	case ERRORS_ERRORS:
		buf_add_text(out, "]}");
		break;
	default:
		buf_add_char(out, '}');
	}
}

static void
add_error(struct buf *out, const struct answer *a, const struct fault *fault, int status)
{
	struct buf message = BUF_INIT(1 << 20);

	for (const char *p = fault->message; *p != '\0'; p++) {
		if (*p != '%') {
			buf_add_char(&message, *p);
			continue;
		}
		switch (*++p) {
		case 'm':
			buf_add_str(&message, a->model);
			break;
		case 'k':
			add_masked(&message, a->request->key);
			break;
		case 'a':
			buf_add_str(&message, a->request->authorization);
			break;
		case 's':
			buf_add_int(&message, status);
			break;
		}
	}
	add_shaped(out, a->route->errors, fault, status, buf_str(&message));
	buf_clear(&message);
}

static void
start(struct spoiled *body)
{
	*body = (struct spoiled){
		.status = 200, .content_type = ROUTE_JSON, .text = BUF_INIT(BODY_MAX)
	};
}

void
spoil_fault(struct spoiled *body, const struct answer *a, const struct fault *fault)
{
	start(body);
	body->status = fault->status;
	add_error(&body->text, a, fault, fault->status);
}

static void
add_healthy(struct spoiled *body, const struct answer *a, bool usage)
{
	if (a->stream && a->route->stream != NULL) {
		body->content_type = "text/event-stream; charset=utf-8";
		body->chunked = true;
		a->route->stream(&body->text, a->model, usage);
		return;
	}
	body->content_type = a->route->content_type;
	route_write(a->route, &body->text, a->model, usage);
}

/* A healthy object with one member more: arrays in arrays. */
static void
add_deep(struct buf *out, const struct answer *a, uint64_t depth)
{
	size_t n = depth < DEEP_MAX ? (size_t)depth : DEEP_MAX;
	struct buf healthy = BUF_INIT(BODY_MAX);
	char *to;

	route_write(a->route, &healthy, a->model, true);
	buf_add_text(out, "{\"deep\":");
	to = buf_reserve(out, 2 * n);
	if (to != NULL) {
		memset(to, '[', n);
		memset(to + n, ']', n);
		buf_commit(out, 2 * n);
	}
	buf_add_char(out, ',');
	buf_add(out, buf_text(&healthy) + 1, healthy.len - 1);
	buf_clear(&healthy);
}

/* An answer whose main member is missing, null or empty. */
static void
add_spoiled_member(struct buf *out, const struct answer *a, const char *value)
{
	buf_add_char(out, '{');
	add_member(out, "id", "chatcmpl-1");
	add_member(out, "object", a->route->object);
	buf_add_text(out, ",\"created\":1700000000,\"model\":");
	json_add_string(out, a->model);
	if (value != NULL) {
		json_add_key(out, a->route->member);
		buf_add_text(out, value);
	}
	buf_add_text(
	    out, ",\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2,\"total_tokens\":11}}");
}

static void
add_of_status(struct spoiled *body, const struct answer *a, int status)
{
	static const struct fault generic = { "", 0, "standin_error", NULL, NULL,
		"The stand-in answers %s." };

	if (status / 100 == 2)
		add_healthy(body, a, true);
	else
		add_error(&body->text, a, &generic, status);
	body->status = status;
}

/* RFC 1951 stored blocks in an RFC 1952 member: valid gzip without a compressor. */
static void
wrap_gzip(struct buf *text)
{
	struct buf out = BUF_INIT(BODY_MAX);
	uint32_t crc = 0xffffffff, n = (uint32_t)text->len;
	size_t at = 0;

	for (size_t i = 0; i < text->len; i++) {
		crc ^= (unsigned char)text->data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	crc ^= 0xffffffff;
	buf_add(&out, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
	do {
		size_t len = text->len - at < 65535 ? text->len - at : 65535;
		bool last = at + len == text->len;
		char block[5] = { last, (char)len, (char)(len >> 8), (char)~len,
			(char)(~len >> 8) };

		buf_add(&out, block, sizeof(block));
		buf_add(&out, buf_text(text) + at, len);
		at += len;
	} while (at < text->len);
	for (int shift = 0; shift < 32; shift += 8)
		buf_add_char(&out, (char)(crc >> shift));
	for (int shift = 0; shift < 32; shift += 8)
		buf_add_char(&out, (char)(n >> shift));
	buf_clear(text);
	*text = out;
}

static void
fill_body(struct spoiled *body, const struct answer *a)
{
	const struct behaviour *b = a->behaviour;
	struct buf *out = &body->text;

	switch (b->body) {
	case BODY_OK:
	case BODY_GARBAGE:
	case BODY_NOTHTTP:
		add_healthy(body, a, !(b->flags & FLAG_NOTOKENS));
		break;
	case BODY_FAULT:
		body->status = b->fault->status;
		add_error(out, a, b->fault, body->status);
		break;
	case BODY_STATUS:
		add_of_status(body, a, b->status);
		break;
	case BODY_BADJSON: /* 34 bytes, as in the recordings: the error is at char 34 */
		buf_add_text(out, "{\"id\": \"chatcmpl-12\", \"choices\": [");
		break;
	case BODY_EMPTY:
		break;
	case BODY_EMPTYOBJ:
		buf_add_text(out, "{}");
		break;
	case BODY_BADUTF8:
		buf_add_text(out, HUGE_START "\377\376 \300\257 \355\240\200" HUGE_END);
		break;
	case BODY_DEEP:
		if (strncmp(a->route->content_type, ROUTE_JSON, sizeof(ROUTE_JSON) - 1) == 0)
			add_deep(out, a, b->amount);
		else
			add_healthy(body, a, true);
		break;
	case BODY_HUGE:
		buf_add_text(out, HUGE_START);
		body->fill = b->amount;
		body->rest = STR(HUGE_END);
		break;
	case BODY_ENDLESS:
		buf_add_text(out, HUGE_START);
		body->fill = UINT64_MAX;
		break;
	case BODY_WRONGSHAPE:
		buf_add_text(out, "[\"not\",\"an\",\"answer\"]");
		break;
	case BODY_NOCHOICES:
		add_spoiled_member(out, a, NULL);
		break;
	case BODY_NULLCHOICES:
		add_spoiled_member(out, a, "null");
		break;
	case BODY_EMPTYCHOICES:
		add_spoiled_member(out, a, "[]");
		break;
	case BODY_HTML502:
		body->status = 502;
		body->content_type = "text/html";
		buf_add_text(out,
		    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
		    "<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n"
		    "</body>\r\n</html>\r\n");
		break;
	case BODY_REDIRECT:
		body->status = 307;
		buf_add_text(out, "{}");
		break;
	}
}

void
spoil_body(struct spoiled *body, const struct answer *a)
{
	unsigned flags = a->behaviour ? a->behaviour->flags : 0;

	start(body);
	if (a->behaviour == NULL)
		add_healthy(body, a, true);
	else
		fill_body(body, a);
	if (body->fill == 0) {
		body->chunked = body->chunked || (flags & FLAG_CHUNKED);
		body->gzip = flags & FLAG_GZIP;
		if (body->gzip)
			wrap_gzip(&body->text);
	}
}
