/* SPDX-License-Identifier: Apache-2.0 */
/* The table of messages, made from the rows of msgs.def and the lists in msgs.h. */
#include "shared/msgs.h"

#include "shared/err.h"

#define FIELD_ROW(message, kind, field) \
	{ #field, MSG_FIELD_##kind, offsetof(struct msg_##message, field) },

#define MSG(id, name, number, from, to, max, fds) \
	static const struct msg_field fields_##name[] = { MSG_FIELDS_##name(FIELD_ROW, name) };
#include "shared/msgs.def"
#undef MSG

static const struct msg_row rows[] = {
#define MSG(id, name, number, from, to, max, fds) \
	{ #id, MSG_##id, from, to, max, fds, sizeof(struct msg_##name), fields_##name, \
		ARRAY_LEN(fields_##name) },
#include "shared/msgs.def"
#undef MSG
};

const struct msg_row *
msg_row(unsigned type)
{
	/* Numbers are nearly the positions: look there first. */
	for (size_t i = type > 2 ? type - 2 : 0; i < ARRAY_LEN(rows); i++)
		if ((unsigned)rows[i].type == type)
			return &rows[i];
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if ((unsigned)rows[i].type == type)
			return &rows[i];
	return NULL;
}
