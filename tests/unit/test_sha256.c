/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 against the examples of FIPS 180-4 and lengths around a block's end. */
#include "tests/unit/unit.h"

#include "shared/sha256.h"
#include "shared/buf.h"

static void
check(struct str data, const char *want)
{
	uint8_t digest[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];

	sha256(data, digest);
	for (int i = 0; i < SHA256_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	assert_string_equal(hex, want);
}

static void
test_examples(void **state)
{
	char *million = xmalloc(1000000);

	check(STR(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	check((struct str){ NULL, 0 },
	    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	check(STR("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	check(STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
	    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	memset(million, 'a', 1000000);
	check((struct str){ million, 1000000 },
	    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(million);
}

static void
test_block_ends(void **state)
{
	static const struct {
		size_t n;
		const char *want;
	} cases[] = {
		{ 55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318" },
		{ 56, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a" },
		{ 63, "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34" },
		{ 64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb" },
		{ 65, "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0" },
	};
	char data[65];

	memset(data, 'a', sizeof(data));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check((struct str){ data, cases[i].n }, cases[i].want);
}

static void
test_equal(void **state)
{
	uint8_t a[SHA256_LEN], b[SHA256_LEN];

	sha256(STR("a"), a);
	for (int i = 0; i < SHA256_LEN; i++) {
		memcpy(b, a, sizeof(b));
		assert_true(sha256_equal(a, b));
		b[i] ^= 0x80;
		assert_false(sha256_equal(a, b));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_block_ends),
		cmocka_unit_test(test_equal),
	};

	return cmocka_run_group_tests_name("sha256", tests, NULL, NULL);
}
