/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A config's text, read to its end: settings, deployments, targets. What is shown is JSON, what a
 * worker is given holds no NUL, and reading the same text again gives the same deployments.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "shared/json.h"
#include "supervisor/config/config.h"
#include "supervisor/config/environ.h"
#include "supervisor/config/source.h"
#include "supervisor/config/tree.h"
#include "tests/unit/problems_format.h"
#include "tests/unit/deployment_equal.h"

static void
must(int condition)
{
	if (!condition)
		abort();
}

static struct config *
read_text(const uint8_t *data, size_t size)
{
	char openai[] = "OPENAI_API_KEY=sk-of-openai", base[] = "BASE=http://127.0.0.1:9/v1";
	char *variables[] = { openai, base, NULL };
	struct environ *env = environ_new(variables);
	struct problems *problems = problems_new();
	struct arena *arena = arena_new();
	struct buf text = BUF_INIT(SOURCE_MAX), told = BUF_INIT((size_t)8 << 20);
	struct node *root = NULL;
	struct config *c = NULL;

	buf_add(&text, data, size);
	if (source_prepare(&text, "c", problems) == 0 &&
	    tree_parse(arena, &text, "c", problems, &root) == 0 && root && root->type == NODE_MAP &&
	    environ_resolve(arena, env, problems, root, &root) == 0 &&
	    environ_export(env, problems, root) == 0) {
		int rc = config_read(root, env, problems, &c);

		must((rc == 0) == (c != NULL));
		must((rc == 0) == (problems_errors(problems) == 0));
	}
	problems_format(problems, &told);
	buf_clear(&told);
	buf_clear(&text);
	arena_free(arena);
	problems_free(problems);
	environ_free(env);
	return c;
}

static void
must_be_json(struct str text)
{
	json_error_t error = { .line = 0 };
	json_t *json = json_loadb(
	    text.p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);

	/* jansson has limits of its own on numbers and depth. */
	must(json || json_error_code(&error) == json_error_numeric_overflow ||
	     json_error_code(&error) == json_error_stack_overflow);
	must(utf8_valid(text));
	json_decref(json);
}

static void
check(const struct deployment *d)
{
	must(d->askable == (d->front.problem_reason == 0));
	must(d->askable == (d->front.problem.n == 0));
	for (size_t i = 0; i < d->front.display.n; i++)
		must_be_json(d->front.display.v[i].value);
	must_be_json(d->front.info);
	if (!d->askable)
		return;
	must(d->target.provider.n > 0 && d->target.dialect.n > 0 && d->target.api_base.n > 0);
	must(memchr(d->target.model.p, '\0', d->target.model.n) == NULL);
	for (size_t i = 0; i < d->target.secrets.n; i++)
		must(memchr(d->target.secrets.v[i].value.p, '\0', d->target.secrets.v[i].value.n) ==
		     NULL);
	for (size_t i = 0; i < d->target.headers.n; i++)
		must(strpbrk(d->target.headers.v[i].value.p, "\r\n") == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *a = read_text(data, size), *b = read_text(data, size);

	must((a == NULL) == (b == NULL));
	for (size_t i = 0; a && i < a->n_deployments; i++) {
		check(&a->deployments[i]);
		must(i < b->n_deployments &&
		     deployment_equal(&a->deployments[i], &b->deployments[i]));
	}
	config_free(a);
	config_free(b);
	return 0;
}
