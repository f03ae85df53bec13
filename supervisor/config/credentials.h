/* SPDX-License-Identifier: Apache-2.0 */
/* credential_list: named sets of parameters that a deployment takes by litellm_credential_name. */
#ifndef SUPERVISOR_CONFIG_CREDENTIALS_H
#define SUPERVISOR_CONFIG_CREDENTIALS_H

#include "shared/err.h"
#include "supervisor/config/params.h"
#include "supervisor/config/problem.h"

/* Checks the whole list once: entries that are no credentials are errors. */
void credentials_check(const struct node *root, struct problems *problems);
/*
 * Fills in what the named credential has and the deployment has not. ERR_NOT_FOUND when there is no
 * credential of that name.
 */
int credentials_apply(const struct node *root, struct str name, struct params *p) MUST_CHECK;

#endif
