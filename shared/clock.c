/* SPDX-License-Identifier: Apache-2.0 */
/* The real clocks, and the one that tests move. */
#include "shared/clock.h"

#include <stdbool.h>
#include <time.h>

static bool fake;
static int64_t fake_mono_us;
static int64_t fake_wall_us;

static int64_t
read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_mono_us(void)
{
	return fake ? fake_mono_us : read_us(CLOCK_MONOTONIC);
}

int64_t
clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

int64_t
clock_wall_ms(void)
{
	return (fake ? fake_wall_us : read_us(CLOCK_REALTIME)) / 1000;
}

void
clock_fake_set(int64_t mono_us, int64_t wall_ms)
{
	fake = true;
	fake_mono_us = mono_us;
	fake_wall_us = wall_ms * 1000;
}

void
clock_fake_advance_us(int64_t us)
{
	fake_mono_us += us;
	fake_wall_us += us;
}

void
clock_fake_off(void)
{
	fake = false;
}
