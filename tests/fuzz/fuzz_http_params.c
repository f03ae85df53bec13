/* SPDX-License-Identifier: Apache-2.0 */
/* Query parameters, paths and lists of entity tags from anybody. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "supervisor/front/http/params.h"
#include "supervisor/front/http/validation.h"
#include "supervisor/front/http/parse.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };
	struct buf out = BUF_INIT(SIZE_MAX);
	struct validation v;

	if (params_get(text, "model_id", &out) && out.len > size)
		abort();
	validation_init(&v, text);
	if (validation_bool(&v, "healthy_only") && (size < 14 || v.problems.len > 0))
		abort();
	validation_clear(&v);
	buf_reset(&out);
	params_decode(&out, text, true);
	if (out.len > size)
		abort();
	if (http_etag_matches(text, STR("\"a-1\"")) && size == 0)
		abort();
	buf_clear(&out);
	return 0;
}
