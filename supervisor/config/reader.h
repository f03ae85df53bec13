/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libyaml's events over one prepared text: what PyYAML would have refused is refused, marks are
 * those of the file, and syntax errors are told in words that say what to do.
 */
#ifndef SUPERVISOR_CONFIG_READER_H
#define SUPERVISOR_CONFIG_READER_H

#include <yaml.h>

#include "shared/buf.h"
#include "shared/err.h"
#include "supervisor/config/problem.h"
#include "supervisor/config/strict.h"

struct reader {
	yaml_parser_t parser;
	struct strict strict;
	struct problems *problems;
	struct str text;  /* borrowed */
	const char *file; /* borrowed */
};

/* Begins to read; the text is changed here and must outlive the reader. Clear it in any case. */
int reader_open(
    struct reader *r, struct buf *text, const char *file, struct problems *problems) MUST_CHECK;
void reader_clear(struct reader *r);
/* The next event, to be ended with reader_done(). ERR_SYNTAX after a finding has been added. */
int reader_next(struct reader *r, yaml_event_t *event) MUST_CHECK;
/* Wipes and frees. */
void reader_done(yaml_event_t *event);
/* The place in the file. */
struct mark reader_mark(const struct reader *r, yaml_mark_t mark);

#endif
