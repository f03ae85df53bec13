/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LiteLLM shows a provider's SDK by its base URL and its key header alone, everything else by the
 * whole URL with all headers; the dialect's shown_base tells which.
 */
#include "workers/raw_request.h"

#include "shared/json.h"
#include "workers/dialects/dialect.h"
#include "workers/mask.h"

bool
raw_request_next_header(const struct request *r, size_t *at, struct str *name, struct str *value)
{
	struct str line;
	const char *colon;

	if (*at >= r->headers.len)
		return false;
	line = str_of(r->headers.data + *at);
	*at += line.n + 1;
	colon = memchr(line.p, ':', line.n);
	if (colon == NULL) {
		*name = line;
		*value = (struct str){ "", 0 };
		return true;
	}
	*name = (struct str){ line.p, (size_t)(colon - line.p) };
	colon += colon[1] == ' ' ? 2 : 1;
	*value = (struct str){ colon, (size_t)(line.p + line.n - colon) };
	return true;
}

static void
add_masked_string(struct buf *b, struct str text, const struct mask *mask)
{
	struct buf masked = BUF_INIT((size_t)1 << 20);

	mask_add_text(mask, &masked, text);
	json_add_string(b, buf_str(&masked));
	buf_clear(&masked);
}

static void
add_headers(struct buf *b, const struct request *r, const struct mask *mask)
{
	bool key_only = !str_eq(buf_str(&r->shown_base), buf_str(&r->url));
	struct buf value = BUF_INIT((size_t)64 << 10);
	struct str name, text;
	size_t at = 0;

	buf_add_char(b, '{');
	while (raw_request_next_header(r, &at, &name, &text)) {
		if (key_only && !mask_hides_header(name))
			continue;
		json_add_comma(b);
		json_add_string(b, name);
		buf_add_char(b, ':');
		buf_reset(&value);
		mask_add_header(mask, &value, name, text);
		json_add_string(b, buf_str(&value));
	}
	buf_add_char(b, '}');
	buf_clear(&value);
}

void
raw_request_add(struct buf *b, const struct request *r, const struct mask *mask)
{
	buf_add_text(b, "{\"raw_request_api_base\":");
	add_masked_string(b, buf_str(&r->shown_base), mask);
	buf_add_text(b, ",\"raw_request_body\":");
	if (r->shown_body.len == 0)
		buf_add_text(b, "null");
	else if (r->shown_body.len > RAW_REQUEST_MAX_BODY)
		buf_addf(b, "\"%zu bytes\"", r->shown_body.len);
	else
		mask_add_text(mask, b, buf_str(&r->shown_body));
	buf_add_text(b, ",\"raw_request_headers\":");
	add_headers(b, r, mask);
	buf_add_text(b, ",\"error\":null}");
}
