/* SPDX-License-Identifier: Apache-2.0 */
/* The YAML corpus: PyYAML's value for each text, and its refusals with their place. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <string.h>

#include "tests/unit/config_test.h"
#include "tests/unit/problems_format.h"

static struct str
json_text(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return (struct str){ json_string_value(value), json_string_length(value) };
}

static int
check_value(const char *path, const char *name)
{
	struct arena *arena = arena_new();
	struct problems *problems = problems_new();
	struct buf why = BUF_INIT(1 << 16);
	struct node *node = NULL;
	json_error_t error;
	json_t *json = json_load_file(path, JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
	int rc, bad = 0;

	assert_non_null(json);
	rc = parse_yaml(arena, json_text(json, "yaml"), problems, &node);
	if (rc < 0 || problems_errors(problems) > 0)
		problems_format(problems, &why);
	else
		node_equals_json(node, json_object_get(json, "json"), &why);
	bad = why.len > 0;
	if (bad)
		fprintf(stderr, "# %s: %s\n", name, buf_text(&why));
	buf_clear(&why);
	json_decref(json);
	problems_free(problems);
	arena_free(arena);
	return bad;
}

static void
test_values(void **state)
{
	char dir[4096], path[4400], name[256];
	struct dirent *entry;
	int n = 0, bad = 0;
	DIR *d;

	if (!corpus_path(dir, sizeof(dir), "yaml"))
		skip();
	d = opendir(dir);
	assert_non_null(d);
	while ((entry = readdir(d)) != NULL) {
		size_t len = strlen(entry->d_name);

		if (len < 5 || strcmp(entry->d_name + len - 5, ".json") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		snprintf(name, sizeof(name), "%.*s", (int)(len - 5), entry->d_name);
		bad += check_value(path, name);
		n++;
	}
	closedir(d);
	fprintf(stderr, "# %d texts\n", n);
	assert_true(n > 200);
	assert_int_equal(bad, 0);
}

static int
check_refusal(const json_t *one)
{
	const char *name = json_string_value(json_object_get(one, "name"));
	unsigned line = (unsigned)json_integer_value(json_object_get(one, "line"));
	unsigned column = (unsigned)json_integer_value(json_object_get(one, "column"));
	struct arena *arena = arena_new();
	struct problems *problems = problems_new();
	struct node *node = NULL;
	bool there = line == 0, refused;
	int bad = 0;

	parse_yaml(arena, json_text(one, "yaml"), problems, &node);
	refused = problems_errors(problems) > 0;
	for (size_t i = 0; i < problems_count(problems) && !there; i++)
		there = problems_at(problems, i)->line == line &&
			problems_at(problems, i)->column == column;
	if (!refused || !there) {
		struct buf b = BUF_INIT(1 << 16);

		problems_format(problems, &b);
		fprintf(stderr, "# %s: wanted %u:%u %s, got %s\n", name, line, column,
		    json_string_value(json_object_get(one, "problem")),
		    refused ? buf_text(&b) : "no error\n");
		buf_clear(&b);
		bad = 1;
	}
	problems_free(problems);
	arena_free(arena);
	return bad;
}

static void
test_refusals(void **state)
{
	char path[4096];
	json_error_t error;
	json_t *list;
	int bad = 0;

	if (!corpus_path(path, sizeof(path), "yaml/rejects.list"))
		skip();
	list = json_load_file(path, JSON_ALLOW_NUL, &error);
	assert_non_null(list);
	for (size_t i = 0; i < json_array_size(list); i++)
		bad += check_refusal(json_array_get(list, i));
	fprintf(stderr, "# %zu refusals\n", json_array_size(list));
	assert_true(json_array_size(list) > 200);
	json_decref(list);
	assert_int_equal(bad, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
