/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames: every message of the table goes out and comes back; a body cut at any byte, a byte too
 * many, a wrong type or count is refused; a header is checked before its body.
 */
#include "shared/wire.h"

#include "tests/unit/unit.h"

#include "shared/secret.h"

#define MAX_FRAME ((size_t)1 << 21)

static const struct str texts[] = { { "one", 3 }, { "", 0 }, { "\0three\xff", 7 } };
static const struct kv pairs[] = { { { "key", 3 }, { "value", 5 } }, { { "", 0 }, { "", 0 } } };

/* Fills a message's struct by its row, each field with something that is told from another's. */
static void *
make_message(const struct msg_row *row, uint64_t salt)
{
	char *m = xcalloc(1, row->size);

	for (size_t i = 0; i < row->n_fields; i++) {
		char *at = m + row->fields[i].offset;

		switch (row->fields[i].type) {
		case MSG_FIELD_U32:
			*(uint32_t *)at = (uint32_t)(salt * (i + 1));
			break;
		case MSG_FIELD_U64:
			*(uint64_t *)at = salt * salt * (i + 1);
			break;
		case MSG_FIELD_I64:
			*(int64_t *)at =
			    salt % 2 ? (int64_t)(salt * i) : -(int64_t)(salt * (i + 1));
			break;
		case MSG_FIELD_BOOL:
			*(bool *)at = (salt + i) % 2;
			break;
		case MSG_FIELD_STR:
			*(struct str *)at = texts[(salt + i) % ARRAY_LEN(texts)];
			break;
		case MSG_FIELD_STRS:
			*(struct strs *)at = (struct strs){ texts, salt % (ARRAY_LEN(texts) + 1) };
			break;
		case MSG_FIELD_KVS:
			*(struct kvs *)at = (struct kvs){ pairs, salt % (ARRAY_LEN(pairs) + 1) };
			break;
		}
	}
	return m;
}

static void
assert_str_eq(struct str a, struct str b)
{
	assert_int_equal(a.n, b.n);
	assert_true(str_eq(a, b));
}

static void
assert_field_equal(const struct msg_field *f, const char *a, const char *b)
{
	switch (f->type) {
	case MSG_FIELD_U32:
		assert_int_equal(*(const uint32_t *)a, *(const uint32_t *)b);
		break;
	case MSG_FIELD_U64:
		assert_true(*(const uint64_t *)a == *(const uint64_t *)b);
		break;
	case MSG_FIELD_I64:
		assert_true(*(const int64_t *)a == *(const int64_t *)b);
		break;
	case MSG_FIELD_BOOL:
		assert_int_equal(*(const bool *)a, *(const bool *)b);
		break;
	case MSG_FIELD_STR:
		assert_str_eq(*(const struct str *)a, *(const struct str *)b);
		break;
	case MSG_FIELD_STRS:
		assert_int_equal(((const struct strs *)a)->n, ((const struct strs *)b)->n);
		for (size_t i = 0; i < ((const struct strs *)a)->n; i++)
			assert_str_eq(
			    ((const struct strs *)a)->v[i], ((const struct strs *)b)->v[i]);
		break;
	case MSG_FIELD_KVS:
		assert_int_equal(((const struct kvs *)a)->n, ((const struct kvs *)b)->n);
		for (size_t i = 0; i < ((const struct kvs *)a)->n; i++) {
			assert_str_eq(
			    ((const struct kvs *)a)->v[i].key, ((const struct kvs *)b)->v[i].key);
			assert_str_eq(((const struct kvs *)a)->v[i].value,
			    ((const struct kvs *)b)->v[i].value);
		}
		break;
	}
}

/* A heap block of exactly n bytes: a read past it is seen. */
static unsigned char *
exact_copy(const char *p, size_t n)
{
	unsigned char *copy = xmalloc(n ? n : 1);

	memcpy(copy, p, n);
	return copy;
}

static void
check_round_trip(const struct msg_row *row, uint64_t salt)
{
	struct buf b = BUF_INIT(MAX_FRAME);
	struct wire_decoder *d = wire_decoder_new();
	struct wire_header h;
	char *m = make_message(row, salt);
	unsigned char *body;
	const void *back;

	assert_int_equal(wire_encode(&b, row->type, 77, m), 0);
	wire_header_read((const unsigned char *)b.data, &h);
	assert_int_equal(h.length, b.len - WIRE_HEADER_BYTES);
	assert_int_equal(h.type, row->type);
	assert_int_equal(h.id, 77);
	body = exact_copy(b.data + WIRE_HEADER_BYTES, h.length);
	assert_int_equal(wire_decode(d, row->type, body, h.length, &back), 0);
	for (size_t i = 0; i < row->n_fields; i++)
		assert_field_equal(&row->fields[i], m + row->fields[i].offset,
		    (const char *)back + row->fields[i].offset);
	free(body);

	for (size_t cut = 0; cut < h.length; cut++) {
		body = exact_copy(b.data + WIRE_HEADER_BYTES, cut);
		assert_int_equal(wire_decode(d, row->type, body, cut, &back), ERR_SYNTAX);
		free(body);
	}
	buf_add_char(&b, '\0');
	assert_int_equal(
	    wire_decode(d, row->type, (const unsigned char *)b.data + WIRE_HEADER_BYTES,
		h.length + 1, &back),
	    ERR_SYNTAX);
	free(m);
	wire_decoder_free(d);
	buf_clear(&b);
}

/* Row i of the table, or NULL past its end. */
static const struct msg_row *
row_at(size_t i)
{
	static const enum msg_type types[] = {
#define MSG(id, name, number, from, to, max, fds) MSG_##id,
#include "shared/msgs.def"
#undef MSG
	};

	return i < ARRAY_LEN(types) ? msg_row(types[i]) : NULL;
}

static void
test_every_message(void **state)
{
	const struct msg_row *row;
	static const uint64_t salts[] = { 0, 1, 2, 3, 200, 70000, 5000000000u };

	for (size_t i = 0; (row = row_at(i)) != NULL; i++)
		for (size_t k = 0; k < ARRAY_LEN(salts); k++)
			check_round_trip(row, salts[k]);
	assert_true(row_at(15) != NULL);
}

static void
test_table(void **state)
{
	const struct msg_row *row;

	for (size_t i = 0; (row = row_at(i)) != NULL; i++) {
		assert_ptr_equal(msg_row(row->type), row);
		assert_true(row->from && row->to && row->n_fields > 0 && row->max >= 64);
		assert_true(row->fds <= MSG_MAX_FDS);
		assert_int_equal(row->from & row->to, 0);
	}
	assert_null(msg_row(0));
	assert_null(msg_row(9999));
}

/* Configured secrets go from the supervisor to a worker; TEST carries what a caller gave. None goes
 * to the front. */
static void
test_secrets_have_one_way(void **state)
{
	const struct msg_row *row;
	int found = 0;

	for (size_t i = 0; (row = row_at(i)) != NULL; i++)
		for (size_t k = 0; k < row->n_fields; k++)
			if (strcmp(row->fields[k].name, "secrets") == 0) {
				assert_int_equal(
				    row->from, row->type == MSG_TEST ? ROLE_F : ROLE_S);
				assert_int_equal(row->to, ROLE_W);
				found++;
			}
	assert_int_equal(found, 2);
}

static void
test_header(void **state)
{
	static const struct {
		struct wire_header h;
		enum role from, to;
		int want;
	} cases[] = {
		{ { 10, 1, 0, MSG_JOB, 0 }, ROLE_F, ROLE_W, 0 },
		{ { 10, 2, 0, MSG_JOB, 0 }, ROLE_F, ROLE_W, ERR_SYNTAX },
		{ { 10, 0, 0, MSG_JOB, 0 }, ROLE_F, ROLE_W, ERR_SYNTAX },
		{ { 10, 1, 1, MSG_JOB, 0 }, ROLE_F, ROLE_W, ERR_SYNTAX },
		{ { 10, 1, 0, 0, 0 }, ROLE_F, ROLE_W, ERR_SYNTAX },
		{ { 10, 1, 0, 65535, 0 }, ROLE_F, ROLE_W, ERR_SYNTAX },
		{ { 10, 1, 0, MSG_JOB, 0 }, ROLE_W, ROLE_F, ERR_DENIED },
		{ { 10, 1, 0, MSG_CONF_TARGET, 0 }, ROLE_S, ROLE_F, ERR_DENIED },
		{ { 10, 1, 0, MSG_CONF_TARGET, 0 }, ROLE_F, ROLE_W, ERR_DENIED },
		{ { 256, 1, 0, MSG_JOB, 0 }, ROLE_F, ROLE_W, 0 },
		{ { 257, 1, 0, MSG_JOB, 0 }, ROLE_F, ROLE_W, ERR_LIMIT },
		{ { UINT32_MAX, 1, 0, MSG_JOB, 0 }, ROLE_F, ROLE_W, ERR_LIMIT },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(
		    wire_header_check(&cases[i].h, cases[i].from, cases[i].to), cases[i].want);
}

/* Bodies of JOB, which is three unsigned numbers and a text. */
static void
test_bodies(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		int want;
	} cases[] = {
		{ "\x94\x01\x02\x03\xa0", 5, 0 },
		{ "\x94\x01\x02\x03\xa1x", 6, 0 },
		{ "\x94\x01\x02\x03\xa1\xff", 6, 0 },
		{ "\x93\x01\x02\x03", 4, ERR_SYNTAX },			/* a field missing */
		{ "\x95\x01\x02\x03\xa0\x04", 6, ERR_SYNTAX },		/* one too many */
		{ "\x94\x01\x02\xff\xa0", 5, ERR_SYNTAX },			/* negative */
		{ "\x94\x01\x02\xc0\xa0", 5, ERR_SYNTAX },			/* nil */
		{ "\x94\x01\x02\xc3\xa0", 5, ERR_SYNTAX },			/* a boolean */
		{ "\x94\x01\x02\xa1x\xa0", 6, ERR_SYNTAX },			/* a text */
		{ "\x94\x01\x02\xcf\0\0\0\1\0\0\0\0\xa0", 13, ERR_SYNTAX }, /* more than 32 bits */
		{ "\x94\x01\x02\xca\0\0\0\0\xa0", 9, ERR_SYNTAX },		/* a float */
		{ "\x84\x01\x02\x03\x04\x05\x06\x07\xa0", 9, ERR_SYNTAX },	/* a map */
		{ "\xdd\xff\xff\xff\xff", 5, ERR_SYNTAX },		/* a count that is a lie */
		{ "\x91\x91\x91\x91\x91\x01", 6, ERR_SYNTAX },		/* nested */
		{ "", 0, ERR_SYNTAX },
	};
	struct wire_decoder *d = wire_decoder_new();
	const void *m;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned char *body = exact_copy(cases[i].bytes, cases[i].n);

		assert_int_equal(wire_decode(d, MSG_JOB, body, cases[i].n, &m), cases[i].want);
		free(body);
	}
	wire_decoder_free(d);
}

static void
test_too_large(void **state)
{
	struct buf b = BUF_INIT(MAX_FRAME);
	struct msg_result r = { 0 };
	char *huge = xcalloc(1, 200000);

	assert_int_equal(wire_encode(&b, MSG_JOB, 1, &(struct msg_job){ 1, 2, 3, STR("") }), 0);
	r.error = (struct str){ huge, 200000 };
	assert_int_equal(wire_encode(&b, MSG_RESULT, 2, &r), ERR_LIMIT);
	assert_int_equal(b.len, WIRE_HEADER_BYTES + 5);
	assert_true(buf_ok(&b));
	assert_int_equal(wire_encode(&b, MSG_JOB, 3, &(struct msg_job){ 4, 5, 6, STR("") }), 0);
	assert_int_equal(b.len, 2 * (WIRE_HEADER_BYTES + 5));
	free(huge);
	buf_clear(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_secrets_have_one_way),
		cmocka_unit_test(test_every_message),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_too_large),
	};

	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
