/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An append-only list of records in an anonymous file that outlives the process: what was appended
 * and flushed is there for the next one, however this one ended. Not for disks: nothing is synced.
 */
#ifndef SUPERVISOR_FRONT_STORE_JOURNAL_H
#define SUPERVISOR_FRONT_STORE_JOURNAL_H

#include <stdbool.h>

#include "supervisor/front/store/record.h"

struct journal {
	int fd;
	uint64_t epoch;	     /* the seed of its records' checks; another one after each rewrite */
	uint64_t start, end; /* the records, in bytes of the file; `end` without what is pending */
	struct buf pending;
	uint64_t appended; /* bytes, since journal_open() */
	uint64_t punched;  /* before this the file has no pages any more */
	bool broken;	   /* could not be written: nothing more is */
};

typedef void (*journal_cb)(
    enum record_kind kind, const struct store_item *item, uint64_t at, size_t size, void *arg);

/*
 * Takes over fd; -1: makes an anonymous file. Calls cb for each record that is there, in order, and
 * drops what follows the last whole one. *fresh: there was no journal in it. ERR_IO: errno says
 * why.
 */
int journal_open(struct journal *j, int fd, bool *fresh, journal_cb cb, void *arg) MUST_CHECK;
void journal_close(struct journal *j);
/* Appends; *at and *size are its place. ERR_LIMIT or ERR_IO: it is not kept. */
int journal_append(struct journal *j, enum record_kind kind, const struct store_item *item,
    uint64_t *at, size_t *size) MUST_CHECK;
/* What is pending goes to the file. */
int journal_flush(struct journal *j) MUST_CHECK;
/*
 * All records, from j->start on, to be looked at where they are: mapped, so that they cost no
 * memory of ours, until journal_unmap(), which must follow with the same values also when there are
 * none.
 */
int journal_map(struct journal *j, const unsigned char **p, size_t *n) MUST_CHECK;
void journal_unmap(const struct journal *j, const unsigned char *p, size_t n);
/*
 * Copies the first n bytes of the records, or all when there are fewer, into p. Returns how many
 * through *got.
 */
int journal_head(struct journal *j, void *p, size_t n, size_t *got) MUST_CHECK;
/* Forgets the first n bytes of the records, which are whole records that count no more. */
int journal_drop_head(struct journal *j, size_t n) MUST_CHECK;
/* Replaces all records by these, written with epoch j->epoch + 1. *at is where they begin now. */
int journal_rewrite(struct journal *j, struct str records, uint64_t *at) MUST_CHECK;

#endif
