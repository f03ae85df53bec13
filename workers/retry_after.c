/* SPDX-License-Identifier: Apache-2.0 */
/* A number, a fraction, or one of HTTP's three dates, to milliseconds. */
#include "workers/retry_after.h"

#include <curl/curl.h>
#include <stdlib.h>

/* A decimal number times `factor`; -1 when it is none. */
static int64_t
parse_number(struct str text, double factor)
{
	char digits[32], *end;
	double value;

	while (text.n && (*text.p == ' ' || *text.p == '\t'))
		text = (struct str){ text.p + 1, text.n - 1 };
	while (text.n && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\t'))
		text.n--;
	if (text.n == 0 || text.n >= sizeof(digits))
		return -1;
	memcpy(digits, text.p, text.n);
	digits[text.n] = '\0';
	/* strtod would also take "1e5", "inf" and a sign. */
	if (strspn(digits, "0123456789.") != text.n || *digits == '.')
		return -1;
	value = strtod(digits, &end) * factor;
	if (*end != '\0')
		return -1;
	return value < (double)RETRY_AFTER_MAX_MS ? (int64_t)value : RETRY_AFTER_MAX_MS;
}

static int64_t
parse_date(struct str text, int64_t now_ms)
{
	char date[64];
	time_t at;
	int64_t wait;

	if (text.n < 6 || text.n >= sizeof(date))
		return -1;
	memcpy(date, text.p, text.n);
	date[text.n] = '\0';
	at = curl_getdate(date, NULL);
	if (at == (time_t)-1)
		return -1;
	wait = (int64_t)at * 1000 - now_ms;
	if (wait < 0)
		return 0;
	return wait < RETRY_AFTER_MAX_MS ? wait : RETRY_AFTER_MAX_MS;
}

int64_t
retry_after_parse(struct str ms, struct str seconds_or_date, int64_t now_ms)
{
	int64_t wait = parse_number(ms, 1);

	if (wait < 0)
		wait = parse_number(seconds_or_date, 1000);
	/* A date begins with its day: curl would also read "20261121" as one. */
	if (wait < 0 && seconds_or_date.n &&
	    !(*seconds_or_date.p >= '0' && *seconds_or_date.p <= '9'))
		wait = parse_date(seconds_or_date, now_ms);
	return wait;
}
