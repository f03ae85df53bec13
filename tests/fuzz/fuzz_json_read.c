/* SPDX-License-Identifier: Apache-2.0 */
/* JSON from anybody: what was read and written anew reads as the same, and its members can be walked. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "shared/json.h"
#include "shared/json_read.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size }, rest, key, value;
	struct buf once = BUF_INIT((size_t)8 << 20), twice = BUF_INIT((size_t)8 << 20);
	size_t at = 0;

	if (json_read(text, &once, &at) == 0) {
		if (!utf8_valid(buf_str(&once)) || json_read(buf_str(&once), &twice, NULL) < 0 ||
		    !str_eq(buf_str(&once), buf_str(&twice)))
			abort();
		rest = buf_str(&once);
		while (json_next_member(&rest, &key, &value))
			if (value.n == 0)
				abort();
	}
	if (at > size)
		abort();
	buf_clear(&once);
	buf_clear(&twice);
	return 0;
}
