/* SPDX-License-Identifier: Apache-2.0 */
/* A short list: the kinds of answers that are given at all are few, and the frequent ones come
 * first. */
#include "supervisor/front/http/requests.h"

#include <stdlib.h>
#include <sys/random.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"

static struct requests_kind *
kind_of(struct requests *r, const char *route, int status)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->kinds[i].route == route && r->kinds[i].status == status)
			return &r->kinds[i];
	if (r->n == REQUESTS_KINDS_MAX)
		return &r->kinds[r->n - 1];
	if (r->n == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 16;
		r->kinds = xrealloc(r->kinds, r->cap * sizeof(*r->kinds));
	}
	r->kinds[r->n] = (struct requests_kind){ .route = route, .status = status };
	return &r->kinds[r->n++];
}

void
requests_count(struct requests *r, const char *route, int status, struct str id)
{
	struct requests_kind *k = kind_of(r, route, status);

	k->count++;
	if (id.n == 0 || id.n > REQUESTS_EXEMPLAR_MAX)
		return;
	memcpy(k->id, id.p, id.n);
	k->id[id.n] = '\0';
	k->at_ms = clock_wall_ms();
}

void
requests_new_id(struct requests *r, char id[REQUESTS_ID_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	uint64_t n;

	while (r->next_id == 0)
		if (getrandom(&r->next_id, sizeof(r->next_id), GRND_NONBLOCK) !=
		    sizeof(r->next_id))
			r->next_id = (uint64_t)clock_wall_ms() << 20;
	n = r->next_id++;
	for (int i = REQUESTS_ID_SIZE - 2; i >= 0; i--, n >>= 4)
		id[i] = digits[n & 15];
	id[REQUESTS_ID_SIZE - 1] = '\0';
}

void
requests_clear(struct requests *r)
{
	free(r->kinds);
	*r = (struct requests){ 0 };
}

void
requests_log(const char *request, int status, size_t bytes, int64_t started_us, struct str id)
{
	log_event(LOG_LEVEL_DEBUG, "http_request", LS("request", request), LI("status", status),
	    LI("bytes", bytes), LI("us", clock_mono_us() - started_us), LV("id", id));
}
