/* SPDX-License-Identifier: Apache-2.0 */
/* Strategy routers: which groups each kind names, what the names mean, and what is wrong with them. */
#include <stdio.h>
#include <string.h>

#include "shared/reason.h"
#include "tests/unit/loaded.h"
#include "tests/unit/unit.h"

#define GROUPS \
	"- {model_name: cheap, litellm_params: {model: openai/a, api_key: k}}\n" \
	"- {model_name: smart, litellm_params: {model: openai/b, api_key: k}}\n" \
	"- {model_name: smart, litellm_params: {model: openai/c, api_key: k}}\n" \
	"- {model_name: \"azure/*\", litellm_params: {model: openai/d, api_key: k}}\n"

static void
load(struct loaded *l, const char *params, const char *more)
{
	char config[8192];

	snprintf(config, sizeof(config),
	    "router_settings: {model_group_alias: {quick: cheap, other: {model: smart}, gone: x}}\n"
	    "model_list:\n" GROUPS "- {model_name: r, litellm_params: {%s}}\n%s",
	    params, more);
	load_text(l, config, NULL);
	assert_loaded(l);
}

static void
test_names(void **state)
{
	static const struct {
		const char *params, *depends;
	} cases[] = {
		{ "model: auto_router/complexity_router, complexity_router_default_model: smart, "
		  "complexity_router_config: {tiers: {SIMPLE: cheap, MEDIUM: [smart, {model: cheap}]}}",
		    "tier model 'cheap'=cheap tier model 'smart'=smart " },
		{ "model: auto_router/complexity_router-eu, complexity_router_config: {tiers: {}, "
		  "default_model: cheap}",
		    "default model 'cheap'=cheap " },
		{ "model: auto_router/complexity_router, complexity_router_config: {tiers: {SIMPLE: quick, "
		  "MEDIUM: other, COMPLEX: azure/gpt}}",
		    "tier model 'quick'=cheap tier model 'other'=smart tier model 'azure/gpt'=azure/* " },
		{ "model: auto_router/adaptive_router, adaptive_router_config: {available_models: [cheap, "
		  "smart]}",
		    "available model 'cheap'=cheap available model 'smart'=smart " },
		{ "model: auto_router/quality_router, quality_router_default_model: cheap, "
		  "quality_router_config: {available_models: [smart]}",
		    "available model 'smart'=smart default model 'cheap'=cheap " },
		{ "model: auto_router/mine, auto_router_default_model: cheap, auto_router_embedding_model: "
		  "azure/e, auto_router_config: '{\"routes\": [{\"name\": \"smart\", \"utterances\": [\"x\"]}]}'",
		    "default model 'cheap'=cheap route model 'smart'=smart embedding model 'azure/e'=azure/* " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf found = BUF_INIT(4096);
		const struct deployment *d;
		struct loaded l;

		load(&l, cases[i].params, "");
		d = &l.config->deployments[4];
		if (d->front.problem_reason != REASON_OK)
			fail_msg("case %zu: %s", i, buf_text(&l.told));
		assert_false(d->askable);
		for (size_t k = 0; k < d->front.depends.n; k++)
			buf_addf(&found, "%s=%s ", d->front.depends.v[k].key.p,
			    d->front.depends.v[k].value.p);
		assert_string_equal(buf_text(&found), cases[i].depends);
		for (size_t k = 0; k < 4; k++) {
			assert_true(l.config->deployments[k].askable);
			assert_int_equal(l.config->deployments[k].front.depends.n, 0);
		}
		buf_clear(&found);
		loaded_clear(&l);
	}
}

static void
test_mistakes(void **state)
{
	static const struct {
		const char *params, *more, *text;
	} cases[] = {
		{ "model: auto_router/x", "", "the router names no model group that it could choose" },
		{ "model: auto_router/complexity_router, complexity_router_config: {tiers: {SIMPLE: chaep}}",
		    "", "tier model 'chaep' matches no deployment on this proxy" },
		{ "model: auto_router/complexity_router, complexity_router_default_model: gone", "",
		    "default model 'gone' matches no deployment on this proxy" },
		{ "model: auto_router/complexity_router, complexity_router_config: 7", "",
		    "names no model group" },
		{ "model: auto_router/x, auto_router_config: '{\"routes\": ['", "",
		    "auto_router_config is no JSON object with `routes`" },
		{ "model: auto_router/x, auto_router_config: '[1]'", "",
		    "auto_router_config is no JSON object with `routes`" },
		{ "model: auto_router/x, auto_router_config_path: /nowhere/routes.json", "",
		    "the file /nowhere/routes.json cannot be read: No such file" },
		{ "model: auto_router/adaptive_router, adaptive_router_config: {available_models: [r]}", "",
		    "the router leads to nothing but routers, in a circle" },
		{ "model: auto_router/adaptive_router, adaptive_router_config: {available_models: [s]}",
		    "- {model_name: s, litellm_params: {model: auto_router/adaptive_router, "
		    "adaptive_router_config: {available_models: [r]}}}\n",
		    "the router leads to nothing but routers, in a circle" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct loaded l;

		load(&l, cases[i].params, cases[i].more);
		assert_int_equal(l.config->deployments[4].front.problem_reason, REASON_CONFIG);
		assert_false(l.config->deployments[4].askable);
		if (strstr(buf_text(&l.told), cases[i].text) == NULL)
			fail_msg("case %zu: %s", i, buf_text(&l.told));
		loaded_clear(&l);
	}
}

/* A circle that leads out somewhere is none. */
static void
test_circle_with_a_way_out(void **state)
{
	struct loaded l;

	(void)state;
	load(&l, "model: auto_router/adaptive_router, adaptive_router_config: {available_models: [s]}",
	    "- {model_name: s, litellm_params: {model: auto_router/adaptive_router, "
	    "adaptive_router_config: {available_models: [r, cheap]}}}\n");
	assert_int_equal(l.config->deployments[4].front.problem_reason, REASON_OK);
	assert_int_equal(l.config->deployments[5].front.problem_reason, REASON_OK);
	loaded_clear(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_circle_with_a_way_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
