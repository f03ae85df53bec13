/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests log: what was sent, word for word, one JSON object a line, so that tests can
 * compare. It shows keys: this is a test tool. Written before the answer, so whoever has that finds
 * the line.
 */
#include <unistd.h>

#include "shared/clock.h"
#include "shared/json.h"
#include "tests/standin/standin.h"

#define LINE_MAX_BYTES (1024 * 1024)
#define HEADER_NAME_MAX 256

static void
add_text(struct buf *out, const char *key, struct str text)
{
	json_add_key(out, key);
	json_add_string(out, text);
}

/* Pairs of name and value as they came, the names in lower case. */
static void
add_headers(struct buf *out, struct str rest)
{
	struct str name, value;
	char lower[HEADER_NAME_MAX];

	json_add_key(out, "headers");
	buf_add_char(out, '[');
	while (request_next_header(&rest, &name, &value)) {
		size_t n = name.n < sizeof(lower) ? name.n : sizeof(lower);

		for (size_t i = 0; i < n; i++)
			lower[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] | 0x20)
									: name.p[i];
		json_add_comma(out);
		buf_add_char(out, '[');
		json_add_string(out, (struct str){ lower, n });
		buf_add_char(out, ',');
		json_add_string(out, value);
		buf_add_char(out, ']');
	}
	buf_add_char(out, ']');
}

void
reqlog_write(const struct standin *s, const struct request *r, struct str model, uint64_t number)
{
	struct buf out = BUF_INIT(LINE_MAX_BYTES);
	struct str body = r->body;
	ssize_t written;

	if (body.n > STANDIN_LOGGED_BODY_MAX)
		body.n = STANDIN_LOGGED_BODY_MAX;
	buf_add_text(&out, "{\"number\":");
	buf_add_int(&out, (int64_t)number);
	json_add_key(&out, "time_ms");
	buf_add_int(&out, clock_wall_ms());
	add_text(&out, "method", r->method);
	add_text(&out, "target", r->target);
	add_text(&out, "path", r->path);
	add_text(&out, "query", r->query);
	add_text(&out, "model", model);
	add_headers(&out, r->headers);
	json_add_key(&out, "body_bytes");
	buf_add_int(&out, (int64_t)r->body.n);
	add_text(&out, "body", body);
	buf_add_text(&out, "}\n");
	if (!buf_ok(&out)) {
		buf_reset(&out);
		buf_addf(&out, "{\"number\":%llu,\"error\":\"too large\"}\n",
		    (unsigned long long)number);
	}
	written = write(s->log_fd, buf_text(&out), out.len);
	(void)written; /* a full disk is the test's own failure: it misses the line */
	buf_clear(&out);
}
