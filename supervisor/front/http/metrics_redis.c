/* SPDX-License-Identifier: Apache-2.0 */
/* How sharing over Redis goes; nothing where nothing is shared. */
#include "supervisor/front/http/page.h"

#include "supervisor/front/http/server.h"
#include "supervisor/front/store/store.h"

static bool
shared(const struct page *p, struct store_status *status)
{
	if (p->h->scheduler == NULL)
		return false;
	store_status(scheduler_store(p->h->scheduler), status);
	return status->shared;
}

void
metrics_add_REDIS_UP(struct page *p)
{
	struct store_status s;

	if (shared(p, &s))
		page_labels(p, "topology", s.topology, NULL, NULL, s.connected);
}

void
metrics_add_REDIS_LOSSES(struct page *p)
{
	struct store_status s;

	if (shared(p, &s))
		page_plain(p, s.losses);
}

void
metrics_add_REDIS_ERRORS(struct page *p)
{
	struct store_status s;

	if (!shared(p, &s))
		return;
	for (size_t i = 0; i < s.n_errors; i++)
		if (s.errors[i].count > 0)
			page_labels(p, "error", s.errors[i].name, NULL, NULL, s.errors[i].count);
}

void
metrics_add_REDIS_REDIRECTED(struct page *p)
{
	struct store_status s;

	if (!shared(p, &s))
		return;
	page_labels(p, "kind", "moved", NULL, NULL, s.moved);
	page_labels(p, "kind", "ask", NULL, NULL, s.asked);
	page_labels(p, "kind", "tryagain", NULL, NULL, s.again);
}

void
metrics_add_REDIS_MASTERS(struct page *p)
{
	struct store_status s;

	if (shared(p, &s))
		page_plain(p, s.masters);
}
