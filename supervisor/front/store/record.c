/* SPDX-License-Identifier: Apache-2.0 */
/* Records to bytes and back. */
#include "supervisor/front/store/record.h"

#include <endian.h>
#include <string.h>

#include "supervisor/front/hash.h"

#define AT_CHECK 4
#define AT_CHECKED 12
#define AT_ID 20
#define AT_KIND 22

int
record_write(struct buf *b, uint64_t epoch, enum record_kind kind, const struct store_item *item)
{
	size_t size = RECORD_HEADER_BYTES + item->id.n + item->packed.n;
	uint32_t le_size = htole32((uint32_t)size);
	uint64_t le_checked = htole64((uint64_t)item->checked_at_ms), check;
	uint16_t le_id = htole16((uint16_t)item->id.n), le_kind = htole16((uint16_t)kind);
	char *p;

	if (item->id.n == 0 || item->id.n > RECORD_ID_MAX || item->packed.n > RECORD_PACKED_MAX)
		return ERR_LIMIT;
	p = buf_reserve(b, size);
	if (p == NULL)
		return ERR_LIMIT;
	memcpy(p, &le_size, 4);
	memcpy(p + AT_CHECKED, &le_checked, 8);
	memcpy(p + AT_ID, &le_id, 2);
	memcpy(p + AT_KIND, &le_kind, 2);
	memcpy(p + RECORD_HEADER_BYTES, item->id.p, item->id.n);
	if (item->packed.n > 0)
		memcpy(p + RECORD_HEADER_BYTES + item->id.n, item->packed.p, item->packed.n);
	check = htole64(hash_bytes(p + AT_CHECKED, size - AT_CHECKED, epoch));
	memcpy(p + AT_CHECK, &check, 8);
	buf_commit(b, size);
	return 0;
}

int
record_read(const unsigned char *p, size_t n, uint64_t epoch, enum record_kind *kind,
    struct store_item *item, size_t *size)
{
	uint32_t bytes;
	uint64_t check, checked;
	uint16_t id, k;

	if (n < RECORD_HEADER_BYTES)
		return ERR_AGAIN;
	memcpy(&bytes, p, 4);
	bytes = le32toh(bytes);
	if (bytes < RECORD_HEADER_BYTES + 1 ||
	    bytes > RECORD_HEADER_BYTES + RECORD_ID_MAX + RECORD_PACKED_MAX)
		return ERR_SYNTAX;
	if (bytes > n)
		return ERR_AGAIN;
	memcpy(&check, p + AT_CHECK, 8);
	if (le64toh(check) != hash_bytes(p + AT_CHECKED, bytes - AT_CHECKED, epoch))
		return ERR_SYNTAX;
	memcpy(&checked, p + AT_CHECKED, 8);
	memcpy(&id, p + AT_ID, 2);
	memcpy(&k, p + AT_KIND, 2);
	id = le16toh(id);
	k = le16toh(k);
	if (id == 0 || id > RECORD_ID_MAX || id > bytes - RECORD_HEADER_BYTES ||
	    (k != RECORD_PUT && k != RECORD_REMOVE))
		return ERR_SYNTAX;
	*kind = (enum record_kind)k;
	item->id = (struct str){ (const char *)p + RECORD_HEADER_BYTES, id };
	item->packed = (struct str){ item->id.p + id, bytes - RECORD_HEADER_BYTES - id };
	item->checked_at_ms = (int64_t)le64toh(checked);
	*size = bytes;
	return 0;
}
