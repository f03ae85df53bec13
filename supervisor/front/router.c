/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routers may lead to routers, and round in a circle: all are first taken for healthy, and go down
 * step by step until nothing changes. What goes only down comes to an end.
 */
#include "supervisor/front/router.h"

#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"
#include "supervisor/front/verdict.h"

/* In this order: the worst of its groups is the router's, the best of its members the group's. */
enum standing { STANDING_DOWN, STANDING_UNKNOWN, STANDING_UP };

struct need {
	const char *words; /* "tier model 'x'" */
	struct deployment **members;
	size_t n;
};

struct router {
	struct deployment *d;
	struct need *needs;
	size_t n;
	enum standing standing;
};

struct routers {
	struct router *v; /* in model_list's order */
	size_t n;
};

static void
find_members(struct need *need, struct fleet *f, struct str group)
{
	size_t n = 0;

	for (size_t i = 0; i < fleet_size(f); i++)
		n += str_is(group, fleet_at(f, i)->model_name);
	need->members = xcalloc(n + 1, sizeof(struct deployment *));
	for (size_t i = 0; i < fleet_size(f); i++) {
		struct deployment *d = fleet_at(f, i);

		if (!str_is(group, d->model_name))
			continue;
		d->feeds = true;
		need->members[need->n++] = d;
	}
}

struct routers *
routers_new(struct fleet *f)
{
	struct routers *r;
	size_t n = 0;

	for (size_t i = 0; i < fleet_size(f); i++) {
		fleet_at(f, i)->feeds = false;
		n += fleet_at(f, i)->depends.n > 0;
	}
	if (n == 0)
		return NULL;
	r = xcalloc(1, sizeof(*r));
	r->v = xcalloc(n, sizeof(*r->v));
	for (size_t i = 0; i < fleet_size(f); i++) {
		struct deployment *d = fleet_at(f, i);
		struct router *one = &r->v[r->n];

		if (d->depends.n == 0)
			continue;
		r->n++;
		one->d = d;
		d->router = one;
		one->needs = xcalloc(d->depends.n, sizeof(*one->needs));
		for (; one->n < d->depends.n; one->n++) {
			one->needs[one->n].words = d->depends.v[one->n].key.p;
			find_members(&one->needs[one->n], f, d->depends.v[one->n].value);
		}
	}
	return r;
}

void
routers_free(struct routers *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->n; i++) {
		r->v[i].d->router = NULL;
		for (size_t k = 0; k < r->v[i].n; k++)
			free(r->v[i].needs[k].members);
		free(r->v[i].needs);
	}
	free(r->v);
	free(r);
}

static enum standing
standing_of(const struct fleet *f, const struct deployment *d, int64_t now_ms)
{
	if (d->problem_reason != REASON_OK)
		return STANDING_DOWN;
	if (d->router)
		return d->router->standing;
	switch (fleet_state(f, d, now_ms)) {
	case VERDICT_HEALTHY:
		return STANDING_UP;
	case VERDICT_UNHEALTHY:
		return STANDING_DOWN;
	case VERDICT_UNKNOWN:
	case VERDICT_STALE:
	case VERDICT_DISABLED:
		break;
	}
	return STANDING_UNKNOWN;
}

/* The best of a group. */
static enum standing
best_of(const struct fleet *f, const struct need *need, int64_t now_ms)
{
	enum standing best = STANDING_DOWN;

	for (size_t i = 0; i < need->n && best != STANDING_UP; i++) {
		enum standing one = standing_of(f, need->members[i], now_ms);

		if (one > best)
			best = one;
	}
	return best;
}

/* The worst of a router's groups; *at is the first such one. */
static enum standing
worst_of(const struct fleet *f, const struct router *router,
    int64_t now_ms, const struct need **at)
{
	enum standing worst = STANDING_UP;

	*at = NULL;
	for (size_t i = 0; i < router->n && worst != STANDING_DOWN; i++) {
		enum standing one = best_of(f, &router->needs[i], now_ms);

		if (one < worst) {
			worst = one;
			*at = &router->needs[i];
		}
	}
	return worst;
}

/* The newest result of those of a group that stand so. */
static int64_t
checked_at(const struct fleet *f, const struct need *need,
    enum standing standing, int64_t now_ms)
{
	int64_t newest = 0;

	for (size_t i = 0; i < need->n; i++)
		if (standing_of(f, need->members[i], now_ms) == standing &&
		    need->members[i]->verdict.checked_at_ms > newest)
			newest = need->members[i]->verdict.checked_at_ms;
	return newest;
}

/* What is known of a healthy router is as old as the oldest of what it rests on. */
static int64_t
oldest(const struct fleet *f, const struct router *router, int64_t now_ms)
{
	int64_t at = now_ms;

	for (size_t i = 0; i < router->n; i++) {
		int64_t one = checked_at(f, &router->needs[i], STANDING_UP, now_ms);

		/* Of routers in a circle the first to be settled has nothing of the others yet. */
		if (one > 0 && one < at)
			at = one;
	}
	return at;
}

static bool
settle(const struct fleet *f, const struct router *router, int64_t now_ms)
{
	struct verdict_derived v = { .state = VERDICT_HEALTHY };
	const struct need *at;
	struct buf words = BUF_INIT(VERDICT_TEXT_MAX), detail = BUF_INIT(VERDICT_TEXT_MAX);
	bool changed;

	if (router->standing == STANDING_UP) {
		v.checked_at_ms = oldest(f, router, now_ms);
	} else if (router->standing == STANDING_UNKNOWN) {
		v.state = VERDICT_UNKNOWN;
	} else {
		(void)worst_of(f, router, now_ms, &at);
		v.state = VERDICT_UNHEALTHY;
		v.checked_at_ms = now_ms;
		v.reason = REASON_CONFIG;
		/* LiteLLM's words. */
		buf_addf(&words, "%s %s", at->words,
		    at->n > 0 ? "has no healthy deployment" : "matches no deployment on this proxy");
		buf_add_str(&detail, buf_str(&words));
		if (at->n > 0) {
			const struct deployment *first = at->members[0];

			v.reason = first->problem_reason != REASON_OK ? first->problem_reason
								      : first->verdict.reason;
			v.checked_at_ms = checked_at(f, at, STANDING_DOWN, now_ms);
			buf_addf(&detail, ": of its %zu the first is down by %s", at->n,
			    reason_name(v.reason));
		}
		v.error = buf_text(&words);
		v.detail = buf_text(&detail);
	}
	changed = verdict_derive(router->d, &v, now_ms, (unsigned)fleet_settings(f)->num[SETTING_HISTORY]);
	buf_clear(&words);
	buf_clear(&detail);
	return changed;
}

void
routers_settle(struct routers *r, struct fleet *f, int64_t now_ms,
    void (*changed)(struct fleet *f, struct deployment *d))
{
	const struct need *at;
	bool more = r != NULL;

	for (size_t i = 0; r && i < r->n; i++)
		r->v[i].standing =
		    r->v[i].d->problem_reason != REASON_OK ? STANDING_DOWN : STANDING_UP;
	while (more) {
		more = false;
		for (size_t i = 0; i < r->n; i++) {
			struct router *one = &r->v[i];
			enum standing now;

			if (one->standing == STANDING_DOWN)
				continue;
			now = worst_of(f, one, now_ms, &at);
			if (now >= one->standing)
				continue;
			one->standing = now;
			more = true;
		}
	}
	for (size_t i = 0; r && i < r->n; i++)
		if (r->v[i].d->problem_reason == REASON_OK && settle(f, &r->v[i], now_ms))
			changed(f, r->v[i].d);
}

void
router_members(const struct deployment *router,
    void (*each)(struct deployment *d, void *arg), void *arg)
{
	const struct router *one = router->router;

	for (size_t i = 0; one && i < one->n; i++)
		for (size_t k = 0; k < one->needs[i].n; k++)
			each(one->needs[i].members[k], arg);
}
