/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of names with weights. */
#include "supervisor/front/http/accept.h"

#include <strings.h>

#include "shared/err.h"

/* What is before the character; *s is what is behind it. */
static struct str
take_until(struct str *s, char c)
{
	const char *at = s->n > 0 ? memchr(s->p, c, s->n) : NULL;
	struct str taken = { s->p, at ? (size_t)(at - s->p) : s->n };
	size_t used = taken.n + (at ? 1 : 0);

	s->p += used;
	s->n -= used;
	return str_trim(taken);
}

static bool
is_text(struct str s, const char *text)
{
	return s.n == strlen(text) && strncasecmp(s.p, text, s.n) == 0;
}

/* "0.75" in thousandths; what is no weight counts as 0. */
static int
weight(struct str s)
{
	int q, unit = ACCEPT_ONE / 10;

	if (s.n == 0 || (*s.p != '0' && *s.p != '1'))
		return 0;
	q = (*s.p - '0') * ACCEPT_ONE;
	for (size_t i = 2; i < s.n && s.p[1] == '.' && unit > 0; i++, unit /= 10) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return 0;
		q += (s.p[i] - '0') * unit;
	}
	return q > ACCEPT_ONE ? ACCEPT_ONE : q;
}

int
accept_weight(struct str list, const char *name)
{
	int highest = -1;

	while (list.n > 0) {
		struct str range = take_until(&list, ',');
		struct str what = take_until(&range, ';');
		int q = ACCEPT_ONE;

		if (!is_text(what, name))
			continue;
		while (range.n > 0) {
			struct str value = take_until(&range, ';');
			struct str parameter = take_until(&value, '=');

			if (is_text(parameter, "q"))
				q = weight(str_trim(value));
		}
		highest = q > highest ? q : highest;
	}
	return highest;
}

bool
accept_gzip(struct str list)
{
	static const char *const names[] = { "gzip", "x-gzip", "*" };
	int q = -1;

	for (size_t i = 0; i < ARRAY_LEN(names) && q < 0; i++)
		q = accept_weight(list, names[i]);
	return q > 0;
}
