/* SPDX-License-Identifier: Apache-2.0 */
/* Loading a config: includes, the environment, and what is said when they are wrong. */
#include "tests/unit/unit.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/config/include.h"
#include "supervisor/config/load.h"
#include "supervisor/config/pytext.h"
#include "tests/unit/config_test.h"

/* A folder of its own for each case, removed with all that it holds. */
struct folder {
	char path[64];
	struct arena *arena;
	struct problems *problems;
	struct environ *env;
	struct node *root;
	struct buf told;
};

static int
setup(void **state)
{
	struct folder *f = xcalloc(1, sizeof(*f));

	strcpy(f->path, "/tmp/llmhealth-config-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->arena = arena_new();
	f->problems = problems_new();
	f->env = environ_new(NULL);
	f->told = BUF_INIT(1 << 20);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct folder *f = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", f->path);
	assert_int_equal(system(command), 0);
	buf_clear(&f->told);
	environ_free(f->env);
	problems_free(f->problems);
	arena_free(f->arena);
	free(f);
	return 0;
}

static const char *
path_of(const struct folder *f, const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	return path;
}

static void
write_file(const struct folder *f, const char *name, const char *text)
{
	FILE *out = fopen(path_of(f, name), "w");

	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, strlen(text), out), strlen(text));
	assert_int_equal(fclose(out), 0);
}

static void
make_folder(const struct folder *f, const char *name)
{
	assert_int_equal(mkdir(path_of(f, name), 0700), 0);
}

/* Loads a file and writes down the findings without the folder's name. */
static int
load(struct folder *f, const char *name)
{
	struct buf b = BUF_INIT(1 << 20);
	size_t n = strlen(f->path);
	int rc = load_config(f->arena, path_of(f, name), f->env, f->problems, &f->root);

	problems_format(f->problems, &b);
	buf_reset(&f->told);
	for (const char *p = buf_text(&b); *p; p++) {
		if (strncmp(p, f->path, n) == 0 && p[n] == '/')
			p += n;
		else
			buf_add_char(&f->told, *p);
	}
	buf_clear(&b);
	assert_int_equal(rc<0, problems_errors(f->problems)> 0);
	assert_true(rc < 0 || f->root != NULL);
	return rc;
}

/* That a file loads to what Python would print. */
static void
loads(struct folder *f, const char *name, const char *repr)
{
	struct buf b = BUF_INIT(1 << 20);

	if (load(f, name) < 0)
		fail_msg("%s", buf_text(&f->told));
	pytext_repr(&b, f->root);
	assert_string_equal(buf_text(&b), repr);
	buf_clear(&b);
}

static void
refused(struct folder *f, const char *name, const char *told)
{
	assert_true(load(f, name) < 0);
	assert_string_equal(buf_text(&f->told), told);
}

static void
test_include_merges(void **state)
{
	struct folder *f = *state;

	write_file(f, "main.yaml",
	    "include: [a.yaml, b.yaml]\nmodel_list: [1]\ngeneral_settings: {x: 1, y: 2}\nn: "
	    "null\n");
	write_file(f, "a.yaml", "model_list: [2, 3]\ngeneral_settings: {z: 1}\nn: [1]\nnew: yes\n");
	write_file(f, "b.yaml", "model_list: [4]\nn: [2]\nnew: [1]\n");
	loads(f, "main.yaml",
	    "{'model_list': [1, 2, 3, 4], 'general_settings': {'z': 1}, 'n': [1, 2], 'new': [1]}");
	assert_string_equal(buf_text(&f->told), "");
	/* Places stay those of the file that a value came from. */
	assert_string_equal(
	    node_get(f->root, "model_list")->items[3]->mark.file, path_of(f, "b.yaml"));
	assert_int_equal(node_get(f->root, "model_list")->size, 5);
}

/* A list that becomes something else and a list again keeps what came after. */
static void
test_include_replaces(void **state)
{
	struct folder *f = *state;

	write_file(f, "main.yaml", "include: [a.yaml, b.yaml, c.yaml, d.yaml]\nl: [1]\n");
	write_file(f, "a.yaml", "l: [2]\n");
	write_file(f, "b.yaml", "l: {x: 1}\n");
	write_file(f, "c.yaml", "l: [3]\n");
	write_file(f, "d.yaml", "l: [4, 5]\n");
	loads(f, "main.yaml", "{'l': [3, 4, 5]}");
}

static void
test_include_order(void **state)
{
	struct folder *f = *state;

	/* Breadth first: what the first file includes comes after the second one. */
	write_file(f, "main.yaml", "include: [a.yaml, b.yaml]\nl: [0]\n");
	write_file(f, "a.yaml", "include: [c.yaml]\nl: [1]\n");
	write_file(f, "b.yaml", "l: [2]\n");
	write_file(f, "c.yaml", "l: [3]\n");
	loads(f, "main.yaml", "{'l': [0, 1, 2, 3]}");
}

static void
test_include_once(void **state)
{
	struct folder *f = *state;

	write_file(f, "main.yaml", "include: [a.yaml, b.yaml, ./a.yaml]\nl: [0]\n");
	write_file(f, "a.yaml", "include: [c.yaml]\nl: [1]\n");
	write_file(f, "b.yaml", "include: [c.yaml]\nl: [2]\n");
	write_file(f, "c.yaml", "l: [3]\n");
	loads(f, "main.yaml", "{'l': [0, 1, 2, 3]}");
}

static void
test_include_folders(void **state)
{
	struct folder *f = *state;
	char text[256];

	make_folder(f, "models");
	write_file(f, "main.yaml", "include: [models/a.yaml]\nl: [0]\n");
	write_file(f, "models/a.yaml", "include: [b.yaml, root.yaml, both.yaml]\nl: [1]\n");
	write_file(f, "models/b.yaml", "l: [2]\n");
	write_file(f, "root.yaml", "l: [3]\n");
	write_file(f, "both.yaml", "l: [wrong]\n");
	write_file(f, "models/both.yaml", "l: [4]\n");
	loads(f, "main.yaml", "{'l': [0, 1, 2, 3, 4]}");
	assert_string_equal(buf_text(&f->told),
	    "models/a.yaml:1:19: warning: models/root.yaml is not there and root.yaml is read, "
	    "expected the first\n"
	    "models/a.yaml:1:30: warning: found two files of this name: models/both.yaml is read "
	    "and both.yaml "
	    "is not, expected one\n");
	snprintf(text, sizeof(text), "include: ['%s/root.yaml']\n", f->path);
	write_file(f, "absolute.yaml", text);
	problems_free(f->problems);
	f->problems = problems_new();
	loads(f, "absolute.yaml", "{'l': [3]}");
}

static void
test_include_empty(void **state)
{
	struct folder *f = *state;

	write_file(f, "main.yaml", "include: [empty.yaml, null.yaml, zero.yaml]\nl: [0]\n");
	write_file(f, "empty.yaml", "# nothing\n");
	write_file(f, "null.yaml", "~\n");
	write_file(f, "zero.yaml", "[]\n");
	loads(f, "main.yaml", "{'l': [0]}");
	write_file(f, "none.yaml", "include: []\nl: [0]\n");
	loads(f, "none.yaml", "{'l': [0]}");
}

static void
test_include_loop(void **state)
{
	struct folder *f = *state;

	write_file(f, "main.yaml", "include:\n  - a.yaml\n");
	write_file(f, "a.yaml", "include: [b.yaml]\n");
	write_file(f, "b.yaml", "include: [c.yaml, a.yaml]\n");
	write_file(f, "c.yaml", "l: [1]\n");
	refused(f, "main.yaml",
	    "b.yaml:1:19: error: found an include loop (a.yaml -> b.yaml -> a.yaml), expected "
	    "files that do not "
	    "include themselves\n");
}

static void
test_include_loop_self(void **state)
{
	struct folder *f = *state;

	write_file(f, "main.yaml", "include: [main.yaml]\n");
	refused(f, "main.yaml",
	    "main.yaml:1:11: error: found an include loop (main.yaml -> main.yaml), expected files "
	    "that do not "
	    "include themselves\n");
}

/* Both are named by the main file too, so neither is met first through the other. */
static void
test_include_loop_sideways(void **state)
{
	struct folder *f = *state;

	write_file(f, "main.yaml", "include: [a.yaml, b.yaml]\n");
	write_file(f, "a.yaml", "include: [b.yaml]\n");
	write_file(f, "b.yaml", "include: [a.yaml]\n");
	refused(f, "main.yaml",
	    "b.yaml:1:11: error: found an include loop (a.yaml -> b.yaml -> a.yaml), expected "
	    "files that do not "
	    "include themselves\n");
}

/* The same file again and again under longer names. */
static void
test_include_loop_symlink(void **state)
{
	struct folder *f = *state;

	assert_int_equal(symlink(".", path_of(f, "sub")), 0);
	write_file(f, "main.yaml", "include: [sub/main.yaml]\n");
	refused(f, "main.yaml",
	    "main.yaml:1:11: error: found an include loop (main.yaml -> main.yaml), expected files "
	    "that do not "
	    "include themselves\n");
}

static void
test_include_mistakes(void **state)
{
	struct folder *f = *state;

	make_folder(f, "folder");
	write_file(f, "main.yaml",
	    "include:\n  - missing.yaml\n  - 5\n  - ''\n  - folder\n  - list.yaml\n  - keys.yaml\n"
	    "  - broken.yaml\n  - text.yaml\n");
	write_file(f, "list.yaml", "[1]\n");
	write_file(f, "keys.yaml", "a: 1\n7: x\n");
	write_file(f, "broken.yaml", "a: b\nc: d: e\n");
	write_file(f, "text.yaml", "include: other.yaml\n");
	refused(f, "main.yaml",
	    "main.yaml:2:5: error: cannot open the included file missing.yaml: No such file or "
	    "directory, expected a "
	    "file there\n"
	    "main.yaml:3:5: error: include: found a whole number, expected the path of a file\n"
	    "main.yaml:4:5: error: include: found an empty text, expected the path of a file\n"
	    "folder: error: this is a directory, expected a file\n"
	    "list.yaml:1:1: error: found a list, expected a mapping such as `model_list:`\n"
	    "keys.yaml:2:1: error: found a whole number as a key, expected a text (quote it)\n"
	    "broken.yaml:2:5: error: found ': ' where no value can begin, expected one ': ' in a "
	    "line and "
	    "the same indentation (or quotes)\n"
	    "text.yaml:1:10: error: include: found a text, expected a list of file paths\n");
}

/* What could be read is there to find more mistakes in. */
static void
test_include_partial(void **state)
{
	struct folder *f = *state;
	struct buf b = BUF_INIT(4096);

	write_file(
	    f, "main.yaml", "include: [a.yaml, missing.yaml, broken.yaml]\nl: [1]\n7: [2]\n");
	write_file(f, "a.yaml", "l: [3]\n7: [4, 5, 6, 7]\n");
	write_file(f, "broken.yaml", "l: [\n");
	assert_true(load(f, "main.yaml") < 0);
	assert_int_equal(problems_errors(f->problems), 3);
	pytext_repr(&b, f->root);
	assert_string_equal(buf_text(&b), "{'l': [1, 3], 7: [2, 4, 5, 6, 7]}");
	buf_clear(&b);
	write_file(f, "main.yaml", "l: [\n");
	assert_true(load(f, "main.yaml") < 0);
	assert_null(f->root);
}

/* Keys are compared whole. */
static void
test_include_keys(void **state)
{
	struct folder *f = *state;

	write_file(f, "main.yaml", "include: [a.yaml, b.yaml]\n\"k\\0x\": [1]\nk: [2]\n");
	write_file(f, "a.yaml", "\"k\\0x\": [3, 4, 5, 6, 7, 8, 9]\nk: [10]\n");
	write_file(f, "b.yaml", "\"k\\0x\": [11]\nk: [12, 13]\n");
	loads(f, "main.yaml", "{'k\\x00x': [1, 3, 4, 5, 6, 7, 8, 9, 11], 'k': [2, 10, 12, 13]}");
}

static void
test_include_null(void **state)
{
	struct folder *f = *state;

	write_file(f, "main.yaml", "include:\n");
	refused(f, "main.yaml",
	    "main.yaml:1:9: error: include: found nothing (null), expected a list of file paths\n");
}

static void
test_include_limits(void **state)
{
	struct folder *f = *state;
	struct buf b = BUF_INIT(1 << 20);
	char name[32], text[64];

	for (int i = 0; i < INCLUDE_DEPTH_MAX; i++) {
		snprintf(name, sizeof(name), "deep%d.yaml", i);
		snprintf(text, sizeof(text), "include: [deep%d.yaml]\n", i + 1);
		write_file(f, name, text);
	}
	snprintf(name, sizeof(name), "deep%d.yaml", INCLUDE_DEPTH_MAX);
	write_file(f, name, "l: [1]\n");
	loads(f, "deep1.yaml", "{'l': [1]}");
	refused(f, "deep0.yaml",
	    "deep15.yaml:1:11: error: found includes nested too deeply, expected at most 16\n");
	problems_free(f->problems);
	f->problems = problems_new();
	buf_add_text(&b, "include:\n");
	for (int i = 0; i < INCLUDE_FILES_MAX; i++) {
		snprintf(name, sizeof(name), "wide%d.yaml", i);
		write_file(f, name, "l: [1]\n");
		buf_addf(&b, "- %s\n", name);
	}
	write_file(f, "wide.yaml", buf_text(&b));
	refused(f, "wide.yaml",
	    "wide.yaml:257:3: error: found too many included files, expected at most 256\n");
	problems_free(f->problems);
	f->problems = problems_new();
	for (int i = 0; i < INCLUDE_ENTRIES_MAX; i++)
		buf_add_text(&b, "- wide0.yaml\n");
	write_file(f, "wide.yaml", buf_text(&b));
	assert_true(load(f, "wide.yaml") < 0);
	assert_non_null(strstr(buf_text(&f->told),
	    "wide.yaml:1026:3: error: found too many includes, expected at most 1024\n"));
	buf_clear(&b);
}

static void
test_main_file(void **state)
{
	struct folder *f = *state;

	refused(f, "none.yaml", "none.yaml: error: cannot open: No such file or directory\n");
	problems_free(f->problems);
	f->problems = problems_new();
	write_file(f, "empty.yaml", "");
	write_file(f, "null.yaml", "null\n");
	write_file(f, "list.yaml", "\n- a\n");
	load(f, "empty.yaml");
	load(f, "null.yaml");
	refused(f, "list.yaml",
	    "empty.yaml: error: found nothing in the file, expected a mapping such as "
	    "`model_list:`\n"
	    "null.yaml: error: found nothing in the file, expected a mapping such as "
	    "`model_list:`\n"
	    "list.yaml:2:1: error: found a list, expected a mapping such as `model_list:`\n");
}

/* 100 MB that take no room on the disk; told by its size, nothing of it is read. */
static void
test_large_file(void **state)
{
	struct folder *f = *state;

	write_file(f, "large.yaml", "model_list: []\n");
	assert_int_equal(truncate(path_of(f, "large.yaml"), 100 * 1000 * 1000), 0);
	refused(
	    f, "large.yaml", "large.yaml: error: the file is too large, expected at most 64 MiB\n");
}

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
	problems_free(f->problems);
	f->problems = problems_new();
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
	problems_free(f->problems);
	f->problems = problems_new();
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

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_include_merges),
		CASE(test_include_replaces),
		CASE(test_include_order),
		CASE(test_include_once),
		CASE(test_include_folders),
		CASE(test_include_empty),
		CASE(test_include_loop),
		CASE(test_include_loop_self),
		CASE(test_include_loop_sideways),
		CASE(test_include_loop_symlink),
		CASE(test_include_mistakes),
		CASE(test_include_partial),
		CASE(test_include_keys),
		CASE(test_include_null),
		CASE(test_include_limits),
		CASE(test_main_file),
		CASE(test_large_file),
		CASE(test_environ_values),
		CASE(test_environ_marks),
		CASE(test_environ_lists),
		CASE(test_environ_aliases),
		CASE(test_environ_text),
		CASE(test_environ_large),
		CASE(test_export),
		CASE(test_export_mistakes),
		cmocka_unit_test(test_environ_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
