/* SPDX-License-Identifier: Apache-2.0 */
/* Query parameters as Python's parse_qsl reads them, and decoded paths. */
#ifndef SUPERVISOR_FRONT_HTTP_PARAMS_H
#define SUPERVISOR_FRONT_HTTP_PARAMS_H

#include <stdbool.h>

#include "shared/buf.h"
#include "shared/str.h"

/* Whether the query has that parameter; out is set to its last value, decoded ("" for `name` and
 * `name=`). */
bool params_get(struct str query, const char *name, struct buf *out);
/* Appends s with each %XX decoded; `+` is a blank when plus. What is no escape stays as it is. */
void params_decode(struct buf *out, struct str s, bool plus);

#endif
