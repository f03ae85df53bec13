/* SPDX-License-Identifier: Apache-2.0 */
/* The main file and its includes: what they become, and what is said when they are wrong. */
#include "tests/unit/unit.h"

#include <unistd.h>

#include <string.h>

#include "supervisor/config/include.h"
#include "supervisor/config/pytext.h"
#include "tests/unit/config_folder.h"

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
	forget(f);
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
	forget(f);
	buf_add_text(&b, "include:\n");
	for (int i = 0; i < INCLUDE_FILES_MAX; i++) {
		snprintf(name, sizeof(name), "wide%d.yaml", i);
		write_file(f, name, "l: [1]\n");
		buf_addf(&b, "- %s\n", name);
	}
	write_file(f, "wide.yaml", buf_text(&b));
	refused(f, "wide.yaml",
	    "wide.yaml:257:3: error: found too many included files, expected at most 256\n");
	forget(f);
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
	forget(f);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(test_include_merges),
		IN_FOLDER(test_include_replaces),
		IN_FOLDER(test_include_order),
		IN_FOLDER(test_include_once),
		IN_FOLDER(test_include_folders),
		IN_FOLDER(test_include_empty),
		IN_FOLDER(test_include_loop),
		IN_FOLDER(test_include_loop_self),
		IN_FOLDER(test_include_loop_sideways),
		IN_FOLDER(test_include_loop_symlink),
		IN_FOLDER(test_include_mistakes),
		IN_FOLDER(test_include_partial),
		IN_FOLDER(test_include_keys),
		IN_FOLDER(test_include_null),
		IN_FOLDER(test_include_limits),
		IN_FOLDER(test_main_file),
		IN_FOLDER(test_large_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
