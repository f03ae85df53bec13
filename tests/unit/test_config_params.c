/* SPDX-License-Identifier: Apache-2.0 */
/* Each parameter that the table of providers names comes to the worker. */
#include "tests/unit/unit.h"

#include <string.h>

#include "shared/mode.h"
#include "shared/provider.h"
#include "tests/unit/config_test.h"
#include "tests/unit/loaded.h"

#define KEY "sk-canary-9f2c"

/* Whether the deployment's target has that parameter, and only there where it belongs. */
static bool
reaches(const struct deployment *d, const char *name, const char *value)
{
	const char *param = kvs_find(d->target.params, name);
	const char *secret = kvs_find(d->target.secrets, name);
	const char *found = param ? param : secret;

	return found && strcmp(found, value) == 0 && !(param && secret) &&
	       memmem(d->target.extra_body.p, d->target.extra_body.n, value, strlen(value)) == NULL;
}

/* The first mode in which the provider can be asked; -1: none. */
static int
some_mode(const struct provider *p)
{
	for (int mode = 0; mode < MODE_COUNT; mode++)
		if (!provider_refuses(p, (enum mode)mode, NULL))
			return mode;
	return -1;
}

/* Each parameter that a row of the table of providers names comes to the worker, alone as it is. */
static void
test_params_of_the_table_reach_the_target(void **state)
{
	const struct provider *p;
	size_t n = 0, lost = 0;

	(void)state;
	for (size_t i = 0; (p = provider_at(i)); i++) {
		int mode = some_mode(p);

		for (const char *at = p->params; mode >= 0 && *at; at += strspn(at, " ")) {
			char name[128], params[1024], info[128];
			size_t length = strcspn(at, " ");
			struct loaded l;

			snprintf(name, sizeof(name), "%.*s", (int)length, at);
			at += length;
			/* All that begins so: one that no row names. */
			if (name[strlen(name) - 1] == '*')
				snprintf(name + strlen(name) - 1, 16, "of_tomorrow");
			snprintf(params, sizeof(params),
			    "model: %s/m, api_key: %s, api_base: https://a/v1, %s: given-%zu",
			    p->name, KEY, name, n);
			snprintf(info, sizeof(info), "mode: %s", mode_name((enum mode)mode));
			load_one(&l, params, info, NULL);
			snprintf(info, sizeof(info), "given-%zu", n++);
			if (!reaches(first(&l), name, info)) {
				print_error(
				    "%s: %s is lost: %s\n", p->name, name, buf_text(&l.told));
				lost++;
			}
			loaded_clear(&l);
		}
	}
	assert_true(n > 60);
	assert_int_equal(lost, 0);
}

/* What a provider's row does not name, but its dialect reads. */
static void
test_realtime_protocol(void **state)
{
	struct loaded l;

	(void)state;
	load_one(&l,
	    "model: azure/gpt-4o, api_key: " KEY
	    ", api_base: https://a.openai.azure.com, api_version: v1, realtime_protocol: GA",
	    "mode: chat", NULL);
	assert_true(reaches(first(&l), "realtime_protocol", "GA"));
	loaded_clear(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_params_of_the_table_reach_the_target),
		cmocka_unit_test(test_realtime_protocol),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
