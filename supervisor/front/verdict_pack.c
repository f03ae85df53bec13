/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields in the order of the array are a table, which says since which version each is there;
 * what an older one lacks is as if it had never been measured. The history is one binary of 16 bytes an item,
 * little endian. Our own reader: it takes exactly the types that stand here, and allocates nothing
 * by a count that it has not compared with the bytes that are there.
 */
#include "supervisor/front/verdict_pack.h"

#include <endian.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/front/verdict.h"

#define ITEM_BYTES 16

enum kind { KIND_U16, KIND_U32, KIND_U64, KIND_I64, KIND_TEXT };

/* All but version, state, reason, headers and history, which stand apart. */
static const struct {
	enum kind kind;
	size_t offset;
	size_t max; /* of a text */
	unsigned since; /* 0: from the first version on */
} fields[] = {
	{ KIND_I64, offsetof(struct verdict, since_ms), 0, 0 },
	{ KIND_I64, offsetof(struct verdict, checked_at_ms), 0, 0 },
	{ KIND_I64, offsetof(struct verdict, exception_status), 0, 0 },
	{ KIND_U32, offsetof(struct verdict, http_status), 0, 0 },
	{ KIND_U32, offsetof(struct verdict, dns_us), 0, 0 },
	{ KIND_U32, offsetof(struct verdict, connect_us), 0, 0 },
	{ KIND_U32, offsetof(struct verdict, tls_us), 0, 0 },
	{ KIND_U32, offsetof(struct verdict, first_byte_us), 0, 0 },
	{ KIND_U32, offsetof(struct verdict, total_us), 0, 0 },
	{ KIND_U32, offsetof(struct verdict, flags), 0, 0 },
	{ KIND_U16, offsetof(struct verdict, rising), 0, 0 },
	{ KIND_U16, offsetof(struct verdict, falling), 0, 0 },
	{ KIND_U64, offsetof(struct verdict, tokens_in), 0, 0 },
	{ KIND_U64, offsetof(struct verdict, tokens_out), 0, 0 },
	{ KIND_U64, offsetof(struct verdict, probes), 0, 0 },
	{ KIND_U64, offsetof(struct verdict, failures), 0, 0 },
	{ KIND_TEXT, offsetof(struct verdict, error), VERDICT_TEXT_MAX, 0 },
	{ KIND_TEXT, offsetof(struct verdict, detail), VERDICT_TEXT_MAX, 0 },
	{ KIND_TEXT, offsetof(struct verdict, raw_request), VERDICT_RAW_REQUEST_MAX, 0 },
	{ KIND_TEXT, offsetof(struct verdict, asked_model), VERDICT_TEXT_MAX, 0 },
	{ KIND_U32, offsetof(struct verdict, first_token_us), 0, 2 },
};
#define ARRAY_FIELDS (ARRAY_LEN(fields) + 5)
#define ARRAY_COUNT_BYTE 0xdc /* the count follows in two bytes */

static int
write_cb(void *data, const char *p, size_t n)
{
	buf_add(data, p, n);
	return 0;
}

/* "name\0value\0…\0": its length with the final NUL left out. */
static size_t
headers_length(const char *headers)
{
	const char *p = headers;

	while (p && *p) {
		p += strlen(p) + 1;
		p += strlen(p) + 1;
	}
	return (size_t)(p - headers);
}

static void
pack_history(msgpack_packer *pk, const struct deployment *d)
{
	msgpack_pack_bin(pk, (size_t)d->history_len * ITEM_BYTES);
	for (size_t i = 0; i < d->history_len; i++) {
		const struct history_item *item = deployment_history(d, i);
		unsigned char bytes[ITEM_BYTES];
		uint64_t at = htole64((uint64_t)item->checked_at_ms);
		uint32_t total = htole32(item->total_us);
		uint16_t status = htole16(item->status);

		memcpy(bytes, &at, 8);
		memcpy(bytes + 8, &total, 4);
		memcpy(bytes + 12, &status, 2);
		bytes[14] = item->reason;
		bytes[15] = item->flags;
		msgpack_pack_bin_body(pk, bytes, ITEM_BYTES);
	}
}

static void
pack_text(msgpack_packer *pk, const char *text)
{
	size_t n = text ? strlen(text) : 0;

	msgpack_pack_str(pk, n);
	msgpack_pack_str_body(pk, text ? text : "", n);
}

int
verdict_pack(const struct deployment *d, struct buf *b)
{
	const struct verdict *v = &d->verdict;
	size_t n = headers_length(v->headers);
	msgpack_packer pk;

	msgpack_packer_init(&pk, b, write_cb);
	msgpack_pack_array(&pk, ARRAY_FIELDS);
	msgpack_pack_uint32(&pk, VERDICT_PACK_VERSION);
	msgpack_pack_uint32(&pk, v->state);
	msgpack_pack_uint32(&pk, v->reason);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const char *at = (const char *)v + fields[i].offset;

		switch (fields[i].kind) {
		case KIND_U16:
			msgpack_pack_uint16(&pk, *(const uint16_t *)at);
			break;
		case KIND_U32:
			msgpack_pack_uint32(&pk, *(const uint32_t *)at);
			break;
		case KIND_U64:
			msgpack_pack_uint64(&pk, *(const uint64_t *)at);
			break;
		case KIND_I64:
			msgpack_pack_int64(&pk, *(const int64_t *)at);
			break;
		case KIND_TEXT:
			pack_text(&pk, *(char *const *)at);
			break;
		}
	}
	msgpack_pack_bin(&pk, n);
	msgpack_pack_bin_body(&pk, v->headers ? v->headers : "", n);
	pack_history(&pk, d);
	return buf_ok(b) ? 0 : ERR_LIMIT;
}

/* Reading. The first thing that is wrong makes all that follows wrong. */
struct reader {
	const unsigned char *p, *end;
	bool wrong;
};

static uint64_t
take(struct reader *r, size_t n)
{
	uint64_t v = 0;

	if (r->wrong || (size_t)(r->end - r->p) < n) {
		r->wrong = true;
		return 0;
	}
	while (n-- > 0)
		v = v << 8 | *r->p++;
	return v;
}

static uint64_t
read_unsigned(struct reader *r)
{
	unsigned char c = (unsigned char)take(r, 1);

	if (c <= 0x7f)
		return c;
	if (c >= 0xcc && c <= 0xcf)
		return take(r, (size_t)1 << (c - 0xcc));
	r->wrong = true;
	return 0;
}

static int64_t
read_signed(struct reader *r)
{
	unsigned char c;
	uint64_t v;

	if (r->wrong || r->p == r->end) {
		r->wrong = true;
		return 0;
	}
	c = *r->p;
	if (c < 0xe0 && (c < 0xd0 || c > 0xd3)) {
		v = read_unsigned(r);
		r->wrong |= v > INT64_MAX;
		return (int64_t)v;
	}
	r->p++;
	if (c >= 0xe0)
		return (int8_t)c;
	v = take(r, (size_t)1 << (c - 0xd0));
	switch (c) {
	case 0xd0:
		return (int8_t)v;
	case 0xd1:
		return (int16_t)v;
	case 0xd2:
		return (int32_t)v;
	default:
		return (int64_t)v;
	}
}

static struct str
read_bytes(struct reader *r, bool text, size_t max)
{
	unsigned char c = (unsigned char)take(r, 1);
	struct str s = { NULL, 0 };
	uint64_t n = 0;

	if (text && (c & 0xe0) == 0xa0)
		n = c & 0x1f;
	else if (text && c >= 0xd9 && c <= 0xdb)
		n = take(r, (size_t)1 << (c - 0xd9));
	else if (!text && c >= 0xc4 && c <= 0xc6)
		n = take(r, (size_t)1 << (c - 0xc4));
	else
		r->wrong = true;
	if (r->wrong || n > max || n > (uint64_t)(r->end - r->p)) {
		r->wrong = true;
		return s;
	}
	s = (struct str){ (const char *)r->p, (size_t)n };
	r->p += n;
	return s;
}

static char *
read_text(struct reader *r, size_t max)
{
	struct str s = read_bytes(r, true, max);

	if (r->wrong || s.n == 0)
		return NULL;
	if (memchr(s.p, '\0', s.n)) {
		r->wrong = true;
		return NULL;
	}
	return str_dup(s);
}

/* Pairs of names (not empty) and values, each with its NUL. */
static char *
read_headers(struct reader *r)
{
	struct str s = read_bytes(r, false, VERDICT_HEADERS_MAX);
	size_t texts = 0, start = 0;
	char *copy;

	if (r->wrong || s.n == 0)
		return NULL;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '\0')
			continue;
		if (texts++ % 2 == 0 && i == start)
			r->wrong = true;
		start = i + 1;
	}
	if (r->wrong || start != s.n || texts % 2 != 0) {
		r->wrong = true;
		return NULL;
	}
	copy = xmalloc(s.n + 1);
	memcpy(copy, s.p, s.n);
	copy[s.n] = '\0';
	return copy;
}

static void
read_history(struct reader *r, struct verdict_unpacked *u)
{
	struct str s = read_bytes(r, false, (size_t)VERDICT_HISTORY_MAX * ITEM_BYTES);

	if (r->wrong || s.n % ITEM_BYTES != 0) {
		r->wrong = true;
		return;
	}
	u->n_history = s.n / ITEM_BYTES;
	if (u->n_history == 0)
		return;
	u->history = xcalloc(u->n_history, sizeof(*u->history));
	for (size_t i = 0; i < u->n_history; i++) {
		const char *p = s.p + i * ITEM_BYTES;
		struct history_item *item = &u->history[i];
		uint64_t at;
		uint32_t total;
		uint16_t status;

		memcpy(&at, p, 8);
		memcpy(&total, p + 8, 4);
		memcpy(&status, p + 12, 2);
		item->checked_at_ms = (int64_t)le64toh(at);
		item->total_us = le32toh(total);
		item->status = le16toh(status);
		item->reason = (uint8_t)p[14];
		item->flags = (uint8_t)p[15];
		r->wrong |= item->reason >= REASON_COUNT || item->checked_at_ms < 0;
	}
}

/* How many fields a verdict of this version has. */
static size_t
array_fields(uint64_t version)
{
	size_t n = ARRAY_FIELDS;

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		n -= fields[i].since > version;
	return n;
}

static void
read_fields(struct reader *r, struct verdict *v, uint64_t version)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		char *at = (char *)v + fields[i].offset;
		uint64_t n;

		if (fields[i].since > version)
			continue;
		switch (fields[i].kind) {
		case KIND_U16:
			n = read_unsigned(r);
			r->wrong |= n > UINT16_MAX;
			*(uint16_t *)at = (uint16_t)n;
			break;
		case KIND_U32:
			n = read_unsigned(r);
			r->wrong |= n > UINT32_MAX;
			*(uint32_t *)at = (uint32_t)n;
			break;
		case KIND_U64:
			*(uint64_t *)at = read_unsigned(r);
			break;
		case KIND_I64:
			*(int64_t *)at = read_signed(r);
			break;
		case KIND_TEXT:
			*(char **)at = read_text(r, fields[i].max);
			break;
		}
	}
}

uint32_t
verdict_pack_version(struct str packed)
{
	struct reader r = { (const unsigned char *)packed.p,
		(const unsigned char *)packed.p + packed.n, false };
	bool array = take(&r, 1) == ARRAY_COUNT_BYTE;
	uint64_t count = take(&r, 2), version = read_unsigned(&r);

	return array && count > 0 && !r.wrong && version <= UINT32_MAX ? (uint32_t)version : 0;
}

int
verdict_unpack(struct str packed, struct verdict_unpacked *out)
{
	struct reader r = { (const unsigned char *)packed.p,
		(const unsigned char *)packed.p + packed.n, false };
	struct verdict *v = &out->verdict;
	uint64_t count, version, state, reason;

	memset(out, 0, sizeof(*out));
	if (packed.n > VERDICT_PACKED_MAX)
		return ERR_SYNTAX;
	/* What a later version has is not known. */
	if (take(&r, 1) != ARRAY_COUNT_BYTE)
		return ERR_SYNTAX;
	count = take(&r, 2);
	version = read_unsigned(&r);
	if (r.wrong)
		return ERR_SYNTAX;
	if (version < 1 || version > VERDICT_PACK_VERSION)
		return ERR_INVALID;
	state = read_unsigned(&r);
	reason = read_unsigned(&r);
	r.wrong |= count != array_fields(version) || state > VERDICT_UNHEALTHY || reason >= REASON_COUNT;
	v->state = (enum verdict_state)state;
	v->reason = (enum reason)reason;
	read_fields(&r, v, version);
	v->headers = read_headers(&r);
	read_history(&r, out);
	r.wrong |= v->checked_at_ms < 0 || v->since_ms < 0;
	if (r.wrong || r.p != r.end) {
		verdict_unpacked_clear(out);
		return ERR_SYNTAX;
	}
	return 0;
}

void
verdict_unpacked_clear(struct verdict_unpacked *u)
{
	verdict_clear(&u->verdict);
	free(u->history);
	u->history = NULL;
	u->n_history = 0;
}

static int64_t
moved(int64_t ms, int64_t by_ms)
{
	if (ms <= 0) /* never */
		return ms;
	if (by_ms > 0 && ms > INT64_MAX - by_ms)
		return INT64_MAX;
	return ms + by_ms > 0 ? ms + by_ms : 1;
}

int
verdict_pack_move(struct str packed, int64_t by_ms, struct buf *out, int64_t *checked_at_ms)
{
	struct verdict_unpacked u;
	struct deployment d = { 0 };
	int rc = verdict_unpack(packed, &u);

	if (rc < 0)
		return rc;
	u.verdict.checked_at_ms = moved(u.verdict.checked_at_ms, by_ms);
	u.verdict.since_ms = moved(u.verdict.since_ms, by_ms);
	*checked_at_ms = u.verdict.checked_at_ms;
	if (by_ms == 0) {
		buf_add_str(out, packed);
		rc = buf_ok(out) ? 0 : ERR_LIMIT;
	} else {
		for (size_t i = 0; i < u.n_history; i++)
			u.history[i].checked_at_ms = moved(u.history[i].checked_at_ms, by_ms);
		d.verdict = u.verdict;
		d.history = u.history;
		d.history_len = d.history_cap = (uint16_t)u.n_history;
		rc = verdict_pack(&d, out);
	}
	verdict_unpacked_clear(&u);
	return rc;
}
