/* SPDX-License-Identifier: Apache-2.0 */
/* Reading fixtures that are one JSON list. */
#ifndef TESTS_UNIT_FIXTURE_H
#define TESTS_UNIT_FIXTURE_H

#include <jansson.h>
#include <string.h>

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

#endif
