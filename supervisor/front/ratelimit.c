/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The headers are OpenAI's (https://platform.openai.com/docs/guides/rate-limits): remaining is a
 * whole number, reset is a duration as "6m0s", "1.5s" or "120ms"; others send plain seconds. What
 * is none of these asks for nothing.
 */
#include "supervisor/front/ratelimit.h"

#include <stdbool.h>
#include <strings.h>

#define REMAINING "x-ratelimit-remaining-"
#define RESET "x-ratelimit-reset-"
#define MAX_MS ((int64_t)366 * 86400000)

static bool
starts(struct str s, const char *prefix)
{
	return s.n > strlen(prefix) && strncasecmp(s.p, prefix, strlen(prefix)) == 0;
}

static struct str
after(struct str s, const char *prefix)
{
	return (struct str){ s.p + strlen(prefix), s.n - strlen(prefix) };
}

static bool
is_zero(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '0')
			return false;
	return s.n > 0;
}

/* A unit at the start of s: its milliseconds and length; no unit: seconds, at the end only. */
static double
unit_ms(struct str s, size_t *length)
{
	*length = 1;
	if (s.n >= 2 && s.p[0] == 'm' && s.p[1] == 's') {
		*length = 2;
		return 1;
	}
	switch (s.n > 0 ? s.p[0] : '\0') {
	case '\0':
		*length = 0;
		return 1000;
	case 's':
		return 1000;
	case 'm':
		return 60000;
	case 'h':
		return 3600000;
	case 'd':
		return 86400000;
	default:
		return -1;
	}
}

/* "1m30.5s" and the like; -1 when it is none. */
static int64_t
duration_ms(struct str s)
{
	double total = 0;

	if (s.n == 0 || s.n > 32)
		return -1;
	while (s.n > 0) {
		double value = 0, scale = 1, ms;
		bool digits = false, fraction = false;
		size_t i = 0, length;

		for (;
		     i < s.n && ((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] == '.' && !fraction));
		     i++) {
			if (s.p[i] == '.') {
				fraction = true;
				continue;
			}
			digits = true;
			if (fraction)
				value += (s.p[i] - '0') * (scale /= 10);
			else
				value = value * 10 + (s.p[i] - '0');
		}
		s = (struct str){ s.p + i, s.n - i };
		ms = unit_ms(s, &length);
		if (!digits || ms < 0)
			return -1;
		total += value * ms;
		s = (struct str){ s.p + length, s.n - length };
	}
	return total < (double)MAX_MS ? (int64_t)(total + 0.5) : MAX_MS;
}

int64_t
ratelimit_wait_ms(struct kvs headers)
{
	int64_t longest = -1;

	for (size_t i = 0; i < headers.n; i++) {
		struct str key = headers.v[i].key, name;

		if (!starts(key, REMAINING) || !is_zero(headers.v[i].value))
			continue;
		name = after(key, REMAINING);
		for (size_t j = 0; j < headers.n; j++) {
			struct str reset = headers.v[j].key;
			int64_t ms;

			if (!starts(reset, RESET) || reset.n - strlen(RESET) != name.n ||
			    strncasecmp(after(reset, RESET).p, name.p, name.n) != 0)
				continue;
			ms = duration_ms(headers.v[j].value);
			if (ms > longest)
				longest = ms;
		}
	}
	return longest;
}
