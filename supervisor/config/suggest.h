/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the known names was probably meant. */
#ifndef SUPERVISOR_CONFIG_SUGGEST_H
#define SUPERVISOR_CONFIG_SUGGEST_H

#include <stddef.h>

#include "shared/str.h"

/*
 * Insertions, deletions, replacements and swaps of neighbours between two names; any number above
 * `max` is given as max + 1. Names longer than 128 bytes are never near.
 */
unsigned suggest_distance(struct str a, struct str b, unsigned max);
/*
 * The nearest of the names at a distance of 1 or 2 (of short names, up to 6 bytes, only 1), or
 * NULL; NULL also when the word is one of them.
 */
const char *suggest(struct str word, const char *const *names, size_t n);

#endif
