/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listeners stand in one of three lists: up to date, behind, or blocked by their client. A new
 * event moves all that are up to date behind in one step; from there a few get it in each turn of
 * the loop, so that probes and requests are not held up by a thousand listeners.
 */
#include "supervisor/front/http/events.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/json.h"
#include "shared/log.h"
#include "supervisor/front/entry.h"
#include "supervisor/front/http/health.h"
#include "supervisor/front/http/server.h"

#define LISTENERS_A_TURN 64
#define EVENTS_A_SEND 64
#define SEND_BUFFER 131072 /* of the kernel: what a client may leave unread */
#define RETRY_MS 2000
#define TICK_MOST_MS 1000
#define LINES_A_SECOND 200 /* in the log: writing more would hold up the loop */

/* Which list a listener is in. */
enum place { PLACE_CURRENT, PLACE_BEHIND, PLACE_BLOCKED, PLACES };

struct follower {
	struct events *events;
	TAILQ_ENTRY(follower) link;
	enum place place;
	int64_t since_ms; /* when it came into its list, or got its last byte */
	struct event read, write;
	int fd;
	uint64_t next;	   /* the event that comes next */
	struct blob *part; /* what is being sent */
	size_t part_at;
	bool slow; /* its client has not read all that there was */
	bool last; /* closes behind that */
};
TAILQ_HEAD(follower_list, follower);

struct events {
	struct http *http;
	struct blob **ring;   /* event i is at i % cap */
	uint64_t first, next; /* those that are kept: first <= i < next */
	size_t cap;
	uint64_t nonce; /* of this process: its numbers are no other's */
	bool detailed;	/* there may be details in the ring */
	struct follower_list lists[PLACES];
	size_t n;
	int64_t second; /* of the lines in the log */
	unsigned lines;
	struct event *turn, *tick;
	uint64_t dropped;
	struct blob *heartbeat;
};

/* The ring. */

static struct blob **
slot(struct events *e, uint64_t i)
{
	return &e->ring[i % e->cap];
}

static void
forget_until(struct events *e, uint64_t first)
{
	for (; e->first < first; e->first++) {
		blob_unref(*slot(e, e->first));
		*slot(e, e->first) = NULL;
	}
}

static void
set_cap(struct events *e, size_t cap)
{
	struct blob **ring;

	if (cap == e->cap)
		return;
	if (e->next - e->first > cap)
		forget_until(e, e->next - cap);
	ring = xcalloc(cap, sizeof(struct blob *));
	for (uint64_t i = e->first; i < e->next; i++)
		ring[i % cap] = *slot(e, i);
	free(e->ring);
	e->ring = ring;
	e->cap = cap;
}

static void
add_id(struct events *e, struct buf *b, uint64_t i)
{
	buf_addf(b, "id: %llx-%llu\n", (unsigned long long)e->nonce, (unsigned long long)i);
}

static void
start_turn(struct events *e)
{
	if (!event_pending(e->turn, EV_TIMEOUT, NULL))
		event_add(e->turn, &(struct timeval){ 0, 0 });
}

/* Takes the bytes over. */
static void
push(struct events *e, struct buf *b)
{
	struct follower *f;

	set_cap(e, (size_t)http_setting(e->http, SETTING_EVENTS_HISTORY));
	if (e->next - e->first == e->cap)
		forget_until(e, e->first + 1);
	*slot(e, e->next++) = blob_of_buf(b);
	if (TAILQ_EMPTY(&e->lists[PLACE_CURRENT]))
		return;
	TAILQ_FOREACH(f, &e->lists[PLACE_CURRENT], link)
	f->place = PLACE_BEHIND;
	TAILQ_CONCAT(&e->lists[PLACE_BEHIND], &e->lists[PLACE_CURRENT], link);
	start_turn(e);
}

static void
add_text(struct buf *b, const char *key, const char *value)
{
	json_add_key(b, key);
	json_add_string(b, str_of(value));
}

static void
begin_event(struct events *e, struct buf *b, const char *type, const struct deployment *d)
{
	add_id(e, b, e->next);
	buf_addf(b, "event: %s\ndata: {", type);
	add_text(b, "model_id", d->id);
	add_text(b, "model_name", d->model_name);
}

static void
end_event(struct events *e, struct buf *b)
{
	entry_add_time(b, "at", clock_wall_ms());
	buf_add_text(b, "}\n\n");
	push(e, b);
}

/* With no more than /health says to the same callers: nothing here is admin-only. */
static void
push_verdict(
    struct events *e, const struct deployment *d, enum verdict_state from, enum verdict_state to)
{
	const struct verdict *v = &d->verdict;
	bool problem = d->problem_reason != REASON_OK,
	     details = http_setting(e->http, SETTING_HC_DETAILS);
	struct buf b = BUF_INIT(SIZE_MAX);

	begin_event(e, &b, "verdict", d);
	add_text(&b, "from", verdict_state_name(from));
	add_text(&b, "to", verdict_state_name(to));
	if (to == VERDICT_UNHEALTHY) {
		add_text(&b, "reason", reason_name(problem ? d->problem_reason : v->reason));
		json_add_key(&b, "exception_status");
		buf_add_int(&b, problem ? d->problem_status : v->exception_status);
	}
	if (details) {
		e->detailed = true;
		add_text(&b, "provider", d->provider);
		if (to == VERDICT_UNHEALTHY)
			add_text(&b, "error", problem ? d->problem : v->error);
	}
	if (!problem)
		entry_add_time(&b, "checked_at", v->checked_at_ms);
	end_event(e, &b);
}

static bool
may_log(struct events *e)
{
	int64_t second = clock_mono_ms() / 1000;

	if (second != e->second) {
		e->second = second;
		e->lines = 0;
	}
	if (e->lines > LINES_A_SECOND)
		return false;
	if (e->lines++ < LINES_A_SECOND)
		return true;
	log_event(LOG_LEVEL_WARNING, "verdicts_left_out", LI("lines_a_second", LINES_A_SECOND),
	    LS("see", "/health"));
	return false;
}

/* For those who read the log. That a deployment works at the start is no news. */
static void
log_verdict(struct events *e, const struct deployment *d, enum verdict_state from,
    enum verdict_state to)
{
	const struct verdict *v = &d->verdict;
	bool problem = d->problem_reason != REASON_OK, bad = to == VERDICT_UNHEALTHY;
	enum log_level level = LOG_LEVEL_NOTICE;
	const char *why = "";

	if (bad || to == VERDICT_STALE)
		level = LOG_LEVEL_WARNING;
	else if (from == VERDICT_UNKNOWN)
		level = LOG_LEVEL_DEBUG;
	if (level > log_current_level() || !may_log(e))
		return;
	if (bad)
		why = problem ? d->problem : v->detail ? v->detail : v->error ? v->error : "";
	log_event(level, "verdict", LS("model", d->model_name), LS("id", d->id),
	    LS("from", verdict_state_name(from)), LS("to", verdict_state_name(to)),
	    LS("reason", reason_name(!bad ? REASON_OK : problem ? d->problem_reason : v->reason)),
	    LS("why", why));
}

/* told is the state that was last said, plus one; 0: nothing was. */
static void
on_changed(struct deployment *d, void *arg)
{
	struct events *e = arg;
	enum verdict_state to = health_state(e->http, d, clock_wall_ms());
	uint8_t told = d->told;

	if (e->detailed && !http_setting(e->http, SETTING_HC_DETAILS)) {
		/* What was shown then is not to be shown now. */
		forget_until(e, e->next);
		e->detailed = false;
	}
	d->told = (uint8_t)(to + 1);
	if (told == 0 || told == d->told)
		return;
	log_verdict(e, d, (enum verdict_state)(told - 1), to);
	push_verdict(e, d, (enum verdict_state)(told - 1), to);
}

static void
on_gone(struct deployment *d, void *arg)
{
	struct buf b = BUF_INIT(SIZE_MAX);

	begin_event(arg, &b, "removed", d);
	end_event(arg, &b);
}

/* Listeners. */

static void
move(struct follower *f, enum place place)
{
	struct events *e = f->events;

	TAILQ_REMOVE(&e->lists[f->place], f, link);
	if (f->place == PLACE_BLOCKED)
		event_del(&f->write);
	f->place = place;
	f->since_ms = clock_mono_ms();
	TAILQ_INSERT_TAIL(&e->lists[place], f, link);
	switch (place) {
	case PLACE_BLOCKED:
		f->slow = true;
		event_add(&f->write, NULL);
		break;
	case PLACE_BEHIND:
		start_turn(e);
		break;
	default:
		f->slow = false;
		break;
	}
}

static void
follower_free(struct follower *f)
{
	struct events *e = f->events;

	TAILQ_REMOVE(&e->lists[f->place], f, link);
	event_del(&f->read);
	event_del(&f->write);
	close(f->fd);
	blob_unref(f->part);
	free(f);
	e->n--;
	e->http->n_conns--;
}

static void
set_part(struct follower *f, struct blob *part)
{
	blob_unref(f->part);
	f->part = part;
	f->part_at = 0;
}

/* Bytes of the kernel's that were taken: whole events, then a part of one. */
static void
advance(struct follower *f, size_t sent)
{
	struct events *e = f->events;

	if (f->part) {
		size_t left = f->part->len - f->part_at;

		if (sent < left) {
			f->part_at += sent;
			return;
		}
		sent -= left;
		set_part(f, NULL);
	}
	while (sent > 0) {
		struct blob *b = *slot(e, f->next++);

		if (sent < b->len) {
			set_part(f, blob_ref(b));
			f->part_at = sent;
			return;
		}
		sent -= b->len;
	}
}

/* Its place has left the ring. Whose client did not read is dropped; who waited for us goes on. */
static void
fell_behind(struct follower *f)
{
	struct events *e = f->events;
	struct buf b = BUF_INIT(512);

	if (f->slow) {
		buf_add_text(&b,
		    ": dropped: events came faster than they were read; come again with "
		    "Last-Event-ID\n\n");
		f->last = true;
		e->dropped++;
	} else {
		add_id(e, &b, e->first - 1);
		buf_add_text(&b, "event: reset\ndata: {\"why\":\"some changes are no longer known: "
				 "read /health\"}\n\n");
		f->next = e->first;
	}
	set_part(f, blob_of_buf(&b));
}

/* Sends what there is, at most one system call's worth; decides on the list. May free it. */
static void
send_some(struct follower *f)
{
	struct events *e = f->events;
	struct iovec iov[EVENTS_A_SEND];
	struct msghdr m = { .msg_iov = iov };
	ssize_t n;

	if (!f->last && f->next < e->first && f->part == NULL)
		fell_behind(f);
	if (f->part)
		iov[m.msg_iovlen++] =
		    (struct iovec){ f->part->data + f->part_at, f->part->len - f->part_at };
	for (uint64_t i = f->next;
	     !f->last && i >= e->first && i < e->next && m.msg_iovlen < EVENTS_A_SEND; i++)
		iov[m.msg_iovlen++] = (struct iovec){ (*slot(e, i))->data, (*slot(e, i))->len };
	if (m.msg_iovlen > 0) {
		n = sendmsg(f->fd, &m, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			follower_free(f);
			return;
		}
		if (n < 0) {
			move(f, PLACE_BLOCKED);
			return;
		}
		advance(f, (size_t)n);
	}
	if (f->part)
		move(f, PLACE_BLOCKED);
	else if (f->last)
		follower_free(f);
	else
		move(f, f->next < e->next ? PLACE_BEHIND : PLACE_CURRENT);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct events *e = arg;
	struct follower *f;

	for (int i = 0; i < LISTENERS_A_TURN && (f = TAILQ_FIRST(&e->lists[PLACE_BEHIND])); i++)
		send_some(f);
	if (!TAILQ_EMPTY(&e->lists[PLACE_BEHIND]))
		start_turn(e);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	send_some(arg);
}

/* A listener has nothing to say: what comes is not looked at. */
static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct follower *f = arg;
	struct http *h = f->events->http;
	ssize_t n = read(fd, h->scratch, sizeof(h->scratch));

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		follower_free(f);
}

static void
start_tick(struct events *e)
{
	int64_t ms = http_setting(e->http, SETTING_EVENTS_HEARTBEAT) / 4;

	ms = ms > TICK_MOST_MS ? TICK_MOST_MS : ms < 10 ? 10 : ms;
	event_add(e->tick, &(struct timeval){ ms / 1000, ms % 1000 * 1000 });
}

/* Heartbeats for those who have heard nothing for a while, and the end of those who do not read. */
static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct events *e = arg;
	int64_t now = clock_mono_ms(), quiet = http_setting(e->http, SETTING_EVENTS_HEARTBEAT),
		stuck = http_setting(e->http, SETTING_HTTP_IDLE);
	struct follower *f;

	while ((f = TAILQ_FIRST(&e->lists[PLACE_CURRENT])) && now - f->since_ms >= quiet) {
		set_part(f, blob_ref(e->heartbeat));
		move(f, PLACE_BEHIND);
	}
	while ((f = TAILQ_FIRST(&e->lists[PLACE_BLOCKED])) && now - f->since_ms >= stuck) {
		e->dropped += !f->last;
		follower_free(f);
	}
	if (e->n > 0)
		start_tick(e);
}

/* Where a listener begins that has seen that id; false when something in between is unknown. */
static bool
place_of(const struct events *e, struct str id, uint64_t *next)
{
	char text[64], *end;
	unsigned long long nonce, last;

	*next = e->first;
	if (id.n == 0 || id.n >= sizeof(text) || id.p[0] < '0')
		return false;
	memcpy(text, id.p, id.n);
	text[id.n] = '\0';
	nonce = strtoull(text, &end, 16);
	if (nonce != e->nonce || *end != '-' || end[1] < '0' || end[1] > '9')
		return false;
	last = strtoull(end + 1, &end, 10);
	if (*end != '\0' || last >= e->next || last + 1 < e->first)
		return false;
	*next = last + 1;
	return true;
}

static void
refuse(struct conn *c)
{
	struct reply r = { .status = 503, .type = REPLY_JSON };

	r.extra = STR("retry-after: 10\r\n");
	r.body = reply_detail(503, "Too many listeners");
	conn_reply(c, &r);
	blob_unref(r.body);
}

/* What a listener gets first: the answer's head, how to come again, and from where. */
static struct blob *
greeting(struct events *e, struct str head, uint64_t next, bool whole)
{
	struct buf b = BUF_INIT(SIZE_MAX);

	buf_add_str(&b, head);
	buf_addf(&b, ": changes of verdicts\nretry: %d\n", RETRY_MS);
	add_id(e, &b, next - 1);
	if (!whole)
		buf_add_text(&b, "event: reset\ndata: {\"why\":\"some changes are no longer known: "
				 "read /health\"}\n");
	buf_add_char(&b, '\n');
	return blob_of_buf(&b);
}

void
events_handle(struct conn *c, const struct http_request *r, enum caller caller)
{
	struct http *h = conn_http(c);
	struct events *e = h->events;
	struct reply reply = { .status = 200, .type = REPLY_STREAM };
	struct follower *f;
	int size = SEND_BUFFER;
	bool whole = true;
	struct str head;

	if (e->n >= (size_t)http_setting(h, SETTING_EVENTS_LISTENERS) || h->closing ||
	    !conn_may_take(c)) {
		refuse(c);
		return;
	}
	reply.extra = STR("content-type: text/event-stream; charset=utf-8\r\n"
			  "x-accel-buffering: no\r\n");
	f = xcalloc(1, sizeof(*f));
	f->events = e;
	f->next = e->next;
	if (r->last_event_id.n > 0)
		whole = place_of(e, r->last_event_id, &f->next);
	f->fd = conn_take(c, &reply, &head);
	f->part = greeting(e, head, f->next, whole);
	/* Where it cannot be set, the kernel's own limit holds. */
	if (setsockopt(f->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0)
		errno = 0;
	event_assign(&f->read, h->base, f->fd, EV_READ | EV_PERSIST, on_readable, f);
	event_assign(&f->write, h->base, f->fd, EV_WRITE | EV_PERSIST, on_writable, f);
	event_add(&f->read, NULL);
	f->place = PLACE_BEHIND;
	f->since_ms = clock_mono_ms();
	TAILQ_INSERT_TAIL(&e->lists[PLACE_BEHIND], f, link);
	h->n_conns++;
	if (e->n++ == 0)
		start_tick(e);
	start_turn(e);
}

/* Life. */

struct events *
events_new(struct http *h)
{
	struct events *e = xcalloc(1, sizeof(*e));
	const struct fleet_watch w = { .changed = on_changed, .gone = on_gone, .arg = e };

	e->http = h;
	e->nonce = (uint64_t)clock_wall_ms();
	e->first = e->next = 1;
	set_cap(e, 1);
	for (int i = 0; i < PLACES; i++)
		TAILQ_INIT(&e->lists[i]);
	e->heartbeat = blob_copy(STR(": heartbeat\n\n"));
	e->turn = evtimer_new(h->base, on_turn, e);
	e->tick = evtimer_new(h->base, on_tick, e);
	if (e->turn == NULL || e->tick == NULL)
		fatal("out of memory");
	fleet_add_watch(h->fleet, &w);
	return e;
}

void
events_close(struct events *e)
{
	static const char bye[] = ": shutting down\n\n";

	for (int i = 0; i < PLACES; i++)
		while (!TAILQ_EMPTY(&e->lists[i])) {
			struct follower *f = TAILQ_FIRST(&e->lists[i]);

			/* In the middle of an event it would be taken for a part of it. */
			if (f->part == NULL &&
			    send(f->fd, bye, sizeof(bye) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
				errno = 0;
			follower_free(f);
		}
}

void
events_free(struct events *e)
{
	events_close(e);
	fleet_remove_watch(e->http->fleet, e);
	forget_until(e, e->next);
	free(e->ring);
	blob_unref(e->heartbeat);
	event_free(e->turn);
	event_free(e->tick);
	free(e);
}

void
events_counts(const struct events *e, struct events_counts *counts)
{
	*counts = (struct events_counts){ e->n, e->next - 1, e->dropped };
}
