/* SPDX-License-Identifier: Apache-2.0 */
/* When a dead child comes back. */
#include "supervisor/restart.h"

#include <sys/wait.h>

#include "shared/exitcode.h"

void
restart_init(struct restart *r)
{
	*r = (struct restart){ 0, 0 };
}

void
restart_started(struct restart *r, int64_t now_ms)
{
	r->started_ms = now_ms;
}

enum restart_action
restart_died(struct restart *r, int64_t now_ms, int wait_status, int64_t *delay_ms)
{
	int64_t delay = 0;

	*delay_ms = 0;
	if (WIFEXITED(wait_status) && (WEXITSTATUS(wait_status) == EXITCODE_START ||
					  WEXITSTATUS(wait_status) == EXITCODE_USAGE))
		return RESTART_NEVER;
	if (now_ms - r->started_ms >= RESTART_STEADY_MS)
		r->repeats = 0;
	for (unsigned i = 0; i < r->repeats && delay < RESTART_MAX_MS; i++)
		delay = delay == 0 ? RESTART_FIRST_MS : delay * 2;
	if (delay > RESTART_MAX_MS)
		delay = RESTART_MAX_MS;
	r->repeats++;
	*delay_ms = delay;
	return RESTART_AFTER;
}
