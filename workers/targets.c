/* SPDX-License-Identifier: Apache-2.0 */
/* An array by handle, and the list of changes that a generation brings. */
#include "workers/targets.h"

#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"
#include "shared/log.h"
#include "workers/auth/tokens.h"
#include "workers/line.h"
#include "workers/mask.h"
#include "workers/plan.h"
#include "workers/target.h"

struct change {
	uint32_t handle;
	struct entry *entry; /* NULL: removed */
};

struct targets {
	struct entry **v; /* by handle */
	size_t n_v;
	uint32_t count;
	uint32_t generation;
	bool begun, full;
	uint32_t next_generation;
	struct change *changes;
	size_t n_changes, cap_changes;
};

struct entry *
entry_new(uint32_t handle, struct target *t, char *problem)
{
	struct entry *e = xcalloc(1, sizeof(*e));

	e->handle = handle;
	e->holders = 1;
	e->target = t;
	e->problem = problem;
	e->mask = t ? mask_new(t) : NULL;
	return e;
}

struct entry *
entry_hold(struct entry *e)
{
	e->holders++;
	return e;
}

void
entry_release(struct entry *e)
{
	if (--e->holders > 0)
		return;
	line_release(e->line);
	token_release(e->token);
	plan_free(e->plan);
	mask_free(e->mask);
	target_free(e->target);
	free(e->problem);
	free(e->pick);
	free(e);
}

struct targets *
targets_new(void)
{
	return xcalloc(1, sizeof(struct targets));
}

static void
forget_changes(struct targets *t)
{
	for (size_t i = 0; i < t->n_changes; i++)
		if (t->changes[i].entry)
			entry_release(t->changes[i].entry);
	free(t->changes);
	t->changes = NULL;
	t->n_changes = t->cap_changes = 0;
	t->begun = false;
}

static void
put(struct targets *t, uint32_t handle, struct entry *e)
{
	if (handle >= t->n_v) {
		size_t n = handle + handle / 2 + 64;

		t->v = xrealloc(t->v, n * sizeof(struct entry *));
		memset(t->v + t->n_v, 0, (n - t->n_v) * sizeof(struct entry *));
		t->n_v = n;
	}
	if (t->v[handle]) {
		entry_release(t->v[handle]);
		t->count--;
	}
	t->v[handle] = e;
	if (e)
		t->count++;
}

void
targets_free(struct targets *t)
{
	if (t == NULL)
		return;
	forget_changes(t);
	for (size_t i = 0; i < t->n_v; i++)
		if (t->v[i])
			entry_release(t->v[i]);
	free(t->v);
	free(t);
}

void
targets_begin(struct targets *t, const struct msg_conf_begin *m)
{
	forget_changes(t);
	t->begun = true;
	t->full = m->full;
	t->next_generation = m->generation;
}

static void
change(struct targets *t, uint32_t handle, struct entry *e)
{
	if (t->n_changes == t->cap_changes) {
		t->cap_changes = t->cap_changes ? t->cap_changes * 2 : 64;
		t->changes = xrealloc(t->changes, t->cap_changes * sizeof(*t->changes));
	}
	t->changes[t->n_changes++] = (struct change){ handle, e };
}

static bool
belongs(const struct targets *t, uint32_t generation, uint32_t handle)
{
	return t->begun && generation == t->next_generation && handle <= TARGETS_MAX_HANDLE;
}

/* Said in each result of the target; the others are asked all the same. */
static char *
problem_of(const struct msg_conf_target *m, int rc)
{
	struct buf b = BUF_INIT(1024);

	if (rc == ERR_NOT_FOUND)
		buf_addf(&b, "no provider %.*s with the dialect %.*s is built in",
		    (int)(m->provider.n % 256), m->provider.p, (int)(m->dialect.n % 256),
		    m->dialect.p);
	else
		buf_addf(&b, "the target is not valid: %s", err_text(rc));
	return buf_take(&b);
}

int
targets_add(struct targets *t, const struct msg_conf_target *m)
{
	struct target *target = NULL;
	char *problem = NULL;
	int rc;

	if (!belongs(t, m->generation, m->handle))
		return ERR_INVALID;
	rc = target_new(m, &target);
	if (rc < 0) {
		problem = problem_of(m, rc);
		log_event(LOG_LEVEL_ERROR, "target_refused", LI("handle", m->handle),
		    LV("id", m->id), LS("why", problem));
	}
	change(t, m->handle, entry_new(m->handle, target, problem));
	return 0;
}

int
targets_remove(struct targets *t, const struct msg_conf_remove *m)
{
	if (!belongs(t, m->generation, m->handle))
		return ERR_INVALID;
	change(t, m->handle, NULL);
	return 0;
}

/* How many targets there will be. */
static uint32_t
count_after(const struct targets *t)
{
	size_t n = t->full ? 0 : t->n_v;
	uint32_t count = 0, highest = 0;
	bool *there;

	for (size_t i = 0; i < t->n_changes; i++)
		if (t->changes[i].handle > highest)
			highest = t->changes[i].handle;
	if (highest >= n)
		n = (size_t)highest + 1;
	there = xcalloc(n, sizeof(*there));
	for (size_t i = 0; !t->full && i < t->n_v; i++)
		there[i] = t->v[i] != NULL;
	for (size_t i = 0; i < t->n_changes; i++)
		there[t->changes[i].handle] = t->changes[i].entry != NULL;
	for (size_t i = 0; i < n; i++)
		count += there[i];
	free(there);
	return count;
}

int
targets_commit(struct targets *t, const struct msg_conf_commit *m)
{
	if (!belongs(t, m->generation, 0) || count_after(t) != m->count) {
		forget_changes(t);
		return ERR_INVALID;
	}
	for (size_t i = 0; t->full && i < t->n_v; i++)
		put(t, (uint32_t)i, NULL);
	for (size_t i = 0; i < t->n_changes; i++) {
		put(t, t->changes[i].handle, t->changes[i].entry);
		t->changes[i].entry = NULL;
	}
	forget_changes(t);
	t->generation = m->generation;
	return 0;
}

uint32_t
targets_generation(const struct targets *t)
{
	return t->generation;
}

struct entry *
targets_find(const struct targets *t, uint32_t handle)
{
	return handle < t->n_v ? t->v[handle] : NULL;
}
