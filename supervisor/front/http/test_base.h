/* SPDX-License-Identifier: Apache-2.0 */
/* Which deployment a test_connection begins with. */
#ifndef SUPERVISOR_FRONT_HTTP_TEST_BASE_H
#define SUPERVISOR_FRONT_HTTP_TEST_BASE_H

#include "supervisor/front/fleet.h"

#define TEST_CREDENTIAL "litellm_credential_name"

struct groups;

/* By id, by group, by litellm_params.model, by wildcard: the first that there is, or NULL. */
const struct deployment *test_base_find(
    const struct fleet *f, const struct groups *g, struct str id, struct str model);
/* The first of the provider's that uses the credential (its name as JSON), or NULL. */
const struct deployment *test_base_of_credential(
    const struct fleet *f, struct str credential, const char *provider);

#endif
