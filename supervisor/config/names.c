/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing the config's keys with the table of health keys. */
#include "supervisor/config/names.h"

#include "supervisor/config/params.h"
#include "supervisor/config/suggest.h"

enum section {
	SECTION_GENERAL,
	SECTION_INFO,
	SECTION_PARAMS,
	SECTION_COUNT,
};

static const char *const section_names[] = { "general_settings", "model_info", "litellm_params" };

#define KEYS_MAX 64

struct key {
	enum section section;
	const char *name;
};

static const struct key keys[] = {
#define KEY(section, name) { SECTION_##section, name },
#define OTHER(section, name)
#include "supervisor/config/health_keys.def"
#undef KEY
#undef OTHER
};

static const struct key others[] = {
#define KEY(section, name)
#define OTHER(section, name) { SECTION_##section, name },
#include "supervisor/config/health_keys.def"
#undef KEY
#undef OTHER
};

static bool
holds(const struct key *list, size_t n, enum section section, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].section == section && str_is(name, list[i].name))
			return true;
	return false;
}

/* Another section that has the key. Only names that can mean nothing else: "mode" may stand
 * anywhere. */
static const char *
belongs_to(enum section section, struct str name)
{
	if (memmem(name.p, name.n, "health_check", 12) == NULL)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (keys[i].section != section && str_is(name, keys[i].name))
			return section_names[keys[i].section];
	return NULL;
}

static void
check_key(enum section section, const struct node *key, struct problems *problems)
{
	const char *names[KEYS_MAX], *meant, *place;
	size_t n = 0;

	if (holds(keys, ARRAY_LEN(keys), section, key->text) ||
	    holds(others, ARRAY_LEN(others), section, key->text) ||
	    (section == SECTION_PARAMS && param_find(key->text)))
		return;
	place = belongs_to(section, key->text);
	if (place) {
		problem_warning(problems, key->mark, "%.*s has no effect in %s, expected it in %s",
		    (int)key->text.n, key->text.p, section_names[section], place);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(keys) && n < KEYS_MAX; i++)
		if (keys[i].section == section)
			names[n++] = keys[i].name;
	meant = suggest(key->text, names, n);
	if (meant)
		problem_warning(problems, key->mark,
		    "unknown key \"%.*s\" in %s, did you mean \"%s\"?", (int)key->text.n,
		    key->text.p, section_names[section], meant);
}

static void
check_map(enum section section, const struct node *map, struct problems *problems)
{
	for (size_t i = 0; map && map->type == NODE_MAP && i < map->n; i++)
		if (node_is_str(map->pairs[i].key))
			check_key(section, map->pairs[i].key, problems);
}

void
names_check(const struct node *root, struct problems *problems)
{
	const struct node *list = node_get_set(root, "model_list");

	check_map(SECTION_GENERAL, node_get(root, "general_settings"), problems);
	for (size_t i = 0; list && list->type == NODE_LIST && i < list->n; i++) {
		check_map(SECTION_PARAMS, node_get(list->items[i], "litellm_params"), problems);
		check_map(SECTION_INFO, node_get(list->items[i], "model_info"), problems);
	}
}
