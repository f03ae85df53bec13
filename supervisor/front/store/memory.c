/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backend of one instance: an index in memory, the packed verdicts in the journal, so that a
 * front that is killed loses nothing. With a state file, a thread of its own writes snapshots: a
 * disk that takes its time must not hold up the loop.
 */
#include "supervisor/front/store/store.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "supervisor/front/hash.h"
#include "supervisor/front/store/journal.h"
#include "supervisor/front/store/state_file.h"

#define MAX_ITEMS 200000
#define MAX_LIVE_BYTES ((uint64_t)512 << 20)
/* The journal is cleaned while what is superseded in it exceeds half of what counts by this. */
#define SLACK_BYTES ((uint64_t)1 << 20)
/* Cleaned at a time: enough for what was appended meanwhile, of which a third is superseded. */
#define CLEAN_PER_BYTE 4
#define CLEAN_BYTES ((size_t)32 << 10)
/* Records wander to ever higher places of the file; from here they are moved back, all at once. */
#define REWRITE_AT ((uint64_t)1 << 30)
#define CLOCK_SLACK_MS 1000

struct kept {
	struct kept *next; /* in its bucket */
	uint64_t at;	   /* of its record in the journal */
	int64_t checked_at_ms;
	uint32_t size;
	uint16_t id_length;
	char id[];
};

struct granted {
	store_claim_cb cb;
	void *arg;
};

struct saver {
	char *path;
	int64_t interval_ms;
	struct event *timer;
	bool running;
	pthread_t thread;
	atomic_bool done;
	int rc, error;
	struct buf data;
	bool failed_before; /* so that a full disk is one line, not one every few seconds */
};

struct memory {
	struct journal journal;
	struct kept **buckets;
	size_t n_buckets, n; /* buckets: a power of two */
	uint64_t live;	     /* bytes of the records that count */
	bool dirty;	     /* since the last snapshot began */
	uint64_t cleaned_at; /* the journal's `appended` then */
	struct event *flush, *answer;
	struct granted *granted;
	size_t n_granted, cap_granted;
	store_load_cb load;
	void *load_arg;
	struct saver saver;
};

/* The index. */

static struct kept **
find(struct memory *m, struct str id)
{
	struct kept **at = &m->buckets[hash_str(id) & (m->n_buckets - 1)];

	while (*at && !str_eq(id, (struct str){ (*at)->id, (*at)->id_length }))
		at = &(*at)->next;
	return at;
}

static void
grow(struct memory *m)
{
	struct kept **old = m->buckets;
	size_t n_old = m->n_buckets;

	m->n_buckets = n_old ? n_old * 2 : 256;
	m->buckets = xcalloc(m->n_buckets, sizeof(*m->buckets));
	for (size_t i = 0; i < n_old; i++)
		while (old[i]) {
			struct kept *k = old[i];
			struct kept **at;

			old[i] = k->next;
			k->next = NULL;
			at = find(m, (struct str){ k->id, k->id_length });
			*at = k;
		}
	free(old);
}

static void
index_put(struct memory *m, const struct store_item *item, uint64_t at, size_t size)
{
	struct kept **slot, *k;

	if (m->n >= m->n_buckets)
		grow(m);
	slot = find(m, item->id);
	k = *slot;
	if (k == NULL) {
		k = xmalloc(sizeof(*k) + item->id.n);
		k->next = NULL;
		k->id_length = (uint16_t)item->id.n;
		memcpy(k->id, item->id.p, item->id.n);
		*slot = k;
		m->n++;
	} else {
		m->live -= k->size;
	}
	k->at = at;
	k->size = (uint32_t)size;
	k->checked_at_ms = item->checked_at_ms;
	m->live += size;
}

static void
index_remove(struct memory *m, struct str id)
{
	struct kept **slot = find(m, id), *k = *slot;

	if (k == NULL)
		return;
	*slot = k->next;
	m->live -= k->size;
	m->n--;
	free(k);
}

/* The records that count, written with another epoch. ERR_IO when one is not where it was put. */
static int
copy_records(struct memory *m, uint64_t epoch, struct buf *out)
{
	const unsigned char *p;
	size_t n;
	int rc = journal_map(&m->journal, &p, &n);

	if (rc < 0)
		return rc;
	/* All the room at once: growing by doubling would take twice of it. */
	if (buf_reserve(out, (size_t)m->live + 1) == NULL)
		rc = ERR_LIMIT;
	for (size_t i = 0; rc == 0 && i < m->n_buckets; i++)
		for (struct kept *k = m->buckets[i]; k; k = k->next) {
			struct store_item item;
			enum record_kind kind;
			size_t size, at = (size_t)(k->at - m->journal.start);

			if (record_read(p + at, n - at, m->journal.epoch, &kind, &item, &size) <
			    0) {
				rc = ERR_IO;
				break;
			}
			rc = record_write(out, epoch, RECORD_PUT, &item);
			if (rc < 0)
				break;
		}
	journal_unmap(&m->journal, p, n);
	return rc;
}

static void
compact(struct memory *m)
{
	struct buf b = BUF_INIT(SIZE_MAX / 2);
	uint64_t at;

	if (copy_records(m, m->journal.epoch + 1, &b) < 0 ||
	    journal_rewrite(&m->journal, buf_str(&b), &at) < 0) {
		log_event(LOG_LEVEL_ERROR, "journal_not_rewritten", LI("items", m->n));
		m->journal.broken = true;
		goto out;
	}
	/* In the order in which copy_records() went. */
	for (size_t i = 0; i < m->n_buckets; i++)
		for (struct kept *k = m->buckets[i]; k; k = k->next) {
			k->at = at;
			at += k->size;
		}
out:
	buf_clear(&b);
}

/* Moves what counts of the first records to the end, and forgets them. *size: their bytes. */
static int
clean_head(struct memory *m, unsigned char *scratch, size_t room, size_t *size)
{
	struct journal *j = &m->journal;
	struct store_item item;
	enum record_kind kind;
	size_t n, one;
	int rc = journal_head(j, scratch, room, &n);

	*size = 0;
	while (rc == 0 &&
	       (rc = record_read(scratch + *size, n - *size, j->epoch, &kind, &item, &one)) == 0) {
		struct kept *k = *find(m, item.id);

		/* A removal says nothing once all that was before it is gone. */
		if (kind == RECORD_PUT && k && k->at == j->start + *size)
			rc = journal_append(j, RECORD_PUT, &item, &k->at, &one);
		*size += one;
	}
	if (rc == ERR_AGAIN && *size > 0)
		rc = 0; /* the rest of one that is cut off here */
	return rc < 0 ? rc : journal_drop_head(j, *size);
}

/* A little of the journal at a time, so that no turn of the loop is long, however large the fleet
 * is. */
static void
clean(struct memory *m)
{
	struct journal *j = &m->journal;
	uint64_t budget = (j->appended - m->cleaned_at) * CLEAN_PER_BYTE + CLEAN_BYTES;
	size_t room = CLEAN_BYTES, size = 0;
	unsigned char *scratch = NULL;
	int rc = 0;

	while (
	    rc == 0 && budget > size && j->end - j->start > m->live + m->live / 2 + SLACK_BYTES) {
		budget -= size;
		scratch = xrealloc(scratch, room);
		rc = clean_head(m, scratch, room, &size);
		if (rc == ERR_AGAIN && room < RECORD_MAX) {
			room = RECORD_MAX; /* not even one was whole */
			rc = 0;
		}
	}
	free(scratch);
	m->cleaned_at = j->appended;
	if (rc < 0 && !j->broken)
		compact(m); /* which says what is wrong */
}

static void
on_flush(evutil_socket_t fd, short what, void *arg)
{
	struct memory *m = arg;

	if (journal_flush(&m->journal) < 0)
		return;
	clean(m);
	if (m->journal.end > REWRITE_AT && !m->journal.broken)
		compact(m);
}

/* Putting. */

static int
memory_put(void *state, const struct store_item *item)
{
	struct memory *m = state;
	struct kept *k = *find(m, item->id);
	uint64_t at;
	size_t size;
	int rc;

	if (item->packed.n == 0)
		return 0;
	/* What claims to be of the future was put before the clock was set back. */
	if (k && (k->checked_at_ms > item->checked_at_ms ||
		     (item->only_newer && k->checked_at_ms == item->checked_at_ms)) &&
	    k->checked_at_ms <= clock_wall_ms() + CLOCK_SLACK_MS)
		return 0;
	if (k == NULL && (m->n >= MAX_ITEMS || m->live >= MAX_LIVE_BYTES))
		return ERR_LIMIT;
	rc = journal_append(&m->journal, RECORD_PUT, item, &at, &size);
	if (rc < 0)
		return rc;
	index_put(m, item, at, size);
	m->dirty = true;
	event_active(m->flush, EV_TIMEOUT, 0);
	return 0;
}

static void
memory_remove(void *state, struct str id)
{
	struct memory *m = state;
	struct store_item item = { .id = id };
	uint64_t at;
	size_t size;

	if (*find(m, id) == NULL)
		return;
	index_remove(m, id);
	m->dirty = true;
	if (journal_append(&m->journal, RECORD_REMOVE, &item, &at, &size) == 0)
		event_active(m->flush, EV_TIMEOUT, 0);
}

static void
on_replayed(
    enum record_kind kind, const struct store_item *item, uint64_t at, size_t size, void *arg)
{
	if (kind == RECORD_PUT)
		index_put(arg, item, at, size);
	else
		index_remove(arg, item->id);
}

static void
on_state_item(const struct store_item *item, void *arg)
{
	if (memory_put(arg, item) < 0)
		log_event(LOG_LEVEL_WARNING, "verdict_not_loaded", LV("id", item->id));
}

/* Answers, always from the loop. */

static void
answer_load(struct memory *m)
{
	struct buf b = BUF_INIT(SIZE_MAX / 2);
	store_load_cb cb = m->load;
	struct store_item item;
	enum record_kind kind;
	size_t at, size;
	int rc;

	m->load = NULL;
	rc = copy_records(m, m->journal.epoch, &b);
	/* From the copy: the callback may put and remove. */
	for (at = 0; rc == 0 && at < b.len; at += size) {
		rc = record_read((const unsigned char *)b.data + at, b.len - at, m->journal.epoch,
		    &kind, &item, &size);
		if (rc == 0)
			cb(&item, 0, m->load_arg);
	}
	buf_clear(&b);
	cb(NULL, rc, m->load_arg);
}

static void
on_answer(evutil_socket_t fd, short what, void *arg)
{
	struct memory *m = arg;
	struct granted *list = m->granted;
	size_t n = m->n_granted;

	m->granted = NULL;
	m->n_granted = m->cap_granted = 0;
	for (size_t i = 0; i < n; i++)
		list[i].cb(true, list[i].arg);
	if (m->granted == NULL) {
		m->granted = list;
		m->cap_granted = n;
	} else {
		free(list);
	}
	if (m->load)
		answer_load(m);
}

static int
memory_load(void *state, store_load_cb cb, void *arg)
{
	struct memory *m = state;

	if (m->load)
		return ERR_AGAIN;
	m->load = cb;
	m->load_arg = arg;
	event_active(m->answer, EV_TIMEOUT, 0);
	return 0;
}

static void
memory_watch(void *state, const struct store_events *events, void *arg)
{
	/* There is no other instance. */
}

static int
memory_claim(void *state, struct str id, uint64_t slot, int64_t lease_ms, unsigned flags,
    int64_t since_ms, store_claim_cb cb, void *arg)
{
	struct memory *m = state;

	if (m->n_granted == m->cap_granted) {
		m->cap_granted = m->cap_granted ? m->cap_granted * 2 : 64;
		m->granted = xrealloc(m->granted, m->cap_granted * sizeof(*m->granted));
	}
	m->granted[m->n_granted++] = (struct granted){ cb, arg };
	event_active(m->answer, EV_TIMEOUT, 0);
	return 0;
}

/* The state file. */

static int
snapshot(struct memory *m)
{
	buf_init(&m->saver.data, STATE_FILE_MAX_BYTES);
	state_file_begin(&m->saver.data);
	if (copy_records(m, STATE_FILE_EPOCH, &m->saver.data) < 0 || !buf_ok(&m->saver.data)) {
		buf_clear(&m->saver.data);
		return ERR_IO;
	}
	state_file_end(&m->saver.data, m->n);
	return 0;
}

static void *
save(void *arg)
{
	struct saver *s = arg;

	s->rc = state_file_write(s->path, s->data.data, s->data.len);
	s->error = errno;
	atomic_store(&s->done, true);
	return NULL;
}

static void
saved(struct memory *m)
{
	struct saver *s = &m->saver;

	buf_clear(&s->data);
	if (s->rc == 0) {
		if (s->failed_before)
			log_event(LOG_LEVEL_NOTICE, "state_saved_again", LS("path", s->path));
		s->failed_before = false;
		return;
	}
	m->dirty = true;
	if (!s->failed_before)
		log_event(LOG_LEVEL_ERROR, "state_not_saved", LS("path", s->path),
		    LS("error", strerror(s->error)));
	s->failed_before = true;
}

static void
join(struct memory *m)
{
	if (!m->saver.running)
		return;
	pthread_join(m->saver.thread, NULL);
	m->saver.running = false;
	saved(m);
}

static void
on_save(evutil_socket_t fd, short what, void *arg)
{
	struct memory *m = arg;
	struct saver *s = &m->saver;

	if (s->running && !atomic_load(&s->done))
		return; /* the disk is slow: the next time */
	join(m);
	if (!m->dirty || snapshot(m) < 0)
		return;
	m->dirty = false;
	atomic_store(&s->done, false);
	if (pthread_create(&s->thread, NULL, save, s) == 0) {
		s->running = true;
		return;
	}
	save(s);
	saved(m);
}

static int
memory_flush(void *state)
{
	struct memory *m = state;
	int rc = journal_flush(&m->journal);

	if (m->saver.path == NULL)
		return rc;
	join(m);
	if (!m->dirty)
		return rc;
	rc = snapshot(m);
	if (rc < 0)
		return rc;
	m->dirty = false;
	save(&m->saver);
	saved(m);
	return m->saver.rc;
}

/* Life. */

static void
memory_close(void *state)
{
	struct memory *m = state;

	if (m->load)
		m->load(NULL, ERR_CLOSED, m->load_arg);
	join(m);
	if (m->saver.timer)
		event_free(m->saver.timer);
	free(m->saver.path);
	if (m->flush)
		event_free(m->flush);
	if (m->answer)
		event_free(m->answer);
	if (journal_flush(&m->journal) < 0)
		log_event(LOG_LEVEL_DEBUG, "journal_closed_broken", LI("items", m->n));
	journal_close(&m->journal);
	for (size_t i = 0; i < m->n_buckets; i++)
		while (m->buckets[i]) {
			struct kept *k = m->buckets[i];

			m->buckets[i] = k->next;
			free(k);
		}
	free(m->buckets);
	free(m->granted);
	free(m);
}

static void
start_saver(struct memory *m, const struct store_options *o)
{
	int64_t ms = o->settings->num[SETTING_STATE_INTERVAL];
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	m->saver.path = xstrdup(o->state_file);
	/* Said at the start, not after the first interval. */
	if (state_file_try(m->saver.path) < 0) {
		log_event(LOG_LEVEL_ERROR, "state_not_saved", LS("path", m->saver.path),
		    LS("error", strerror(errno)));
		m->saver.failed_before = true;
	}
	m->saver.timer = event_new(o->base, -1, EV_PERSIST, on_save, m);
	if (m->saver.timer == NULL || event_add(m->saver.timer, &tv) < 0)
		fatal("cannot make the store's timer");
}

static int
memory_open(const struct store_options *o, void **state)
{
	struct memory *m = xcalloc(1, sizeof(*m));
	bool fresh;

	grow(m);
	m->flush = event_new(o->base, -1, 0, on_flush, m);
	m->answer = event_new(o->base, -1, 0, on_answer, m);
	if (m->flush == NULL || m->answer == NULL)
		fatal("cannot make the store's events");
	if (journal_open(&m->journal, o->state_fd, &fresh, on_replayed, m) < 0) {
		int error = errno;

		m->journal.broken = true;
		memory_close(m);
		errno = error;
		return ERR_IO;
	}
	if (o->state_file[0] != '\0') {
		/* A journal has all that the file had, and later verdicts. */
		if (fresh && state_file_read(o->state_file, on_state_item, m) == 0)
			log_event(LOG_LEVEL_INFO, "state_loaded", LS("path", o->state_file),
			    LI("verdicts", m->n));
		m->dirty = !fresh;
		start_saver(m, o);
	}
	*state = m;
	return 0;
}

const struct store_ops store_memory = {
	.name = "memory",
	.open = memory_open,
	.put = memory_put,
	.remove = memory_remove,
	.load = memory_load,
	.watch = memory_watch,
	.claim = memory_claim,
	.flush = memory_flush,
	.close = memory_close,
};
