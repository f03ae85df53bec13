/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fork and exec. Between the two only async-signal-safe calls are made. A child gets no variable of
 * ours that could hold a key, no descriptor but its socket, /dev/null as its input, our standard
 * error as its output, and a process group of its own, so that Ctrl-C reaches the supervisor alone.
 */
#include "supervisor/children.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/exitcode.h"

static const char *const kept_variables[] = { "LANG", "LC_", "TZ", "ASAN_OPTIONS", "UBSAN_OPTIONS",
	"LSAN_OPTIONS", "MALLOC_" }; /* one that ends in _ is a prefix */

int
child_user_find(const char *name, struct child_user *u, struct buf *why)
{
	struct passwd *pw;

	*u = (struct child_user){ 0 };
	if (name[0] == '\0' || geteuid() != 0)
		return 0;
	errno = 0;
	pw = getpwnam(name);
	if (pw == NULL) {
		buf_addf(why,
		    "there is no user '%s' (llmhealth.user): make it, or name another one", name);
		return ERR_NOT_FOUND;
	}
	u->change = true;
	u->name = xstrdup(name);
	u->uid = pw->pw_uid;
	u->gid = pw->pw_gid;
	return 0;
}

void
child_user_clear(struct child_user *u)
{
	free(u->name);
	*u = (struct child_user){ 0 };
}

int
child_program_find(const char *name, char **path, struct buf *why)
{
	const char *set = getenv("LLMHEALTH_LIBEXECDIR");
	struct buf b = BUF_INIT(8192);
	char self[4096];
	char *slash;
	ssize_t n;

	if (set && set[0]) {
		buf_addf(&b, "%s/%s", set, name);
		goto check;
	}
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
		if (slash) {
			*slash = '\0';
			buf_addf(&b, "%s/%s", self, name);
			if (access(buf_text(&b), X_OK) == 0)
				goto check;
			buf_reset(&b);
			buf_addf(&b, "%s/../libexec/llmhealth/%s", self, name);
			if (access(buf_text(&b), X_OK) == 0)
				goto check;
			buf_reset(&b);
		}
	}
	buf_addf(&b, "%s/%s", LIBEXECDIR, name);
check:
	if (!buf_ok(&b) || access(buf_text(&b), X_OK) < 0) {
		buf_addf(why, "cannot run %s: %s; is llmhealth installed whole?", buf_text(&b),
		    strerror(errno));
		buf_clear(&b);
		return ERR_NOT_FOUND;
	}
	*path = buf_take(&b);
	return 0;
}

static bool
is_kept(const char *entry)
{
	for (size_t i = 0; i < ARRAY_LEN(kept_variables); i++) {
		size_t n = strlen(kept_variables[i]);

		if (strncmp(entry, kept_variables[i], n) == 0 &&
		    (entry[n] == '=' || kept_variables[i][n - 1] == '_'))
			return true;
	}
	return false;
}

char **
child_environment(char *const *environment)
{
	size_t n = 0, at = 0;
	char **kept;

	while (environment[n])
		n++;
	kept = xcalloc(n + 1, sizeof(*kept));
	for (size_t i = 0; i < n; i++)
		if (is_kept(environment[i]))
			kept[at++] = xstrdup(environment[i]);
	return kept;
}

void
child_environment_free(char **environment)
{
	for (size_t i = 0; environment && environment[i]; i++)
		free(environment[i]);
	free(environment);
}

/* In the child, after fork: async-signal-safe only. */
static void NORETURN
give_up(const char *what)
{
	static const char tail[] = " failed; the child is not started\n";
	char line[160];
	size_t n = strlen(what);

	if (n > sizeof(line) - sizeof(tail))
		n = sizeof(line) - sizeof(tail);
	memcpy(line, what, n);
	memcpy(line + n, tail, sizeof(tail) - 1);
	(void)!write(STDERR_FILENO, line, n + sizeof(tail) - 1);
	_exit(EXITCODE_START);
}

static void NORETURN
become(const char *path, const struct child_user *u, const gid_t *groups, int n_groups, int sock,
    pid_t parent, char **environment)
{
	char *argv[] = { (char *)path, NULL };
	struct sigaction sa = { .sa_handler = SIG_DFL };
	sigset_t none;
	int null;

	for (int s = 1; s < NSIG; s++)
		(void)sigaction(s, &sa, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setpgid(0, 0);

	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		give_up("opening /dev/null");
	if (sock == CHILD_FD) {
		if (fcntl(sock, F_SETFD, 0) < 0)
			give_up("fcntl");
	} else if (dup2(sock, CHILD_FD) < 0)
		give_up("dup2");
	if (close_range(CHILD_FD + 1, ~0u, 0) < 0)
		for (int fd = CHILD_FD + 1; fd < 4096; fd++)
			close(fd);

	if (u->change) {
		if (setgroups((size_t)n_groups, groups) < 0)
			give_up("setgroups");
		if (setresgid(u->gid, u->gid, u->gid) < 0)
			give_up("setresgid");
		if (setresuid(u->uid, u->uid, u->uid) < 0)
			give_up("setresuid");
	}
	/* The second belt: end-of-file on the socket is the first. A change of user forgets it, so
	 * it is put on last. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		give_up("prctl");
	if (getppid() != parent)
		_exit(EXITCODE_CANNOT_RUN);
	execve(path, argv, environment);
	give_up(path);
}

int
child_spawn(const char *path, const struct child_user *u, int *sock, pid_t *pid)
{
	extern char **environ;
	char **environment = NULL;
	gid_t groups[64];
	int n_groups = (int)ARRAY_LEN(groups);
	int pair[2];
	pid_t parent = getpid(), child;
	int rc = 0;

	if (u->change && getgrouplist(u->name, u->gid, groups, &n_groups) < 0)
		n_groups = (int)ARRAY_LEN(groups);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return ERR_IO;
	environment = child_environment(environ);
	child = fork();
	if (child == 0)
		become(path, u, groups, n_groups, pair[1], parent, environment);
	if (child < 0) {
		int saved = errno;

		close(pair[0]);
		errno = saved;
		rc = ERR_IO;
	} else {
		*sock = pair[0];
		*pid = child;
	}
	close(pair[1]);
	child_environment_free(environment);
	return rc;
}
