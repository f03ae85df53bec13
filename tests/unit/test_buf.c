/* SPDX-License-Identifier: Apache-2.0 */
/* The byte buffer: what is appended, what its maximum refuses, who owns the memory. */
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <string.h>

#include "shared/buf.h"

static void
test_empty(void **state)
{
	struct buf b = BUF_INIT(10);
	char *taken;

	assert_true(buf_ok(&b));
	assert_string_equal(buf_text(&b), "");
	assert_int_equal(buf_str(&b).n, 0);
	assert_non_null(buf_str(&b).p);
	taken = buf_take(&b);
	assert_string_equal(taken, "");
	free(taken);
	buf_drain(&b, 0);
	buf_reset(&b);
	buf_clear(&b);
	buf_clear(&b);
}

static void
test_append(void **state)
{
	struct buf b = BUF_INIT(1000);

	buf_add(&b, NULL, 0);
	buf_add(&b, "a\0b", 3);
	assert_memory_equal(buf_str(&b).p, "a\0b", 4);
	buf_reset(&b);
	buf_add_str(&b, STR("one"));
	buf_add_str(&b, (struct str){ NULL, 0 });
	buf_add_text(&b, " two");
	buf_add_char(&b, ' ');
	buf_addf(&b, "%d-%s", 3, "four");
	buf_addf(&b, "%s", "");
	assert_string_equal(buf_text(&b), "one two 3-four");
	assert_int_equal(b.len, strlen(buf_text(&b)));
	buf_clear(&b);
}

static void
test_integers(void **state)
{
	static const int64_t values[] = { 0, 1, -1, 9, 10, -10, 99, 100, 1234567890, INT32_MIN,
		INT32_MAX, INT64_MAX, INT64_MIN, INT64_MIN + 1 };
	struct buf b = BUF_INIT(100);
	char want[32];

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		buf_reset(&b);
		buf_add_int(&b, values[i]);
		snprintf(want, sizeof(want), "%" PRId64, values[i]);
		assert_string_equal(buf_text(&b), want);
	}
	buf_clear(&b);
}

/* Each way to append refuses the byte too many, and everything after it. */
static void
test_maximum(void **state)
{
	struct buf b = BUF_INIT(5);

	for (int way = 0; way < 6; way++) {
		buf_reset(&b);
		buf_add(&b, "12345", 5);
		assert_true(buf_ok(&b));
		switch (way) {
		case 0:
			buf_add(&b, "6", 1);
			break;
		case 1:
			buf_add_char(&b, '6');
			break;
		case 2:
			buf_add_text(&b, "6");
			break;
		case 3:
			buf_addf(&b, "%d", 6);
			break;
		case 4:
			buf_add_int(&b, 6);
			break;
		case 5:
			assert_null(buf_reserve(&b, 1));
			break;
		}
		assert_false(buf_ok(&b));
		assert_string_equal(buf_text(&b), "12345");
		buf_add(&b, "", 0);
		assert_null(buf_reserve(&b, 0));
		assert_false(buf_ok(&b));
	}
	buf_reset(&b);
	assert_true(buf_ok(&b));
	buf_add(&b, "123456", 6);
	assert_false(buf_ok(&b));
	assert_int_equal(b.len, 0);
	buf_clear(&b);
	assert_true(buf_ok(&b));
	assert_int_equal(b.max, 5);
}

static void
test_maximum_extremes(void **state)
{
	struct buf none = BUF_INIT(0), all = BUF_INIT(SIZE_MAX);

	buf_add(&none, "", 0);
	assert_true(buf_ok(&none));
	buf_add_char(&none, 'x');
	assert_false(buf_ok(&none));
	buf_clear(&none);

	buf_add(&all, "ab", 2);
	assert_null(buf_reserve(&all, SIZE_MAX));
	buf_reset(&all);
	buf_add(&all, "ab", 2);
	/* Length, these bytes and the final NUL together are one more than size_t holds. */
	assert_null(buf_reserve(&all, SIZE_MAX - 2));
	buf_clear(&all);
}

static void
test_reserve_commit(void **state)
{
	struct buf b = BUF_INIT(100000);
	char *to;

	buf_add_text(&b, "head");
	to = buf_reserve(&b, 50000);
	assert_non_null(to);
	memset(to, 'x', 3);
	buf_commit(&b, 3);
	assert_string_equal(buf_text(&b), "headxxx");
	buf_clear(&b);
}

static void
test_drain(void **state)
{
	struct buf b = BUF_INIT(100);

	buf_add_text(&b, "abcdef");
	buf_drain(&b, 2);
	assert_string_equal(buf_text(&b), "cdef");
	buf_drain(&b, 4);
	assert_string_equal(buf_text(&b), "");
	assert_int_equal(b.len, 0);
	buf_clear(&b);
}

static void
test_take(void **state)
{
	struct buf b = BUF_INIT(3);
	char *taken;

	buf_add_text(&b, "abc");
	taken = buf_take(&b);
	assert_string_equal(taken, "abc");
	free(taken);
	assert_int_equal(b.len, 0);
	buf_add_text(&b, "xyz");
	assert_true(buf_ok(&b));
	assert_string_equal(buf_text(&b), "xyz");
	buf_clear(&b);
}

/* Content survives each growth. */
static void
test_growth(void **state)
{
	struct buf b = BUF_INIT(300000);

	for (int i = 0; i < 100000; i++)
		buf_add(&b, "xyz", 3);
	assert_true(buf_ok(&b));
	assert_int_equal(b.len, 300000);
	for (int i = 0; i < 300000; i += 3)
		assert_memory_equal(b.data + i, "xyz", 3);
	buf_add_char(&b, '!');
	assert_false(buf_ok(&b));
	buf_clear(&b);
}

static void
test_str(void **state)
{
	char *copy = str_dup((struct str){ NULL, 0 });

	assert_string_equal(copy, "");
	free(copy);
	copy = str_dup((struct str){ "abc", 2 });
	assert_string_equal(copy, "ab");
	free(copy);
	assert_true(str_eq((struct str){ NULL, 0 }, STR("")));
	assert_false(str_eq(STR("a"), STR("b")));
	assert_false(str_eq(STR("a"), STR("ab")));
	assert_true(str_is(str_of(NULL), ""));
	assert_true(str_starts(STR("abc"), "ab"));
	assert_true(str_starts(STR("abc"), ""));
	assert_false(str_starts(STR("a"), "ab"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_maximum),
		cmocka_unit_test(test_maximum_extremes),
		cmocka_unit_test(test_reserve_commit),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_str),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
