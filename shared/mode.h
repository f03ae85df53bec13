/* SPDX-License-Identifier: Apache-2.0 */
/* The table of modes: what kind of model a deployment is, so what is asked of it. */
#ifndef SHARED_MODE_H
#define SHARED_MODE_H

#include <stdbool.h>

#include "shared/str.h"

enum mode {
#define MODE(id, name, tokens) MODE_##id,
#include "shared/modes.def"
#undef MODE
	MODE_COUNT
};

/* The name as written in `model_info.mode`; "unknown" outside the table. */
const char *mode_name(enum mode mode);
/* The mode of that name, or -1. */
int mode_parse(struct str name);
/* Whether LiteLLM's check sends max_tokens in this mode unless told otherwise. */
bool mode_takes_max_tokens(enum mode mode);

#endif
