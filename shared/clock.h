/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where time comes from, so that tests can move it. Durations carry their unit in the name.
 */
#ifndef SHARED_CLOCK_H
#define SHARED_CLOCK_H

#include <stdint.h>

/* Monotonic; only differences mean anything. */
int64_t clock_mono_us(void);
int64_t clock_mono_ms(void);
/* Milliseconds since 1970-01-01 UTC. */
int64_t clock_wall_ms(void);

/* Tests: from now on time stands still at these values and moves only by clock_fake_advance_us().
 */
void clock_fake_set(int64_t mono_us, int64_t wall_ms);
void clock_fake_advance_us(int64_t us);
/* Tests: the real clocks again. */
void clock_fake_off(void);

#endif
