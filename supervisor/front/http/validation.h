/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters that must be of a type, and the 422 of LiteLLM's framework that names all that are not. */
#ifndef SUPERVISOR_FRONT_HTTP_VALIDATION_H
#define SUPERVISOR_FRONT_HTTP_VALIDATION_H

#include <stdint.h>

#include "shared/buf.h"
#include "supervisor/front/http/route.h"

struct validation {
	struct str query;
	struct buf problems; /* the items of `detail`; empty: all is well */
};

void validation_init(struct validation *v, struct str query);
void validation_clear(struct validation *v);
/* A whole number from min to max, or the default when absent or wrong; what is wrong is noted. */
int64_t validation_int(
    struct validation *v, const char *name, int64_t fallback, int64_t min, int64_t max);
/* A boolean in any of pydantic's words, or false when absent or wrong; what is wrong is noted. */
bool validation_bool(struct validation *v, const char *name);
/* A text on the heap, or NULL when absent. */
char *validation_text(struct validation *v, const char *name);
/* Notes a problem of the body or the query: `loc` is JSON. */
void validation_add(struct validation *v, const char *type, const char *loc, const char *message);
/* Answers 422 and says true when anything was noted. */
bool validation_refused(struct conn *c, const struct validation *v);

#endif
