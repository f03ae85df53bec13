/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of /health: LiteLLM's fields in its order, ours behind them, who sees what, when it is
 * rendered anew. */
#include "tests/unit/unit.h"

#include "shared/clock.h"
#include "supervisor/front/entry.h"

#define NOW 1763692865123

static const struct kv display[] = {
	{ { "api_base", 8 }, { "\"http://h/v1\"", 13 } },
	{ { "tpm", 3 }, { "1000", 4 } },
	{ { "model", 5 }, { "\"openai/ok\"", 11 } },
};

static struct fleet *
make_fleet(const struct msg_conf_deployment *d)
{
	struct str texts[SETTING_COUNT];
	struct buf bufs[SETTING_COUNT];
	struct settings settings;
	struct fleet *f = fleet_new();
	struct msg_conf_begin begin = {
		.generation = 1, .full = true, .settings = { texts, SETTING_COUNT }
	};
	struct msg_conf_commit commit = { .generation = 1, .count = 1 };

	entry_watch(f);
	settings_init(&settings);
	for (int i = 0; i < SETTING_COUNT; i++) {
		bufs[i] = BUF_INIT(65536);
		settings_get_text(&settings, (enum setting)i, &bufs[i]);
		texts[i] = buf_str(&bufs[i]);
	}
	assert_int_equal(fleet_conf_begin(f, &begin), 0);
	assert_int_equal(fleet_conf_deployment(f, d), 0);
	assert_int_equal(fleet_conf_commit(f, &commit), 0);
	for (int i = 0; i < SETTING_COUNT; i++)
		buf_clear(&bufs[i]);
	settings_clear(&settings);
	return f;
}

static struct msg_conf_deployment
deployment(void)
{
	return (struct msg_conf_deployment){ .generation = 1,
		.handle = 1,
		.id = STR("id-ok"),
		.model_name = STR("ok"),
		.model = STR("openai/ok"),
		.provider = STR("openai"),
		.mode = STR("chat"),
		.display = { display, 3 } };
}

static void
check(struct fleet *f, enum entry_kind kind, const char *want)
{
	struct str got = entry_render(fleet_at(f, 0), kind);
	char *text = str_dup(got);

	assert_string_equal(text, want);
	free(text);
}

static void
test_unknown(void **state)
{
	struct msg_conf_deployment d = deployment();
	struct fleet *f = make_fleet(&d);
	struct str stale;

	check(f, ENTRY_FULL,
	    "{\"api_base\":\"http://h/v1\",\"tpm\":1000,\"model\":\"openai/"
	    "ok\",\"model_id\":\"id-ok\",\"model_name\":\"ok\","
	    "\"state\":\"unknown\",\"provider\":\"openai\",\"mode\":\"chat\",\"checked_at\":null}");
	stale = entry_render_as(fleet_at(f, 0), ENTRY_MINIMAL, VERDICT_DISABLED);
	assert_non_null(memmem(stale.p, stale.n, "\"state\":\"disabled\"", 18));
	fleet_free(f);
}

static void
test_healthy(void **state)
{
	static const struct kv headers[] = {
		{ { "x-ratelimit-reset-requests", 26 }, { "1s", 2 } },
		{ { "x-ratelimit-remaining-tokens", 28 }, { "9999", 4 } },
		{ { "x-ratelimit-remaining-requests", 30 }, { "9\"9", 3 } },
	};
	struct msg_conf_deployment d = deployment();
	struct fleet *f = make_fleet(&d);
	struct msg_result r = { .handle = 1,
		.healthy = true,
		.http_status = 200,
		.total_us = 12045,
		.headers = { headers, 3 },
		.checked_at_ms = NOW,
		.retry_after_ms = -1 };

	check(f, ENTRY_MEMBER,
	    "{\"tpm\":1000,\"model\":\"openai/ok\",\"model_id\":\"id-ok\",\"model_name\":\"ok\","
	    "\"state\":\"unknown\",\"provider\":\"openai\",\"mode\":\"chat\",\"checked_at\":null}");
	assert_true(fleet_apply(f, fleet_at(f, 0), &r));
	check(f, ENTRY_FULL,
	    "{\"api_base\":\"http://h/v1\",\"tpm\":1000,\"model\":\"openai/ok\","
	    "\"x-ratelimit-remaining-requests\":\"9\\\"9\",\"x-ratelimit-remaining-tokens\":"
	    "\"9999\","
	    "\"model_id\":\"id-ok\",\"model_name\":\"ok\",\"state\":\"healthy\",\"provider\":"
	    "\"openai\","
	    "\"mode\":\"chat\",\"checked_at\":\"2025-11-21T02:41:05.123Z\",\"since\":\"2025-11-"
	    "21T02:41:05.123Z\","
	    "\"latency_ms\":12.045}");
	check(f, ENTRY_MINIMAL,
	    "{\"model\":\"openai/"
	    "ok\",\"model_id\":\"id-ok\",\"model_name\":\"ok\",\"state\":\"healthy\","
	    "\"checked_at\":\"2025-11-21T02:41:05.123Z\",\"since\":\"2025-11-21T02:41:05.123Z\"}");
	fleet_free(f);
}

static void
test_unhealthy(void **state)
{
	struct msg_conf_deployment d = deployment();
	struct fleet *f = make_fleet(&d);
	struct msg_result r = { .handle = 1,
		.healthy = false,
		.reason = REASON_AUTH,
		.http_status = 401,
		.exception_status = 401,
		.total_us = 999,
		.error = STR("litellm.AuthenticationError: no"),
		.detail = STR("the key is wrong"),
		.raw_request = STR("{\"error\":null}"),
		.checked_at_ms = NOW,
		.retry_after_ms = -1 };

	assert_true(fleet_apply(f, fleet_at(f, 0), &r));
	check(f, ENTRY_MEMBER,
	    "{\"tpm\":1000,\"model\":\"openai/ok\",\"error\":\"litellm.AuthenticationError: no\","
	    "\"raw_request_typed_dict\":{\"error\":null},\"model_id\":\"id-ok\",\"exception_"
	    "status\":401,"
	    "\"model_name\":\"ok\",\"state\":\"unhealthy\",\"reason\":\"auth\",\"detail\":\"the "
	    "key is wrong\","
	    "\"provider\":\"openai\",\"mode\":\"chat\",\"checked_at\":\"2025-11-21T02:41:05.123Z\","
	    "\"since\":\"2025-11-21T02:41:05.123Z\",\"latency_ms\":0.999}");
	check(f, ENTRY_MINIMAL,
	    "{\"model\":\"openai/"
	    "ok\",\"model_id\":\"id-ok\",\"exception_status\":401,\"model_name\":\"ok\","
	    "\"state\":\"unhealthy\",\"reason\":\"auth\",\"checked_at\":\"2025-11-21T02:41:05."
	    "123Z\","
	    "\"since\":\"2025-11-21T02:41:05.123Z\"}");
	fleet_free(f);
}

/* What cannot be asked as it is configured is unhealthy from the start. */
static void
test_problem(void **state)
{
	struct msg_conf_deployment d = deployment();
	struct fleet *f;

	d.problem_reason = REASON_CONFIG;
	d.problem_status = 400;
	d.problem = STR("litellm.BadRequestError: LLM Provider NOT provided");
	d.mode = STR("");
	d.provider = STR("");
	f = make_fleet(&d);
	check(f, ENTRY_FULL,
	    "{\"api_base\":\"http://h/v1\",\"tpm\":1000,\"model\":\"openai/ok\","
	    "\"error\":\"litellm.BadRequestError: LLM Provider NOT "
	    "provided\",\"raw_request_typed_dict\":null,"
	    "\"model_id\":\"id-ok\",\"exception_status\":400,\"model_name\":\"ok\",\"state\":"
	    "\"unhealthy\","
	    "\"reason\":\"config\"}");
	fleet_free(f);
}

static void
test_notice(void **state)
{
	assert_true(entry_admin_only(STR("api_base")));
	assert_true(entry_admin_only(STR("openai_service_account_id")));
	assert_false(entry_admin_only(STR("model")));
	assert_memory_equal(entry_admin_only_notice(), "api_base, api_version, aws_", 27);
	assert_non_null(strstr(entry_admin_only_notice(),
	    "openai_service_account_id are admin-only on this endpoint"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_healthy),
		cmocka_unit_test(test_unhealthy),
		cmocka_unit_test(test_problem),
		cmocka_unit_test(test_notice),
	};
	int failed;

	clock_fake_set(1000, NOW);
	failed = cmocka_run_group_tests_name("entry", tests, NULL, NULL);
	clock_fake_off();
	return failed;
}
