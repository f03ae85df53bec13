/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a Redis server may send: the reader and the accessors over any bytes, LiteLLM's values, and other
 * witnesses' words.
 * The first byte says how much is fed at a time.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "shared/buf.h"
#include "supervisor/front/fleet.h"
#include "supervisor/front/litellm.h"
#include "supervisor/front/quorum.h"
#include "supervisor/front/store/redis_reply.h"
#include "supervisor/front/store/redis_slots.h"
#include "supervisor/front/verdict_pack.h"
#include "tests/fuzz/fuzz.h"

static void
on_range(uint16_t first, uint16_t last, const struct redis_address *master, void *arg)
{
	if (last < first || last >= REDIS_SLOTS || master->port == 0 || master->host[0] == '\0')
		abort();
}

static void
look_at_slots(const struct redisReply *r)
{
	static const struct redis_address from = { "127.0.0.1", 6379 };
	struct redis_address node;
	uint16_t slot;

	if (redis_slots_redirect(r, &from, &slot, &node))
		on_range(slot, slot, &node, NULL);
	(void)redis_slots_read(r, &from, on_range, NULL);
	if (redis_slot(redis_reply_text(r)) >= REDIS_SLOTS)
		abort();
	if (redis_address_parse(redis_reply_text(r), 1, &node) == 0)
		on_range(0, 0, &node, NULL);
}

static void
walk(const struct redisReply *r, unsigned depth)
{
	char host[64];
	uint16_t port;
	int64_t n;

	(void)redis_error_action(redis_error_of(r));
	(void)redis_error_name(redis_error_of(r));
	(void)redis_error_node(r, host, sizeof(host), &port);
	(void)redis_reply_int(r, &n);
	look_at_slots(r);
	if (redis_reply_text(r).n > 0) {
		struct buf moved = BUF_INIT(VERDICT_PACKED_MAX);
		int64_t at;

		if (verdict_pack_move(redis_reply_text(r), 1000, &moved, &at) == 0 &&
		    moved.len == 0)
			abort();
		buf_clear(&moved);
	}
	for (size_t i = 0; i < redis_reply_len(r) && depth < 10; i++)
		walk(redis_reply_at(r, i), depth + 1);
}

static void
on_entry(struct str id, bool healthy, struct str error, int64_t status, void *arg)
{
	if (id.n == 0 || status < 0 || status > 999)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fleet *fleet;
	struct redisReader *r = redis_reader_new();
	struct buf merged = BUF_INIT((size_t)1 << 24);
	struct litellm_head head;
	struct sight sight;
	size_t step = size > 0 ? (size_t)data[0] + 1 : 1;
	void *reply = NULL;
	struct str text;

	if (fleet == NULL)
		fleet = fleet_new();
	if (size > 0) {
		data++;
		size--;
	}
	for (size_t at = 0; at < size; at += step) {
		size_t n = size - at < step ? size - at : step;

		if (redisReaderFeed(r, (const char *)data + at, n) != REDIS_OK)
			break;
		while (redisReaderGetReply(r, &reply) == REDIS_OK && reply) {
			walk(reply, 0);
			freeReplyObject(reply);
		}
	}
	redisReaderFree(r);
	text = (struct str){ (const char *)data, size };
	if (sight_read(text, 1000, &sight)) {
		if (sight.checked_at_ms <= 0 || sight.reason >= REASON_COUNT ||
		    sight.healthy != (sight.reason == REASON_OK))
			abort();
		sight_clear(&sight);
	}
	(void)litellm_read(text, &head, on_entry, NULL);
	litellm_merge(text, fleet, 1000, 900, 1000000, &merged);
	buf_clear(&merged);
	return 0;
}
