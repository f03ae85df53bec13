/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of single models by name (models.def): mode, whether it reasons, its price. Names
 * that are not in the table are the caller's to guess about.
 */
#ifndef SHARED_MODELS_H
#define SHARED_MODELS_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/err.h"
#include "shared/mode.h"
#include "shared/str.h"

struct known_model {
	const char *name;
	int mode; /* enum mode, or -1: none that a health check has */
	bool reasons;
	double price_in,
	    price_out; /* dollars for a million tokens; below 0: not priced by tokens */
};

/*
 * The model of that name at that provider ("groq", may be empty). Tried in order: PROVIDER/NAME,
 * NAME; for bedrock also without what routes it (converse/, a region, us. of an inference profile).
 * False when none is known.
 */
bool models_find(struct str provider, struct str bare, struct known_model *out);
/* Of an inference profile of Bedrock's ("us.anthropic.claude…") the model behind its part of the world; any other name as
 * it is. Points into `model`. */
struct str models_without_geography(struct str model);
/* Row i of the table in the order of names; false past its end. Tests walk it. */
bool models_at(size_t i, struct known_model *out);

#endif
