/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups in the table of modes. */
#include "shared/mode.h"

static const struct {
	const char *name;
	bool tokens;
} modes[] = {
#define MODE(id, name, tokens) { name, tokens },
#include "shared/modes.def"
#undef MODE
};

const char *
mode_name(enum mode mode)
{
	return (unsigned)mode < MODE_COUNT ? modes[mode].name : "unknown";
}

int
mode_parse(struct str name)
{
	for (int i = 0; i < MODE_COUNT; i++)
		if (str_is(name, modes[i].name))
			return i;
	return -1;
}

bool
mode_takes_max_tokens(enum mode mode)
{
	return (unsigned)mode < MODE_COUNT && modes[mode].tokens;
}
