/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups in the table of reasons. */
#include "shared/reason.h"

static const struct row {
	const char *name;
	const char *exception;
	int status;
	const char *text;
} rows[] = {
#define REASON(id, name, exception, status, text) { name, exception, status, text },
#include "shared/reasons.def"
#undef REASON
};

static const struct row *
row_of(enum reason reason)
{
	return &rows[(unsigned)reason < REASON_COUNT ? reason : REASON_PROBE_CRASHED];
}

const char *
reason_name(enum reason reason)
{
	return row_of(reason)->name;
}

const char *
reason_exception(enum reason reason)
{
	return row_of(reason)->exception;
}

const char *
reason_text(enum reason reason)
{
	return row_of(reason)->text;
}

int
reason_status(enum reason reason)
{
	return row_of(reason)->status;
}

