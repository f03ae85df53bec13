/* SPDX-License-Identifier: Apache-2.0 */
/* Ids: every one that LiteLLM was seen to give. */
#include "tests/unit/unit.h"

#include <string.h>

#include "supervisor/config/ids.h"
#include "tests/unit/config_test.h"
#include "tests/unit/loaded.h"

static json_t *
read_goldens(void)
{
	json_error_t error;
	json_t *json =
	    json_load_file(unit_source_path("tests/fixtures/config/model-ids.json"), 0, &error);

	if (json == NULL)
		fail_msg("model-ids.json: %s", error.text);
	return json;
}

static char **
make_environment(const json_t *variables)
{
	char **env = xcalloc(json_object_size(variables) + 1, sizeof(*env));
	const char *name;
	json_t *value;
	size_t n = 0;

	json_object_foreach((json_t *)variables, name, value)
	{
		struct buf b = BUF_INIT(4096);

		buf_addf(&b, "%s=%s", name, json_string_value(value));
		env[n++] = buf_take(&b);
	}
	return env;
}

static void
test_goldens(void **state)
{
	json_t *json = read_goldens(), *one;
	char **env = make_environment(json_object_get(json, "environment"));
	size_t i;
	int bad = 0;

	(void)state;
	assert_true(json_array_size(json_object_get(json, "cases")) >= 44);
	json_array_foreach(json_object_get(json, "cases"), i, one)
	{
		const char *want = json_string_value(json_object_get(one, "id"));
		struct buf yaml = BUF_INIT(1 << 16);
		struct loaded l;

		buf_addf(
		    &yaml, "model_list:\n- %s\n", json_string_value(json_object_get(one, "yaml")));
		load_text(&l, buf_text(&yaml), (const char *const *)env);
		if (l.config == NULL || l.config->n_deployments != 1 ||
		    !str_is(l.config->deployments[0].front.id, want)) {
			bad++;
			fprintf(stderr, "%s: got %s, wanted %s\n%s",
			    json_string_value(json_object_get(one, "case")),
			    l.config && l.config->n_deployments
				? l.config->deployments[0].front.id.p
				: "nothing",
			    want, buf_text(&l.told));
		} else if (json_object_get(one, "dropped")) {
			assert_false(l.config->deployments[0].askable);
		}
		loaded_clear(&l);
		buf_clear(&yaml);
	}
	assert_int_equal(bad, 0);
	for (i = 0; env[i]; i++)
		free(env[i]);
	free(env);
	json_decref(json);
}

static void
test_wrong_types(void **state)
{
	static const struct {
		const char *info;
		const char *told;
	} cases[] = {
		{ "{id: 1.5}", "model_info.id is a number, expected a text or a whole number" },
		{ "{id: true}", "model_info.id is a boolean" },
		{ "{id: [a]}", "model_info.id is a list" },
		{ "{id: \"\"}", "LiteLLM leaves this deployment out of /health" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf yaml = BUF_INIT(4096);
		struct loaded l;

		buf_addf(&yaml,
		    "model_list:\n- {model_name: a, litellm_params: {model: openai/m, api_key: "
		    "sk-x}, model_info: %s}\n",
		    cases[i].info);
		load_text(&l, buf_text(&yaml), NULL);
		assert_loaded(&l);
		assert_int_equal(l.config->n_deployments, 1);
		assert_told(&l, cases[i].told);
		loaded_clear(&l);
		buf_clear(&yaml);
	}
}

static void
test_key_that_json_refuses(void **state)
{
	struct loaded l;

	(void)state;
	load_text(&l,
	    "model_list:\n- {model_name: a, litellm_params: {model: openai/m, api_key: sk-x, foo: "
	    "{2024-01-01: 1}}}\n",
	    NULL);
	assert_loaded(&l);
	assert_int_equal(l.config->deployments[0].front.id.n, 64);
	assert_false(l.config->deployments[0].askable);
	assert_told(&l, "no id can be made");
	loaded_clear(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goldens),
		cmocka_unit_test(test_wrong_types),
		cmocka_unit_test(test_key_that_json_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
