/* SPDX-License-Identifier: Apache-2.0 */
/* Commands on their way out, and who waits for their answers. */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/secret.h"
#include "supervisor/front/store/redis_conn_state.h"
#include "supervisor/front/store/redis_counts.h"

#define QUEUE_MAX 65536
#define QUEUED_BYTES_MAX ((size_t)64 << 20)
#define ARGS_MAX 1024
#define HAND_OVER_BYTES 8192

void
redis_conn_enqueue(struct redis_conn *c, redis_reply_cb cb, void *arg)
{
	if (c->waiting == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 256;
		struct redis_waiting *queue = xmalloc(cap * sizeof(*queue));

		for (size_t i = 0; i < c->waiting; i++)
			queue[i] = c->queue[(c->head + i) & (c->cap - 1)];
		free(c->queue);
		c->queue = queue;
		c->cap = cap;
		c->head = 0;
	}
	if (c->waiting == 0)
		c->progress_ms = clock_mono_ms();
	c->queue[(c->head + c->waiting++) & (c->cap - 1)] = (struct redis_waiting){ cb, arg, clock_mono_us() };
	if (c->counts)
		c->counts->sent++;
}

static void
free_command(const void *data, size_t n, void *arg)
{
	redisFreeCommand((char *)data);
}

int
redis_conn_format(struct redis_conn *c, const struct str *args, size_t n, bool is_secret)
{
	const char *argv[ARGS_MAX];
	size_t lengths[ARGS_MAX];
	char *text = NULL;
	int len;

	if (n > ARGS_MAX)
		return ERR_LIMIT;
	for (size_t i = 0; i < n; i++) {
		argv[i] = args[i].p ? args[i].p : "";
		lengths[i] = args[i].n;
	}
	len = (int)redisFormatCommandArgv(&text, (int)n, argv, lengths);
	if (len < 0)
		return ERR_LIMIT;
	/* A large one is handed over as it is; small ones are copied side by side. */
	if (len >= HAND_OVER_BYTES && !is_secret) {
		if (evbuffer_add_reference(
			bufferevent_get_output(c->bev), text, (size_t)len, free_command, NULL) < 0)
			fatal("out of memory");
		return 0;
	}
	if (bufferevent_write(c->bev, text, (size_t)len) < 0)
		fatal("out of memory");
	if (is_secret)
		secret_wipe(text, (size_t)len);
	redisFreeCommand(text);
	return 0;
}

static int
may_send(const struct redis_conn *c)
{
	if (c->state != READY)
		return ERR_CLOSED;
	if (c->waiting >= QUEUE_MAX ||
	    evbuffer_get_length(bufferevent_get_output(c->bev)) >= QUEUED_BYTES_MAX)
		return ERR_LIMIT;
	return 0;
}

int
redis_conn_send(
    struct redis_conn *c, const struct str *args, size_t n, redis_reply_cb cb, void *arg)
{
	int rc = may_send(c);

	if (rc == 0)
		rc = redis_conn_format(c, args, n, false);
	if (rc == 0)
		redis_conn_enqueue(c, cb, arg);
	return rc;
}

int
redis_conn_send_text(struct redis_conn *c, struct str text, redis_reply_cb cb, void *arg)
{
	int rc = may_send(c);

	if (rc < 0)
		return rc;
	if (bufferevent_write(c->bev, text.p, text.n) < 0)
		fatal("out of memory");
	redis_conn_enqueue(c, cb, arg);
	return 0;
}

void
redis_conn_flush(struct redis_conn *c, int64_t wait_ms)
{
	int64_t end = clock_mono_ms() + wait_ms;

	/* Plain sockets only need this; with TLS the loop's own turns are what moves bytes. */
	while (c && c->state == READY && clock_mono_ms() < end &&
	       evbuffer_get_length(bufferevent_get_output(c->bev)) > 0)
		if (event_base_loop(c->base, EVLOOP_ONCE | EVLOOP_NONBLOCK) < 0 ||
		    poll(NULL, 0, 1) < 0)
			break;
}

void
redis_conn_mute(struct redis_conn *c)
{
	for (size_t i = 0; i < c->waiting; i++)
		c->queue[(c->head + i) & (c->cap - 1)].cb = NULL;
}
