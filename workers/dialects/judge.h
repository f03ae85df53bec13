/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judging an answer. Most dialects say by a table what must be where in an answer in JSON; what is
 * no success, no JSON or an error is the same for all of them: it is read once, from wherever a
 * provider puts its errors, and neither an error nor an empty shell is ever taken for an answer.
 * Which words LiteLLM has for it is in words.c.
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
#define JUDGE_EMPTY (1u << 30)	/* with nothing in it */
#define JUDGE_FILLED (1u << 31) /* with something in it: a text, a list, an object */

/* What must stand at a place. */
struct judge_want {
	/*
	 * "choices[0].message", "" for the whole answer; only a list's first element can be named.
	 * Places that will do as well are joined by `|`.
	 */
	const char *at;
	unsigned kinds;
};

/* One form that an answer may have. */
struct judge_form {
	struct judge_want wants[JUDGE_MAX_WANTS]; /* until the first without kinds */
	const char *tokens_in, *tokens_out;	  /* where they are counted, or NULL */
	/*
	 * LiteLLM's text where there is nothing at the place of the first want, behind "litellm.":
	 * "APIConnectionError: 'content'"; NULL: our own. Of one that ends in "- " the body is
	 * repeated.
	 */
	const char *theirs;
};

/*
 * Judges an answer: true, and `res` healthy, when one of the forms fits. What is missing is said of
 * the first. `call` decides which client's words are used; NULL: the one in the table.
 */
bool judge_forms(const struct target *t, const struct provider_call *call,
    const struct response *resp, const struct judge_form *forms, size_t n, struct result *res);
/* The same with one form; NULL: any JSON object without an error will do. */
bool judge_form(const struct target *t, const struct response *resp, const struct judge_form *form,
    struct result *res);
/* The same for a stream: all its events, or all its lines of JSON. */
bool judge_stream(const struct target *t, const struct response *resp, struct result *res);
/* The same for an answer that is no JSON: sound. At least `least` bytes. */
bool judge_bytes(
    const struct target *t, const struct response *resp, size_t least, struct result *res);

/* The parts of it, for a dialect that judges by itself. Each fills `res`. */

/* Healthy, nothing more. */
void judge_healthy(struct result *res);
/* An answer whose status is no success; `call` as of judge_forms(). */
void judge_status(const struct target *t, const struct provider_call *call,
    const struct response *resp, struct result *res);
/* A success whose body, checked JSON, is an error. */
void judge_error(const struct target *t, const struct response *resp, struct result *res);
/* "status 200, but WHERE is … where WANTED was expected". */
void judge_bad_shape(const struct target *t, struct result *res, const char *where,
    const struct answer_value *v, const char *wanted);

/*
 * Whether `list`, checked JSON, has an object whose member `key` is the text `wanted`; counts its
 * elements.
 */
bool judge_listed(struct str list, const char *key, const char *wanted, unsigned *count);
/* Unhealthy: the model is none of those that the provider lists. */
void judge_not_listed(const struct target *t, unsigned count, struct result *res);

#endif
