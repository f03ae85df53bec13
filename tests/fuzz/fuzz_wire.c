/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of frames from a captured peer: headers are checked and bodies decoded as peer.c does,
 * and what was decoded must encode to a frame that decodes to the same bytes again.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "shared/wire.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_decoder *d = wire_decoder_new(), *again = wire_decoder_new();
	struct buf b = BUF_INIT((size_t)1 << 22), c = BUF_INIT((size_t)1 << 22);
	struct wire_header h;
	const void *m, *n;

	while (size >= WIRE_HEADER_BYTES) {
		const struct msg_row *row;

		wire_header_read(data, &h);
		row = msg_row(h.type);
		if (row == NULL ||
		    wire_header_check(&h, (enum role)row->from, (enum role)row->to) < 0 ||
		    h.length > size - WIRE_HEADER_BYTES)
			break;
		if (wire_decode(d, row->type, data + WIRE_HEADER_BYTES, h.length, &m) < 0)
			break;
		buf_reset(&b);
		buf_reset(&c);
		/* Canonical integers may be shorter or longer than the input's, so compare two
		 * encodings. */
		if (wire_encode(&b, row->type, h.id, m) == 0) {
			if (wire_decode(again, row->type,
				(const unsigned char *)b.data + WIRE_HEADER_BYTES,
				b.len - WIRE_HEADER_BYTES, &n) < 0)
				abort();
			if (wire_encode(&c, row->type, h.id, n) < 0 ||
			    !str_eq(buf_str(&b), buf_str(&c)))
				abort();
		}
		data += WIRE_HEADER_BYTES + h.length;
		size -= WIRE_HEADER_BYTES + h.length;
	}
	buf_clear(&b);
	buf_clear(&c);
	wire_decoder_free(d);
	wire_decoder_free(again);
	return 0;
}
