/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The places of an answer by their paths: what is to be looked at is added first, one answer_read()
 * finds all of it, then each value is there by its path.
 */
#ifndef WORKERS_DIALECTS_PLACES_H
#define WORKERS_DIALECTS_PLACES_H

#include "workers/dialects/answer.h"

#define PLACES_MAX 64
#define PLACES_MAX_KEYS 1024

struct places {
	struct answer_place places[PLACES_MAX];
	struct answer_value values[PLACES_MAX];
	size_t n;
	char keys[PLACES_MAX_KEYS]; /* NUL-terminated texts */
	size_t keys_len;
};

void places_init(struct places *p);
/* Begins with those of `from`, whose keys must stay where they are. */
void places_init_from(struct places *p, const struct places *from);
/*
 * Adds "choices[0].message|choices[0].text": two places; "" is the whole answer; of a list only the
 * first element can be named. NULL adds nothing; what has no room is absent from every answer.
 */
void places_add(struct places *p, const char *paths);
/* Fills the values; returns as answer_read(). */
int places_read(struct places *p, struct str body, struct answer_fault *fault) MUST_CHECK;
/* What is at that path, up to its `|` or end. */
const struct answer_value *places_at(struct places *p, const char *path);

#endif
