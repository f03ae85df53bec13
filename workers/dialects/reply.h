/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judging an answer in JSON by a table: what must be there for the answer to be one. It reads the
 * body once, knows where each provider puts its errors, and never takes an error or an empty shell
 * for an answer. Which words LiteLLM has for it is in words.c.
 */
#ifndef WORKERS_DIALECTS_REPLY_H
#define WORKERS_DIALECTS_REPLY_H

#include "workers/dialects/answer.h"
#include "workers/dialects/dialect.h"

#define REPLY_MAX_NEEDS 8

/* Kinds that will do, or'ed. */
enum reply_kind {
	REPLY_LIST = 1 << ANSWER_ARRAY,
	REPLY_OBJECT = 1 << ANSWER_OBJECT,
	REPLY_TEXT = 1 << ANSWER_STRING,
	REPLY_NUMBER = 1 << ANSWER_NUMBER,
	REPLY_FILLED = 1 << 16, /* and not empty */
};

struct reply_need {
	const char *at; /* "choices[0].message", "" for the answer; alternatives by `|` */
	unsigned kinds;
};

struct reply_form {
	struct reply_need needs[REPLY_MAX_NEEDS]; /* in order; ends at an `at` of NULL */
	const char *tokens_in, *tokens_out;	  /* where they are counted, or NULL */
	const char *theirs; /* LiteLLM's first line where the first need is not met, or NULL */
};

/* Fills res; true when it is healthy. `form` NULL: any JSON object without an error will do. */
bool reply_judge(const struct target *t, const struct response *resp, const struct reply_form *form,
    struct result *res);

/* The same for a stream: the first event of it, or the first line of JSON. */
bool reply_judge_stream(const struct target *t, const struct response *resp, struct result *res);

/* The same for an answer that is no JSON: sound, pictures. At least `least` bytes. */
bool reply_judge_bytes(
    const struct target *t, const struct response *resp, size_t least, struct result *res);

#endif
