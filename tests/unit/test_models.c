/* SPDX-License-Identifier: Apache-2.0 */
/* The table of models: that it is in order, and which row a name finds. */
#include "shared/models.h"

#include <string.h>

#include "tests/unit/unit.h"

static void
test_order(void **state)
{
	struct known_model model, found;
	char last[512] = "";
	size_t n = 0;

	(void)state;
	for (; models_at(n, &model); n++) {
		assert_true(n == 0 || strcmp(last, model.name) < 0);
		assert_true(models_find(STR(""), str_of(model.name), &found));
		assert_string_equal(found.name, model.name);
		assert_true(model.mode >= -1 && model.mode < MODE_COUNT);
		assert_true(strlen(model.name) < sizeof(last));
		strcpy(last, model.name);
	}
	assert_true(n > 1000);
}

static void
test_names(void **state)
{
	static const struct {
		const char *provider, *bare, *found;
		int mode;
	} cases[] = {
		{ "openai", "gpt-4o", "gpt-4o", MODE_CHAT },
		{ "", "gpt-4o", "gpt-4o", MODE_CHAT },
		{ "azure", "gpt-4o", "azure/gpt-4o", MODE_CHAT },
		{ "", "azure/gpt-4o", "azure/gpt-4o", MODE_CHAT },
		{ "openai", "o1-pro", "o1-pro", MODE_RESPONSES },
		{ "openai", "whisper-1", "whisper-1", MODE_AUDIO_TRANSCRIPTION },
		{ "openai", "omni-moderation-latest", "omni-moderation-latest", -1 },
		{ "bedrock", "amazon.titan-embed-text-v2:0", "amazon.titan-embed-text-v2:0",
		    MODE_EMBEDDING },
		{ "bedrock", "converse/amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0", MODE_CHAT },
		{ "bedrock", "xx-1/global.amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0",
		    MODE_CHAT },
		{ "groq", "us.amazon.nova-lite-v1:0x", NULL, 0 },
		{ "openai", "", NULL, 0 },
		{ "openai", "gpt-4", "gpt-4", MODE_CHAT },
		{ "openai", "gpt-4o-not-there", NULL, 0 },
	};
	struct known_model model;
	char longest[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool found = models_find(str_of(cases[i].provider), str_of(cases[i].bare), &model);

		assert_int_equal(found, cases[i].found != NULL);
		if (!found)
			continue;
		assert_string_equal(model.name, cases[i].found);
		assert_int_equal(model.mode, cases[i].mode);
	}
	memset(longest, 'a', sizeof(longest));
	assert_false(models_find(STR("x"), (struct str){ longest, sizeof(longest) }, &model));
	assert_false(models_find(STR("x"), STR("gpt-4o\0x"), &model));
}

static void
test_facts(void **state)
{
	struct known_model model;

	(void)state;
	assert_true(models_find(STR("openai"), STR("o1"), &model));
	assert_true(model.reasons);
	assert_true(models_find(STR("openai"), STR("gpt-4o"), &model));
	assert_false(model.reasons);
	assert_true(model.price_in > 0 && model.price_out > model.price_in);
	assert_true(models_find(STR("openai"), STR("tts-1"), &model));
	assert_true(model.price_out < 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
