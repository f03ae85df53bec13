/* SPDX-License-Identifier: Apache-2.0 */
/* What is played and shown to models is what it says it is; and the forms that carry it. */
#include "workers/dialects/samples.h"

#include <string.h>

#include "tests/unit/unit.h"
#include "workers/dialects/multipart.h"

static uint32_t
little(const char *p, int bytes)
{
	uint32_t v = 0;

	for (int i = 0; i < bytes; i++)
		v |= (uint32_t)(unsigned char)p[i] << 8 * i;
	return v;
}

static void
test_wav(void **state)
{
	struct str wav = sample_wav();
	int highest = 0;

	(void)state;
	assert_memory_equal(wav.p, "RIFF", 4);
	assert_int_equal(little(wav.p + 4, 4), wav.n - 8);
	assert_memory_equal(wav.p + 8, "WAVEfmt ", 8);
	assert_int_equal(little(wav.p + 20, 2), 1);
	assert_int_equal(little(wav.p + 24, 4), 16000);
	assert_int_equal(little(wav.p + 40, 4), wav.n - 44);
	/* OpenAI takes no less than a tenth of a second. */
	assert_true(little(wav.p + 40, 4) >= little(wav.p + 28, 4) / 10);
	for (size_t i = 44; i < wav.n; i += 2) {
		int16_t sample = (int16_t)little(wav.p + i, 2);

		highest = sample > highest ? sample : highest;
	}
	assert_int_equal(highest, 1000);
	assert_ptr_equal(sample_wav().p, wav.p);
}

static void
test_pictures(void **state)
{
	static const unsigned char png[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
	struct str all[] = { sample_png(), sample_dot_png() };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_memory_equal(all[i].p, png, sizeof(png));
		assert_memory_equal(all[i].p + all[i].n - 8, "IEND", 4);
	}
	assert_memory_equal(all[0].p + 12, "IHDR\0\0\2\0\0\0\2\0", 12);
	assert_memory_equal(sample_pdf().p, "%PDF-1.4\n", 9);
	assert_memory_equal(sample_pdf().p + sample_pdf().n - 5, "%%EOF", 5);
}

static void
test_base64(void **state)
{
	static const char *const cases[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" }, { "\xff\xfe\xfd", "//79" } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b = BUF_INIT(64);

		sample_add_base64(&b, str_of(cases[i][0]));
		assert_string_equal(buf_text(&b), cases[i][1]);
		buf_clear(&b);
	}
}

static void
test_forms(void **state)
{
	struct buf body = BUF_INIT(4096), small = BUF_INIT(64);
	struct multipart m = { .body = &body }, tight = { .body = &small };

	(void)state;
	multipart_text(&m, "model", STR("m"));
	multipart_file(&m, "file", "a.wav", "audio/wav", STR("\r\nRIFF"));
	assert_int_equal(multipart_end(&m), 0);
	assert_string_equal(buf_text(&body),
	    "--" MULTIPART_BOUNDARY "\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n"
	    "--" MULTIPART_BOUNDARY "\r\nContent-Disposition: form-data; name=\"file\"; "
	    "filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\n\r\nRIFF\r\n"
	    "--" MULTIPART_BOUNDARY "--\r\n");

	/* A text that would end the part early is refused. */
	buf_reset(&body);
	m.parts = 0;
	multipart_text(&m, "model", STR("x\r\n--" MULTIPART_BOUNDARY "\r\n"));
	assert_int_equal(multipart_end(&m), ERR_INVALID);
	buf_clear(&body);

	multipart_text(&tight, "model", STR("m"));
	assert_int_equal(multipart_end(&tight), ERR_LIMIT);
	buf_clear(&small);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wav),
		cmocka_unit_test(test_pictures),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
