/* SPDX-License-Identifier: Apache-2.0 */
/* Highest random weight (Thaler and Ravishankar, 1998). */
#include "supervisor/front/store/members.h"

#include <stdlib.h>

#include "shared/buf.h"
#include "supervisor/front/hash.h"
#include "supervisor/front/store/store.h"

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void
members_clear(struct members *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->names[i]);
	free(m->names);
	free(m->hashes);
	*m = (struct members){ 0 };
}

bool
members_set(struct members *m, const struct str *names, size_t n)
{
	struct members now = { 0 };
	bool same;
	size_t kept = 0;

	if (n > MEMBERS_MAX)
		n = MEMBERS_MAX;
	now.names = xcalloc(n + 1, sizeof(*now.names));
	now.hashes = xcalloc(n + 1, sizeof(*now.hashes));
	for (size_t i = 0; i < n; i++)
		if (names[i].n > 0 && names[i].n <= MEMBER_NAME_MAX &&
		    memchr(names[i].p, '\0', names[i].n) == NULL)
			now.names[now.n++] = str_dup(names[i]);
	if (now.n > 1)
		qsort(now.names, now.n, sizeof(*now.names), by_name);
	for (size_t i = 0; i < now.n; i++) {
		if (kept > 0 && strcmp(now.names[kept - 1], now.names[i]) == 0) {
			free(now.names[i]);
			continue;
		}
		now.names[kept] = now.names[i];
		now.hashes[kept] = hash_str(str_of(now.names[kept]));
		kept++;
	}
	now.n = kept;
	same = now.n == m->n;
	for (size_t i = 0; same && i < m->n; i++)
		same = strcmp(m->names[i], now.names[i]) == 0;
	members_clear(m);
	*m = now;
	return !same;
}

long
members_owner(const struct members *m, struct str deployment)
{
	uint64_t best = 0;
	long owner = -1;

	for (size_t i = 0; i < m->n; i++) {
		uint64_t weight = hash_bytes(deployment.p, deployment.n, m->hashes[i]);

		if (owner < 0 || weight > best) {
			owner = (long)i;
			best = weight;
		}
	}
	return owner;
}

bool
members_owns(const struct members *m, struct str name, struct str deployment)
{
	long owner = members_owner(m, deployment);

	return owner >= 0 && str_is(name, m->names[owner]);
}

struct str
member_witness(const char *name)
{
	const char *end = strchr(name, MEMBER_REGION_END);

	return (struct str){ name, end ? (size_t)(end - name) : strlen(name) };
}

size_t
members_witnesses(
    const struct members *m, struct str deployment, size_t most, struct str *out, size_t room)
{
	uint64_t weights[STORE_WITNESSES_MAX];
	size_t n = 0;

	if (room > STORE_WITNESSES_MAX)
		room = STORE_WITNESSES_MAX;
	if (most == 0 || most > room)
		most = room;
	for (size_t i = 0; i < m->n; i++) {
		struct str w = member_witness(m->names[i]);
		uint64_t weight = hash_bytes(deployment.p, deployment.n, hash_str(w));
		size_t at;

		/* Sorted by name: a region's members stand together. */
		if (i > 0 && str_eq(w, member_witness(m->names[i - 1])))
			continue;
		for (at = n; at > 0 && weights[at - 1] < weight; at--)
			;
		if (at == most)
			continue;
		if (n < most)
			n++;
		memmove(&weights[at + 1], &weights[at], (n - at - 1) * sizeof(weights[0]));
		memmove(&out[at + 1], &out[at], (n - at - 1) * sizeof(out[0]));
		weights[at] = weight;
		out[at] = w;
	}
	return n;
}

bool
members_speaks(const struct members *m, struct str name, struct str deployment, size_t most)
{
	struct str all[STORE_WITNESSES_MAX], ours = STR("");
	size_t n = members_witnesses(m, deployment, most, all, STORE_WITNESSES_MAX);
	const char *speaker = NULL;
	uint64_t best = 0;
	bool named = false;

	for (size_t i = 0; i < m->n; i++)
		if (str_is(name, m->names[i]))
			ours = member_witness(m->names[i]);
	for (size_t i = 0; i < n; i++)
		named |= ours.n > 0 && str_eq(all[i], ours);
	for (size_t i = 0; named && i < m->n; i++) {
		uint64_t weight = hash_bytes(deployment.p, deployment.n, m->hashes[i]);

		if (!str_eq(member_witness(m->names[i]), ours) || (speaker && weight <= best))
			continue;
		speaker = m->names[i];
		best = weight;
	}
	return speaker && str_is(name, speaker);
}
