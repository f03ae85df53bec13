/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of parameters, in the words of pydantic. */
#include "supervisor/front/http/validation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "shared/json.h"
#include "supervisor/front/http/params.h"

#define MAX_PROBLEMS 4096

void
validation_init(struct validation *v, struct str query)
{
	v->query = query;
	buf_init(&v->problems, MAX_PROBLEMS);
}

void
validation_clear(struct validation *v)
{
	buf_clear(&v->problems);
}

void
validation_add(struct validation *v, const char *type, const char *loc, const char *message)
{
	struct buf *b = &v->problems;

	if (b->len > 0)
		buf_add_char(b, ',');
	buf_addf(b, "{\"type\":\"%s\",\"loc\":%s,\"msg\":", type, loc);
	json_add_string(b, str_of(message));
	buf_add_char(b, '}');
}

/* Digits with a sign, and blanks around: what Python's int() takes, without its underscores. */
static bool
parse_int(const char *text, int64_t *out)
{
	char *end;

	while (*text == ' ' || *text == '\t' || *text == '\n')
		text++;
	if ((*text < '0' || *text > '9') && *text != '-' && *text != '+')
		return false;
	errno = 0;
	*out = strtoll(text, &end, 10); /* too many digits: the nearest, which is out of range */
	if (end == text || end[-1] < '0' || end[-1] > '9')
		return false;
	while (*end == ' ' || *end == '\t' || *end == '\n')
		end++;
	return *end == '\0';
}

int64_t
validation_int(struct validation *v, const char *name, int64_t fallback, int64_t min, int64_t max)
{
	struct buf text = BUF_INIT(SIZE_MAX);
	char loc[64], message[96];
	int64_t value = fallback;

	snprintf(loc, sizeof(loc), "[\"query\",\"%s\"]", name);
	if (!params_get(v->query, name, &text)) {
		value = fallback;
	} else if (strlen(buf_text(&text)) != text.len || !parse_int(buf_text(&text), &value)) {
		validation_add(v, "int_parsing", loc,
		    "Input should be a valid integer, unable to parse string as an integer");
		value = fallback;
	} else if (value < min) {
		snprintf(message, sizeof(message),
		    "Input should be greater than or equal to %lld", (long long)min);
		validation_add(v, "greater_than_equal", loc, message);
	} else if (value > max) {
		snprintf(message, sizeof(message), "Input should be less than or equal to %lld",
		    (long long)max);
		validation_add(v, "less_than_equal", loc, message);
	}
	buf_clear(&text);
	return value < min || value > max ? fallback : value;
}

bool
validation_bool(struct validation *v, const char *name)
{
	static const char *const words[2][6] = { { "false", "0", "off", "f", "n", "no" },
		{ "true", "1", "on", "t", "y", "yes" } };
	struct buf text = BUF_INIT(SIZE_MAX);
	char loc[64];
	int found = params_get(v->query, name, &text) ? -1 : 0;

	for (size_t i = 0; i < ARRAY_LEN(words[0]); i++)
		for (int b = 0; b < 2; b++)
			if (strlen(buf_text(&text)) == text.len &&
			    strcasecmp(buf_text(&text), words[b][i]) == 0)
				found = b;
	buf_clear(&text);
	if (found < 0) {
		snprintf(loc, sizeof(loc), "[\"query\",\"%s\"]", name);
		validation_add(v, "bool_parsing", loc,
		    "Input should be a valid boolean, unable to interpret input");
	}
	return found == 1;
}

char *
validation_text(struct validation *v, const char *name)
{
	struct buf text = BUF_INIT(SIZE_MAX);

	if (params_get(v->query, name, &text))
		return buf_take(&text);
	buf_clear(&text);
	return NULL;
}

bool
validation_refused(struct conn *c, const struct validation *v)
{
	struct buf b = BUF_INIT(MAX_PROBLEMS + 64);

	if (v->problems.len == 0)
		return false;
	buf_add_text(&b, "{\"detail\":[");
	buf_add_str(&b, buf_str(&v->problems));
	buf_add_text(&b, "]}");
	route_reply_json(c, 422, blob_copy(buf_str(&b)));
	buf_clear(&b);
	return true;
}
