/* SPDX-License-Identifier: Apache-2.0 */
/* The table of dialects, and the memory of a result. */
#include "workers/dialects/dialect.h"

#define MAX_TEXT ((size_t)16 << 10) /* of an error, of a detail */

#define DIALECT(name, shapes) extern const struct dialect dialect_##name;
#include "shared/dialects.def"
#undef DIALECT

static const struct dialect *const dialects[] = {
#define DIALECT(name, shapes) &dialect_##name,
#include "shared/dialects.def"
#undef DIALECT
};

const struct dialect *
dialect_find(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(dialects); i++)
		if (str_is(name, dialects[i]->name))
			return dialects[i];
	return NULL;
}

void
result_init(struct result *r)
{
	buf_init(&r->error, MAX_TEXT);
	buf_init(&r->detail, MAX_TEXT);
	result_reset(r);
}

void
result_reset(struct result *r)
{
	r->healthy = false;
	r->reason = REASON_BAD_RESPONSE;
	r->exception_status = 0;
	r->tokens_in = r->tokens_out = 0;
	buf_reset(&r->error);
	buf_reset(&r->detail);
}

void
result_clear(struct result *r)
{
	buf_clear(&r->error);
	buf_clear(&r->detail);
}
