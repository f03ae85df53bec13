/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One entry of model_list, ready to be sent: what a worker needs to ask it and what the front may
 * know of it, as the two messages themselves. Reads the tree, asks nobody. All texts (keys too)
 * live in the arena of the config that it belongs to and are wiped with it.
 */
#ifndef SUPERVISOR_CONFIG_DEPLOYMENT_H
#define SUPERVISOR_CONFIG_DEPLOYMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/msgs.h"
#include "shared/settings.h"
#include "supervisor/config/environ.h"
#include "supervisor/config/node.h"
#include "supervisor/config/problem.h"

struct deployment {
	/*
	 * What the front is told; generation and handle are 0. `front.problem_reason` is REASON_OK
	 * when the deployment can be asked. Holds no secret, no header, no prompt.
	 */
	struct msg_conf_deployment front;
	/*
	 * What a worker is told; generation and handle are 0. Only when `askable`: a deployment
	 * with a problem has no target, nor has a router (front.depends).
	 */
	struct msg_conf_target target;
	bool askable;

	/* For `validate`; not sent to anybody. */
	struct str configured_mode; /* model_info.mode; empty when none is given */
	struct str
	    key_variable; /* variable that the key came from, or would come from; may be empty */
	bool key_set;	  /* a key is there, from the config or the environment */
	struct str file;  /* place of the entry */
	unsigned line, column;
};

/* What all deployments of one config share. */
struct deployment_context {
	struct arena *arena;		 /* for all texts of the deployments */
	const struct settings *settings; /* already read */
	const struct node *root;	 /* the whole config: credential_list */
	const struct environ *env;	 /* with what the config itself sets */
	struct problems *problems;
};

/*
 * Reads one element of model_list. Never fails: what cannot be asked becomes a deployment with
 * problem_reason REASON_CONFIG, and a finding with its place is added to the problems. Returns
 * false only when the element is no deployment at all (no map, no model_name, no litellm_params);
 * the finding then is an error of the whole config.
 */
bool deployment_read(const struct deployment_context *ctx, const struct node *element,
    uint32_t position, struct deployment *d);


#endif
