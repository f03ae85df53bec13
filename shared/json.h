/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing JSON into a buffer, compact, as LiteLLM's answers are (no blanks, UTF-8 as it is).
 * Reading JSON is jansson's work.
 */
#ifndef SHARED_JSON_H
#define SHARED_JSON_H

#include <stdbool.h>

#include "shared/buf.h"
#include "shared/str.h"

/* A quoted, escaped string. Bytes that are not UTF-8 become U+FFFD, so that the output always is.
 */
void json_add_string(struct buf *b, struct str s);
/* `"key":` with a comma in front unless the last byte is `{`. The key needs no escaping. */
void json_add_key(struct buf *b, const char *key);
/* A comma unless the last byte is `{` or `[`. */
void json_add_comma(struct buf *b);
/* Whether s is valid UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool utf8_valid(struct str s);

/*
 * Takes the next member of an object whose syntax is known to be right: *rest is the whole
 * object at first, then what is left. The key is without its quotes, the value is its JSON; both
 * point into *rest. False at the end, or when it is no object.
 */
bool json_next_member(struct str *rest, struct str *key, struct str *value);
/* The same for an array. */
bool json_next_element(struct str *rest, struct str *value);
/* The JSON of that member, or an empty slice. */
struct str json_member(struct str object, const char *key);

#endif
