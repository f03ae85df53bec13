/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups in the parameters of a deployment and in the table of their names. */
#include "supervisor/config/params.h"

#include <ctype.h>

#include "shared/secret_name.h"

#include "shared/err.h"

static const struct param_row rows[] = {
#define SHOWN PARAM_SHOWN
#define HIDDEN PARAM_HIDDEN
#define PARAM(name, type, flags) { name, sizeof(name) - 1, PARAM_##type, flags },
#include "supervisor/config/params.def"
#undef PARAM
#undef HIDDEN
#undef SHOWN
};

static struct param *
find(const struct params *p, struct str name)
{
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(p->v[i].name, name))
			return (struct param *)&p->v[i];
	return NULL;
}

static void
add(struct params *p, struct str name, const struct node *value, bool credential)
{
	if (p->n == PARAMS_MAX)
		p->full = true;
	else
		p->v[p->n++] = (struct param){ name, value, credential };
}

void
params_read(struct params *p, const struct node *map)
{
	p->n = 0;
	p->full = false;
	for (size_t i = 0; map && map->type == NODE_MAP && i < map->n; i++)
		if (map->pairs[i].key->type == NODE_STR && map->pairs[i].value->type != NODE_NULL)
			add(p, map->pairs[i].key->text, map->pairs[i].value, false);
}

void
params_set(struct params *p, struct str name, const struct node *value)
{
	struct param *there = find(p, name);

	if (there)
		*there = (struct param){ name, value, false };
	else
		add(p, name, value, false);
}

void
params_fill(struct params *p, struct str name, const struct node *value)
{
	if (find(p, name) == NULL)
		add(p, name, value, true);
}

const struct node *
params_get(const struct params *p, const char *name)
{
	const struct param *there = find(p, str_of(name));

	return there ? there->value : NULL;
}

const struct param_row *
param_row_at(size_t i)
{
	return i < ARRAY_LEN(rows) ? &rows[i] : NULL;
}

const struct param_row *
param_find(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (name.n == rows[i].length && memcmp(name.p, rows[i].name, name.n) == 0)
			return &rows[i];
	return NULL;
}


bool
param_is_secret(struct str name)
{
	return secret_name(name);
}

bool
param_is_sent(struct str name)
{
	static const char *const own[] = { "litellm_", "health_check_", "langfuse_", "langsmith_",
		"mock_", "input_cost_", "output_cost_", "cache_read_input_",
		"cache_creation_input_", "disable_background_" };

	if (param_find(name) || param_is_secret(name) || memmem(name.p, name.n, "_cost_", 6))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (str_starts(name, own[i]))
			return false;
	return true;
}
