/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a provider's JSON answer: one strict pass (RFC 8259, UTF-8 only, bounded depth) that
 * checks every byte and notes only the places that a dialect asks for. Nothing is copied or
 * allocated, so a hostile body costs what its bytes cost. It does not judge.
 */
#ifndef WORKERS_DIALECTS_ANSWER_H
#define WORKERS_DIALECTS_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/str.h"

#define ANSWER_MAX_DEPTH 128

enum answer_kind {
	ANSWER_ABSENT,
	ANSWER_NULL,
	ANSWER_BOOL,
	ANSWER_NUMBER,
	ANSWER_STRING,
	ANSWER_ARRAY,
	ANSWER_OBJECT,
};

/*
 * A place of interest: the member `key` of the object at place `parent`, or its first element where
 * key is "[]" and the parent an array. Place 0 is the whole answer (its parent and key are not
 * read); a parent comes before its children.
 */
struct answer_place {
	int parent;
	const char *key;
};

struct answer_value {
	enum answer_kind kind;
	struct str raw; /* its bytes in the body; a string without its quotes, still escaped */
	uint32_t count; /* members or elements */
};

/* Why a body is refused, in the words of Python's json module where that has some. */
struct answer_fault {
	int err;	  /* ERR_SYNTAX; ERR_LIMIT: nested too deep; ERR_INVALID: not UTF-8 */
	const char *what; /* "Expecting value" */
	size_t at;	  /* byte offset */
};

/*
 * Reads the whole body. Fills values[0..n): of a member that comes twice the last one counts.
 * Returns 0, or fault->err with *fault filled; the values are then meaningless.
 */
int answer_read(struct str body, const struct answer_place *places, size_t n,
    struct answer_value *values, struct answer_fault *fault) MUST_CHECK;

/* Appends "Expecting value: line 1 column 1 (char 0)"; columns count characters. */
void answer_fault_text(struct buf *b, struct str body, const struct answer_fault *fault);

/* Appends a string's text, escapes undone; U+0000 and lone surrogates become U+FFFD. */
void answer_text(struct buf *b, struct str raw);

/*
 * Appends checked JSON as Python's repr() of what it means: {'a': None}. LiteLLM repeats bodies so.
 * Stops when b would grow past `max` bytes.
 */
void answer_python(struct buf *b, struct str json, size_t max);

/* How a person calls it: "an array", "missing". */
const char *answer_kind_name(const struct answer_value *v);

/* A number's value when it is a whole one between 0 and UINT32_MAX, else 0. */
uint32_t answer_count(const struct answer_value *v);

/*
 * Walks the members of an object whose syntax has been checked: *at starts at 0. The key is still
 * escaped, the value is its bytes (a string with its quotes). False after the last.
 */
bool answer_member(struct str object, size_t *at, struct str *key, struct str *value);

/* The same for the elements of an array. */
bool answer_element(struct str array, size_t *at, struct str *value);

#endif
