/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/front/pulse.h"

#include <event2/event.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"

#define PULSE_MS 200

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	pulse_feel(arg);
}

void
pulse_init(struct pulse *p, struct event_base *base)
{
	static const struct timeval every = { 0, PULSE_MS * 1000 };

	*p = (struct pulse){ .timer = event_new(base, -1, EV_PERSIST, on_timer, p) };
	if (p->timer == NULL || event_add(p->timer, &every) < 0)
		fatal("cannot make the pulse's timer");
}

void
pulse_clear(struct pulse *p)
{
	event_free(p->timer);
}

void
pulse_feel(struct pulse *p)
{
	int64_t now = clock_mono_ms();

	if (p->most_ms > 0 && p->felt_ms > 0 && now - p->felt_ms > p->most_ms) {
		log_event(LOG_LEVEL_NOTICE, "was_stopped", LI("ms", now - p->felt_ms));
		p->woke_ms = now;
	}
	p->felt_ms = now;
}

bool
pulse_stopped_since(const struct pulse *p, int64_t ms)
{
	return ms < p->woke_ms;
}
