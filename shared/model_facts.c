/* SPDX-License-Identifier: Apache-2.0 */
/* Matching a model's name against the families in model_facts.def. */
#include "shared/model_facts.h"

#include <ctype.h>

#include "shared/err.h"
#include "shared/models.h"

#define MODE_NONE (-1)

static const struct {
	const char *pattern;
	int mode;
} models[] = {
#define REASONING(pattern)
#define MODEL(pattern, mode) { pattern, MODE_##mode },
#include "shared/model_facts.def"
#undef MODEL
#undef REASONING
};

static const char *const reasoning[] = {
#define REASONING(pattern) pattern,
#define MODEL(pattern, mode)
#include "shared/model_facts.def"
#undef MODEL
#undef REASONING
};

static bool
separates(char c)
{
	switch (c) {
	case '-':
	case '.':
	case '_':
	case ':':
	case '/':
	case '@':
	case ' ':
		return true;
	default:
		return false;
	}
}

/* Whether the pattern, from here, matches the name from its byte i on. */
static bool
matches_at(const char *pattern, struct str name, size_t i)
{
	for (; *pattern; pattern++, i++) {
		if (*pattern == '*') {
			do
				if (matches_at(pattern + 1, name, i))
					return true;
			while (i < name.n && !separates(name.p[i++]));
			return false;
		}
		if (i >= name.n || tolower((unsigned char)name.p[i]) != *pattern)
			return false;
	}
	return i >= name.n || separates(name.p[i]);
}

static bool
matches(const char *pattern, struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if ((i == 0 || separates(name.p[i - 1])) && matches_at(pattern, name, i))
			return true;
	return false;
}

int
model_mode(struct str provider, struct str bare)
{
	struct known_model known;

	if (models_find(provider, bare, &known))
		return known.mode;
	for (size_t i = 0; i < ARRAY_LEN(models); i++)
		if (matches(models[i].pattern, bare))
			return models[i].mode;
	return MODE_CHAT;
}

bool
model_reasons(struct str provider, struct str bare)
{
	struct known_model known;

	if (models_find(provider, bare, &known) && known.reasons)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(reasoning); i++)
		if (matches(reasoning[i], bare))
			return true;
	return false;
}
