/* SPDX-License-Identifier: Apache-2.0 */
/* What a token costs: the config's own price before the table's. */
#include "shared/models.h"
#include "tests/unit/loaded.h"
#include "tests/unit/unit.h"

static void
test_prices(void **state)
{
	static const struct {
		const char *params, *info;
		int64_t in, out;
	} cases[] = {
		{ "model: openai/gpt-4o-mini, api_key: k", "", 150000, 600000 },
		{ "model: openai/gpt-4o-mini, api_key: k, input_cost_per_token: 0.000001", "", 1000000, 600000 },
		{ "model: openai/gpt-4o-mini, api_key: k, input_cost_per_token: 1e-6, output_cost_per_token: \"2.5e-6\"",
		    "", 1000000, 2500000 },
		{ "model: openai/gpt-4o-mini, api_key: k", "output_cost_per_token: 0", 150000, 0 },
		{ "model: openai/of-our-own, api_key: k", "", -1, -1 },
		{ "model: openai/of-our-own, api_key: k", "base_model: gpt-4o-mini", 150000, 600000 },
		{ "model: openai/of-our-own, api_key: k", "input_cost_per_token: 3e-06", 3000000, 0 },
		{ "model: openai/of-our-own, api_key: k, input_cost_per_token: much", "", -1, -1 },
		{ "model: openai/of-our-own, api_key: k, input_cost_per_token: -1", "", -1, -1 },
		{ "model: openai/of-our-own, api_key: k, input_cost_per_token: 1e300", "", -1, -1 },
		{ "model: openai/of-our-own, api_key: k, input_cost_per_token: nan", "", -1, -1 },
		{ "model: openai/of-our-own, api_key: k, input_cost_per_token: .nan", "", -1, -1 },
		{ "model: openai/of-our-own, api_key: k, input_cost_per_token: [1]", "", -1, -1 },
	};
	struct loaded l;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		load_one(&l, cases[i].params, cases[i].info, NULL);
		assert_int_equal(first(&l)->front.price_in, cases[i].in);
		assert_int_equal(first(&l)->front.price_out, cases[i].out);
		loaded_clear(&l);
	}
}

/* What is not sold by tokens has the price that the config gives it. */
static void
test_by_the_piece(void **state)
{
	static const struct {
		const char *params, *info;
		int64_t price;
	} cases[] = {
		{ "model: openai/i, api_key: k, output_cost_per_image: 0.04", "mode: image_generation", 40000000000 },
		{ "model: openai/i, api_key: k", "mode: image_edit, input_cost_per_image: \"4e-2\"", 40000000000 },
		{ "model: openai/i, api_key: k, input_cost_per_pixel: 1.0e-8", "mode: image_generation", 10485760000 },
		{ "model: openai/s, api_key: k, input_cost_per_character: 1.5e-5", "mode: audio_speech", 255000000 },
		{ "model: openai/w, api_key: k, input_cost_per_second: 0.0001", "mode: audio_transcription", 100000000 },
		{ "model: cohere/r, api_key: k, input_cost_per_query: 0.002", "mode: rerank", 2000000000 },
		{ "model: openai/c, api_key: k, input_cost_per_request: 0.001", "mode: chat", 1000000000 },
		{ "model: openai/c, api_key: k, output_cost_per_image: 0.04", "mode: chat", -1 },
		{ "model: openai/i, api_key: k, output_cost_per_image: -1", "mode: image_generation", -1 },
		{ "model: openai/i, api_key: k", "mode: image_generation", -1 },
	};
	struct loaded l;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		load_one(&l, cases[i].params, cases[i].info, NULL);
		if (first(&l)->front.price_probe != cases[i].price)
			fail_msg("case %zu: %lld", i, (long long)first(&l)->front.price_probe);
		loaded_clear(&l);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prices),
		cmocka_unit_test(test_by_the_piece),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
