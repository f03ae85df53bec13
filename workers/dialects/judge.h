/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judging a JSON answer by a table of what must be where. What is no success, no JSON or an error
 * is said as all dialects say it; a dialect adds the forms that its answer may have.
 */
#ifndef WORKERS_DIALECTS_JUDGE_H
#define WORKERS_DIALECTS_JUDGE_H

#include "shared/provider.h"
#include "workers/dialects/answer.h"
#include "workers/dialects/dialect.h"

#define JUDGE_MAX_WANTS 4

/* Kinds of a value, to be joined by |. */
#define JUDGE_NUMBER (1u << ANSWER_NUMBER)
#define JUDGE_TEXT (1u << ANSWER_STRING)
#define JUDGE_LIST (1u << ANSWER_ARRAY)
#define JUDGE_OBJECT (1u << ANSWER_OBJECT)
#define JUDGE_NULL (1u << ANSWER_NULL)
#define JUDGE_EMPTY (1u << 30)	/* with nothing in it */
#define JUDGE_FILLED (1u << 31) /* with something in it: a text, a list, an object */

/* What must stand at a place. */
struct judge_want {
	const char
	    *path; /* "data[].embedding": [] is a list's first element; "" the whole answer */
	unsigned kinds;
	/*
	 * LiteLLM's text where there is nothing at that place, behind "litellm.CLASS: ", or NULL:
	 * our own. Of a text that ends in "- " the body is repeated.
	 */
	const char *theirs;
	const char *class; /* of it; NULL: APIConnectionError */
};

/* One form that an answer may have: wants until the first without kinds. */
struct judge_form {
	struct judge_want wants[JUDGE_MAX_WANTS];
	const char *tokens_in, *tokens_out; /* where they are counted, or NULL */
};

/*
 * Judges an answer: healthy when one of the forms fits. What is missing is said of the first.
 * `call` decides which client's words are used; it may be NULL.
 */
void judge_forms(const struct target *t, const struct provider_call *call,
    const struct response *resp, const struct judge_form *forms, size_t n, struct result *res);

/* Healthy, nothing more. */
void judge_healthy(struct result *res);

/*
 * Whether `list`, checked JSON, has an object whose member `key` is the text `wanted`; counts its
 * elements.
 */
bool judge_listed(struct str list, const char *key, const char *wanted, unsigned *count);
/* Unhealthy: the model is none of those that the provider lists. */
void judge_not_listed(const struct target *t, unsigned count, struct result *res);

#endif
