/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoding and decoding by the messages' tables, with msgpack-c. Before msgpack-c sees a body, its
 * nesting and its counts are checked against the bytes that are there: msgpack-c allocates by the
 * count that the sender claims.
 */
#include "shared/wire.h"

#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "shared/log.h"

#define ZONE_CHUNK 4096
#define MAX_NESTING 3 /* the message, a list in it, a pair in the list */

struct wire_decoder {
	msgpack_zone zone;
	void *message;
	size_t size;
};

void
wire_header_read(const unsigned char *p, struct wire_header *h)
{
	h->length = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	h->version = p[4];
	h->flags = p[5];
	h->type = (uint16_t)(p[6] << 8 | p[7]);
	h->id = (uint32_t)p[8] << 24 | (uint32_t)p[9] << 16 | (uint32_t)p[10] << 8 | p[11];
}

static void
header_write(unsigned char *p, uint32_t length, uint16_t type, uint32_t id)
{
	for (int i = 0; i < 4; i++) {
		p[i] = (unsigned char)(length >> (24 - 8 * i));
		p[8 + i] = (unsigned char)(id >> (24 - 8 * i));
	}
	p[4] = WIRE_VERSION;
	p[5] = 0;
	p[6] = (unsigned char)(type >> 8);
	p[7] = (unsigned char)type;
}

int
wire_header_check(const struct wire_header *h, enum role from, enum role to)
{
	const struct msg_row *row;

	if (h->version != WIRE_VERSION || h->flags != 0)
		return ERR_SYNTAX;
	row = msg_row(h->type);
	if (row == NULL)
		return ERR_SYNTAX;
	if (!(row->from & from) || !(row->to & to))
		return ERR_DENIED;
	if (h->length > row->max)
		return ERR_LIMIT;
	return 0;
}

static int
write_cb(void *data, const char *p, size_t n)
{
	buf_add(data, p, n);
	return 0;
}

static void
pack_str(msgpack_packer *pk, struct str s)
{
	msgpack_pack_str(pk, s.n);
	msgpack_pack_str_body(pk, s.p, s.n);
}

static void
pack_field(msgpack_packer *pk, const struct msg_field *f, const char *at)
{
	const struct strs *strs;
	const struct kvs *kvs;

	switch (f->type) {
	case MSG_FIELD_U32:
		msgpack_pack_uint32(pk, *(const uint32_t *)at);
		break;
	case MSG_FIELD_U64:
		msgpack_pack_uint64(pk, *(const uint64_t *)at);
		break;
	case MSG_FIELD_I64:
		msgpack_pack_int64(pk, *(const int64_t *)at);
		break;
	case MSG_FIELD_BOOL:
		if (*(const bool *)at)
			msgpack_pack_true(pk);
		else
			msgpack_pack_false(pk);
		break;
	case MSG_FIELD_STR:
		pack_str(pk, *(const struct str *)at);
		break;
	case MSG_FIELD_STRS:
		strs = (const struct strs *)at;
		msgpack_pack_array(pk, strs->n);
		for (size_t i = 0; i < strs->n; i++)
			pack_str(pk, strs->v[i]);
		break;
	case MSG_FIELD_KVS:
		kvs = (const struct kvs *)at;
		msgpack_pack_array(pk, kvs->n * 2);
		for (size_t i = 0; i < kvs->n; i++) {
			pack_str(pk, kvs->v[i].key);
			pack_str(pk, kvs->v[i].value);
		}
		break;
	}
}

int
wire_encode(struct buf *b, enum msg_type type, uint32_t id, const void *m)
{
	const struct msg_row *row = msg_row(type);
	size_t before = b->len;
	msgpack_packer pk;
	size_t length;

	if (row == NULL)
		fatal("no message has the number %d", (int)type);
	if (buf_reserve(b, WIRE_HEADER_BYTES) == NULL)
		return ERR_LIMIT;
	buf_commit(b, WIRE_HEADER_BYTES);
	msgpack_packer_init(&pk, b, write_cb);
	msgpack_pack_array(&pk, row->n_fields);
	for (size_t i = 0; i < row->n_fields; i++)
		pack_field(&pk, &row->fields[i], (const char *)m + row->fields[i].offset);
	length = b->len - before - WIRE_HEADER_BYTES;
	if (!buf_ok(b) || length > row->max) {
		b->failed = false;
		b->len = before;
		b->data[before] = '\0';
		return ERR_LIMIT;
	}
	header_write((unsigned char *)b->data + before, (uint32_t)length, (uint16_t)type, id);
	return 0;
}

/* Reads a big-endian number of n bytes, or fails when they are not there. */
static bool
take(const unsigned char **p, const unsigned char *end, size_t n, uint64_t *value)
{
	uint64_t v = 0;

	if ((size_t)(end - *p) < n)
		return false;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | (*p)[i];
	*p += n;
	*value = v;
	return true;
}

/*
 * Walks one value. Each element of an array takes a byte at least, so a count larger than what is
 * left is a lie. Maps, floats and extensions are in no message.
 */
static bool
scan(const unsigned char **p, const unsigned char *end, int nesting)
{
	uint64_t n;
	unsigned char c;

	if (nesting < 0 || *p == end)
		return false;
	c = *(*p)++;
	if (c <= 0x7f || c >= 0xe0 || c == 0xc2 || c == 0xc3)
		return true;
	if ((c & 0xe0) == 0xa0)
		n = c & 0x1f;
	else if ((c & 0xf0) == 0x90) {
		n = c & 0x0f;
		goto array;
	} else {
		switch (c) {
		case 0xcc:
		case 0xcd:
		case 0xce:
		case 0xcf: /* unsigned of 1, 2, 4, 8 bytes */
			return take(p, end, (size_t)1 << (c - 0xcc), &n);
		case 0xd0:
		case 0xd1:
		case 0xd2:
		case 0xd3: /* signed */
			return take(p, end, (size_t)1 << (c - 0xd0), &n);
		case 0xd9:
		case 0xda:
		case 0xdb: /* str, length of 1, 2, 4 bytes */
			if (!take(p, end, (size_t)1 << (c - 0xd9), &n))
				return false;
			break;
		case 0xdc:
		case 0xdd: /* array, count of 2, 4 bytes */
			if (!take(p, end, (size_t)2 << (c - 0xdc), &n))
				return false;
			goto array;
		default:
			return false;
		}
	}
	if (n > (uint64_t)(end - *p))
		return false;
	*p += n;
	return true;
array:
	if (n > (uint64_t)(end - *p))
		return false;
	while (n-- > 0)
		if (!scan(p, end, nesting - 1))
			return false;
	return true;
}

struct wire_decoder *
wire_decoder_new(void)
{
	struct wire_decoder *d = xcalloc(1, sizeof(*d));

	if (!msgpack_zone_init(&d->zone, ZONE_CHUNK))
		fatal("out of memory (message zone)");
	return d;
}

void
wire_decoder_free(struct wire_decoder *d)
{
	if (d == NULL)
		return;
	msgpack_zone_destroy(&d->zone);
	free(d->message);
	free(d);
}

static bool
get_str(const msgpack_object *o, struct str *s)
{
	if (o->type != MSGPACK_OBJECT_STR)
		return false;
	*s = (struct str){ o->via.str.ptr, o->via.str.size };
	return true;
}

static bool
get_list(struct wire_decoder *d, const msgpack_object *o, struct strs *list)
{
	struct str *v;

	if (o->type != MSGPACK_OBJECT_ARRAY)
		return false;
	list->n = o->via.array.size;
	list->v = NULL;
	if (list->n == 0)
		return true;
	v = msgpack_zone_malloc(&d->zone, list->n * sizeof(*v));
	if (v == NULL)
		fatal("out of memory (message list)");
	for (size_t i = 0; i < list->n; i++)
		if (!get_str(&o->via.array.ptr[i], &v[i]))
			return false;
	list->v = v;
	return true;
}

static bool
get_field(struct wire_decoder *d, const struct msg_field *f, const msgpack_object *o, char *at)
{
	struct strs list;

	switch (f->type) {
	case MSG_FIELD_U32:
		if (o->type != MSGPACK_OBJECT_POSITIVE_INTEGER || o->via.u64 > UINT32_MAX)
			return false;
		*(uint32_t *)at = (uint32_t)o->via.u64;
		return true;
	case MSG_FIELD_U64:
		if (o->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
			return false;
		*(uint64_t *)at = o->via.u64;
		return true;
	case MSG_FIELD_I64:
		if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER && o->via.u64 <= INT64_MAX)
			*(int64_t *)at = (int64_t)o->via.u64;
		else if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
			*(int64_t *)at = o->via.i64;
		else
			return false;
		return true;
	case MSG_FIELD_BOOL:
		if (o->type != MSGPACK_OBJECT_BOOLEAN)
			return false;
		*(bool *)at = o->via.boolean;
		return true;
	case MSG_FIELD_STR:
		return get_str(o, (struct str *)at);
	case MSG_FIELD_STRS:
		return get_list(d, o, (struct strs *)at);
	case MSG_FIELD_KVS:
		/* A pair is two texts in a row, so a list of texts is a list of pairs of half its
		 * length. */
		if (!get_list(d, o, &list) || list.n % 2 != 0)
			return false;
		_Static_assert(sizeof(struct kv) == 2 * sizeof(struct str), "a pair is two texts");
		*(struct kvs *)at = (struct kvs){ (const struct kv *)list.v, list.n / 2 };
		return true;
	}
	return false;
}

int
wire_decode(
    struct wire_decoder *d, enum msg_type type, const unsigned char *body, size_t n, const void **m)
{
	const struct msg_row *row = msg_row(type);
	const unsigned char *p = body;
	msgpack_object o;
	size_t off = 0;

	if (row == NULL || !scan(&p, body + n, MAX_NESTING) || p != body + n)
		return ERR_SYNTAX;
	msgpack_zone_clear(&d->zone);
	if (msgpack_unpack((const char *)body, n, &off, &d->zone, &o) != MSGPACK_UNPACK_SUCCESS)
		return ERR_SYNTAX;
	if (o.type != MSGPACK_OBJECT_ARRAY || o.via.array.size != row->n_fields)
		return ERR_SYNTAX;
	if (d->size < row->size) {
		free(d->message);
		d->message = xmalloc(row->size);
		d->size = row->size;
	}
	memset(d->message, 0, row->size);
	for (size_t i = 0; i < row->n_fields; i++)
		if (!get_field(d, &row->fields[i], &o.via.array.ptr[i],
			(char *)d->message + row->fields[i].offset))
			return ERR_SYNTAX;
	*m = d->message;
	return 0;
}
