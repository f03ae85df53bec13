/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/loaded.h"

#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "tests/unit/problems_format.h"

static void
add_without_name(struct buf *b, const char *text, const char *name)
{
	const char *at;

	while ((at = strstr(text, name)) != NULL) {
		buf_add(b, text, (size_t)(at - text));
		buf_add_char(b, 'C');
		text = at + strlen(name);
	}
	buf_add_text(b, text);
}

void
load_path(struct loaded *l, const char *path, const char *const *env)
{
	struct buf told = BUF_INIT(1 << 22);

	l->problems = problems_new();
	l->told = BUF_INIT(1 << 22);
	l->rc = config_load(path, (char *const *)env, l->problems, &l->config);
	problems_format(l->problems, &told);
	add_without_name(&l->told, buf_text(&told), path);
	buf_clear(&told);
}

void
load_text(struct loaded *l, const char *yaml, const char *const *env)
{
	char path[] = "/tmp/llmhealth-config-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, yaml, strlen(yaml)), strlen(yaml));
	close(fd);
	load_path(l, path, env);
	unlink(path);
}

void
loaded_clear(struct loaded *l)
{
	config_free(l->config);
	problems_free(l->problems);
	buf_clear(&l->told);
}

void
assert_loaded(const struct loaded *l)
{
	if (l->rc != 0)
		fail_msg("not loaded: %s", buf_text(&l->told));
	assert_non_null(l->config);
}

void
assert_told(const struct loaded *l, const char *text)
{
	if (strstr(buf_text(&l->told), text) == NULL)
		fail_msg("\"%s\" is not in:\n%s", text, buf_text(&l->told));
}

void
assert_not_told(const struct loaded *l, const char *text)
{
	if (strstr(buf_text(&l->told), text) != NULL)
		fail_msg("\"%s\" is in:\n%s", text, buf_text(&l->told));
}

const char *
kvs_find(struct kvs list, const char *key)
{
	for (size_t i = 0; i < list.n; i++)
		if (str_is(list.v[i].key, key))
			return list.v[i].value.p;
	return NULL;
}

const char *
kvs_text(struct kvs list)
{
	static char text[8192];
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < list.n; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s=%.*s", i ? " " : "",
		    (int)list.v[i].key.n, list.v[i].key.p, (int)list.v[i].value.n,
		    list.v[i].value.p);
	return text;
}

void
load_one(struct loaded *l, const char *params, const char *info, const char *const *env)
{
	struct buf yaml = BUF_INIT(1 << 16);

	buf_addf(&yaml,
	    "model_list:\n- model_name: a\n  litellm_params: {%s}\n  model_info: {%s}\n", params,
	    info);
	load_text(l, buf_text(&yaml), env);
	buf_clear(&yaml);
	assert_loaded(l);
	assert_int_equal(l->config->n_deployments, 1);
}

const struct deployment *
first(const struct loaded *l)
{
	return &l->config->deployments[0];
}
