/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parameters of one deployment: litellm_params without nulls, then what its credential adds,
 * then what model_info.health_check_params puts over them. And what is known of a parameter by its
 * name.
 */
#ifndef SUPERVISOR_CONFIG_PARAMS_H
#define SUPERVISOR_CONFIG_PARAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "supervisor/config/node.h"

#define PARAMS_MAX 128

struct param {
	struct str name;
	const struct node *value;
	bool credential; /* from credential_list: used, but not shown */
};

struct params {
	struct param v[PARAMS_MAX];
	size_t n;
	bool full; /* there were more than PARAMS_MAX */
};

/* Takes all text keys of a MAP that are not null, in its order. */
void params_read(struct params *p, const struct node *map);
/* Sets one: in its place when it is there, else at the end. */
void params_set(struct params *p, struct str name, const struct node *value);
/* Adds one unless it is there. */
void params_fill(struct params *p, struct str name, const struct node *value);
/* The value of that name, or NULL. */
const struct node *params_get(const struct params *p, const char *name);

enum param_type {
	PARAM_ANY,
	PARAM_TEXT,
	PARAM_WHOLE,
	PARAM_SECONDS,
};

#define PARAM_SHOWN 1u
#define PARAM_HIDDEN 2u

struct param_row {
	const char *name;
	size_t length; /* of the name */
	enum param_type type;
	unsigned flags; /* PARAM_* */
};

/* Row i of params.def, NULL past its end. */
const struct param_row *param_row_at(size_t i);
/* The row of that name, or NULL: a parameter of the request, sent to the provider. */
const struct param_row *param_find(struct str name);
/* Rows before this one are in LiteLLM's order; it ends them. */
#define PARAM_LAST_ORDERED "model"

/* Whether the value is a secret, judged by the name: api_key, client_secret, azure_ad_token, … */
bool param_is_secret(struct str name);
/*
 * Whether a parameter of that name goes into the request's body: neither in params.def nor a
 * secret, a price, or a key of LiteLLM's own (litellm_…, health_check_…).
 */
bool param_is_sent(struct str name);

#endif
