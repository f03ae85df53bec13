/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a round found, and how it is told: as a table for people, as JSON, JUnit XML, TAP or GitHub
 * annotations for programs. All texts may be hostile; each format escapes them its own way.
 */
#ifndef SUPERVISOR_REPORT_H
#define SUPERVISOR_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/reason.h"
#include "shared/str.h"

enum report_state {
	REPORT_NOT_ASKED, /* disabled in the config, or the round ended before */
	REPORT_HEALTHY,
	REPORT_UNHEALTHY,
};

/* One deployment. The first texts are borrowed from the caller for the report's life. */
struct report_row {
	uint32_t handle;
	struct str id, model_name, model, provider, mode;
	struct str file; /* where the config has it */
	unsigned line;
	bool disabled;
	enum report_state state;
	enum reason reason;
	int64_t status;
	bool answered; /* by the provider: the status is its own word, not only our reason's */
	uint32_t total_us;
	uint32_t first_token_us; /* 0: it was not asked for a stream */
	uint32_t tokens;
	char *error, *detail, *entry; /* owned; NULL before the verdict */
};

struct report {
	struct report_row *rows; /* in the config's order */
	size_t n;
	int64_t elapsed_ms;
};

enum report_format {
	REPORT_TABLE,
	REPORT_JSON,
	REPORT_JUNIT,
	REPORT_TAP,
	REPORT_GITHUB,
	REPORT_FORMATS,
};

struct report_style {
	size_t width; /* columns of the table at most; 0: as wide as it is */
	bool color;
	bool only_unhealthy; /* the table leaves the others out */
};

const char *report_format_name(enum report_format format);
/* The format of that name, or -1. */
int report_format_parse(struct str name);

/* n rows, all empty. */
void report_init(struct report *r, size_t n);
void report_clear(struct report *r);
/* The row of a handle; NULL when there is none. Rows are found once their handles are set. */
struct report_row *report_find(struct report *r, uint32_t handle);
/* Replaces the verdict's texts; the arguments are copied. */
void report_set_texts(
    struct report_row *row, struct str error, struct str detail, struct str entry);

size_t report_count(const struct report *r, enum report_state state);

/* Appends the whole report, line breaks included. */
void report_render(const struct report *r, enum report_format format,
    const struct report_style *style, struct buf *b);

/* The formats, for report_render() and tests. */
void report_json(const struct report *r, struct buf *b);
void report_junit(const struct report *r, struct buf *b);
void report_tap(const struct report *r, struct buf *b);
void report_github(const struct report *r, struct buf *b);

/* Appends the reason of an unhealthy row in one line of plain text: "auth 401: the provider's
 * words". */
void report_add_reason(const struct report_row *row, struct buf *b);
/* The part of LiteLLM's error line that says something: what follows "…Exception - ". Part of the
 * argument. */
struct str report_plain_error(struct str error);
/* Appends an id as people read it: 64 hexadecimal digits are cut to 12. */
void report_add_short_id(struct buf *b, struct str id);

#endif
