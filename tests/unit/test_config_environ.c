/* SPDX-License-Identifier: Apache-2.0 */
/* What a config takes from the environment, and what it sets there. */
#include "tests/unit/unit.h"

#include <string.h>

#include "tests/unit/config_folder.h"

static void
test_environ_values(void **state)
{
	struct folder *f = *state;

	environ_set(f->env, "KEY", "sk-value");
	environ_set(f->env, "EMPTY", "");
	environ_set(f->env, "YES", " TrUe\n");
	environ_set(f->env, "NO", "false");
	environ_set(f->env, "NUMBER", "017");
	environ_set(f->env, "NESTED", "os.environ/KEY");
	environ_set(f->env, "ab", "twice");
	write_file(f, "main.yaml",
	    "model_list:\n"
	    "- litellm_params: {api_key: os.environ/KEY, rpm: os.environ/NUMBER, a: "
	    "os.environ/YES, b: os.environ/NO}\n"
	    "  deep: {er: {est: os.environ/EMPTY, list: [{in: os.environ/NESTED}]}}\n"
	    "- {unset: os.environ/UNSET, none: os.environ/, twice: os.environ/aos.environ/b, not: "
	    "xos.environ/KEY}\n"
	    "- anthropic_issuer_signing_key_ref: os.environ/KEY\n"
	    "os.environ/KEY: as a key\n");
	loads(f, "main.yaml",
	    "{'model_list': [{'litellm_params': {'api_key': 'sk-value', 'rpm': '017', 'a': True, "
	    "'b': False}, 'deep': "
	    "{'er': {'est': '', 'list': [{'in': 'os.environ/KEY'}]}}}, {'unset': None, 'none': "
	    "None, 'twice': 'twice', "
	    "'not': 'xos.environ/KEY'}, {'anthropic_issuer_signing_key_ref': 'os.environ/KEY'}], "
	    "'os.environ/KEY': 'as "
	    "a key'}");
	assert_string_equal(buf_text(&f->told), "");
}

static void
test_environ_marks(void **state)
{
	struct folder *f = *state;
	struct node *node;

	environ_set(f->env, "KEY", "sk-value");
	write_file(f, "main.yaml", "a:\n  b: os.environ/KEY\n  c: os.environ/UNSET\n  d: plain\n");
	loads(f, "main.yaml", "{'a': {'b': 'sk-value', 'c': None, 'd': 'plain'}}");
	node = node_get(node_get(f->root, "a"), "b");
	assert_true(node->from_env);
	assert_string_equal(node->env_name, "KEY");
	assert_int_equal(node->mark.line, 2);
	assert_int_equal(node->mark.column, 6);
	node = node_get(node_get(f->root, "a"), "c");
	assert_true(node->from_env);
	assert_string_equal(node->env_name, "UNSET");
	node = node_get(node_get(f->root, "a"), "d");
	assert_false(node->from_env);
	assert_null(node->env_name);
}

/* LiteLLM looks into the mappings of a list, not at its texts nor into lists in it. */
static void
test_environ_lists(void **state)
{
	struct folder *f = *state;

	environ_set(f->env, "KEY", "v");
	write_file(
	    f, "main.yaml", "l: [os.environ/KEY, {x: os.environ/KEY}, [{x: os.environ/KEY}]]\n");
	loads(f, "main.yaml", "{'l': ['os.environ/KEY', {'x': 'v'}, [{'x': 'os.environ/KEY'}]]}");
	assert_string_equal(buf_text(&f->told),
	    "main.yaml:1:5: warning: found os.environ/ in a list, where LiteLLM does not resolve "
	    "it, expected it as "
	    "the value of a key\n");
}

static void
test_environ_aliases(void **state)
{
	struct folder *f = *state;

	environ_set(f->env, "KEY", "v");
	write_file(f, "main.yaml",
	    "a: &x {k: os.environ/KEY, l: &l [{k: os.environ/KEY}]}\nb: *x\nc: {<<: *x, d: *l}\n");
	loads(f, "main.yaml",
	    "{'a': {'k': 'v', 'l': [{'k': 'v'}]}, 'b': {'k': 'v', 'l': [{'k': 'v'}]}, 'c': {'k': "
	    "'v', 'l': [{'k': "
	    "'v'}], 'd': [{'k': 'v'}]}}");
	assert_ptr_equal(node_get(f->root, "a"), node_get(f->root, "b"));
}

static void
test_environ_text(void **state)
{
	struct folder *f = *state;

	environ_set(f->env, "BAD", "secret\xff");
	write_file(f, "main.yaml", "a: os.environ/BAD\n");
	refused(f, "main.yaml",
	    "main.yaml:1:4: error: the environment variable BAD holds bytes that are not UTF-8, "
	    "expected UTF-8 text\n");
}

/* A value from the environment times its aliases may not fill the memory. */
static void
test_environ_large(void **state)
{
	struct folder *f = *state;
	size_t n = 1 << 20;
	char *value = xmalloc(n);

	memset(value, 'x', n - 1);
	value[n - 1] = '\0';
	environ_set(f->env, "LARGE", value);
	free(value);
	write_file(f, "main.yaml",
	    "a: &a {a: os.environ/LARGE, b: os.environ/LARGE}\nb: &b [*a, *a, *a, *a, *a, *a, *a, "
	    "*a, *a, *a]\n"
	    "c: {a: *b, b: *b, c: *b, d: *b, e: *b, f: *b, g: *b, h: *b, i: *b, j: *b, k: *b, l: "
	    "*b, m: *b, n: *b}\n");
	refused(f, "main.yaml",
	    "main.yaml:1:1: error: the variables of the environment expand to too much text, "
	    "expected at most 256 "
	    "MiB\n");
}

static void
test_export(void **state)
{
	struct folder *f = *state;

	environ_set(f->env, "OUTER", "o");
	environ_set(f->env, "HOME", "/root");
	write_file(f, "main.yaml",
	    "environment_variables:\n  A: text\n  B: 1e3\n  C: yes\n  D: os.environ/OUTER\n  E:\n  "
	    "HOME: /x\n  F: [1, a]\n"
	    "x: os.environ/A\n");
	assert_int_equal(load(f, "main.yaml"), 0);
	assert_string_equal(environ_get(f->env, "A"), "text");
	assert_string_equal(environ_get(f->env, "B"), "1e3");
	assert_string_equal(environ_get(f->env, "C"), "True");
	assert_string_equal(environ_get(f->env, "D"), "o");
	assert_null(environ_get(f->env, "E"));
	assert_string_equal(environ_get(f->env, "HOME"), "/root");
	assert_string_equal(environ_get(f->env, "F"), "[1, 'a']");
	assert_int_equal(node_get(f->root, "x")->type, NODE_NULL);
	assert_string_equal(buf_text(&f->told),
	    "main.yaml:6:5: warning: E has no value and is not set, expected a text\n"
	    "main.yaml:7:3: warning: HOME is not set, because LiteLLM does not let a config set "
	    "it, expected it in the "
	    "environment\n"
	    "main.yaml:9:4: warning: A is set in environment_variables only, which LiteLLM exports "
	    "after it has "
	    "resolved os.environ/: the value is null, expected A in the environment\n");
}

static void
test_export_mistakes(void **state)
{
	struct folder *f = *state;

	write_file(f, "list.yaml", "environment_variables: [A]\n");
	refused(f, "list.yaml",
	    "list.yaml:1:24: error: environment_variables: found a list, expected a mapping of "
	    "names to values\n");
	forget(f);
	write_file(
	    f, "main.yaml", "environment_variables:\n  1: a\n  A=B: c\n  '': d\n  N: \"a\\0b\"\n");
	refused(f, "main.yaml",
	    "main.yaml:2:3: error: found a key that cannot name a variable, expected a text "
	    "without '='\n"
	    "main.yaml:3:3: error: found a key that cannot name a variable, expected a text "
	    "without '='\n"
	    "main.yaml:4:3: error: found a key that cannot name a variable, expected a text "
	    "without '='\n"
	    "main.yaml:5:6: error: found a value that cannot be a variable's, expected a text "
	    "without NUL "
	    "characters\n");
	forget(f);
	write_file(f, "none.yaml", "environment_variables:\nx: 1\n");
	loads(f, "none.yaml", "{'environment_variables': None, 'x': 1}");
}

static void
test_environ_new(void **state)
{
	char a[] = "A=1", again[] = "A=2", bare[] = "BARE", empty[] = "E=", equals[] = "Q=a=b",
	     nameless[] = "=x";
	char *list[] = { a, again, bare, empty, equals, nameless, NULL };
	struct environ *env = environ_new(list);

	assert_string_equal(environ_get(env, "A"), "1");
	assert_null(environ_get(env, "BARE"));
	assert_string_equal(environ_get(env, "E"), "");
	assert_string_equal(environ_get(env, "Q"), "a=b");
	assert_null(environ_get(env, ""));
	environ_set(env, "A", "3");
	assert_string_equal(environ_get(env, "A"), "3");
	environ_free(env);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(test_environ_values),
		IN_FOLDER(test_environ_marks),
		IN_FOLDER(test_environ_lists),
		IN_FOLDER(test_environ_aliases),
		IN_FOLDER(test_environ_text),
		IN_FOLDER(test_environ_large),
		IN_FOLDER(test_export),
		IN_FOLDER(test_export_mistakes),
		cmocka_unit_test(test_environ_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
