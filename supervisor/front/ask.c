/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ask is a waiter for each deployment that it needs a result of. The last one that is told makes
 * the ask's event active, so that `done` runs in a turn of its own.
 */
#include "supervisor/front/ask.h"

#include <event2/event.h>
#include <stdlib.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "supervisor/front/router.h"
#include "supervisor/front/scheduler.h"

/* Deployments times people who wait for them; about 50 bytes each. */
#define WAITERS_MAX 4000000

struct ask_wait {
	struct waiter waiter;
	struct deployment *d; /* good while waiter.waiting */
};

struct ask {
	struct scheduler *scheduler;
	struct event *finish;
	ask_done done;
	void *arg;
	char *request;
	size_t left; /* results that are still to come */
	size_t n;
	struct ask_wait waits[];
};

static void
ask_free(struct ask *a)
{
	event_free(a->finish);
	free(a->request);
	free(a);
}

static void
on_finish(evutil_socket_t fd, short what, void *arg)
{
	struct ask *a = arg;
	ask_done done = a->done;
	void *done_arg = a->arg;

	ask_free(a);
	done(done_arg);
}

static void
on_result(struct waiter *w)
{
	struct ask *a = w->owner;

	if (--a->left == 0)
		event_active(a->finish, EV_TIMEOUT, 0);
}

/* Deployments that are to be asked. */
struct asked {
	struct deployment **v;
	size_t n, cap;
};

static void
add_asked(struct deployment *d, void *arg)
{
	struct asked *a = arg;

	if (a->n == a->cap) {
		a->cap = a->cap ? a->cap * 2 : 64;
		a->v = xrealloc(a->v, a->cap * sizeof(struct deployment *));
	}
	a->v[a->n++] = d;
}

static int
by_address(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)*(struct deployment *const *)a;
	uintptr_t y = (uintptr_t)*(struct deployment *const *)b;

	return x < y ? -1 : x > y;
}

/* Sorted, each once. */
static void
make_unique(struct asked *a)
{
	size_t n = 0;

	if (a->n > 0)
		qsort(a->v, a->n, sizeof(struct deployment *), by_address);
	for (size_t i = 0; i < a->n; i++)
		if (n == 0 || a->v[i] != a->v[n - 1])
			a->v[n++] = a->v[i];
	a->n = n;
}

/*
 * Nobody asks a router: those that it chooses from are asked, and those that routers among them
 * choose from. What the config takes out of the checks does not come in that way.
 */
static void
add_members(struct asked *all, struct deployment *const *d, size_t n)
{
	struct asked found = { NULL, 0, 0 };
	size_t before;

	for (size_t i = 0; i < n; i++)
		if (d[i]->depends.n > 0)
			add_asked(d[i], &found);
	do {
		before = found.n;
		for (size_t i = 0; i < before; i++)
			router_members(found.v[i], add_asked, &found);
		make_unique(&found);
	} while (found.n > before);
	for (size_t i = 0; i < n; i++)
		add_asked(d[i], all);
	if (found.n > 0)
		make_unique(all);
	for (size_t i = 0, named = all->n; i < found.n; i++)
		if (!(found.v[i]->flags & DEPLOYMENT_DISABLED) &&
		    !bsearch(&found.v[i], all->v, named, sizeof(struct deployment *), by_address))
			add_asked(found.v[i], all);
	free(found.v);
}

static bool
is_wanted(const struct deployment *d, int64_t max_age_ms, int64_t now_ms)
{
	if (d->problem_reason != REASON_OK || d->depends.n > 0)
		return false;
	return max_age_ms <= 0 || d->verdict.checked_at_ms == 0 ||
	       now_ms - d->verdict.checked_at_ms > max_age_ms;
}

int
ask_new(struct scheduler *s, struct deployment *const *d, size_t n, int64_t max_age_ms,
    struct str request, ask_done done, void *arg, struct ask **out)
{
	int64_t now = clock_wall_ms();
	struct scheduler_counts counts;
	struct asked all = { NULL, 0, 0 };
	size_t wanted = 0;
	struct ask *a;

	scheduler_counts(s, &counts);
	if (counts.waiters >= WAITERS_MAX || n > WAITERS_MAX - counts.waiters)
		return ERR_LIMIT;
	for (size_t i = 0; i < n && all.n == 0; i++)
		if (d[i]->depends.n > 0)
			add_members(&all, d, n);
	if (all.n > 0) {
		d = all.v;
		n = all.n;
	}
	for (size_t i = 0; i < n; i++)
		wanted += is_wanted(d[i], max_age_ms, now);
	a = xcalloc(1, sizeof(*a) + wanted * sizeof(a->waits[0]));
	a->scheduler = s;
	a->done = done;
	a->arg = arg;
	a->request = request.n > 0 ? str_dup(request) : NULL;
	a->left = wanted;
	a->finish = event_new(scheduler_base(s), -1, 0, on_finish, a);
	if (a->finish == NULL)
		fatal("cannot make an ask's event");
	for (size_t i = 0; i < n; i++) {
		struct ask_wait *w = &a->waits[a->n];

		if (!is_wanted(d[i], max_age_ms, now))
			continue;
		w->waiter.done = on_result;
		w->waiter.owner = a;
		w->waiter.request = a->request;
		w->waiter.since_ms = max_age_ms > 0 ? now - max_age_ms : now;
		w->d = d[i];
		a->n++;
		scheduler_wait(s, d[i], &w->waiter);
	}
	if (wanted == 0)
		event_active(a->finish, EV_TIMEOUT, 0);
	*out = a;
	free(all.v);
	return 0;
}

void
ask_cancel(struct ask *a)
{
	for (size_t i = 0; i < a->n; i++)
		scheduler_unwait(a->scheduler, a->waits[i].d, &a->waits[i].waiter);
	ask_free(a);
}
