/* SPDX-License-Identifier: Apache-2.0 */
/* What a child is after harden_child(): each case runs in a child of its own. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/harden.h"

enum {
	WRONG_RETURN = 10,
	WRONG_FD,
	WRONG_PRIVS,
	WRONG_CORE,
	WRONG_DUMPABLE,
	WRONG_SIGNAL,
	WRONG_DEATH
};

static int
check_child(void)
{
	struct rlimit core;
	int death = 0;

	if (harden_child(SIGKILL) != 0)
		return WRONG_RETURN;
	if (fcntl(HARDEN_PEER_FD, F_GETFD) < 0 || fcntl(20, F_GETFD) >= 0 || errno != EBADF)
		return WRONG_FD;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return WRONG_PRIVS;
	if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_cur != 0 || core.rlim_max != 0)
		return WRONG_CORE;
#ifndef WITH_SANITIZERS
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return WRONG_DUMPABLE;
#endif
	if (prctl(PR_GET_PDEATHSIG, &death, 0, 0, 0) < 0 || death != SIGKILL)
		return WRONG_DEATH;
	if (signal(SIGPIPE, SIG_IGN) != SIG_IGN || signal(SIGTERM, SIG_IGN) != SIG_IGN)
		return WRONG_SIGNAL;
	return 0;
}

static int
status_of(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void
a_child_is_hardened(void **state)
{
	int pair[2];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	pid = fork();
	if (pid == 0) {
		if (dup2(pair[1], HARDEN_PEER_FD) < 0 || dup2(1, 20) < 0)
			_exit(1);
		_exit(check_child());
	}
	assert_int_equal(status_of(pid), 0);
	close(pair[0]);
	close(pair[1]);
}

static void
no_socket_is_said(void **state)
{
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_RDONLY);

		if (dup2(null, HARDEN_PEER_FD) < 0)
			_exit(1);
		_exit(harden_child(SIGKILL) == ERR_INVALID ? 0 : 1);
	}
	assert_int_equal(status_of(pid), 0);
}

/* A grandchild whose parent ended before it asked for the signal. */
static void
an_orphan_is_told(void **state)
{
	int pair[2], answer[2];
	char word = 0;
	pid_t pid;

	assert_int_equal(pipe(answer), 0);
	pid = fork();
	if (pid == 0) {
		pid_t parent = getpid();

		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 ||
		    dup2(pair[1], HARDEN_PEER_FD) < 0)
			_exit(1);
		if (fork() == 0) {
			while (getppid() == parent)
				usleep(1000);
			word = harden_child(SIGKILL) == ERR_CLOSED ? 'y' : 'n';
			if (write(answer[1], &word, 1) != 1)
				_exit(1);
			_exit(0);
		}
		_exit(0);
	}
	assert_int_equal(status_of(pid), 0);
	assert_int_equal(read(answer[0], &word, 1), 1);
	assert_int_equal(word, 'y');
	close(answer[0]);
	close(answer[1]);
}

static void
descriptors_are_raised_to_the_hard_limit(void **state)
{
	struct rlimit files;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	assert_true(harden_raise_descriptors() == files.rlim_max);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	assert_true(files.rlim_cur == files.rlim_max);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_is_hardened),
		cmocka_unit_test(no_socket_is_said),
		cmocka_unit_test(an_orphan_is_told),
		cmocka_unit_test(descriptors_are_raised_to_the_hard_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
