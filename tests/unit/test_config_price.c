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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
