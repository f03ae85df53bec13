/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/dialects/multipart.h"

#include <string.h>

static void
begin(struct multipart *m, const char *name)
{
	buf_addf(m->body, "--" MULTIPART_BOUNDARY "\r\nContent-Disposition: form-data; name=\"%s\"",
	    name);
	m->parts++;
}

void
multipart_text(struct multipart *m, const char *name, struct str value)
{
	begin(m, name);
	buf_add_text(m->body, "\r\n\r\n");
	buf_add_str(m->body, value);
	buf_add(m->body, "\r\n", 2);
}

void
multipart_file(
    struct multipart *m, const char *name, const char *filename, const char *type, struct str bytes)
{
	begin(m, name);
	buf_addf(m->body, "; filename=\"%s\"\r\nContent-Type: %s\r\n\r\n", filename, type);
	buf_add_str(m->body, bytes);
	buf_add(m->body, "\r\n", 2);
}

int
multipart_end(struct multipart *m)
{
	const char *at;
	size_t n = strlen(MULTIPART_BOUNDARY), left;

	buf_add_text(m->body, "--" MULTIPART_BOUNDARY "--\r\n");
	if (!buf_ok(m->body))
		return ERR_LIMIT;
	at = m->body->data;
	left = m->body->len;
	for (unsigned seen = 0;; seen++) {
		const char *next = memmem(at, left, MULTIPART_BOUNDARY, n);

		if (next == NULL)
			return seen == m->parts + 1 ? 0 : ERR_INVALID;
		left -= (size_t)(next + n - at);
		at = next + n;
	}
}
