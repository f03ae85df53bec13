/* SPDX-License-Identifier: Apache-2.0 */
/* Two sorted lists of indices and binary search: a name costs the same in a fleet of any size. */
#include "supervisor/front/http/groups.h"

#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"

static const char *
name_of(const struct deployment *d)
{
	return d->model_name;
}

static const char *
model_of(const struct deployment *d)
{
	return d->model;
}

struct sort_context {
	const struct fleet *fleet;
	const char *(*key)(const struct deployment *d);
};

static int
compare(const void *a, const void *b, void *arg)
{
	const struct sort_context *s = arg;
	uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
	int order = strcmp(s->key(fleet_at(s->fleet, i)), s->key(fleet_at(s->fleet, k)));

	return order ? order : i < k ? -1 : i > k;
}

static uint32_t *
sorted(const struct fleet *f, const char *(*key)(const struct deployment *d))
{
	struct sort_context s = { f, key };
	size_t n = fleet_size(f);
	uint32_t *v = xcalloc(n, sizeof(*v));

	for (size_t i = 0; i < n; i++)
		v[i] = (uint32_t)i;
	qsort_r(v, n, sizeof(*v), compare, &s);
	return v;
}

void
groups_clear(struct groups *g)
{
	free(g->by_name);
	free(g->by_model);
	free(g->first);
	memset(g, 0, sizeof(*g));
}

void
groups_update(struct groups *g, const struct fleet *f)
{
	size_t n = fleet_size(f);

	if (g->made && g->generation == fleet_generation(f) && g->size == n)
		return;
	groups_clear(g);
	g->by_name = sorted(f, name_of);
	g->by_model = sorted(f, model_of);
	g->first = xcalloc(n, sizeof(*g->first));
	for (size_t i = 0; i < n; i++) {
		uint32_t at = g->by_name[i];
		bool same = i > 0 && strcmp(fleet_at(f, at)->model_name,
					 fleet_at(f, g->by_name[i - 1])->model_name) == 0;

		g->first[at] = same ? g->first[g->by_name[i - 1]] : at;
	}
	g->generation = fleet_generation(f);
	g->size = n;
	g->made = true;
}

static int
compare_name(struct str name, const char *text)
{
	size_t n = strlen(text);
	int order = memcmp(name.p, text, name.n < n ? name.n : n);

	return order ? order : name.n < n ? -1 : name.n > n;
}

static size_t
find(const uint32_t *v, const struct fleet *f, const char *(*key)(const struct deployment *d),
    struct str name, const uint32_t **out)
{
	size_t n = fleet_size(f), low = 0, high = n, end;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (compare_name(name, key(fleet_at(f, v[mid]))) > 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (end = low; end < n && str_is(name, key(fleet_at(f, v[end]))); end++)
		;
	*out = v + low;
	return end - low;
}

size_t
groups_find(const struct groups *g, const struct fleet *f, struct str name, const uint32_t **out)
{
	size_t n = find(g->by_name, f, name_of, name, out);

	return n > 0 ? n : find(g->by_model, f, model_of, name, out);
}
