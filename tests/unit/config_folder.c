/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of config files. */
#include "tests/unit/config_folder.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/config/pytext.h"
#include "tests/unit/unit.h"
#include "tests/unit/problems_format.h"

int
folder_setup(void **state)
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

int
folder_teardown(void **state)
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

const char *
path_of(const struct folder *f, const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	return path;
}

void
write_file(const struct folder *f, const char *name, const char *text)
{
	FILE *out = fopen(path_of(f, name), "w");

	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, strlen(text), out), strlen(text));
	assert_int_equal(fclose(out), 0);
}

void
make_folder(const struct folder *f, const char *name)
{
	assert_int_equal(mkdir(path_of(f, name), 0700), 0);
}

void
forget(struct folder *f)
{
	problems_free(f->problems);
	f->problems = problems_new();
}

int
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

void
loads(struct folder *f, const char *name, const char *repr)
{
	struct buf b = BUF_INIT(1 << 20);

	if (load(f, name) < 0)
		fail_msg("%s", buf_text(&f->told));
	pytext_repr(&b, f->root);
	assert_string_equal(buf_text(&b), repr);
	buf_clear(&b);
}

void
refused(struct folder *f, const char *name, const char *told)
{
	assert_true(load(f, name) < 0);
	assert_string_equal(buf_text(&f->told), told);
}
