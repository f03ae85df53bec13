/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/dialects/places.h"

#include <string.h>

void
places_init(struct places *p)
{
	p->places[0] = (struct answer_place){ -1, NULL };
	p->n = 1;
	p->keys_len = 0;
}

void
places_init_from(struct places *p, const struct places *from)
{
	memcpy(p->places, from->places, from->n * sizeof(p->places[0]));
	p->n = from->n;
	p->keys_len = 0;
}

static int
place(struct places *p, int parent, const char *key, size_t n)
{
	for (size_t i = 1; i < p->n; i++)
		if (p->places[i].parent == parent && strlen(p->places[i].key) == n &&
		    memcmp(p->places[i].key, key, n) == 0)
			return (int)i;
	if (p->n == PLACES_MAX || p->keys_len + n + 1 > PLACES_MAX_KEYS)
		return -1;
	memcpy(p->keys + p->keys_len, key, n);
	p->keys[p->keys_len + n] = '\0';
	p->places[p->n] = (struct answer_place){ parent, p->keys + p->keys_len };
	p->keys_len += n + 1;
	return (int)p->n++;
}

/* The place of one path, which ends at `|` or at its end; -1 when the table is full. */
static int
place_of(struct places *p, const char *path)
{
	int at = 0;

	while (*path && *path != '|' && at >= 0) {
		size_t n;

		if (*path == '.')
			path++;
		if (*path == '[') {
			at = place(p, at, "[]", 2);
			path += strcspn(path, "]") + 1;
			continue;
		}
		n = strcspn(path, ".[|");
		at = place(p, at, path, n);
		path += n;
	}
	return at;
}

void
places_add(struct places *p, const char *paths)
{
	while (paths && *paths) {
		(void)place_of(p, paths);
		paths += strcspn(paths, "|");
		paths += *paths == '|';
	}
}

int
places_read(struct places *p, struct str body, struct answer_fault *fault)
{
	return answer_read(body, p->places, p->n, p->values, fault);
}

const struct answer_value *
places_at(struct places *p, const char *path)
{
	static const struct answer_value absent = { .kind = ANSWER_ABSENT };
	int at = place_of(p, path);

	return at < 0 ? &absent : &p->values[at];
}
