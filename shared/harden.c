/* SPDX-License-Identifier: Apache-2.0 */
/* The first steps of a child: prctl, limits, descriptors, the tie to its parent. */
#include "shared/harden.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef HAVE_CLOSE_RANGE
static int
close_above(int last)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;

	if (dir == NULL)
		return ERR_IO;
	while ((e = readdir(dir)) != NULL) {
		int fd = atoi(e->d_name);

		if (fd > last && fd != dirfd(dir))
			close(fd);
	}
	closedir(dir);
	return 0;
}
#else
static int
close_above(int last)
{
	return close_range((unsigned)last + 1, ~0u, 0) < 0 ? ERR_IO : 0;
}
#endif

static int
no_core_file(void)
{
	struct rlimit none = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return ERR_IO;
#ifndef WITH_SANITIZERS
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return ERR_IO;
#endif
	return 0;
}

/*
 * Between fork and prctl the parent may have died, and no signal comes any more. Who made the
 * socket pair is the parent: while both agree, it lives. (0: it is outside our process id
 * namespace.)
 */
static int
die_with_parent(int death_signal)
{
	struct ucred maker;
	socklen_t n = sizeof(maker);

	if (getsockopt(HARDEN_PEER_FD, SOL_SOCKET, SO_PEERCRED, &maker, &n) < 0)
		return ERR_INVALID;
	if (death_signal == 0)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) < 0)
		return ERR_IO;
	return maker.pid != 0 && maker.pid != getppid() ? ERR_CLOSED : 0;
}

int
harden_child(int death_signal)
{
	static const int ignored[] = { SIGPIPE, SIGINT, SIGHUP, SIGTERM };
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		if (signal(ignored[i], SIG_IGN) == SIG_ERR)
			return ERR_IO;
	rc = die_with_parent(death_signal);
	if (rc < 0)
		return rc;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return ERR_IO;
	rc = no_core_file();
	if (rc < 0)
		return rc;
	return close_above(HARDEN_PEER_FD);
}

uint64_t
harden_raise_descriptors(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return 0;
	if (files.rlim_cur < files.rlim_max) {
		rlim_t before = files.rlim_cur;

		files.rlim_cur = files.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &files) < 0)
			return before;
	}
	return files.rlim_cur;
}
