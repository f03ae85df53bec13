/* SPDX-License-Identifier: Apache-2.0 */
/* What a client would rather have: the headers Accept and Accept-Encoding (RFC 9110 12.5). Pure. */
#ifndef SUPERVISOR_FRONT_HTTP_ACCEPT_H
#define SUPERVISOR_FRONT_HTTP_ACCEPT_H

#include <stdbool.h>

#include "shared/str.h"

#define ACCEPT_ONE 1000 /* a weight of 1 */

/*
 * The weight of a name in the header's list, in thousandths: the highest, where it is named more than
 * once. What is no weight counts as 0. -1: it is not named; `*` names nothing but itself.
 */
int accept_weight(struct str list, const char *name);
/* Whether an Accept-Encoding takes gzip. */
bool accept_gzip(struct str list);

#endif
