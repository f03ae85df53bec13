/* SPDX-License-Identifier: Apache-2.0 */
/* Query parameters: split at `&`, decoded, the last of a name wins. */
#include "supervisor/front/http/params.h"

#include <strings.h>

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

void
params_decode(struct buf *out, struct str s, bool plus)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '%' && i + 2 < s.n && hex_value(s.p[i + 1]) >= 0 &&
		    hex_value(s.p[i + 2]) >= 0) {
			c = (char)(hex_value(s.p[i + 1]) << 4 | hex_value(s.p[i + 2]));
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		buf_add_char(out, c);
	}
}

/* Whether the key is that name once decoded. */
static bool
key_is(struct str key, const char *name)
{
	size_t at = 0;

	for (size_t i = 0; i < key.n; i++, at++) {
		char c = key.p[i];

		if (c == '%' && i + 2 < key.n && hex_value(key.p[i + 1]) >= 0 &&
		    hex_value(key.p[i + 2]) >= 0) {
			c = (char)(hex_value(key.p[i + 1]) << 4 | hex_value(key.p[i + 2]));
			i += 2;
		}
		if (name[at] == '\0' || c != name[at])
			return false;
	}
	return name[at] == '\0';
}

bool
params_get(struct str query, const char *name, struct buf *out)
{
	bool found = false;

	buf_reset(out);
	while (query.n > 0) {
		const char *amp = memchr(query.p, '&', query.n), *equals;
		struct str pair = { query.p, amp ? (size_t)(amp - query.p) : query.n };

		query.n -= pair.n + (amp ? 1 : 0);
		query.p += pair.n + (amp ? 1 : 0);
		equals = pair.n > 0 ? memchr(pair.p, '=', pair.n) : NULL;
		if (!key_is(
			(struct str){ pair.p, equals ? (size_t)(equals - pair.p) : pair.n }, name))
			continue;
		found = true;
		buf_reset(out);
		if (equals)
			params_decode(out,
			    (struct str){ equals + 1, pair.n - (size_t)(equals + 1 - pair.p) },
			    true);
	}
	return found;
}
