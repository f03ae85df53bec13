/* SPDX-License-Identifier: Apache-2.0 */
/* Configs from public repositories: the deployments and ids that LiteLLM has after loading them. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <string.h>

#include "tests/unit/config_test.h"
#include "tests/unit/loaded.h"

struct tally {
	int files, loads, compared, bad;
};

static char **
make_environment(const json_t *variables)
{
	char **env = xcalloc(json_object_size(variables) + 1, sizeof(*env));
	const char *name;
	json_t *value;
	size_t n = 0;

	json_object_foreach((json_t *)variables, name, value)
	{
		struct buf b = BUF_INIT(1 << 16);

		buf_addf(&b, "%s=%s", name, json_string_value(value));
		env[n++] = buf_take(&b);
	}
	return env;
}

static bool
same(const struct deployment *d, const json_t *want)
{
	const char *mode = json_string_value(json_object_get(want, "mode"));

	return str_is(d->front.id, json_string_value(json_object_get(want, "id"))) &&
	       str_is(
		   d->front.model_name, json_string_value(json_object_get(want, "model_name"))) &&
	       str_is(d->front.model, json_string_value(json_object_get(want, "model"))) &&
	       str_is(d->configured_mode, mode ? mode : "");
}

/*
 * All that LiteLLM has are there in its order. What it drops with a log line is among ours as a
 * deployment with a problem; an entry that it holds twice is ours once.
 */
static void
compare(const char *name, const struct loaded *l, const json_t *want, struct tally *t)
{
	size_t at = 0, i, k;
	json_t *one;

	json_array_foreach(want, i, one)
	{
		for (k = 0; k < i; k++)
			if (json_equal(json_object_get(json_array_get(want, k), "id"),
				json_object_get(one, "id")))
				break;
		if (k < i)
			continue;
		while (at < l->config->n_deployments && !same(&l->config->deployments[at], one)) {
			const struct deployment *ours = &l->config->deployments[at];

			/* LiteLLM looks a bare name up in its price map, we among families. */
			if (ours->askable &&
			    memchr(ours->front.model.p, '/', ours->front.model.n)) {
				fprintf(stderr, "%s: LiteLLM has not loaded %s\n", name,
				    ours->front.model_name.p);
				t->bad++;
			}
			at++;
		}
		if (at++ >= l->config->n_deployments) {
			fprintf(
			    stderr, "%s: deployment %zu is missing or has another id\n", name, i);
			t->bad++;
			return;
		}
		t->compared++;
	}
}

static void
check_load(const char *name, const char *path, const json_t *expected, struct tally *t)
{
	char **env = make_environment(json_object_get(expected, "env"));
	struct loaded l;

	load_path(&l, path, (const char *const *)env);
	t->loads++;
	if (l.rc != 0) {
		fprintf(stderr, "%s: %s", name, buf_text(&l.told));
		t->bad++;
	} else if (json_object_get(expected, "deployments")) {
		compare(name, &l, json_object_get(expected, "deployments"), t);
	}
	if (strstr(buf_text(&l.told), "did you mean") ||
	    strstr(buf_text(&l.told), "has no effect")) {
		fprintf(stderr, "%s: %s", name, buf_text(&l.told));
		t->bad++;
	}
	loaded_clear(&l);
	for (size_t i = 0; env[i]; i++)
		free(env[i]);
	free(env);
}

static void
check_file(const char *dir, const char *file, struct tally *t)
{
	char yaml[4400], expected[4400];
	json_error_t error;
	json_t *json;

	snprintf(yaml, sizeof(yaml), "%s/%s", dir, file);
	snprintf(
	    expected, sizeof(expected), "%s/expected/%.*s.json", dir, (int)strlen(file) - 5, file);
	json = json_load_file(expected, 0, &error);
	assert_non_null(json);
	t->files++;
	check_load(file, yaml, json_object_get(json, "env_unset"), t);
	if (json_object_get(json, "env_set"))
		check_load(file, yaml, json_object_get(json, "env_set"), t);
	json_decref(json);
}

static void
test_configs(void **state)
{
	struct tally t = { 0, 0, 0, 0 };
	struct dirent *entry;
	char dir[4096];
	DIR *d;

	(void)state;
	if (!corpus_path(dir, sizeof(dir), "configs"))
		skip();
	d = opendir(dir);
	assert_non_null(d);
	while ((entry = readdir(d)) != NULL) {
		size_t n = strlen(entry->d_name);

		if (n > 5 && strcmp(entry->d_name + n - 5, ".yaml") == 0)
			check_file(dir, entry->d_name, &t);
	}
	closedir(d);
	fprintf(stderr, "%d configs, %d loads, %d deployments compared\n", t.files, t.loads,
	    t.compared);
	assert_int_equal(t.bad, 0);
	assert_int_equal(t.files, 48);
	assert_true(t.compared > 300);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_configs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
