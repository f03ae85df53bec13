/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exit statuses of all three programs. The first four are a promise to users of `llmhealth`; the
 * supervisor reads a child's status to tell a permanent failure (never retried) from a crash.
 */
#ifndef SHARED_EXITCODE_H
#define SHARED_EXITCODE_H

enum exitcode {
	EXITCODE_OK = 0,	/* all healthy, or stopped as asked */
	EXITCODE_UNHEALTHY = 1, /* check: some deployment is unhealthy */
	EXITCODE_USAGE = 2,	/* wrong command line, or a mistake in the config */
	EXITCODE_CANNOT_RUN =
	    3,		    /* could not run: no memory, no descriptor, a child that keeps dying */
	EXITCODE_START = 4, /* permanent start failure: port taken, no permission, no such user */
};

#endif
