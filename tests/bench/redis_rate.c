/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results stored in a Redis server, and verdicts loaded from it, through the store; or, with --raw,
 * the same commands written out before and sent in the same batches over a blocking socket. Prints
 * one JSON object.
 *
 *   redis_rate --socket PATH [--raw] [--load] COUNT
 */
#include "supervisor/front/store/store.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "supervisor/front/fleet.h"
#include "supervisor/front/store/redis_reply.h"
#include "supervisor/front/store/redis_script.h"
#include "supervisor/front/verdict_pack.h"

#define A_BATCH 64
#define BATCHES_AHEAD 16
#define IDS 1000
#define PUT_US 60000000 /* no bench goes on for ever */
#define PREFIX "{llmhealth}:"

static struct event_base *base;
static struct settings settings;
static int64_t first_ms;

static const char *
id_of(long i)
{
	static char id[32];

	snprintf(id, sizeof(id), "deployment-%04ld", i % IDS);
	return id;
}

static const char view[] =
    "{\"model_id\":\"deployment-0000\",\"model_name\":\"group\",\"model\":\"openai/gpt\",\"state\":"
    "\"healthy\",\"checked_at_ms\":1795230463507,\"latency_us\":410000,\"probes\":412}";

static void
pack(struct buf *b, int64_t checked_at_ms)
{
	static struct history_item history[16];
	struct deployment d = { .history = history, .history_len = 16, .history_cap = 16 };

	for (int i = 0; i < 16; i++)
		history[i].checked_at_ms = checked_at_ms;
	d.verdict = (struct verdict){ .state = VERDICT_HEALTHY,
		.since_ms = checked_at_ms,
		.checked_at_ms = checked_at_ms,
		.http_status = 200,
		.total_us = 410000 };
	buf_reset(b);
	if (verdict_pack(&d, b) < 0)
		abort();
}

/* Through the store. */

static struct store *store;
static long put, loaded, count;
static bool ended;

static uint64_t
stored(void)
{
	struct store_status status;

	store_status(store, &status);
	return status.put + status.refused;
}

static void
open_store(void)
{
	struct store_options o = { base, &settings, "", -1 };
	struct store_status status;
	int64_t end = clock_mono_ms() + 10000;

	if (store_open(&store_redis, &o, &store) < 0)
		fatal("cannot open the store");
	do {
		event_base_loop(base, EVLOOP_ONCE);
		store_status(store, &status);
	} while (!status.connected && clock_mono_ms() < end);
	if (!status.connected || !status.shared)
		fatal("never connected: %s", status.why);
}

static void
put_all(void)
{
	struct buf packed = BUF_INIT(VERDICT_PACKED_MAX);
	uint64_t before = stored();
	int64_t end = clock_mono_us() + PUT_US;

	while (stored() - before < (uint64_t)count) {
		if (clock_mono_us() > end)
			fatal("%lld of %ld results stored", (long long)(stored() - before), count);
		/* A turn's results: what comes from the workers in one read. */
		for (int i = 0; i < A_BATCH && put < count &&
				put - (long)(stored() - before) < A_BATCH * BATCHES_AHEAD;
		     i++, put++) {
			struct store_item item = { .id = str_of(id_of(put)),
				.checked_at_ms = first_ms + put / IDS,
				.state = STR("healthy"),
				.view = STR(view) };

			pack(&packed, item.checked_at_ms);
			item.packed = buf_str(&packed);
			if (store_put(store, &item) < 0)
				fatal("cannot put");
		}
		event_base_loop(
		    base, put - (long)(stored() - before) < A_BATCH * BATCHES_AHEAD && put < count
			      ? EVLOOP_NONBLOCK
			      : EVLOOP_ONCE);
	}
	buf_clear(&packed);
}

static void
on_item(const struct store_item *item, int err, void *arg)
{
	if (item)
		loaded++;
	else
		ended = true;
}

static int64_t
measure_store(bool load)
{
	int64_t began;

	if (load) {
		open_store();
		began = clock_mono_us();
		if (store_load(store, on_item, NULL) < 0)
			fatal("cannot load");
		while (!ended)
			event_base_loop(base, EVLOOP_ONCE);
		/* Once from its own memory, once from Redis. */
		if (loaded < IDS)
			fatal("%ld loaded", loaded);
		return clock_mono_us() - began;
	}
	open_store();
	began = clock_mono_us();
	put_all();
	return clock_mono_us() - began;
}

/* Raw. */

static int
connect_raw(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		fatal("cannot connect");
	return fd;
}

static void
add_command(struct buf *b, const struct str *args, size_t n)
{
	buf_addf(b, "*%zu\r\n", n);
	for (size_t i = 0; i < n; i++) {
		buf_addf(b, "$%zu\r\n", args[i].n);
		buf_add_str(b, args[i]);
		buf_add_text(b, "\r\n");
	}
}

/* Sends, and reads so many replies; the last, to be freed. */
static redisReply *
exchange(int fd, struct redisReader *r, struct str out, long replies)
{
	static char piece[65536];
	void *reply = NULL, *last = NULL;

	while (out.n > 0) {
		ssize_t n = send(fd, out.p, out.n, MSG_NOSIGNAL);

		if (n <= 0)
			fatal("cannot send");
		out.p += n;
		out.n -= (size_t)n;
	}
	while (replies > 0) {
		if (redisReaderGetReply(r, &reply) != REDIS_OK)
			fatal("malformed");
		if (reply) {
			if (last)
				freeReplyObject(last);
			last = reply;
			replies--;
			continue;
		}
		ssize_t n = recv(fd, piece, sizeof(piece), 0);

		if (n <= 0 || redisReaderFeed(r, piece, (size_t)n) != REDIS_OK)
			fatal("cannot read");
	}
	return last;
}

static void
add_put(struct buf *b, const char *sha, long from, struct buf *packed)
{
	static char stamps[A_BATCH][24], ids[A_BATCH][32];
	struct str args[11 + A_BATCH * 5] = { STR("EVALSHA"), str_of(sha), STR("5"),
		STR(PREFIX "verdicts"), STR(PREFIX "view"), STR(PREFIX "events"),
		STR(PREFIX "counters"), STR(PREFIX "instances"), STR("bench"),
		STR(PREFIX "channel"), STR("10000") };
	size_t n = 11;

	pack(packed, first_ms + from / IDS);
	for (long i = 0; i < A_BATCH && from + i < count; i++) {
		snprintf(ids[i], sizeof(ids[i]), "%s", id_of(from + i));
		snprintf(stamps[i], sizeof(stamps[i]), "%016lld",
		    (long long)(first_ms + (from + i) / IDS));
		args[n++] = str_of(ids[i]);
		args[n++] = str_of(stamps[i]);
		args[n++] = STR("healthy");
		args[n++] = buf_str(packed);
		args[n++] = STR(view);
	}
	add_command(b, args, n);
}

static int64_t
measure_raw(const char *path, bool load)
{
	struct redisReader *r = redis_reader_new();
	struct buf out = BUF_INIT(SIZE_MAX / 2), packed = BUF_INIT(VERDICT_PACKED_MAX);
	const struct str script[] = { STR("SCRIPT"), STR("LOAD"),
		str_of(redis_script_text(REDIS_SCRIPT_PUT)) };
	int fd = connect_raw(path);
	long batches = (count + A_BATCH - 1) / A_BATCH, commands = 0;
	size_t *ends = xcalloc((size_t)batches + 1, sizeof(*ends));
	int64_t began;
	redisReply *sha;

	if (load) {
		for (long i = 0; i < IDS; i++) {
			char name[64];
			struct str args[2] = { STR("HGETALL"), { name, 0 } };

			args[1].n = (size_t)snprintf(name, sizeof(name), "one:%s", id_of(i));
			add_command(&out, args, 2);
		}
		began = clock_mono_us();
		freeReplyObject(exchange(fd, r, buf_str(&out), IDS));
	} else {
		add_command(&out, script, 3);
		sha = exchange(fd, r, buf_str(&out), 1);
		buf_reset(&out);
		for (long i = 0; i < batches; i++) {
			add_put(&out, sha->str, i * A_BATCH, &packed);
			ends[i + 1] = out.len;
		}
		freeReplyObject(sha);
		began = clock_mono_us();
		for (long i = 0; i < batches; i++) {
			struct str one = { out.data + ends[i], ends[i + 1] - ends[i] };
			redisReply *reply =
			    exchange(fd, r, one, ++commands > BATCHES_AHEAD ? 1 : 0);

			if (reply)
				freeReplyObject(reply);
		}
		freeReplyObject(
		    exchange(fd, r, STR(""), batches < BATCHES_AHEAD ? batches : BATCHES_AHEAD));
	}
	began = clock_mono_us() - began;
	redisReaderFree(r);
	buf_clear(&out);
	buf_clear(&packed);
	free(ends);
	close(fd);
	return began;
}

int
main(int argc, char **argv)
{
	const char *path = NULL;
	bool raw = false, load = false;
	int64_t us;

	log_init("bench", LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	settings_init(&settings);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--raw") == 0)
			raw = true;
		else if (strcmp(argv[i], "--load") == 0)
			load = true;
		else if (strcmp(argv[i], "--socket") == 0 && i + 1 < argc)
			path = argv[++i];
		else
			count = atol(argv[i]);
	}
	if (path == NULL || count <= 0 ||
	    settings_set(&settings, SETTING_REDIS_SOCKET, str_of(path), NULL) < 0 ||
	    settings_set(&settings, SETTING_REDIS_ENABLED, STR("true"), NULL) < 0)
		fatal("usage: redis_rate --socket PATH [--raw] [--load] COUNT");
	base = event_base_new();
	first_ms = clock_wall_ms() - 3600000;
	us = raw ? measure_raw(path, load) : measure_store(load);
	printf("{\"us\":%lld,\"count\":%ld,\"rate\":%.0f}\n", (long long)us, count,
	    (double)count * 1e6 / (double)us);
	store_close(store);
	settings_clear(&settings);
	event_base_free(base);
	return 0;
}
