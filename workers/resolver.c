/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of names on the loop's side, a queue of lookups between it and the threads. A lookup is
 * owned by whoever holds it; `shared` outlives the resolver as long as a thread is in
 * getaddrinfo().
 */
#include "workers/resolver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"

#ifdef WITH_SANITIZERS
/* A lookup that is still under way when the process ends holds memory of libc's, which is no leak of ours. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:__res_context_send\nleak:getaddrinfo\n";
}
#endif

#define BUCKETS 1024
#define MAX_NAMES 16384
#define THREAD_STACK ((size_t)256 << 10)

struct lookup {
	struct lookup *next;
	char *host;
	int error;
	char *addresses;
};

struct shared {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct lookup *queue, **queue_end, *done;
	unsigned threads, idle, max_threads;
	int wake; /* eventfd */
	bool closed;
};

struct name {
	struct name *next;
	char *host;
	bool asking, known;
	int error;
	char *addresses;
	uint32_t version;
	int64_t asked_at_ms;
	struct resolver_wait *waiting;
};

struct resolver {
	struct event *ev;
	struct shared *s;
	struct name *buckets[BUCKETS];
	size_t n_names;
};

static void
lookup_free(struct lookup *l)
{
	free(l->host);
	free(l->addresses);
	free(l);
}

static void
shared_free(struct shared *s)
{
	for (struct lookup *l = s->queue, *next; l; l = next) {
		next = l->next;
		lookup_free(l);
	}
	for (struct lookup *l = s->done, *next; l; l = next) {
		next = l->next;
		lookup_free(l);
	}
	close(s->wake);
	pthread_cond_destroy(&s->work);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static void
add_address(struct buf *b, const struct addrinfo *ai)
{
	char text[INET6_ADDRSTRLEN];

	if (ai->ai_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, ai->ai_addr, sizeof(in));
		if (inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text)))
			buf_addf(b, "%s%s", b->len ? "," : "", text);
	} else if (ai->ai_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, ai->ai_addr, sizeof(in6));
		/* An address with a scope is link-local: not one for a provider. */
		if (in6.sin6_scope_id == 0 &&
		    inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof(text)))
			buf_addf(b, "%s[%s]", b->len ? "," : "", text);
	}
}

static void
look_up(struct lookup *l)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	struct buf addresses = BUF_INIT(4096);
	unsigned n = 0;

	l->error = getaddrinfo(l->host, NULL, &hints, &found);
	if (l->error == 0) {
		for (struct addrinfo *ai = found; ai && n < RESOLVER_MAX_ADDRESSES;
		     ai = ai->ai_next, n++)
			add_address(&addresses, ai);
		freeaddrinfo(found);
		if (addresses.len == 0)
			l->error = EAI_NONAME;
	}
	l->addresses = buf_take(&addresses);
}

/* Puts the lookup where the loop finds it. Returns whether the resolver is still there. */
static bool
hand_back(struct shared *s, struct lookup *l)
{
	uint64_t one = 1;

	l->next = s->done;
	s->done = l;
	if (s->closed)
		return false;
	if (write(s->wake, &one, sizeof(one)) != sizeof(one))
		return true; /* the counter is full: the loop wakes up anyway */
	return true;
}

static void *
thread_main(void *arg)
{
	struct shared *s = arg;
	bool last;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		struct lookup *l = s->queue;

		if (s->closed)
			break;
		if (l == NULL) {
			s->idle++;
			pthread_cond_wait(&s->work, &s->lock);
			s->idle--;
			continue;
		}
		s->queue = l->next;
		if (s->queue == NULL)
			s->queue_end = &s->queue;
		pthread_mutex_unlock(&s->lock);
		look_up(l);
		pthread_mutex_lock(&s->lock);
		if (!hand_back(s, l))
			break;
	}
	last = --s->threads == 0;
	pthread_mutex_unlock(&s->lock);
	if (last)
		shared_free(s);
	return NULL;
}

/* With the lock held. */
static void
start_thread(struct shared *s)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, THREAD_STACK);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&thread, &attr, thread_main, s) == 0)
		s->threads++;
	else if (s->threads == 0)
		fatal("cannot start a thread that resolves names");
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
}

static void
submit(struct shared *s, const char *host)
{
	struct lookup *l = xcalloc(1, sizeof(*l));

	l->host = xstrdup(host);
	pthread_mutex_lock(&s->lock);
	*s->queue_end = l;
	s->queue_end = &l->next;
	if (s->idle == 0 && s->threads < s->max_threads)
		start_thread(s);
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->lock);
}

static struct name **
bucket_of(struct resolver *r, const char *host)
{
	return &r->buckets[str_hash(str_of(host)) % BUCKETS];
}

static struct name *
name_find(struct resolver *r, const char *host)
{
	for (struct name *n = *bucket_of(r, host); n; n = n->next)
		if (strcmp(n->host, host) == 0)
			return n;
	return NULL;
}

static void
name_free(struct name *n)
{
	while (n->waiting)
		resolver_cancel(n->waiting);
	free(n->host);
	free(n->addresses);
	free(n);
}

static bool
name_fresh(const struct name *n)
{
	return n->known && n->error == 0 && clock_mono_ms() - n->asked_at_ms < RESOLVER_KEEP_MS;
}

/* Forgets what is neither fresh nor asked for. */
static void
sweep(struct resolver *r)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct name **link = &r->buckets[i]; *link;) {
			struct name *n = *link;

			if (n->asking || name_fresh(n)) {
				link = &n->next;
				continue;
			}
			*link = n->next;
			name_free(n);
			r->n_names--;
		}
}

static void
answer_arrived(struct resolver *r, struct lookup *l)
{
	struct name *n = name_find(r, l->host);
	struct resolver_wait *first, *w;

	if (n == NULL)
		return;
	n->asking = false;
	n->known = true;
	n->error = l->error;
	free(n->addresses);
	n->addresses = l->addresses;
	l->addresses = NULL;
	if (++n->version == 0)
		n->version = 1;
	n->asked_at_ms = clock_mono_ms();
	/* Who is called may wait again or cancel another: take the list first. */
	first = n->waiting;
	n->waiting = NULL;
	if (first)
		first->link = &first;
	while ((w = first) != NULL) {
		resolver_cancel(w);
		w->done(w);
	}
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct resolver *r = arg;
	struct lookup *done, *next;
	uint64_t count;

	if (read(fd, &count, sizeof(count)) != sizeof(count))
		return;
	pthread_mutex_lock(&r->s->lock);
	done = r->s->done;
	r->s->done = NULL;
	pthread_mutex_unlock(&r->s->lock);
	for (; done; done = next) {
		next = done->next;
		answer_arrived(r, done);
		lookup_free(done);
	}
}

struct resolver *
resolver_new(struct event_base *base, unsigned threads)
{
	struct resolver *r = xcalloc(1, sizeof(*r));
	struct shared *s = xcalloc(1, sizeof(*s));

	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->work, NULL);
	s->queue_end = &s->queue;
	s->max_threads = threads;
	s->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (s->wake < 0)
		fatal("eventfd: %s", strerror(errno));
	r->s = s;
	r->ev = event_new(base, s->wake, EV_READ | EV_PERSIST, on_wake, r);
	if (r->ev == NULL || event_add(r->ev, NULL) < 0)
		fatal("cannot watch the resolver");
	return r;
}

void
resolver_free(struct resolver *r)
{
	bool last;

	if (r == NULL)
		return;
	event_free(r->ev);
	for (size_t i = 0; i < BUCKETS; i++)
		while (r->buckets[i]) {
			struct name *n = r->buckets[i];

			r->buckets[i] = n->next;
			name_free(n);
		}
	pthread_mutex_lock(&r->s->lock);
	r->s->closed = true;
	last = r->s->threads == 0;
	pthread_cond_broadcast(&r->s->work);
	pthread_mutex_unlock(&r->s->lock);
	if (last)
		shared_free(r->s);
	free(r);
}

bool
resolver_needed(const char *host)
{
	unsigned char address[16];
	size_t n = strlen(host);

	if (*host == '[' || strchr(host, ':') || inet_pton(AF_INET, host, address) == 1)
		return false;
	/* RFC 6761; curl answers this itself. */
	return strcasecmp(host, "localhost") != 0 &&
	       !(n > 10 && strcasecmp(host + n - 10, ".localhost") == 0);
}

int
resolver_ask(
    struct resolver *r, const char *host, struct resolver_wait *w, struct resolver_answer *answer)
{
	struct name *n = name_find(r, host);

	/* A failure counts for those that waited for it, and for who comes right after them. */
	if (n && n->known && !n->asking &&
	    (name_fresh(n) || clock_mono_ms() - n->asked_at_ms < 1000)) {
		*answer = (struct resolver_answer){ n->error, n->addresses, n->version };
		return 0;
	}
	if (n == NULL) {
		struct name **bucket;

		if (r->n_names >= MAX_NAMES)
			sweep(r);
		if (r->n_names >= MAX_NAMES)
			return ERR_LIMIT;
		bucket = bucket_of(r, host);
		n = xcalloc(1, sizeof(*n));
		n->host = xstrdup(host);
		n->next = *bucket;
		*bucket = n;
		r->n_names++;
	}
	w->next = n->waiting;
	w->link = &n->waiting;
	if (n->waiting)
		n->waiting->link = &w->next;
	n->waiting = w;
	if (!n->asking) {
		n->asking = true;
		submit(r->s, host);
	}
	return ERR_AGAIN;
}

void
resolver_cancel(struct resolver_wait *w)
{
	if (w->link == NULL)
		return;
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
	w->next = NULL;
	w->link = NULL;
}
