/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which model is asked where the config names none: from the provider's own list those that the
 * wildcard means and that have the target's mode, the cheapest known first. Pure; the probe asks.
 */
#ifndef WORKERS_WILDCARD_H
#define WORKERS_WILDCARD_H

#include <stdbool.h>
#include <stddef.h>

#include "workers/dialects/dialect.h"

#define WILDCARD_MODELS 3 /* one, and two that are asked if it fails */

struct wildcard {
	char *models[WILDCARD_MODELS]; /* the first to be asked first */
	size_t n;
};

/* Whether the target's model is a wildcard: it holds a `*`. */
bool wildcard_is(const struct target *t);
/* Whether the pattern means that name: `*` stands for any text. */
bool wildcard_means(const char *pattern, const char *name);
/*
 * Reads the list of models. 0 with at least one model, to be cleared; ERR_INVALID with res filled:
 * the list could not be had, or there is no model in it that the wildcard means.
 */
int wildcard_read(struct wildcard *w, const struct target *t, const struct response *resp,
    struct result *res) MUST_CHECK;
void wildcard_clear(struct wildcard *w);

/* Whether another model may do better than one that has ended so. */
bool wildcard_goes_on(const struct result *res);

#endif
