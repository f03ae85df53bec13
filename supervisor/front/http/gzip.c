/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streams are raw deflate with gzip's head and trailer written here, so that two can be joined:
 * the first ends at a byte's border, the second knows nothing of the first, and zlib can combine
 * their checksums.
 */
#include "supervisor/front/http/gzip.h"

#ifdef HAVE_ZLIB

#include <event2/event.h>
#include <stdlib.h>
#include <zlib.h>

#include "shared/log.h"
#include "supervisor/front/http/http.h"

#define PIECE_BYTES 65536 /* of a body in a turn: half a millisecond */
/* The texts here repeat themselves: more work than this makes them a tenth smaller, in twice the time. */
#define LEVEL 3
#define RAW_WINDOW (-15)
#define MEMORY 8
#define HEAD_BYTES 10
#define TRAILER_BYTES 8
#define FLUSH_BYTES 16 /* what the end of a text adds at most, beside deflateBound() */

static const char head[HEAD_BYTES] = { 0x1f, (char)0x8b, 8, 0, 0, 0, 0, 0, 0, 3 };

struct gzip_job {
	TAILQ_ENTRY(gzip_job) link;
	struct blob *from;
	size_t at;
	uLong crc;
	struct buf out;
	TAILQ_HEAD(, gzip_wait) waits;
};

struct gzip {
	struct event *turn;
	z_stream now, later; /* what is done at once, and the first of the jobs */
	bool now_ready, later_ready;
	TAILQ_HEAD(, gzip_job) jobs;
};

bool
gzip_built(void)
{
	return true;
}

static void
begin(z_stream *z, bool *ready)
{
	if (*ready ? deflateReset(z) != Z_OK
		   : deflateInit2(z, LEVEL, Z_DEFLATED, RAW_WINDOW, MEMORY, Z_DEFAULT_STRATEGY) !=
			 Z_OK)
		fatal("out of memory");
	*ready = true;
}

/* Appends n bytes compressed; the buffer grows as it must. */
static void
add(z_stream *z, struct buf *out, const char *p, size_t n, int flush)
{
	z->next_in = (Bytef *)(uintptr_t)p;
	z->avail_in = (uInt)n;
	do {
		size_t room = n / 4 + 256;

		z->next_out = (Bytef *)buf_reserve(out, room);
		z->avail_out = (uInt)room;
		if (deflate(z, flush) == Z_STREAM_ERROR)
			fatal("a body cannot be compressed");
		buf_commit(out, room - z->avail_out);
	} while (z->avail_out == 0);
}

static void
add_number(struct buf *out, uLong n)
{
	for (int i = 0; i < 4; i++, n >>= 8)
		buf_add_char(out, (char)(n & 0xff));
}

static uLong
number_at(const char *p)
{
	uLong n = 0;

	for (int i = 3; i >= 0; i--)
		n = n << 8 | (unsigned char)p[i];
	return n;
}

static uLong
checksum(uLong crc, const char *p, size_t n)
{
	return crc32_z(crc, (const Bytef *)p, n);
}

static struct blob *
finish(struct buf *out, uLong crc, uLong len)
{
	add_number(out, crc);
	add_number(out, len);
	return blob_of_buf(out);
}

struct blob *
gzip_body(struct gzip *g, struct blob *b)
{
	struct buf out = BUF_INIT(SIZE_MAX);

	if (b->gzip || b->len > PIECE_BYTES)
		return b->gzip;
	begin(&g->now, &g->now_ready);
	buf_add(&out, head, sizeof(head));
	add(&g->now, &out, b->data, b->len, Z_FINISH);
	b->gzip = finish(&out, checksum(0, b->data, b->len), b->len);
	return b->gzip;
}

struct blob *
gzip_joined(struct gzip *g, struct str text, const struct blob *rest)
{
	uLong crc = checksum(0, text.p, text.n), len = text.n;
	struct buf out = BUF_INIT(SIZE_MAX);

	begin(&g->now, &g->now_ready);
	buf_reserve(&out, HEAD_BYTES + deflateBound(&g->now, text.n) + FLUSH_BYTES +
			      (rest ? rest->len : 0) + TRAILER_BYTES);
	buf_add(&out, head, sizeof(head));
	add(&g->now, &out, text.p, text.n, rest ? Z_FULL_FLUSH : Z_FINISH);
	if (rest) {
		const char *trailer = rest->data + rest->len - TRAILER_BYTES;

		buf_add(&out, rest->data + HEAD_BYTES, rest->len - HEAD_BYTES - TRAILER_BYTES);
		crc = crc32_combine(crc, number_at(trailer), (z_off_t)number_at(trailer + 4));
		len += number_at(trailer + 4);
	}
	return finish(&out, crc, len);
}

/* Jobs. */

static void
turn_later(struct gzip *g)
{
	static const struct timeval at_once = { 0, 0 };

	/* A timer and no active event: other sockets are looked at between two pieces. */
	if (!TAILQ_EMPTY(&g->jobs) && !event_pending(g->turn, EV_TIMEOUT, NULL))
		event_add(g->turn, &at_once);
}

static void
job_free(struct gzip *g, struct gzip_job *job)
{
	TAILQ_REMOVE(&g->jobs, job, link);
	blob_unref(job->from);
	buf_clear(&job->out);
	free(job);
}

static void
job_done(struct gzip *g, struct gzip_job *job)
{
	struct gzip_wait *w;

	job->from->gzip = finish(&job->out, job->crc, job->from->len);
	while ((w = TAILQ_FIRST(&job->waits)) != NULL) {
		TAILQ_REMOVE(&job->waits, w, link);
		w->job = NULL;
		w->done(w);
	}
	job_free(g, job);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct gzip *g = arg;
	struct gzip_job *job = TAILQ_FIRST(&g->jobs);
	size_t n;

	if (job == NULL)
		return;
	n = job->from->len - job->at < PIECE_BYTES ? job->from->len - job->at : PIECE_BYTES;
	if (job->at == 0) {
		begin(&g->later, &g->later_ready);
		buf_add(&job->out, head, sizeof(head));
	}
	add(&g->later, &job->out, job->from->data + job->at, n,
	    job->at + n == job->from->len ? Z_FINISH : Z_NO_FLUSH);
	job->crc = checksum(job->crc, job->from->data + job->at, n);
	job->at += n;
	if (job->at == job->from->len)
		job_done(g, job);
	turn_later(g);
}

void
gzip_wait(struct gzip *g, struct blob *b, struct gzip_wait *w)
{
	struct gzip_job *job;

	TAILQ_FOREACH(job, &g->jobs, link)
	if (job->from == b)
		break;
	if (job == NULL) {
		job = xcalloc(1, sizeof(*job));
		job->from = blob_ref(b);
		buf_init(&job->out, SIZE_MAX);
		TAILQ_INIT(&job->waits);
		TAILQ_INSERT_TAIL(&g->jobs, job, link);
	}
	TAILQ_INSERT_TAIL(&job->waits, w, link);
	w->job = job;
	turn_later(g);
}

void
gzip_cancel(struct gzip *g, struct gzip_wait *w)
{
	struct gzip_job *job = w->job;

	if (job == NULL)
		return;
	TAILQ_REMOVE(&job->waits, w, link);
	w->job = NULL;
	if (TAILQ_EMPTY(&job->waits))
		job_free(g, job);
}

struct gzip *
gzip_new(struct event_base *base)
{
	struct gzip *g = xcalloc(1, sizeof(*g));

	TAILQ_INIT(&g->jobs);
	g->turn = evtimer_new(base, on_turn, g);
	if (g->turn == NULL || event_priority_set(g->turn, HTTP_PRIORITY) < 0)
		fatal("out of memory");
	return g;
}

void
gzip_free(struct gzip *g)
{
	if (g == NULL)
		return;
	event_free(g->turn);
	if (g->now_ready)
		deflateEnd(&g->now);
	if (g->later_ready)
		deflateEnd(&g->later);
	free(g);
}

#else

#include "shared/log.h"

bool
gzip_built(void)
{
	return false;
}

struct gzip *
gzip_new(struct event_base *base)
{
	return NULL;
}

void
gzip_free(struct gzip *g)
{
}

struct blob *
gzip_body(struct gzip *g, struct blob *b)
{
	return NULL;
}

void
gzip_wait(struct gzip *g, struct blob *b, struct gzip_wait *w)
{
	fatal("built without zlib");
}

void
gzip_cancel(struct gzip *g, struct gzip_wait *w)
{
}

struct blob *
gzip_joined(struct gzip *g, struct str text, const struct blob *rest)
{
	fatal("built without zlib");
}

#endif
