/* SPDX-License-Identifier: Apache-2.0 */
/* Counting results: by provider, by kind of failure, and where both are bounded. */
#include "tests/unit/front_test.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "supervisor/front/tally.h"

#define FLEET 300

static void
configure(struct fleet *f, uint32_t generation)
{
	struct settings defaults;
	struct str texts[SETTING_COUNT];
	struct buf bufs[SETTING_COUNT];
	struct msg_conf_begin begin = {
		.generation = generation, .full = true, .settings = { texts, SETTING_COUNT }
	};
	struct msg_conf_commit commit = { .generation = generation, .count = FLEET };

	settings_init(&defaults);
	for (int i = 0; i < SETTING_COUNT; i++) {
		bufs[i] = BUF_INIT(65536);
		settings_get_text(&defaults, (enum setting)i, &bufs[i]);
		texts[i] = buf_str(&bufs[i]);
	}
	assert_int_equal(fleet_conf_begin(f, &begin), 0);
	for (uint32_t i = 0; i < FLEET; i++) {
		struct msg_conf_deployment m = {
			.generation = generation, .handle = i, .position = i
		};
		char id[32], provider[32];

		snprintf(id, sizeof(id), "id-%u", i);
		snprintf(provider, sizeof(provider), "provider-%u", i);
		m.id = str_of(id);
		m.provider = str_of(provider);
		assert_int_equal(fleet_conf_deployment(f, &m), 0);
	}
	assert_int_equal(fleet_conf_commit(f, &commit), 0);
	for (int i = 0; i < SETTING_COUNT; i++)
		buf_clear(&bufs[i]);
	settings_clear(&defaults);
}

static void
apply(struct fleet *f, uint32_t handle, enum reason reason, int64_t status)
{
	struct msg_result r = {
		.job = 7,
		.handle = handle,
		.healthy = reason == REASON_OK,
		.reason = reason,
		.exception_status = status,
		.http_status = 200,
		.total_us = 20000,
		.tls_us = 5000,
		.tokens_in = 3,
		.tokens_out = 1,
		.flags = RESULT_TLS,
		.retry_after_ms = -1,
		.checked_at_ms = FT_WALL_MS,
	};

	assert_true(fleet_apply(f, fleet_find(f, handle), &r));
}

static void
test_results(void **state)
{
	struct fleet *f = fleet_new();
	struct tally *t = tally_new(f);
	const struct tally_provider *p;

	configure(f, 1);
	assert_int_equal(tally_providers(t), 0);
	apply(f, 5, REASON_OK, 200);
	apply(f, 5, REASON_AUTH, 401);
	apply(f, 5, REASON_AUTH, 401);
	assert_int_equal(tally_providers(t), 1);
	assert_int_equal(tally_version(t), 3);
	p = tally_provider(t, 0);
	assert_string_equal(p->name, "provider-5");
	assert_int_equal(p->results[REASON_OK], 1);
	assert_int_equal(p->results[REASON_AUTH], 2);
	assert_int_equal(p->tokens_in, 9);
	assert_int_equal(p->tokens_out, 3);
	assert_int_equal(p->reached[REACH_TLS], 3);
	assert_int_equal(p->phases[PHASE_TOTAL].sum_us, 60000);
	assert_int_equal(p->phases[PHASE_TLS].sum_us, 15000);
	assert_int_equal(p->phases[PHASE_DNS].counts[0], 0); /* it had none */
	assert_int_equal(fleet_find(f, 5)->tally->probes, 3);
	assert_int_equal(fleet_find(f, 5)->tally->successes, 1);
	assert_int_equal(fleet_find(f, 5)->tally->n, 1);
	assert_int_equal(fleet_find(f, 5)->tally->failures[0].count, 2);
	assert_null(fleet_find(f, 6)->tally);
	/* A configuration that leaves the deployment as it is leaves its counts. */
	configure(f, 2);
	assert_int_equal(fleet_find(f, 5)->tally->probes, 3);
	tally_free(t);
	assert_null(fleet_find(f, 5)->tally);
	fleet_free(f);
}

static void
test_bounds(void **state)
{
	struct fleet *f = fleet_new();
	struct tally *t = tally_new(f);
	uint64_t failures = 0;

	configure(f, 1);
	for (uint32_t i = 0; i < FLEET; i++)
		apply(f, i, REASON_OK, 200);
	assert_int_equal(tally_providers(t), TALLY_PROVIDERS_MAX + 1);
	assert_string_equal(tally_provider(t, TALLY_PROVIDERS_MAX)->name, "other");
	assert_int_equal(tally_provider(t, TALLY_PROVIDERS_MAX)->results[REASON_OK],
	    FLEET - TALLY_PROVIDERS_MAX);

	for (int64_t status = 500; status < 530; status++)
		apply(f, 0, REASON_SERVER_ERROR, status);
	apply(f, 0, REASON_AUTH, 401);
	assert_int_equal(fleet_find(f, 0)->tally->n, TALLY_FAILURES_MAX);
	for (size_t i = 0; i < TALLY_FAILURES_MAX; i++)
		failures += fleet_find(f, 0)->tally->failures[i].count;
	assert_int_equal(failures, 31); /* none is lost */
	tally_free(t);
	fleet_free(f);
}

static void
apply_spending(struct fleet *f, uint32_t handle, uint32_t in, uint32_t out, int64_t expires_s)
{
	struct msg_result r = { .handle = handle,
		.healthy = true,
		.reason = REASON_OK,
		.http_status = 200,
		.tokens_in = in,
		.tokens_out = out,
		.retry_after_ms = -1,
		.certificate_expires_s = expires_s,
		.checked_at_ms = FT_WALL_MS };

	assert_true(fleet_apply(f, fleet_find(f, handle), &r));
}

static void
test_money(void **state)
{
	struct fleet *f = fleet_new();
	struct tally *t = tally_new(f);
	struct deployment *d;

	configure(f, 1);
	d = fleet_find(f, 1);
	d->price_in = 30000; /* $0.03 for a million */
	d->price_out = 1000000;
	apply_spending(f, 1, 13, 16, 0);
	assert_int_equal(tally_provider(t, 0)->spent, 13 * 30000 + 16 * 1000000);
	assert_int_equal(d->tally->spent, tally_provider(t, 0)->spent);
	assert_int_equal(tally_provider(t, 0)->unpriced, 0);
	/* Of what is not spent, no price is needed. */
	d->price_out = -1;
	apply_spending(f, 1, 1, 0, 0);
	assert_int_equal(tally_provider(t, 0)->spent, 14 * 30000 + 16 * 1000000);
	apply_spending(f, 1, 1, 1, 0);
	assert_int_equal(tally_provider(t, 0)->unpriced, 1);
	assert_int_equal(tally_provider(t, 0)->spent, 14 * 30000 + 16 * 1000000);
	/* A price that cannot be right overflows nothing. */
	d->price_in = d->price_out = INT64_MAX;
	apply_spending(f, 1, UINT32_MAX, UINT32_MAX, 0);
	assert_int_equal(tally_provider(t, 0)->unpriced, 2);
	tally_free(t);
	fleet_free(f);
}

static void
set_host(struct fleet *f, uint32_t handle, const char *host)
{
	fleet_find(f, handle)->host = host; /* the texts are one allocation: this one is not freed */
}

static void
test_certificates(void **state)
{
	struct fleet *f = fleet_new();
	struct tally *t = tally_new(f);
	struct msg_conf_begin begin = { .generation = 2 };
	struct msg_conf_remove remove = { 2, 2 };
	struct msg_conf_commit commit = { .generation = 2, .count = FLEET - 1 };
	struct str texts[SETTING_COUNT];

	configure(f, 1);
	set_host(f, 1, "https://one:443");
	set_host(f, 2, "https://two:443");
	set_host(f, 3, "https://one:443");
	apply_spending(f, 1, 0, 0, 1000);
	apply_spending(f, 2, 0, 0, 2000);
	apply_spending(f, 3, 0, 0, 3000);
	apply_spending(f, 1, 0, 0, 0); /* over a kept connection */
	assert_int_equal(tally_hosts(t), 2);
	assert_string_equal(tally_host(t, 0)->name, "one:443");
	assert_int_equal(tally_host(t, 0)->certificate_expires_s, 3000);
	assert_int_equal(tally_host(t, 0)->deployments, 2);
	assert_int_equal(tally_host(t, 1)->certificate_expires_s, 2000);
	/* It moves, and the one that nobody has is gone. */
	set_host(f, 2, "https://one:443");
	apply_spending(f, 2, 0, 0, 4000);
	assert_int_equal(tally_hosts(t), 1);
	assert_int_equal(tally_host(t, 0)->deployments, 3);
	/* A deployment that ends leaves its host. */
	for (int i = 0; i < SETTING_COUNT; i++)
		texts[i] = str_of(setting_row((enum setting)i)->def);
	begin.settings = (struct strs){ texts, SETTING_COUNT };
	assert_int_equal(fleet_conf_begin(f, &begin), 0);
	assert_int_equal(fleet_conf_remove(f, &remove), 0);
	assert_int_equal(fleet_conf_commit(f, &commit), 0);
	assert_int_equal(tally_host(t, 0)->deployments, 2);
	tally_free(t);
	fleet_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_money),
		cmocka_unit_test(test_certificates),
	};

	clock_fake_set(1000000, FT_WALL_MS);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
