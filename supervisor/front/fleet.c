/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of deployments and its two-phase change. A deployment that stays is the same struct
 * before and after: who holds a pointer to it (the scheduler, an ask) keeps a good one.
 */
#include "supervisor/front/fleet.h"

#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "supervisor/front/deployment.h"
#include "supervisor/front/hash.h"
#include "supervisor/front/keys.h"
#include "supervisor/front/router.h"
#include "supervisor/front/verdict.h"

#define MAX_WATCHES 8
#define DIGEST_BYTES 32
#define STALE_INTERVALS 3

enum mark { MARK_NONE, MARK_REMOVED };

/* Open addressing, at most half full, made anew at each commit. */
struct table {
	struct deployment **v;
	size_t mask;
};

struct fleet {
	struct settings settings;
	char digest[DIGEST_BYTES];
	size_t digest_len;
	struct keys keys;
	uint32_t generation;
	uint64_t version;
	struct deployment **v; /* in order of position */
	size_t n;
	struct table ids, handles;
	struct routers *routers; /* NULL: none */
	size_t pending;
	struct fleet_watch watches[MAX_WATCHES];
	size_t n_watches;

	bool staging; /* between begin and commit */
	bool full;
	uint32_t next_generation;
	struct settings next_settings;
	char next_digest[DIGEST_BYTES];
	size_t next_digest_len;
	struct keys next_keys;
	struct deployment **staged;
	size_t n_staged, cap_staged;
};

struct fleet *
fleet_new(void)
{
	struct fleet *f = xcalloc(1, sizeof(*f));

	settings_init(&f->settings);
	return f;
}

static void
drop_staging(struct fleet *f)
{
	if (!f->staging)
		return;
	for (size_t i = 0; i < f->n_staged; i++)
		deployment_free(f->staged[i]);
	for (size_t i = 0; i < f->n; i++)
		f->v[i]->mark = MARK_NONE;
	f->n_staged = 0;
	settings_clear(&f->next_settings);
	keys_clear(&f->next_keys);
	f->staging = false;
}

static void
tell_gone(struct fleet *f, struct deployment *d)
{
	for (size_t i = 0; i < f->n_watches; i++)
		if (f->watches[i].gone)
			f->watches[i].gone(d, f->watches[i].arg);
}

static void
tell_changed(struct fleet *f, struct deployment *d)
{
	f->version++;
	for (size_t i = 0; i < f->n_watches; i++)
		if (f->watches[i].changed)
			f->watches[i].changed(d, f->watches[i].arg);
}

/* A router's verdict is another one. */
static void
on_derived(struct fleet *f, struct deployment *d)
{
	d->shown = (uint8_t)d->verdict.state;
	tell_changed(f, d);
}

/* What d says now is heard by the routers that choose it. */
static void
derive(struct fleet *f, const struct deployment *d)
{
	if (d == NULL || d->feeds)
		routers_settle(f->routers, f, clock_wall_ms(), on_derived);
}

void
fleet_free(struct fleet *f)
{
	if (f == NULL)
		return;
	drop_staging(f);
	routers_free(f->routers);
	for (size_t i = 0; i < f->n; i++) {
		tell_gone(f, f->v[i]);
		deployment_free(f->v[i]);
	}
	free(f->v);
	free(f->staged);
	free(f->ids.v);
	free(f->handles.v);
	settings_clear(&f->settings);
	keys_clear(&f->keys);
	free(f);
}

void
fleet_add_watch(struct fleet *f, const struct fleet_watch *w)
{
	if (f->n_watches == MAX_WATCHES)
		abort(); /* who watches is said by the program's own text */
	f->watches[f->n_watches++] = *w;
}

void
fleet_remove_watch(struct fleet *f, const void *arg)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n_watches; i++)
		if (f->watches[i].arg != arg)
			f->watches[n++] = f->watches[i];
	f->n_watches = n;
}

const struct settings *
fleet_settings(const struct fleet *f)
{
	return &f->settings;
}

struct str
fleet_key_digest(const struct fleet *f)
{
	return (struct str){ f->digest, f->digest_len };
}

const struct keys *
fleet_keys(const struct fleet *f)
{
	return &f->keys;
}

uint32_t
fleet_generation(const struct fleet *f)
{
	return f->generation;
}

/* Tables. */

static void
table_init(struct table *t, size_t n)
{
	size_t size = 16;

	while (size < n * 2)
		size *= 2;
	t->v = xcalloc(size, sizeof(struct deployment *));
	t->mask = size - 1;
}

static size_t
hash_handle(uint32_t handle)
{
	return handle * (size_t)2654435761u;
}

static struct deployment **
find_id(const struct table *t, struct str id)
{
	size_t i = hash_str(id) & t->mask;

	while (t->v[i] && !str_is(id, t->v[i]->id))
		i = (i + 1) & t->mask;
	return &t->v[i];
}

static struct deployment **
find_handle(const struct table *t, uint32_t handle)
{
	size_t i = hash_handle(handle) & t->mask;

	while (t->v[i] && t->v[i]->handle != handle)
		i = (i + 1) & t->mask;
	return &t->v[i];
}

struct deployment *
fleet_find(const struct fleet *f, uint32_t handle)
{
	return f->n > 0 ? *find_handle(&f->handles, handle) : NULL;
}

struct deployment *
fleet_find_id(const struct fleet *f, struct str id)
{
	return f->n > 0 ? *find_id(&f->ids, id) : NULL;
}

size_t
fleet_size(const struct fleet *f)
{
	return f->n;
}

struct str
fleet_bare_model(const struct deployment *d, struct str model)
{
	size_t n = strlen(d->provider);

	if (n > 0 && model.n > n && str_starts(model, d->provider) && model.p[n] == '/') {
		model.p += n + 1;
		model.n -= n + 1;
	}
	return model;
}

struct deployment *
fleet_at(const struct fleet *f, size_t i)
{
	return f->v[i];
}

/* The configuration. */

static int
read_settings(struct settings *s, struct strs texts)
{
	int rc = 0;

	if (texts.n != SETTING_COUNT)
		return ERR_INVALID;
	settings_init(s);
	for (int i = 0; i < SETTING_COUNT && rc == 0; i++)
		rc = settings_set(s, (enum setting)i, texts.v[i], NULL);
	if (rc < 0)
		settings_clear(s);
	return rc < 0 ? ERR_INVALID : 0;
}

int
fleet_conf_begin(struct fleet *f, const struct msg_conf_begin *m)
{
	if (m->key_digest.n != 0 && m->key_digest.n != DIGEST_BYTES)
		return ERR_INVALID;
	drop_staging(f);
	if (read_settings(&f->next_settings, m->settings) < 0)
		return ERR_INVALID;
	if (keys_read(&f->next_keys, m->keys) < 0) {
		settings_clear(&f->next_settings);
		return ERR_INVALID;
	}
	memcpy(f->next_digest, m->key_digest.n ? m->key_digest.p : "", m->key_digest.n);
	f->next_digest_len = m->key_digest.n;
	f->next_generation = m->generation;
	f->full = m->full;
	f->staging = true;
	return 0;
}

int
fleet_conf_deployment(struct fleet *f, const struct msg_conf_deployment *m)
{
	if (!f->staging || m->generation != f->next_generation)
		return ERR_INVALID;
	if (!deployment_valid(m))
		return ERR_INVALID;
	if (f->n_staged == f->cap_staged) {
		f->cap_staged = f->cap_staged ? f->cap_staged * 2 : 64;
		f->staged = xrealloc(f->staged, f->cap_staged * sizeof(struct deployment *));
	}
	f->staged[f->n_staged++] = deployment_new(m);
	return 0;
}

int
fleet_conf_remove(struct fleet *f, const struct msg_conf_remove *m)
{
	struct deployment *d = fleet_find(f, m->handle);

	if (!f->staging || f->full || m->generation != f->next_generation || d == NULL ||
	    d->mark == MARK_REMOVED)
		return ERR_INVALID;
	d->mark = MARK_REMOVED;
	return 0;
}

static int
by_position(const void *a, const void *b)
{
	const struct deployment *x = *(struct deployment *const *)a,
				*y = *(struct deployment *const *)b;

	if (x->position != y->position)
		return x->position < y->position ? -1 : 1;
	return x->handle < y->handle ? -1 : x->handle > y->handle;
}

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* What a configuration will be in force: the deployments that stay or change, then the new ones. */
struct outcome {
	struct deployment **v;
	size_t n;
	struct table ids;
};

/* Finds out without changing anything but `next` pointers. ERR_INVALID: an id or a handle is there
 * twice. */
static int
outcome_make(struct fleet *f, struct outcome *o)
{
	uint32_t *handles = xmalloc((f->n + f->n_staged + 1) * sizeof(*handles));
	int rc = ERR_INVALID;

	o->v = xmalloc((f->n + f->n_staged + 1) * sizeof(struct deployment *));
	o->n = 0;
	table_init(&o->ids, f->n + f->n_staged);
	for (size_t i = 0; i < f->n; i++)
		f->v[i]->next = NULL;
	for (size_t i = 0; i < f->n_staged; i++) {
		struct deployment *s = f->staged[i], *old = fleet_find_id(f, str_of(s->id));

		if (old && old->mark != MARK_REMOVED) {
			if (old->next)
				goto out;
			old->next = s;
		} else {
			o->v[o->n++] = s;
		}
	}
	for (size_t i = 0; i < f->n; i++) {
		struct deployment *d = f->v[i];

		if (d->mark != MARK_REMOVED && (d->next || !f->full))
			o->v[o->n++] = d;
	}
	for (size_t i = 0; i < o->n; i++) {
		struct deployment **at = find_id(&o->ids, str_of(o->v[i]->id));

		if (*at)
			goto out;
		*at = o->v[i];
		handles[i] = o->v[i]->next ? o->v[i]->next->handle : o->v[i]->handle;
	}
	qsort(handles, o->n, sizeof(*handles), by_number);
	for (size_t i = 1; i < o->n; i++)
		if (handles[i] == handles[i - 1])
			goto out;
	rc = 0;
out:
	free(handles);
	return rc;
}

static bool
never_asked(const struct deployment *d)
{
	return d->verdict.state == VERDICT_UNKNOWN && d->depends.n == 0 &&
	       !(d->flags & (DEPLOYMENT_DISABLED | DEPLOYMENT_OUTSIDE));
}

/* Nothing fails from here on. */
static void
bring_into_force(struct fleet *f, struct outcome *o)
{
	int64_t now = clock_wall_ms();

	settings_clear(&f->settings);
	f->settings = f->next_settings;
	memset(&f->next_settings, 0, sizeof(f->next_settings));
	memcpy(f->digest, f->next_digest, sizeof(f->digest));
	f->digest_len = f->next_digest_len;
	keys_clear(&f->keys);
	f->keys = f->next_keys;
	f->next_keys = (struct keys){ 0 };
	f->generation = f->next_generation;
	f->staging = false;
	f->n_staged = 0;
	routers_free(f->routers);
	f->routers = NULL;

	for (size_t i = 0; i < f->n; i++) {
		struct deployment *d = f->v[i];

		if (*find_id(&o->ids, str_of(d->id)) == d)
			continue;
		tell_gone(f, d);
		deployment_free(d);
	}
	free(f->v);
	free(f->ids.v);
	free(f->handles.v);
	f->v = o->v;
	f->n = o->n;
	f->ids = o->ids;
	table_init(&f->handles, f->n);
	f->pending = 0;
	for (size_t i = 0; i < f->n; i++) {
		struct deployment *d = f->v[i];

		if (d->next)
			deployment_replace(d, d->next);
		d->next = NULL;
		*find_handle(&f->handles, d->handle) = d;
		if (d->problem_reason != REASON_OK)
			verdict_set_problem(d, now);
		history_limit(d, (unsigned)f->settings.num[SETTING_HISTORY]);
		f->pending += never_asked(d);
		d->shown = (uint8_t)fleet_state(f, d, now);
		tell_changed(f, d);
	}
	if (f->n > 0)
		qsort(f->v, f->n, sizeof(struct deployment *), by_position);
	f->routers = routers_new(f);
	derive(f, NULL);
	f->version++;
}

int
fleet_conf_commit(struct fleet *f, const struct msg_conf_commit *m)
{
	struct outcome o = { 0 };

	if (!f->staging || m->generation != f->next_generation)
		return ERR_INVALID;
	if (outcome_make(f, &o) < 0 || o.n != m->count) {
		free(o.v);
		free(o.ids.v);
		for (size_t i = 0; i < f->n; i++)
			f->v[i]->next = NULL;
		drop_staging(f);
		return ERR_INVALID;
	}
	bring_into_force(f, &o);
	return 0;
}

/* Verdicts. */

int64_t
fleet_interval_ms(const struct fleet *f, const struct deployment *d)
{
	return d->interval_ms > 0 ? d->interval_ms : settings_interval_ms(&f->settings);
}

int64_t
fleet_stale_after_ms(const struct fleet *f, const struct deployment *d)
{
	return f->settings.num[SETTING_STALE] > 0 ? f->settings.num[SETTING_STALE]
						  : STALE_INTERVALS * fleet_interval_ms(f, d);
}

enum verdict_state
fleet_state(const struct fleet *f, const struct deployment *d, int64_t now_ms)
{
	const struct verdict *v = &d->verdict;

	if (d->problem_reason != REASON_OK)
		return VERDICT_UNHEALTHY;
	/* A router's is as good as those that it follows from. */
	if (d->depends.n > 0)
		return v->state;
	if (v->state == VERDICT_UNKNOWN)
		return d->flags & (DEPLOYMENT_DISABLED | DEPLOYMENT_OUTSIDE) ? VERDICT_DISABLED
									     : VERDICT_UNKNOWN;
	/* Whom the provider told to wait is not late; the probe then has its time, too. */
	if (d->quiet_until_ms > 0 && now_ms <= d->quiet_until_ms + d->timeout_ms)
		return v->state;
	return now_ms - v->checked_at_ms > fleet_stale_after_ms(f, d) ? VERDICT_STALE : v->state;
}

static bool
apply(struct fleet *f, struct deployment *d, const struct msg_result *r, bool quorum,
    enum verdict_state state)
{
	const struct verdict_rules rules = {
		.held = quorum ? state : VERDICT_UNKNOWN,
		.rise = (unsigned)f->settings.num[SETTING_RISE],
		.fall = (unsigned)f->settings.num[SETTING_FALL],
		.history = (unsigned)f->settings.num[SETTING_HISTORY],
	};
	bool waited = never_asked(d);

	for (size_t i = 0; i < f->n_watches; i++)
		if (f->watches[i].result)
			f->watches[i].result(d, r, f->watches[i].arg);
	/* What cannot be asked now may have been asked a configuration ago. */
	if (d->problem_reason != REASON_OK || d->depends.n > 0 ||
	    (quorum && state == VERDICT_UNKNOWN) || !verdict_apply(d, r, &rules, clock_wall_ms()))
		return false;
	f->pending -= waited;
	d->shown = (uint8_t)d->verdict.state;
	tell_changed(f, d);
	derive(f, d);
	return true;
}

bool
fleet_apply(struct fleet *f, struct deployment *d, const struct msg_result *r)
{
	return apply(f, d, r, false, VERDICT_UNKNOWN);
}

bool
fleet_apply_as(struct fleet *f, struct deployment *d, const struct msg_result *r,
    enum verdict_state state)
{
	return apply(f, d, r, true, state);
}

void
fleet_turn(struct fleet *f, struct deployment *d, const struct msg_result *words)
{
	bool waited = never_asked(d);

	verdict_turn(d, words);
	f->pending -= waited;
	d->shown = (uint8_t)fleet_state(f, d, clock_wall_ms());
	tell_changed(f, d);
	derive(f, d);
}

void
fleet_touch(struct fleet *f, struct deployment *d)
{
	tell_changed(f, d);
}

bool
fleet_restore(struct fleet *f, struct deployment *d, struct verdict *from,
    const struct history_item *history, size_t n_history)
{
	bool waited = never_asked(d);

	if (d->problem_reason != REASON_OK || d->depends.n > 0 ||
	    from->checked_at_ms <= d->verdict.checked_at_ms ||
	    from->state == VERDICT_UNKNOWN)
		return false;
	verdict_clear(&d->verdict);
	d->verdict = *from;
	*from = (struct verdict){ 0 };
	history_limit(d, 0);
	for (size_t i = 0; i < n_history; i++)
		history_add(d, &history[i], (unsigned)f->settings.num[SETTING_HISTORY]);
	f->pending -= waited;
	d->shown = (uint8_t)fleet_state(f, d, clock_wall_ms());
	tell_changed(f, d);
	derive(f, d);
	return true;
}

void
fleet_refresh(struct fleet *f, int64_t now_ms)
{
	for (size_t i = 0; i < f->n; i++) {
		struct deployment *d = f->v[i];
		enum verdict_state state = fleet_state(f, d, now_ms);

		if (state == (enum verdict_state)d->shown)
			continue;
		d->shown = (uint8_t)state;
		tell_changed(f, d);
		derive(f, d);
	}
}

uint64_t
fleet_version(const struct fleet *f)
{
	return f->version;
}

size_t
fleet_pending(const struct fleet *f)
{
	return f->pending;
}
