/* SPDX-License-Identifier: Apache-2.0 */
/* The table of reasons: an enum, not prose, and LiteLLM's exception for each. */
#ifndef SHARED_REASON_H
#define SHARED_REASON_H

#include "shared/str.h"

enum reason {
#define REASON(id, name, exception, status, text) REASON_##id,
#include "shared/reasons.def"
#undef REASON
	REASON_COUNT
};

/* Each returns static text; for a number outside the table that of "probe_crashed". */
const char *reason_name(enum reason reason);
const char *reason_exception(enum reason reason);
const char *reason_text(enum reason reason);
int reason_status(enum reason reason);

#endif
