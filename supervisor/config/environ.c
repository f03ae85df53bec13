/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Variables are kept sorted by name. Resolving walks the graph once: a mapping or list met again
 * through an alias is remembered in its node.
 */
#include "supervisor/config/environ.h"

#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"
#include "shared/secret.h"
#include "supervisor/config/pytext.h"
#include "supervisor/config/source.h"
#include "supervisor/config/tree.h"

#define PREFIX "os.environ/"

struct variable {
	char *name;
	char *value;
};

struct environ {
	struct variable *list;
	size_t n, cap;
};

/* The index of a name, or where it belongs. */
static size_t
find(const struct environ *env, const char *name, bool *found)
{
	size_t low = 0, high = env->n;

	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(env->list[middle].name, name);

		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
free_value(char *value)
{
	secret_wipe(value, strlen(value));
	free(value);
}

void
environ_set(struct environ *env, const char *name, const char *value)
{
	bool found;
	size_t at = find(env, name, &found);
	char *copy = xstrdup(value);

	if (found) {
		free_value(env->list[at].value);
		env->list[at].value = copy;
		return;
	}
	if (env->n == env->cap) {
		env->cap = env->cap ? env->cap * 2 : 64;
		env->list = xrealloc(env->list, env->cap * sizeof(*env->list));
	}
	memmove(env->list + at + 1, env->list + at, (env->n - at) * sizeof(*env->list));
	env->list[at] = (struct variable){ xstrdup(name), copy };
	env->n++;
}

const char *
environ_get(const struct environ *env, const char *name)
{
	bool found;
	size_t at = find(env, name, &found);

	return found ? env->list[at].value : NULL;
}

struct environ *
environ_new(char *const *variables)
{
	struct environ *env = xcalloc(1, sizeof(*env));

	for (; variables && *variables; variables++) {
		const char *equals = strchr(*variables, '=');
		char *name;

		if (equals == NULL || equals == *variables)
			continue;
		name = str_dup((struct str){ *variables, (size_t)(equals - *variables) });
		/* Of a name given twice getenv() and Python see the first. */
		if (environ_get(env, name) == NULL)
			environ_set(env, name, equals + 1);
		free(name);
	}
	return env;
}

void
environ_free(struct environ *env)
{
	if (env == NULL)
		return;
	for (size_t i = 0; i < env->n; i++) {
		free(env->list[i].name);
		free_value(env->list[i].value);
	}
	free(env->list);
	free(env);
}

struct resolver {
	struct arena *arena;
	const struct environ *env;
	struct problems *problems;
	const struct node *exports; /* environment_variables, for a word of advice */
};

/* Python's str.strip().lower() == word. */
static bool
says(const char *value, const char *word)
{
	static const char blank[] = " \t\n\v\f\r\x1c\x1d\x1e\x1f";
	size_t n = strlen(value += strspn(value, blank));

	while (n > 0 && strchr(blank, value[n - 1]))
		n--;
	if (n != strlen(word))
		return false;
	for (size_t i = 0; i < n; i++)
		if ((value[i] >= 'A' && value[i] <= 'Z' ? value[i] + 'a' - 'A' : value[i]) !=
		    word[i])
			return false;
	return true;
}

/* The variable's name: the text without each `os.environ/` in it, as Python's str.replace() does.
 */
static struct str
name_of(struct resolver *r, struct str text)
{
	struct str copy = arena_copy(r->arena, text);
	char *to = (char *)copy.p;

	for (const char *from = copy.p, *end = copy.p + copy.n; from < end;) {
		if ((size_t)(end - from) >= sizeof(PREFIX) - 1 &&
		    memcmp(from, PREFIX, sizeof(PREFIX) - 1) == 0)
			from += sizeof(PREFIX) - 1;
		else
			*to++ = *from++;
	}
	*to = '\0';
	return (struct str){ copy.p, (size_t)(to - copy.p) };
}

static struct node *
variable_node(struct resolver *r, const struct node *text)
{
	struct str name = name_of(r, text->text);
	const char *value = memchr(name.p, '\0', name.n) ? NULL : environ_get(r->env, name.p);
	struct node *node;

	if (str_starts(name, "oidc/")) {
		problem_warning(r->problems, text->mark,
		    "found an OIDC reference, which is not looked up: the value is null, expected "
		    "the name of a variable");
		value = NULL;
	} else if (value == NULL && node_get(r->exports, name.p)) {
		problem_warning(r->problems, text->mark,
		    "%s is set in environment_variables only, which LiteLLM exports after it has "
		    "resolved os.environ/: "
		    "the value is null, expected %s in the environment",
		    name.p, name.p);
	} else if (value && !source_is_text(str_of(value))) {
		problem_error(r->problems, text->mark,
		    "the environment variable %s holds bytes that are not UTF-8, expected UTF-8 "
		    "text",
		    name.p);
		value = NULL;
	}
	if (value == NULL)
		node = node_new(r->arena, NODE_NULL, text->mark);
	else if (says(value, "true") || says(value, "false"))
		node = node_bool(r->arena, says(value, "true"), text->mark);
	else
		node = node_str(r->arena, str_of(value), text->mark);
	node->from_env = true;
	node->env_name = name.p;
	return node;
}

/* LiteLLM's types/router.py, holds_secret_pointer(): these are looked up when they are used. */
static bool
is_pointer(const struct node *key)
{
	return key->type == NODE_STR &&
	       (str_is(key->text, "anthropic_issuer_signing_key_ref") ||
		   str_is(key->text, "anthropic_keycloak_client_secret_ref"));
}

static bool
is_reference(const struct node *node)
{
	return node->type == NODE_STR && str_starts(node->text, PREFIX);
}

static struct node *resolve_map(struct resolver *r, struct node *map, unsigned depth);

/* A list's mappings, but neither its texts nor lists in it. */
static struct node *
resolve_list(struct resolver *r, struct node *list, unsigned depth)
{
	struct node *copy = NULL;

	if (list->tuple)
		return list;
	if (list->resolved)
		return list->resolved;
	for (size_t i = 0; i < list->n; i++) {
		struct node *item = list->items[i], *new = item;

		if (item->type == NODE_MAP)
			new = resolve_map(r, item, depth + 1);
		else if (is_reference(item))
			problem_warning(r->problems, item->mark,
			    "found os.environ/ in a list, where LiteLLM does not resolve it, "
			    "expected it as the value of a key");
		if (new == item)
			continue;
		if (copy == NULL) {
			copy = node_new(r->arena, NODE_LIST, list->mark);
			copy->n = list->n;
			copy->items = arena_alloc(r->arena, list->n * sizeof(*copy->items));
			memcpy(copy->items, list->items, list->n * sizeof(*copy->items));
		}
		copy->items[i] = new;
	}
	if (copy)
		node_measure(copy);
	return list->resolved = copy ? copy : list;
}

static struct node *
resolve_value(struct resolver *r, const struct pair *pair, unsigned depth)
{
	if (pair->value->type == NODE_MAP)
		return resolve_map(r, pair->value, depth + 1);
	if (pair->value->type == NODE_LIST)
		return resolve_list(r, pair->value, depth);
	if (is_reference(pair->value) && !is_pointer(pair->key))
		return variable_node(r, pair->value);
	return pair->value;
}

static struct node *
resolve_map(struct resolver *r, struct node *map, unsigned depth)
{
	struct node *copy = NULL;

	if (depth > ENVIRON_DEPTH_MAX)
		return map;
	if (map->resolved)
		return map->resolved;
	for (size_t i = 0; i < map->n; i++) {
		struct node *new = resolve_value(r, &map->pairs[i], depth);

		if (new == map->pairs[i].value)
			continue;
		if (copy == NULL) {
			copy = node_new(r->arena, NODE_MAP, map->mark);
			copy->n = map->n;
			copy->pairs = arena_alloc(r->arena, map->n * sizeof(*copy->pairs));
			memcpy(copy->pairs, map->pairs, map->n * sizeof(*copy->pairs));
		}
		copy->pairs[i].value = new;
	}
	if (copy)
		node_measure(copy);
	return map->resolved = copy ? copy : map;
}

int
environ_resolve(struct arena *arena, const struct environ *env, struct problems *problems,
    struct node *root, struct node **out)
{
	struct resolver r = { arena, env, problems, node_get(root, "environment_variables") };
	size_t errors = problems_errors(problems);

	*out = root->type == NODE_MAP ? resolve_map(&r, root, 0) : root;
	if ((*out)->bytes > TREE_BYTES_MAX) {
		problem_error(problems, root->mark,
		    "the variables of the environment expand to too much text, expected at most %d "
		    "MiB",
		    (int)(TREE_BYTES_MAX / 1048576));
		return ERR_LIMIT;
	}
	return problems_errors(problems) > errors ? ERR_INVALID : 0;
}

/* ProxyConfig._BLOCKED_ENV_KEYS. */
static bool
is_blocked(const char *name)
{
	static const char *const names[] = { "PATH", "LD_PRELOAD", "LD_LIBRARY_PATH",
		"DYLD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "PYTHONPATH", "PYTHONSTARTUP",
		"PYTHONHOME", "HOME", "USER", "SHELL", "LOGNAME", "NO_PROXY", "no_proxy" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static void
export_pair(struct environ *env, struct problems *problems, const struct pair *pair)
{
	const struct node *key = pair->key;
	struct buf text = BUF_INIT(TREE_BYTES_MAX);

	if (key->type != NODE_STR || key->text.n == 0 || strlen(key->text.p) != key->text.n ||
	    strchr(key->text.p, '=')) {
		problem_error(problems, key->mark,
		    "found a key that cannot name a variable, expected a text without '='");
		return;
	}
	if (is_blocked(key->text.p)) {
		problem_warning(problems, key->mark,
		    "%s is not set, because LiteLLM does not let a config set it, expected it in "
		    "the environment",
		    key->text.p);
		return;
	}
	if (pair->value->type == NODE_NULL) {
		problem_warning(problems, pair->value->mark,
		    "%s has no value and is not set, expected a text", key->text.p);
		return;
	}
	pytext_str(&text, pair->value);
	if (!buf_ok(&text) || strlen(buf_text(&text)) != text.len)
		problem_error(problems, pair->value->mark,
		    "found a value that cannot be a variable's, expected a text without NUL "
		    "characters");
	else
		environ_set(env, key->text.p, buf_text(&text));
	if (text.data)
		secret_wipe(text.data, text.len);
	buf_clear(&text);
}

int
environ_export(struct environ *env, struct problems *problems, const struct node *root)
{
	const struct node *variables = node_get(root, "environment_variables");
	size_t errors = problems_errors(problems);

	if (!node_truth(variables))
		return 0;
	if (variables->type != NODE_MAP) {
		problem_error(problems, variables->mark,
		    "environment_variables: found %s, expected a mapping of names to values",
		    node_type_name(variables));
		return ERR_INVALID;
	}
	for (size_t i = 0; i < variables->n; i++)
		export_pair(env, problems, &variables->pairs[i]);
	return problems_errors(problems) > errors ? ERR_INVALID : 0;
}
