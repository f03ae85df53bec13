/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said of a failed probe: our reason, and the first line that LiteLLM 1.106 shows for the
 * same failure of the same provider. Which words belong to which status was recorded; the rules and
 * their order are LiteLLM's exception_mapping_utils.
 */
#ifndef WORKERS_DIALECTS_WORDS_H
#define WORKERS_DIALECTS_WORDS_H

#include "shared/provider.h"
#include "workers/dialects/answer.h"
#include "workers/dialects/dialect.h"

/* What a provider said of its error. All borrowed; any may be empty. */
struct words_reply {
	struct str shown;    /* what LiteLLM repeats: error.message, or the body */
	struct str searched; /* what its rules look at: the body */
	struct str message;  /* the provider's own sentence, for our detail */
	struct str type;
	struct str code;
};

/* An answer whose status is no success. */
void words_status(
    const struct target *t, int status, const struct words_reply *reply, struct result *res);
/* A success that carries an error: the reason is read from the words, the status is the reason's.
 */
void words_error_body(const struct target *t, const struct words_reply *reply, struct result *res);
/* What the words of an error, a code or a sentence, mean; `otherwise` when they say nothing. */
enum reason words_reason(struct str said, enum reason otherwise);
/* A success whose body is no JSON that can be read. */
void words_not_json(const struct target *t, enum provider_client client, struct str body,
    const struct answer_fault *fault, struct result *res);
/* A success with JSON of the wrong shape: `theirs` is LiteLLM's text after its class, `ours` the
 * detail. */
void words_shape(const struct target *t, const char *class, struct str theirs, struct str ours,
    struct result *res);
/* The target cannot be asked as it is configured. `theirs` NULL: our own words serve for both. */
void words_config(
    const struct target *t, int status, const char *theirs, struct str ours, struct result *res);

/* Appends "OpenAIException", "GroqException". */
void words_exception_of(struct buf *b, const struct target *t);

#endif
