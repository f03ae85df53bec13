/* SPDX-License-Identifier: Apache-2.0 */
/* A credential's values never replace what the deployment says itself. */
#include "supervisor/config/credentials.h"

void
credentials_check(const struct node *root, struct problems *problems)
{
	const struct node *list = node_get_set(root, "credential_list");

	if (list && list->type != NODE_LIST) {
		problem_error(problems, list->mark, "credential_list is %s, expected a list",
		    node_type_name(list));
		return;
	}
	for (size_t i = 0; list && i < list->n; i++) {
		const struct node *one = list->items[i], *name = node_get(one, "credential_name");
		const struct node *values = node_get(one, "credential_values");

		if (one->type != NODE_MAP || name == NULL || !node_is_str(name))
			problem_error(problems, one->mark,
			    "a credential without a name, expected `credential_name: TEXT`");
		else if (values && values->type != NODE_MAP && values->type != NODE_NULL)
			problem_error(problems, values->mark,
			    "credential_values is %s, expected a mapping", node_type_name(values));
	}
}

int
credentials_apply(const struct node *root, struct str name, struct params *p)
{
	const struct node *list = node_get_set(root, "credential_list");

	for (size_t i = 0; list && list->type == NODE_LIST && i < list->n; i++) {
		const struct node *one = node_get(list->items[i], "credential_name");
		const struct node *values = node_get(list->items[i], "credential_values");
		struct params found;

		if (one == NULL || !node_is_str(one) || !str_eq(one->text, name))
			continue;
		params_read(&found, values);
		for (size_t k = 0; k < found.n; k++)
			params_fill(p, found.v[k].name, found.v[k].value);
		return 0;
	}
	return ERR_NOT_FOUND;
}
