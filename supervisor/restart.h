/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The restart table: what is done when a child dies. Pure: time comes in, a decision comes out.
 * The first death is answered at once; repeats back off from RESTART_FIRST_MS, doubling, to
 * RESTART_MAX_MS; a child that has lived RESTART_STEADY_MS starts with a clean sheet.
 */
#ifndef SUPERVISOR_RESTART_H
#define SUPERVISOR_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#define RESTART_FIRST_MS 100
#define RESTART_MAX_MS 30000
#define RESTART_STEADY_MS 10000

struct restart {
	unsigned repeats;   /* deaths in a row without a steady life between them */
	int64_t started_ms; /* monotonic */
};

enum restart_action {
	RESTART_AFTER, /* start it again when *delay_ms has passed */
	RESTART_NEVER, /* a permanent failure: what it says will be said again */
};

void restart_init(struct restart *r);
/* The child was started just now. */
void restart_started(struct restart *r, int64_t now_ms);
/*
 * The child has ended with this wait status. Exit statuses EXITCODE_START and EXITCODE_USAGE are
 * permanent; everything else, also an exit 0 that nobody asked for, is a crash.
 */
enum restart_action restart_died(
    struct restart *r, int64_t now_ms, int wait_status, int64_t *delay_ms);

#endif
