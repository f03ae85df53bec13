/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a child: fork and exec of a program from libexecdir with one end of a socket pair on
 * descriptor 3, nothing else open, a scrubbed environment, its own user. What the child is told,
 * and what happens when it dies, is house's work.
 */
#ifndef SUPERVISOR_CHILDREN_H
#define SUPERVISOR_CHILDREN_H

#include <stdbool.h>
#include <sys/types.h>

#include "shared/buf.h"
#include "shared/err.h"

#define CHILD_FD 3

/* Who the children run as. */
struct child_user {
	bool change; /* false: as we are */
	char *name;  /* owned */
	uid_t uid;
	gid_t gid;
};

/*
 * Looks the user up. Nothing changes when the name is empty or we are not root. ERR_NOT_FOUND when
 * there is no such user: *why says so.
 */
int child_user_find(const char *name, struct child_user *u, struct buf *why) MUST_CHECK;
void child_user_clear(struct child_user *u);

/*
 * Where a child program is: in $LLMHEALTH_LIBEXECDIR, else beside our own executable (as in the
 * build tree), else in ../libexec/llmhealth from there (a tree that was installed and moved), else
 * in libexecdir. ERR_NOT_FOUND when it is not there or not executable: *why says
 * so. *path is owned by the caller.
 */
int child_program_find(const char *name, char **path, struct buf *why) MUST_CHECK;

/*
 * Starts `path`. On success *sock is our end of the pair (close-on-exec) and *pid the child, to be
 * waited for. ERR_IO: errno says why.
 */
int child_spawn(const char *path, const struct child_user *u, int *sock, pid_t *pid) MUST_CHECK;

/* The environment that a child gets: only what names language, time zone and sanitizers. Owned by
 * the caller, entries too. */
char **child_environment(char *const *environment);
void child_environment_free(char **environment);

#endif
