/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers of the config's tests. */
#include "tests/unit/config_test.h"

#include <math.h>
#include <unistd.h>

#include "supervisor/config/pytext.h"
#include "tests/unit/unit.h"

bool
corpus_path(char *path, size_t n, const char *name)
{
	char relative[512];

	snprintf(relative, sizeof(relative), "../shared/corpus/%s", name);
	snprintf(path, n, "%s", unit_source_path(relative));
	if (access(path, R_OK) == 0)
		return true;
	fprintf(stderr, "# SKIPPED: no corpus at %s\n", path);
	return false;
}

int
parse_yaml(struct arena *arena, struct str text, struct problems *problems, struct node **out)
{
	struct buf b = BUF_INIT(1 << 24);
	int rc;

	buf_add_str(&b, text);
	rc = tree_parse(arena, &b, "t.yaml", problems, out);
	buf_clear(&b);
	return rc;
}

static bool
differ(struct buf *why, const struct node *node, const char *what)
{
	buf_addf(
	    why, "%u:%u: %s is %s", node->mark.line, node->mark.column, what, node_type_name(node));
	return false;
}

/* A JSON key for whatever key Python had. */
static void
key_text(struct buf *b, const struct node *key)
{
	if (key->type == NODE_NULL)
		buf_add_text(b, "null");
	else
		pytext_str(b, key);
}

static bool
map_equals(const struct node *node, const json_t *json, struct buf *why)
{
	if (!json_is_object(json) || json_object_size(json) != node->n)
		return differ(why, node, "a mapping of other size");
	for (size_t i = 0; i < node->n; i++) {
		struct buf key = BUF_INIT(1 << 20);
		json_t *value;

		key_text(&key, node->pairs[i].key);
		value = json_object_get(json, buf_text(&key));
		buf_clear(&key);
		if (value == NULL)
			return differ(why, node->pairs[i].key, "an unexpected key");
		if (!node_equals_json(node->pairs[i].value, value, why))
			return false;
	}
	return true;
}

static bool
set_equals(const struct node *node, const json_t *json, struct buf *why)
{
	if (!json_is_array(json) || json_array_size(json) != node->n)
		return differ(why, node, "a set of other size");
	for (size_t i = 0; i < json_array_size(json); i++) {
		bool found = false;

		for (size_t j = 0; j < node->n; j++)
			found = found || str_is(node->pairs[j].key->text,
					     json_string_value(json_array_get(json, i)));
		if (!found)
			return differ(why, node, "a set without a wanted member");
	}
	return true;
}

static bool
bytes_equal(const struct node *node, const char *base64)
{
	struct arena *arena = arena_new();
	struct problems *problems = problems_new();
	struct buf b = BUF_INIT(1 << 20);
	struct node *wanted = NULL;
	bool same;

	buf_addf(&b, "!!binary \"%s\"", base64);
	same = parse_yaml(arena, buf_str(&b), problems, &wanted) == 0 &&
	       str_eq(wanted->text, node->text);
	buf_clear(&b);
	problems_free(problems);
	arena_free(arena);
	return same;
}

bool
node_equals_json(const struct node *node, const json_t *json, struct buf *why)
{
	struct buf b = BUF_INIT(1 << 20);
	bool same = false;

	if (node == NULL)
		return json_is_null(json);
	switch (node->type) {
	case NODE_NULL:
		same = json_is_null(json);
		break;
	case NODE_BOOL:
		same = json_is_boolean(json) && json_is_true(json) == (node->num != 0);
		break;
	case NODE_INT:
		if (json_is_integer(json))
			buf_addf(&b, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
		else if (json_is_string(json))
			buf_add_text(&b, json_string_value(json));
		same = str_eq(buf_str(&b), node->text);
		break;
	case NODE_FLOAT:
		same = json_is_real(json) && (json_real_value(json) == node->real);
		break;
	case NODE_STR:
	case NODE_DATE:
		same = json_is_string(json) && json_string_length(json) == node->text.n &&
		       str_eq(node->text,
			   (struct str){ json_string_value(json), json_string_length(json) });
		break;
	case NODE_BYTES:
		same = json_is_string(json) && bytes_equal(node, json_string_value(json));
		break;
	case NODE_LIST:
		if (!json_is_array(json) || json_array_size(json) != node->n)
			return differ(why, node, "a list of other size");
		for (size_t i = 0; i < node->n; i++)
			if (!node_equals_json(node->items[i], json_array_get(json, i), why))
				return false;
		return true;
	case NODE_MAP:
		return map_equals(node, json, why);
	case NODE_SET:
		return set_equals(node, json, why);
	}
	buf_clear(&b);
	return same || differ(why, node, "a value");
}
