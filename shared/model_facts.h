/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a model's name says of it: what the table of models knows (shared/models.h), which is
 * LiteLLM's own, else the family of the name, so that new versions of a family are known too.
 */
#ifndef SHARED_MODEL_FACTS_H
#define SHARED_MODEL_FACTS_H

#include <stdbool.h>

#include "shared/mode.h"
#include "shared/str.h"

/* A mode, or -1 for a model that no health check can ask (moderation). Chat unless the name says
 * more. */
int model_mode(struct str provider, struct str bare);
/* Whether it spends tokens on reasoning before it answers. */
bool model_reasons(struct str provider, struct str bare);

#endif
