/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with a config: a growing list of findings, each with its place, so that all
 * mistakes are told at once. A text says what was found and what was expected; it never holds the
 * value of something that may be a secret.
 */
#ifndef SUPERVISOR_CONFIG_PROBLEM_H
#define SUPERVISOR_CONFIG_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/buf.h"
#include "shared/err.h"

/* A place in a file. Lines and columns (characters) start at 1; line 0 means the file as a whole.
 */
struct mark {
	const char *file; /* borrowed; lives as long as the config or the caller's path */
	unsigned line;
	unsigned column;
};

enum problem_severity {
	PROBLEM_ERROR,	    /* the config cannot be used */
	PROBLEM_WARNING,    /* it can, but probably does not mean what was meant */
	PROBLEM_DEPLOYMENT, /* it can, but one deployment cannot be asked as it is configured */
};

struct problem {
	enum problem_severity severity;
	char *file;
	unsigned line, column;
	char *text;
};

struct problems;

struct problems *problems_new(void);
void problems_free(struct problems *p);

/* Adds one; "what was found, what was expected". The same text at the same place is kept once. */
void problem_error(struct problems *p, struct mark mark, const char *fmt, ...) PRINTF_LIKE(3, 4);
void problem_warning(struct problems *p, struct mark mark, const char *fmt, ...) PRINTF_LIKE(3, 4);
void problem_deployment(struct problems *p, struct mark mark, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Findings kept (PROBLEMS_MAX at most); errors counts all of them, also those not kept. */
#define PROBLEMS_MAX 1000
size_t problems_count(const struct problems *p);
/* Beyond PROBLEMS_MAX: not kept. */
size_t problems_dropped(const struct problems *p);
size_t problems_errors(const struct problems *p);
/* The same for findings of single deployments. */
size_t problems_deployments(const struct problems *p);
/* The finding at index i, in order of file (as first met), line and column. Borrowed. */
const struct problem *problems_at(struct problems *p, size_t i);

/* Appends one finding as `file:line:column: error: text` without a line break. */
void problem_format(const struct problem *one, struct buf *b);

#endif
