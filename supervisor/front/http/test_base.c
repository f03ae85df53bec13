/* SPDX-License-Identifier: Apache-2.0 */
/* Looks through the fleet once; a test is rare. */
#include "supervisor/front/http/test_base.h"

#include "shared/json.h"
#include "supervisor/front/http/groups.h"

/* The star in a group's name stands for the rest of the model's. */
static const struct deployment *
find_wildcard(const struct fleet *f, struct str model)
{
	for (size_t i = 0; i < fleet_size(f); i++) {
		const struct deployment *d = fleet_at(f, i);
		size_t n = strlen(d->model_name);

		if (n > 1 && d->model_name[n - 1] == '*' && model.n >= n &&
		    strncmp(model.p, d->model_name, n - 1) == 0)
			return d;
	}
	return NULL;
}

const struct deployment *
test_base_find(const struct fleet *f, const struct groups *g, struct str id, struct str model)
{
	const struct deployment *d = id.n > 0 ? fleet_find_id(f, id) : NULL;
	const uint32_t *v;

	if (d == NULL && model.n > 0 && groups_find(g, f, model, &v) > 0)
		d = fleet_at(f, v[0]);
	return d == NULL && model.n > 0 ? find_wildcard(f, model) : d;
}

const struct deployment *
test_base_of_credential(const struct fleet *f, struct str credential, const char *provider)
{
	for (size_t i = 0; i < fleet_size(f); i++) {
		const struct deployment *d = fleet_at(f, i);
		struct str params = json_member(d->info, "litellm_params");

		if (d->problem_reason == REASON_OK && d->provider &&
		    strcmp(d->provider, provider) == 0 &&
		    str_eq(json_member(params, TEST_CREDENTIAL), credential))
			return d;
	}
	return NULL;
}
