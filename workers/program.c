/* SPDX-License-Identifier: Apache-2.0 */
/* One pipe to read and one timer; the process is reaped when its output has ended. */
#include "workers/program.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/secret.h"

#define REAP_MS 20

struct program {
	struct event_base *base;
	pid_t pid; /* 0: it could not be started, or has been reaped */
	int fd;	   /* -1: its output has ended */
	struct event *readable, *timer;
	int64_t end_ms; /* monotonic */
	size_t max;
	struct buf out, words;
	program_done done;
	void *arg;
};

static void
close_all_but_standard(void)
{
	struct rlimit files;

#ifdef HAVE_CLOSE_RANGE
	if (close_range(3, ~0u, 0) == 0)
		return;
#endif
	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur > 1 << 20)
		files.rlim_cur = 1 << 20;
	for (int fd = 3; fd < (int)files.rlim_cur; fd++)
		close(fd);
}

/* Between fork and exec: nothing that allocates or locks. */
static void
become(const char *const words[], const char *const variables[], int out, pid_t parent)
{
	sigset_t none;
	int null = open("/dev/null", O_RDWR);

	/* Until here all are blocked: the parent's handlers would write into the parent's pipes. */
	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent || null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 ||
	    dup2(null, 2) < 0 || chdir("/") < 0)
		_exit(127);
	close_all_but_standard();
	execve(words[0], (char *const *)(uintptr_t)words, (char *const *)(uintptr_t)variables);
	_exit(errno == ENOENT ? 127 : 126);
}

static void
kill_it(struct program *p)
{
	int status;

	if (p->pid <= 0)
		return;
	(void)kill(-p->pid, SIGKILL);
	(void)kill(p->pid, SIGKILL);
	while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		;
	p->pid = 0;
}

static void
free_it(struct program *p)
{
	kill_it(p);
	if (p->readable)
		event_free(p->readable);
	event_free(p->timer);
	if (p->fd >= 0)
		close(p->fd);
	if (p->out.data)
		secret_wipe(p->out.data, p->out.cap);
	buf_clear(&p->out);
	buf_clear(&p->words);
	free(p);
}

void
program_cancel(struct program *p)
{
	if (p)
		free_it(p);
}

static void
finish(struct program *p)
{
	struct program_outcome o = { buf_str(&p->words), { NULL, 0 } };

	kill_it(p);
	if (p->words.len == 0)
		o.out = buf_str(&p->out);
	p->done(&o, p->arg);
	free_it(p);
}

static void
wait_ms(struct program *p, int64_t ms)
{
	struct timeval tv = { ms / 1000, (ms % 1000) * 1000 };

	evtimer_add(p->timer, &tv);
}

/* Whether it has ended; says why where that was not well. */
static bool
has_ended(struct program *p)
{
	siginfo_t info = { .si_pid = 0 };
	int status = 0;
	pid_t pid;

	if (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0)
		return false;
	/* Whom it has left behind goes with it, before its number can be another's. */
	(void)kill(-p->pid, SIGKILL);
	pid = waitpid(p->pid, &status, WNOHANG);
	p->pid = 0;
	if (pid < 0)
		buf_addf(&p->words, "its end was not seen: %s", strerror(errno));
	else if (WIFSIGNALED(status))
		buf_addf(&p->words, "the program was ended by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) == 127)
		buf_add_text(&p->words, "the program is not there, or ended with status 127");
	else if (WEXITSTATUS(status) == 126)
		buf_add_text(&p->words, "the program cannot be run, or ended with status 126");
	else if (WEXITSTATUS(status) != 0)
		buf_addf(&p->words, "the program ended with status %d", WEXITSTATUS(status));
	return true;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;
	int64_t left = p->end_ms - clock_mono_ms();

	if (p->pid == 0) {
		finish(p);
	} else if (p->fd < 0 && has_ended(p)) {
		finish(p);
	} else if (left <= 0) {
		buf_add_text(&p->words, "the program took too long and was killed");
		finish(p);
	} else {
		wait_ms(p, p->fd < 0 && left > REAP_MS ? REAP_MS : left);
	}
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;
	char data[4096];
	ssize_t n = read(p->fd, data, sizeof(data));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && p->out.len + (size_t)n > p->max) {
		buf_add_text(&p->words, "the program printed more than any answer has");
		finish(p);
	} else if (n > 0) {
		buf_add(&p->out, data, (size_t)n);
	} else {
		event_free(p->readable);
		p->readable = NULL;
		close(p->fd);
		p->fd = -1;
		wait_ms(p, 0);
	}
	secret_wipe(data, sizeof(data));
}

struct program *
program_start(struct event_base *base, const char *const words[], const char *const variables[],
    int64_t timeout_ms, size_t max, program_done done, void *arg)
{
	struct program *p = xcalloc(1, sizeof(*p));
	pid_t parent = getpid();
	sigset_t all, before;
	int ends[2];

	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	p->base = base;
	p->fd = -1;
	p->max = max;
	p->out = BUF_INIT(max + 1);
	p->words = BUF_INIT(1024);
	p->done = done;
	p->arg = arg;
	p->end_ms = clock_mono_ms() + timeout_ms;
	p->timer = evtimer_new(base, on_timer, p);
	if (p->timer == NULL)
		fatal("evtimer_new failed");
	if (words[0] == NULL || words[0][0] != '/') {
		buf_add_text(&p->words, "the program's path is not absolute");
	} else if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
		buf_addf(&p->words, "no pipe for the program: %s", strerror(errno));
	} else if ((p->pid = fork()) == 0) {
		(void)fcntl(ends[1], F_SETFL, 0);
		become(words, variables, ends[1], parent);
	} else {
		close(ends[1]);
		p->fd = ends[0];
		if (p->pid < 0) {
			buf_addf(&p->words, "no process for the program: %s", strerror(errno));
			p->pid = 0;
		} else {
			(void)setpgid(p->pid, p->pid);
			p->readable =
			    event_new(base, p->fd, EV_READ | EV_PERSIST, on_readable, p);
			if (p->readable == NULL || event_add(p->readable, NULL) < 0)
				fatal("cannot watch a pipe");
		}
	}
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	wait_ms(p, p->pid > 0 ? timeout_ms : 0);
	return p;
}
