/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a parameter of that name holds a secret: api_key, client_secret, azure_ad_token, … */
#ifndef SHARED_SECRET_NAME_H
#define SHARED_SECRET_NAME_H

#include <stdbool.h>

#include "shared/str.h"

bool secret_name(struct str name);

#endif
