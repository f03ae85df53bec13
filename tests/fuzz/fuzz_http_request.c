/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests as they come from a socket: the end of the head is the same at once and byte by byte,
 * every slice lies within the head, a body is never longer than allowed.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "shared/buf.h"
#include "supervisor/front/http/accept.h"
#include "supervisor/front/http/auth.h"
#include "supervisor/front/http/parse.h"
#include "supervisor/front/http/reply.h"
#include "supervisor/front/keys.h"

#define MAX_BODY 1000

static void
inside(struct str s, const char *p, size_t n)
{
	if (s.n > 0 && s.p != NULL && s.n != 1 && (s.p < p || s.p + s.n > p + n))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	size_t scanned = 0, stepped = 0, end = http_head_end(p, size, &scanned), step = 0, used;
	struct http_request r;
	struct http_body_reader body;
	struct buf kept = BUF_INIT(MAX_BODY);
	int status, err;

	for (size_t n = 1; n <= size && step == 0; n++)
		step = http_head_end(p, n, &stepped);
	if (step != end)
		abort();
	if (end == 0)
		return 0;
	if (http_parse_head(p, end, &r, &status) < 0) {
		if (status < 400 || status > 505)
			abort();
		return 0;
	}
	inside(r.path, p, end);
	inside(r.query, p, end);
	inside(r.host, p, end);
	inside(r.authorization, p, end);
	inside(r.request_id, p, end);
	inside(r.accept, p, end);
	inside(r.drain_token, p, end);
	inside(r.call_id, p, end);
	if (accept_gzip(r.accept_encoding) && r.accept_encoding.n == 0)
		abort();
	if (accept_weight(r.accept, "application/problem+json") > ACCEPT_ONE)
		abort();
	free(reply_clean_id(r.request_id));
	(void)auth_caller(&r, STR("01234567890123456789012345678901"), &(struct keys){ 0 });
	if (http_body_begin(&body, &r, MAX_BODY) < 0)
		return 0;
	body.keep = &kept;
	err = http_body_read(&body, p + end, size - end, &used);
	if (!buf_ok(&kept) || kept.len > used)
		abort();
	buf_clear(&kept);
	if (used > size - end || body.total > MAX_BODY ||
	    (err == 0 && body.state != HTTP_BODY_DONE))
		abort();
	return 0;
}
