/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running a program for what it prints: without a shell, with nothing of ours but the arguments and
 * variables that are given (no descriptor, no secret of the config, no signal that is ignored), for
 * a bounded time and a bounded output. What it says on standard error is not read.
 */
#ifndef WORKERS_PROGRAM_H
#define WORKERS_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/str.h"

struct event_base;
struct program;

#define PROGRAM_MAX_WORDS 64

/* How it ended; `words` is why there is no output, empty when it ended with status 0. */
struct program_outcome {
	struct str words;
	struct str out;
};

/* The outcome is valid during the call only. The program is gone and freed after it. */
typedef void (*program_done)(const struct program_outcome *o, void *arg);

/*
 * Starts it. `words` (argv) and `variables` ("NAME=value") end with NULL and are copied; the first
 * word is an absolute path. `done` is called once, from the loop and never inside the call, also
 * when it cannot be started. Program and whoever it starts are killed when the time is over.
 */
struct program *program_start(struct event_base *base, const char *const words[],
    const char *const variables[], int64_t timeout_ms, size_t max, program_done done, void *arg);
/* Kills it; no call any more. Accepts NULL. */
void program_cancel(struct program *p);

#endif
