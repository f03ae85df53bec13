/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of answers. What is the same in all of them is one block of text; the date is made once a
 * second. */
#include "supervisor/front/http/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shared/json.h"

#define MAX_REQUEST_ID 128

static const struct {
	int status;
	const char *phrase;
} phrases[] = {
	{ 200, "OK" },
	{ 304, "Not Modified" },
	{ 307, "Temporary Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 402, "Payment Required" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 408, "Request Timeout" },
	{ 413, "Request Entity Too Large" },
	{ 417, "Expectation Failed" },
	{ 422, "Unprocessable Entity" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
};

const char *
reply_phrase(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(phrases); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Unknown";
}

void
reply_date(struct buf *out, int64_t wall_ms)
{
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug",
		"Sep", "Oct", "Nov", "Dec" };
	static char cached[128];
	static int64_t cached_second = -1;
	int64_t second = wall_ms / 1000;

	if (second != cached_second) {
		time_t t = (time_t)second;
		struct tm tm;

		if (gmtime_r(&t, &tm) == NULL)
			memset(&tm, 0, sizeof(tm));
		snprintf(cached, sizeof(cached), "%s, %02d %s %04d %02d:%02d:%02d GMT",
		    days[tm.tm_wday % 7], tm.tm_mday, months[tm.tm_mon % 12], tm.tm_year + 1900,
		    tm.tm_hour, tm.tm_min, tm.tm_sec);
		cached_second = second;
	}
	buf_add_text(out, cached);
}

static void
add_line(struct buf *out, const char *name, struct str value)
{
	buf_add_text(out, name);
	buf_add_str(out, value);
	buf_add(out, "\r\n", 2);
}

void
reply_head(struct buf *out, const struct reply *r, const struct reply_context *c)
{
	if (r->status == 200) {
		buf_add_str(out, STR("HTTP/1.1 200 OK\r\ndate: "));
	} else {
		buf_add_str(out, STR("HTTP/1.1 "));
		buf_add_int(out, r->status);
		buf_add_char(out, ' ');
		buf_add_text(out, reply_phrase(r->status));
		buf_add_str(out, STR("\r\ndate: "));
	}
	reply_date(out, c->now_ms);
	buf_add(out, "\r\n", 2);
	buf_add_str(out, r->extra);
	if (r->status != 304 && r->type != REPLY_STREAM) {
		buf_add_str(out, STR("content-length: "));
		buf_add_int(out, (int64_t)(r->lead.n + (r->body ? r->body->len : 0)));
		buf_add(out, "\r\n", 2);
		if (r->type == REPLY_JSON)
			buf_add_str(out, STR("content-type: application/json\r\n"));
		else if (r->type == REPLY_HEALTH)
			buf_add_str(out, STR("content-type: application/health+json\r\n"));
		else if (r->type == REPLY_PROBLEM)
			buf_add_str(out, STR("content-type: application/problem+json\r\n"));
		else if (r->type == REPLY_TEXT)
			buf_add_str(out, STR("content-type: text/plain; charset=utf-8\r\n"));
	}
	if (r->gzip)
		buf_add_str(out, STR("content-encoding: gzip\r\n"));
	if (c->no_store)
		buf_add_str(out, STR("cache-control: no-store\r\n"));
	if (r->etag.n > 0)
		add_line(out, "etag: ", r->etag);
	add_line(out, "x-request-id: ", c->request_id);
	if (c->origin.n > 0) {
		add_line(out, "access-control-allow-origin: ", c->origin);
		buf_add_str(out, STR("access-control-expose-headers: x-litellm-semantic-filter, "
				     "x-litellm-semantic-filter-tools, "
				     "x-litellm-adaptive-router-model, "
				     "x-litellm-applied-guardrails, x-litellm-guardrail-scan-id, "
				     "x-litellm-guardrail-scan-metadata, x-litellm-cache-key\r\n"));
	}
	if (r->vary.n > 0)
		add_line(out, "vary: ", r->vary);
	else
		buf_add_str(out, STR("vary: Origin\r\n"));
	buf_add_str(out, STR("x-frame-options: DENY\r\n"
			     "content-security-policy: frame-ancestors 'none'\r\n"
			     "x-content-type-options: nosniff\r\n"));
	if (c->close)
		buf_add_str(out, STR("connection: close\r\n"));
	else if (c->keep_alive)
		buf_add_str(out, STR("connection: keep-alive\r\n"));
	buf_add(out, "\r\n", 2);
}

static void
keep(struct str *s)
{
	s->p = str_dup(*s);
}

void
reply_keep(struct reply *kept, const struct reply *r)
{
	*kept = *r;
	if (r->body)
		blob_ref(r->body);
	keep(&kept->lead);
	keep(&kept->etag);
	keep(&kept->extra);
	keep(&kept->vary);
}

void
reply_drop(struct reply *kept)
{
	blob_unref(kept->body);
	free((char *)(uintptr_t)kept->lead.p);
	free((char *)(uintptr_t)kept->etag.p);
	free((char *)(uintptr_t)kept->extra.p);
	free((char *)(uintptr_t)kept->vary.p);
}

struct blob *
reply_detail(int status, const char *text)
{
	struct buf b = BUF_INIT(4096);
	struct blob *blob;

	buf_add_text(&b, "{\"detail\":");
	json_add_string(&b, str_of(text ? text : reply_phrase(status)));
	buf_add_char(&b, '}');
	blob = blob_copy(buf_str(&b));
	buf_clear(&b);
	return blob;
}

char *
reply_clean_id(struct str id)
{
	if (id.n == 0 || id.n > MAX_REQUEST_ID)
		return NULL;
	for (size_t i = 0; i < id.n; i++) {
		char ch = id.p[i];

		if (!((ch >= '0' && ch <= '9') || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z') ||
			ch == '-' || ch == '_' || ch == '.' || ch == ':' || ch == '/' ||
			ch == '+' || ch == '='))
			return NULL;
	}
	return str_dup(id);
}
