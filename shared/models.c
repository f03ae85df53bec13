/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table is constant data without a pointer in it, so that it costs a program's start nothing:
 * the names are one object, of which each row knows where its own begins.
 */
#include "shared/models.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MAX_NAME 512
#define MODE_NONE (-1)

static const struct names {
#define MODEL(number, name, mode, reasons, in, out) char n##number[sizeof(name)];
#include "shared/models.def"
#undef MODEL
} names = {
#define MODEL(number, name, mode, reasons, in, out) name,
#include "shared/models.def"
#undef MODEL
};

static const struct row {
	uint32_t at;
	int8_t mode;
	bool reasons;
	float in, out;
} rows[] = {
#define MODEL(number, name, mode, reasons, in, out) \
	{ offsetof(struct names, n##number), MODE_##mode, reasons, in, out },
#include "shared/models.def"
#undef MODEL
};

static const char *
name_of(const struct row *row)
{
	return (const char *)&names + row->at;
}

static void
fill(const struct row *row, struct known_model *out)
{
	*out = (struct known_model){ name_of(row), row->mode, row->reasons, row->in, row->out };
}

bool
models_at(size_t i, struct known_model *out)
{
	if (i >= ARRAY_LEN(rows))
		return false;
	fill(&rows[i], out);
	return true;
}

static bool
find(const char *name, struct known_model *out)
{
	size_t low = 0, high = ARRAY_LEN(rows);

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, name_of(&rows[middle]));

		if (order == 0) {
			fill(&rows[middle], out);
			return true;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

static bool
find_at(struct str provider, struct str bare, struct known_model *out)
{
	char name[MAX_NAME];

	if (bare.n == 0 || provider.n + bare.n + 2 > sizeof(name) || memchr(bare.p, '\0', bare.n))
		return false;
	snprintf(name, sizeof(name), "%.*s/%.*s", (int)provider.n, provider.p, (int)bare.n, bare.p);
	if (provider.n > 0 && find(name, out))
		return true;
	return find(name + provider.n + 1, out);
}

struct str
models_without_geography(struct str model)
{
	static const char *const parts[] = { "us.", "eu.", "apac.", "jp.", "au.", "ca.", "us-gov.",
		"global." };

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (str_starts(model, parts[i]))
			return (
			    struct str){ model.p + strlen(parts[i]), model.n - strlen(parts[i]) };
	return model;
}

bool
models_find(struct str provider, struct str bare, struct known_model *out)
{
	const char *slash;

	if (find_at(provider, bare, out))
		return true;
	if (!str_starts(provider, "bedrock"))
		return false;
	/* What routes it stands before the last slash. */
	slash = bare.n ? memrchr(bare.p, '/', bare.n) : NULL;
	if (slash) {
		bare.n -= (size_t)(slash + 1 - bare.p);
		bare.p = slash + 1;
		if (find_at(provider, bare, out))
			return true;
	}
	return find_at(provider, models_without_geography(bare), out);
}
