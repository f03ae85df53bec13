/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host names to addresses by getaddrinfo(), in a few threads, each name asked once for all who
 * wait. curl's own resolver would start one thread for each transfer. Answers are kept for a
 * minute.
 */
#ifndef WORKERS_RESOLVER_H
#define WORKERS_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/err.h"
#include "shared/str.h"

#define RESOLVER_KEEP_MS 60000
#define RESOLVER_MAX_ADDRESSES 16

struct event_base;
struct resolver;

/* A waiting asker; embedded in who waits, all zero when it does not. */
struct resolver_wait {
	struct resolver_wait *next, **link;
	void (*done)(struct resolver_wait *w);
};

/* What is known of a name; borrowed until the next call. */
struct resolver_answer {
	int error;	       /* 0, or what getaddrinfo() said (EAI_*) */
	const char *addresses; /* "192.0.2.1,[2001:db8::1]"; empty on error */
	uint32_t version;      /* changes with each new answer; never 0 */
};

/* Threads are started when first needed, at most `threads`. */
struct resolver *resolver_new(struct event_base *base, unsigned threads);
/* Threads that still wait for a name server are left to end by themselves. */
void resolver_free(struct resolver *r);

/* Whether the host needs asking: it is neither an address nor "localhost". */
bool resolver_needed(const char *host);
/*
 * 0 with the answer; or ERR_AGAIN: w->done is called once from the loop, who then asks again;
 * ERR_LIMIT when too many names wait.
 */
int resolver_ask(struct resolver *r, const char *host, struct resolver_wait *w,
    struct resolver_answer *answer) MUST_CHECK;
/* Waits no more; nothing happens when it does not wait. */
void resolver_cancel(struct resolver_wait *w);

#endif
