/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line that moves while a round runs: done, healthy, unhealthy, in flight, time left. What it
 * says is made here from numbers and the clock; where it goes is the caller's terminal.
 */
#ifndef SUPERVISOR_PROGRESS_H
#define SUPERVISOR_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/buf.h"

/* Two drawings are at least this far apart. */
#define PROGRESS_EVERY_MS 100

struct progress {
	int fd; /* a terminal, or -1: nothing is drawn */
	int64_t started_ms, drawn_ms;
	bool shown;
	uint32_t total, done, healthy, in_flight;
};

/* fd: drawn on only when it is a terminal. */
void progress_init(struct progress *p, int fd);
void progress_set(
    struct progress *p, uint32_t total, uint32_t done, uint32_t healthy, uint32_t in_flight);
/* Draws when it is time to. */
void progress_draw(struct progress *p);
/* Takes the line away. */
void progress_clear(struct progress *p);

/* Appends the line as it is now, at most `width` columns wide. Pieces that do not fit are left out.
 */
void progress_render(const struct progress *p, size_t width, struct buf *b);
/* Appends "850 ms", "3.2 s", "4 min 05 s". */
void progress_add_duration(struct buf *b, int64_t ms);

#endif
