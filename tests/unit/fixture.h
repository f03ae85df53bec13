/* SPDX-License-Identifier: Apache-2.0 */
/* Reading fixtures that are one JSON list. */
#ifndef TESTS_UNIT_FIXTURE_H
#define TESTS_UNIT_FIXTURE_H

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"
#include "shared/reason.h"
#include "shared/str.h"
#include "tests/unit/unit.h"

static inline json_t *
fixture_load(const char *relative)
{
	json_error_t error;
	json_t *list = json_load_file(unit_source_path(relative), JSON_ALLOW_NUL, &error);

	if (list == NULL)
		fail_msg("%s:%d: %s", relative, error.line, error.text);
	return list;
}

/* A member's text, or "" when absent or null. */
static inline const char *
fixture_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static inline struct str
fixture_str(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	return (struct str){ fixture_text(object, key), json_string_length(value) };
}

/* The reason that a case wants, or -1. */
static inline int
fixture_reason(const json_t *c)
{
	for (int i = 0; i < REASON_COUNT; i++)
		if (strcmp(fixture_text(c, "reason"), reason_name((enum reason)i)) == 0)
			return i;
	return -1;
}

/* A case's body: `body`, or `hex`, or `repeat` (a text many times) between `before` and `after`. */
static inline void
fixture_body(const json_t *c, struct buf *out)
{
	const char *hex = fixture_text(c, "hex");
	char digits[3] = "";

	buf_add_str(out, fixture_str(c, "body"));
	for (size_t i = 0; hex[i] && hex[i + 1]; i += 2) {
		memcpy(digits, hex + i, 2);
		buf_add_char(out, (char)strtol(digits, NULL, 16));
	}
	buf_add_str(out, fixture_str(c, "before"));
	for (json_int_t i = 0; i < json_integer_value(json_object_get(c, "times")); i++)
		buf_add_str(out, fixture_str(c, "repeat"));
	buf_add_str(out, fixture_str(c, "after"));
}

#endif
