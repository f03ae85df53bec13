/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoders of what is kept: the first byte says whether the rest is a state file, a state
 * file's records whose checks are put right first (or no mutation would ever pass them), a record,
 * or a packed verdict.
 */
#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"
#include "supervisor/front/store/record.h"
#include "supervisor/front/store/state_file.h"
#include "supervisor/front/verdict.h"
#include "supervisor/front/verdict_pack.h"
#include "tests/fuzz/fuzz.h"

/* What is read must be what is written again. */
static void
unpack(struct str packed)
{
	struct verdict_unpacked u, again;
	struct deployment d = { 0 };
	struct buf b = BUF_INIT(VERDICT_PACKED_MAX * 2);

	if (verdict_unpack(packed, &u) < 0)
		return;
	d.verdict = u.verdict;
	d.history = u.history;
	d.history_len = d.history_cap = (uint16_t)u.n_history;
	if (verdict_pack(&d, &b) < 0)
		abort();
	if (b.len <= VERDICT_PACKED_MAX) {
		if (verdict_unpack(buf_str(&b), &again) < 0 || again.n_history != u.n_history ||
		    again.verdict.state != u.verdict.state ||
		    again.verdict.checked_at_ms != u.verdict.checked_at_ms ||
		    (again.verdict.error == NULL) != (u.verdict.error == NULL))
			abort();
		verdict_unpacked_clear(&again);
	}
	buf_clear(&b);
	verdict_unpacked_clear(&u);
}

static void
on_item(const struct store_item *item, void *arg)
{
	unpack(item->packed);
	++*(size_t *)arg;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf b = BUF_INIT((size_t)4 << 20);
	struct store_item item;
	enum record_kind kind;
	size_t n = 0, used;

	if (size == 0)
		return 0;
	switch (data[0] % 4) {
	case 0:
		if (state_file_parse(data + 1, size - 1, on_item, &n) < 0 && n > 0)
			abort(); /* half a file was taken */
		break;
	case 1:
		state_file_begin(&b);
		buf_add(&b, data + 1, size - 1);
		state_file_end(&b, 1);
		if (state_file_parse((const unsigned char *)b.data, b.len, on_item, &n) < 0 &&
		    n > 0)
			abort();
		break;
	case 2:
		if (record_read(data + 1, size - 1, STATE_FILE_EPOCH, &kind, &item, &used) == 0) {
			if (used > size - 1 ||
			    record_write(&b, STATE_FILE_EPOCH, kind, &item) < 0 || b.len != used ||
			    memcmp(b.data, data + 1, used) != 0)
				abort();
			unpack(item.packed);
		}
		break;
	default:
		unpack((struct str){ (const char *)data + 1, size - 1 });
		break;
	}
	buf_clear(&b);
	return 0;
}
