/* SPDX-License-Identifier: Apache-2.0 */
/* Settings, slips of the pen, the master key, and a large config. */
#include "tests/unit/unit.h"

#include <string.h>

#include "supervisor/config/suggest.h"
#include "tests/unit/config_test.h"
#include "tests/unit/loaded.h"

static void
test_values(void **state)
{
	static const char yaml[] =
	    "llmhealth:\n"
	    "  workers: 2\n"
	    "  listen: [\"127.0.0.1:0\", \"unix:/run/x\"]\n"
	    "  state_interval: 250ms\n"
	    "  max_response: 2MB\n"
	    "  allow_link_local: yes\n"
	    "  http: {idle: 1.5, connections: \"10\"}\n"
	    "  log: {level: debug}\n"
	    "general_settings:\n"
	    "  master_key: sk-1234\n"
	    "  background_health_checks: true\n"
	    "  health_check_interval: 60\n"
	    "  health_check_details: false\n"
	    "  something_of_litellm: [1, {a: b}]\n"
	    "litellm_settings: {ssl_verify: false, request_timeout: 1.2, drop_params: true}\n"
	    "router_settings: {background_health_check_model_groups: [a, b], num_retries: 3}\n";
	static const unsigned char digest[] = { 0x88, 0xdc, 0x28, 0xd0, 0xf0, 0x30, 0xc5, 0x5e };
	const struct settings *s;
	struct loaded l;
	struct str item;

	(void)state;
	load_text(&l, yaml, NULL);
	assert_loaded(&l);
	assert_string_equal(buf_text(&l.told), "");
	s = &l.config->settings;
	assert_int_equal(s->num[SETTING_WORKERS], 2);
	assert_true(settings_list_item(s, SETTING_LISTEN, 1, &item));
	assert_true(str_is(item, "unix:/run/x"));
	assert_int_equal(s->num[SETTING_STATE_INTERVAL], 250);
	assert_int_equal(s->num[SETTING_MAX_BODY], 2000000);
	assert_int_equal(s->num[SETTING_ALLOW_LINK_LOCAL], 1);
	assert_int_equal(s->num[SETTING_HTTP_IDLE], 1500);
	assert_int_equal(s->num[SETTING_HTTP_CONNECTIONS], 10);
	assert_string_equal(s->text[SETTING_LOG_LEVEL], "debug");
	assert_int_equal(s->num[SETTING_BACKGROUND], 1);
	assert_int_equal(settings_interval_ms(s), 60000);
	assert_int_equal(s->num[SETTING_HC_DETAILS], 0);
	assert_string_equal(s->text[SETTING_SSL_VERIFY], "false");
	assert_int_equal(s->num[SETTING_REQUEST_TIMEOUT], 2);
	assert_string_equal(s->text[SETTING_HC_GROUPS], "a\nb");
	/* Only the digest of the key is kept. */
	assert_string_equal(s->text[SETTING_MASTER_KEY], "");
	assert_true(l.config->has_key);
	assert_memory_equal(l.config->key_digest, digest, sizeof(digest));
	assert_int_equal(config_key_digest(l.config).n, 32);
	loaded_clear(&l);
}

static void
test_defaults(void **state)
{
	struct loaded l;

	(void)state;
	load_text(
	    &l, "model_list: []\ngeneral_settings:\nllmhealth:\n  http:\n  workers: null\n", NULL);
	assert_loaded(&l);
	assert_string_equal(buf_text(&l.told), "");
	assert_false(l.config->has_key);
	assert_int_equal(config_key_digest(l.config).n, 0);
	assert_int_equal(l.config->settings.num[SETTING_BACKGROUND], -1);
	assert_int_equal(settings_interval_ms(&l.config->settings), 300000);
	loaded_clear(&l);
}

static void
test_variables(void **state)
{
	static const char *const env[] = { "LITELLM_MASTER_KEY=sk-1234",
		"DEFAULT_HEALTH_CHECK_INTERVAL=17", "SSL_VERIFY=False", "SSL_CERTIFICATE=/c.pem",
		"STATE_DIRECTORY=/var/lib/a:/var/lib/b", NULL };
	static const char *const bad[] = { "DEFAULT_HEALTH_CHECK_INTERVAL=soon", NULL };
	struct loaded l;

	(void)state;
	load_text(&l, "llmhealth: {listen: \"0.0.0.0:4001\"}", env);
	assert_loaded(&l);
	assert_true(l.config->has_key);
	assert_int_equal(settings_interval_ms(&l.config->settings), 17000);
	assert_string_equal(l.config->settings.text[SETTING_SSL_VERIFY], "False");
	assert_string_equal(l.config->settings.text[SETTING_SSL_CERTIFICATE], "/c.pem");
	assert_string_equal(l.config->settings.text[SETTING_STATE_FILE], "/var/lib/a/state");
	loaded_clear(&l);

	/* What the config says itself counts. */
	load_text(
	    &l, "general_settings: {health_check_interval: 5}\nllmhealth: {state_file: /x}", env);
	assert_loaded(&l);
	assert_int_equal(settings_interval_ms(&l.config->settings), 5000);
	assert_string_equal(l.config->settings.text[SETTING_STATE_FILE], "/x");
	loaded_clear(&l);

	load_text(&l, "model_list: []", bad);
	assert_int_equal(l.rc, ERR_INVALID);
	assert_told(&l, "C: error: the variable DEFAULT_HEALTH_CHECK_INTERVAL is not valid, "
			"expected a whole number from 1");
	loaded_clear(&l);
}

static void
test_mistakes(void **state)
{
	static const char *const cases[][2] = {
		{ "llmhealth: {workers: many}", "C:1:22: error: llmhealth.workers is \"many\", "
						"expected a whole number from 0 to 64" },
		{ "llmhealth: {workers: 65}",
		    "llmhealth.workers is \"65\", expected a whole number from 0 to 64" },
		{ "llmhealth: {workers: [1]}",
		    "llmhealth.workers is a list, expected a whole number" },
		{ "llmhealth: {recheck: 5 parsecs}",
		    "llmhealth.recheck is \"5 parsecs\", expected a duration from 100ms to 1d" },
		{ "llmhealth: {wrokers: 2}",
		    "C:1:13: error: unknown setting llmhealth.wrokers, did you mean \"workers\"?" },
		{ "llmhealth: {http: {idel: 2}}",
		    "unknown setting llmhealth.http.idel, did you mean \"idle\"?" },
		{ "llmhealth: {zzzzzz: 2}",
		    "unknown setting llmhealth.zzzzzz, expected one of docs/settings.md" },
		{ "llmhealth: {http: 2}", "llmhealth.http is a whole number, expected a mapping" },
		{ "llmhealth: 2", "llmhealth is a whole number, expected a mapping" },
		{ "llmhealth: {4: 2}", "a key of llmhealth is a whole number" },
		{ "llmhealth: {listen: []}", "llmhealth.listen is empty" },
		{ "llmhealth: {log: {level: loud}}",
		    "llmhealth.log.level is \"loud\", expected error, warning" },
		{ "llmhealth: {log: {format: xml}}",
		    "llmhealth.log.format is \"xml\", expected text, json or journald" },
		{ "general_settings: {health_check_interval: 1.5}",
		    "general_settings.health_check_interval is \"1.5\", expected a whole" },
		{ "general_settings: {health_check_interval: 0}",
		    "general_settings.health_check_interval is \"0\"" },
		{ "general_settings: {background_health_check_model_groups: [a, 1]}",
		    "background_health_check_model_groups is a list" },
		{ "general_settings: {master_key: 1234}",
		    "general_settings.master_key is a whole number, expected a text" },
		{ "general_settings: [a]", "general_settings is a list, expected a mapping" },
		{ "router_settings: {health_check_interval: 5}",
		    "router_settings.health_check_interval stops LiteLLM" },
	};
	/* Only `serve` listens, and refuses these. */
	static const char *const warned[][2] = {
		{ "llmhealth: {listen: \":4001\"}",
		    "can be reached by others and no master key is set" },
		{ "llmhealth: {listen: \"0.0.0.0:4001\"}",
		    "0.0.0.0:4001 can be reached by others" },
		{ "llmhealth: {listen: [\"[::1]:1\", \"[::]:4001\"]}",
		    "[::]:4001 can be reached by others" },
	};
	static const char *const fine[] = {
		"llmhealth: {listen: [\"127.3.4.5:1\", \"localhost:2\", \"[::1]:3\", \"unix:/x\"]}",
		"llmhealth: {listen: \"0.0.0.0:1\"}\ngeneral_settings: {master_key: sk-1}",
		("llmhealth: {listen: \"0.0.0.0:1\"}\ngeneral_settings: "
		 "{dangerously_permit_weak_or_unset_master_key: true}"),
	};
	struct loaded l;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		load_text(&l, cases[i][0], NULL);
		assert_int_equal(l.rc, ERR_INVALID);
		assert_told(&l, cases[i][1]);
		loaded_clear(&l);
	}
	for (size_t i = 0; i < ARRAY_LEN(warned); i++) {
		load_text(&l, warned[i][0], NULL);
		assert_int_equal(l.rc, 0);
		assert_told(&l, warned[i][1]);
		loaded_clear(&l);
	}
	for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
		load_text(&l, fine[i], NULL);
		assert_loaded(&l);
		loaded_clear(&l);
	}
}

static void
test_all_at_once(void **state)
{
	struct loaded l;

	(void)state;
	load_text(&l,
	    "llmhealth: {workers: x, nothing: 1}\n"
	    "general_settings: {health_check_interval: x}\n"
	    "model_list: [3, {model_name: a, litellm_params: {model: openai/m}}]\n"
	    "credential_list: 4\n",
	    NULL);
	assert_int_equal(l.rc, ERR_INVALID);
	assert_int_equal(problems_errors(l.problems), 5);
	assert_int_equal(problems_deployments(l.problems), 1);
	loaded_clear(&l);
}

static void
test_slips(void **state)
{
	static const char *const cases[][2] = {
		{ "general_settings: {backgroud_health_checks: true}",
		    "C:1:20: warning: unknown key \"backgroud_health_checks\" in general_settings, "
		    "did you mean "
		    "\"background_health_checks\"?" },
		{ "general_settings: {health_check_timeout: 5}",
		    "health_check_timeout has no effect in general_settings, expected "
		    "it in model_info" },
		{ "model_list: [{model_name: a, litellm_params: {model: openai/m, api_kye: x}}]",
		    "did you mean \"api_key\"?" },
		{ "model_list: [{model_name: a, litellm_params: {model: openai/m, "
		  "health_check_model: x}}]",
		    "health_check_model has no effect in litellm_params, expected it in "
		    "model_info" },
		{ "model_list: [{model_name: a, litellm_params: {model: openai/m}, model_info: "
		  "{health_check_timout: 5}}]",
		    "did you mean \"health_check_timeout\"?" },
		{ "model_list: [{model_name: a, litellm_params: {model: openai/m}, model_info: "
		  "{disable_background_healthcheck: 1}}]",
		    "did you mean \"disable_background_health_check\"?" },
	};
	static const char *const fine[] = {
		"general_settings: {health_check_interval: 5, alerting: [slack], "
		"store_model_in_db: true, otel: true}",
		"model_list: [{model_name: a, litellm_params: {model: openai/m, api_key: k, "
		"temperature: 1, mode: chat, order: 1}, "
		"model_info: {base_model: x, max_tokens: 4, tier: free, notes: y, model: z}}]",
	};
	struct loaded l;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		load_text(&l, cases[i][0], NULL);
		assert_loaded(&l);
		assert_told(&l, cases[i][1]);
		loaded_clear(&l);
	}
	for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
		load_text(&l, fine[i], NULL);
		assert_loaded(&l);
		assert_string_equal(buf_text(&l.told), "");
		loaded_clear(&l);
	}
}

static void
test_distance(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned distance;
	} cases[] = {
		{ "abc", "abc", 0 },
		{ "abc", "abd", 1 },
		{ "abc", "acb", 1 },
		{ "abc", "ab", 1 },
		{ "abc", "xabc", 1 },
		{ "", "ab", 2 },
		{ "abcd", "badc", 2 },
		{ "abc", "xyz", 3 },
		{ "a", "abcdef", 3 },
	};
	static const char *const names[] = { "mode", "timeout", "interval" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(
		    suggest_distance(str_of(cases[i].a), str_of(cases[i].b), 2), cases[i].distance);
		assert_int_equal(
		    suggest_distance(str_of(cases[i].b), str_of(cases[i].a), 2), cases[i].distance);
	}
	assert_string_equal(suggest(STR("tmeout"), names, 3), "timeout");
	assert_string_equal(suggest(STR("intrevals"), names, 3), "interval");
	assert_null(suggest(STR("mo"), names, 3));
	assert_null(suggest(STR("timeout"), names, 3));
}

static void
test_many(void **state)
{
	struct buf yaml = BUF_INIT((size_t)8 << 20);
	struct loaded l;

	(void)state;
	buf_add_text(&yaml, "model_list:\n");
	for (int i = 0; i < 5000; i++)
		buf_addf(&yaml,
		    "- model_name: group-%d\n  litellm_params:\n    model: openai/model-%d\n    "
		    "api_key: sk-%d-abcdef\n"
		    "    api_base: http://127.0.0.%d:4000/v1\n  model_info:\n    "
		    "health_check_timeout: 5\n",
		    i / 4, i, i, i % 250 + 1);
	load_text(&l, buf_text(&yaml), NULL);
	assert_loaded(&l);
	assert_int_equal(l.config->n_deployments, 5000);
	for (size_t i = 0; i < 5000; i++) {
		assert_true(l.config->deployments[i].askable);
		assert_int_equal(l.config->deployments[i].front.position, i);
	}
	loaded_clear(&l);

	/* So many that cannot be asked are all there, though not every finding is kept. */
	buf_reset(&yaml);
	buf_add_text(&yaml, "model_list:\n");
	for (int i = 0; i < 3000; i++)
		buf_addf(&yaml, "- {model_name: g, litellm_params: {model: openai/model-%d}}\n", i);
	load_text(&l, buf_text(&yaml), NULL);
	assert_loaded(&l);
	assert_int_equal(l.config->n_deployments, 3000);
	assert_int_equal(problems_deployments(l.problems), 3000);
	assert_int_equal(problems_count(l.problems), PROBLEMS_MAX);
	loaded_clear(&l);
	buf_clear(&yaml);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_all_at_once),
		cmocka_unit_test(test_slips),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
