/* SPDX-License-Identifier: Apache-2.0 */
/* First the states and the size, then the lists, each entry copied from its fragment. */
#include "supervisor/front/http/health_body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "supervisor/front/http/health.h"
#include "supervisor/front/http/server.h"

#define FRAME_SIZE 512 /* of a body without its entries */

struct deployment *
body_chosen(const struct http *h, const struct body_selection *s, size_t i)
{
	return s->only ? s->only : fleet_at(h->fleet, s->v ? s->v[i] : i);
}

static char *
add_text(char *at, const char *text)
{
	size_t n = strlen(text);

	memcpy(at, text, n);
	return at + n;
}

/* What stands before a list, and which states are in it. */
static const struct {
	const char *before;
	enum verdict_state a, b;
} lists[BODY_LISTS] = {
	[BODY_HEALTHY] = { "{\"healthy_endpoints\":[", VERDICT_HEALTHY, VERDICT_HEALTHY },
	[BODY_UNHEALTHY] = { "],\"unhealthy_endpoints\":[", VERDICT_UNHEALTHY, VERDICT_UNHEALTHY },
	[BODY_UNKNOWN] = { ",\"unknown_endpoints\":[", VERDICT_UNKNOWN, VERDICT_STALE },
	[BODY_DISABLED] = { "],\"disabled_endpoints\":[", VERDICT_DISABLED, VERDICT_DISABLED },
};

void
body_begin(struct body_making *m, const struct body_selection *s, enum entry_kind kind)
{
	*m = (struct body_making){ .s = *s, .kind = kind, .now_ms = clock_wall_ms(), .size = 2 * FRAME_SIZE };
	m->states = xmalloc(s->n + 1);
}

static void
begin_list(struct body_making *m)
{
	if (m->list == BODY_UNKNOWN)
		m->at += sprintf(m->at, "],\"healthy_count\":%zu,\"unhealthy_count\":%zu",
		    m->counts[VERDICT_HEALTHY], m->counts[VERDICT_UNHEALTHY]);
	m->at = add_text(m->at, lists[m->list].before);
	m->first = true;
	m->i = 0;
}

static void
end_body(struct body_making *m)
{
	size_t unknown = m->counts[VERDICT_UNKNOWN] + m->counts[VERDICT_STALE];
	size_t disabled = m->counts[VERDICT_DISABLED];

	m->at += sprintf(m->at,
	    "],\"unknown_count\":%zu,\"disabled_count\":%zu,\"progress\":{\"checked\":%zu,\"total\":"
	    "%zu}}",
	    unknown, disabled, m->s.n - disabled - m->counts[VERDICT_UNKNOWN], m->s.n - disabled);
	m->body->len = (size_t)(m->at - m->body->data);
	free(m->states);
	m->states = NULL;
}

/* The states and the size, of at most *left deployments. */
static void
make_size(struct body_making *m, const struct http *h, size_t *left)
{
	for (; m->i < m->s.n && *left > 0; m->i++, --*left) {
		struct deployment *d = body_chosen(h, &m->s, m->i);
		enum verdict_state state = health_state(h, d, m->now_ms);

		m->states[m->i] = (uint8_t)state;
		m->counts[state]++;
		m->size += entry_render_as(d, m->kind, state).n + 1;
	}
	m->sized = m->i == m->s.n;
}

static void
make_list(struct body_making *m, const struct http *h, size_t *left)
{
	enum verdict_state a = lists[m->list].a, b = lists[m->list].b;

	for (; m->i < m->s.n && *left > 0; m->i++) {
		enum verdict_state state = (enum verdict_state)m->states[m->i];
		struct str entry;

		if (state != a && state != b)
			continue;
		entry = entry_render_as(body_chosen(h, &m->s, m->i), m->kind, state);
		/* There is room for the frame whatever the entries are. */
		if ((size_t)(m->at - m->body->data) + entry.n + 1 + FRAME_SIZE > m->size) {
			m->torn = true;
			return;
		}
		if (!m->first)
			*m->at++ = ',';
		m->first = false;
		memcpy(m->at, entry.p, entry.n);
		m->at += entry.n;
		--*left;
	}
}

bool
body_go_on(struct body_making *m, const struct http *h, size_t left, struct blob **old)
{
	if (!m->sized) {
		make_size(m, h, &left);
		if (!m->sized)
			return false;
		m->body = blob_renew(*old, m->size);
		*old = NULL;
		m->at = m->body->data;
		begin_list(m);
	}
	for (;;) {
		make_list(m, h, &left);
		if (m->torn || m->i < m->s.n)
			return false;
		if (++m->list == BODY_LISTS)
			break;
		begin_list(m);
	}
	end_body(m);
	return true;
}

void
body_drop(struct body_making *m)
{
	free(m->states);
	blob_unref(m->body);
	*m = (struct body_making){ 0 };
}
