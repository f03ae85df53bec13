/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/front/store/redis_slots.h"

#include <string.h>

/* XMODEM, as the cluster's specification has it. */
static uint16_t
crc16(struct str s)
{
	uint16_t crc = 0;

	for (size_t i = 0; i < s.n; i++) {
		crc ^= (uint16_t)((unsigned char)s.p[i] << 8);
		for (int bit = 0; bit < 8; bit++)
			crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
	}
	return crc;
}

uint16_t
redis_slot(struct str key)
{
	const char *open = key.n > 0 ? memchr(key.p, '{', key.n) : NULL;

	if (open) {
		const char *tag = open + 1;
		const char *close = memchr(tag, '}', key.n - (size_t)(tag - key.p));

		if (close && close > tag)
			key = (struct str){ tag, (size_t)(close - tag) };
	}
	return crc16(key) & (REDIS_SLOTS - 1);
}

static bool
set_node(struct str host, int64_t port, const struct redis_address *from, struct redis_address *node)
{
	/* "?" and an empty host: the one that was asked; it does not know how it is reached. */
	if (host.n == 0 || str_is(host, "?"))
		host = str_of(from->host);
	if (host.n == 0 || host.n >= sizeof(node->host) || memchr(host.p, '\0', host.n) ||
	    port < 1 || port > 65535)
		return false;
	memmove(node->host, host.p, host.n);
	node->host[host.n] = '\0';
	node->port = (uint16_t)port;
	return true;
}

/* A number of one to five digits; -1 when it is none. */
static int64_t
small_number(struct str s)
{
	int64_t n = 0;

	if (s.n == 0 || s.n > 5)
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -1;
		n = n * 10 + (s.p[i] - '0');
	}
	return n;
}

bool
redis_slots_redirect(const struct redisReply *r, const struct redis_address *from, uint16_t *slot,
    struct redis_address *node)
{
	enum redis_error e = redis_error_of(r);
	const char *space, *at, *colon, *end;
	int64_t number;

	if (e != REDIS_ERROR_MOVED && e != REDIS_ERROR_ASK)
		return false;
	/* "MOVED 3999 127.0.0.1:6381", "ASK 3999 ::1:6381", "MOVED 3999 :6381" */
	end = r->str + r->len;
	space = memchr(r->str, ' ', (size_t)r->len);
	at = space ? memchr(space + 1, ' ', (size_t)(end - space - 1)) : NULL;
	colon = at ? memrchr(at, ':', (size_t)(end - at)) : NULL;
	if (colon == NULL)
		return false;
	number = small_number((struct str){ space + 1, (size_t)(at - space - 1) });
	if (number < 0 || number >= REDIS_SLOTS)
		return false;
	*slot = (uint16_t)number;
	return set_node((struct str){ at + 1, (size_t)(colon - at - 1) },
	    small_number((struct str){ colon + 1, (size_t)(end - colon - 1) }), from, node);
}

size_t
redis_slots_read(const struct redisReply *r, const struct redis_address *from, redis_slots_cb cb,
    void *arg)
{
	size_t calls = 0;

	/* Each range: first, last, master, replicas …; a node: host, port, id, … */
	for (size_t i = 0; i < redis_reply_len(r); i++) {
		const struct redisReply *range = redis_reply_at(r, i);
		const struct redisReply *master = redis_reply_at(range, 2);
		struct redis_address node;
		int64_t first, last, port;

		if (!redis_reply_int(redis_reply_at(range, 0), &first) ||
		    !redis_reply_int(redis_reply_at(range, 1), &last) ||
		    !redis_reply_int(redis_reply_at(master, 1), &port) || first < 0 ||
		    last < first || last >= REDIS_SLOTS ||
		    !set_node(redis_reply_text(redis_reply_at(master, 0)), port, from, &node))
			continue;
		cb((uint16_t)first, (uint16_t)last, &node, arg);
		calls++;
	}
	return calls;
}
