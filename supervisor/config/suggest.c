/* SPDX-License-Identifier: Apache-2.0 */
/* Edit distance: Damerau's, in its optimal-string-alignment form. */
#include "supervisor/config/suggest.h"

#define NAME_MAX_LEN 128
#define DISTANCE_MAX 2
#define SHORT_NAME 6

static unsigned
min2(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned
suggest_distance(struct str a, struct str b, unsigned max)
{
	unsigned rows[3][NAME_MAX_LEN + 1];
	unsigned *before = rows[0], *last = rows[1], *row = rows[2];

	if (a.n > NAME_MAX_LEN || b.n > NAME_MAX_LEN || a.n > b.n + max || b.n > a.n + max)
		return max + 1;
	for (size_t j = 0; j <= b.n; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= a.n; i++) {
		unsigned *spare = before;

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b.n; j++) {
			unsigned same = a.p[i - 1] != b.p[j - 1];

			row[j] = min2(min2(last[j] + 1, row[j - 1] + 1), last[j - 1] + same);
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
				row[j] = min2(row[j], before[j - 2] + 1);
		}
		before = last;
		last = row;
		row = spare;
	}
	return min2(last[b.n], max + 1);
}

const char *
suggest(struct str word, const char *const *names, size_t n)
{
	const char *best = NULL;
	unsigned nearest = DISTANCE_MAX + 1;

	for (size_t i = 0; i < n; i++) {
		unsigned max = word.n <= SHORT_NAME ? 1 : DISTANCE_MAX;
		unsigned d = suggest_distance(word, str_of(names[i]), max);

		if (d == 0)
			return NULL;
		if (d <= max && d < nearest) {
			nearest = d;
			best = names[i];
		}
	}
	return best;
}
