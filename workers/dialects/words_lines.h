/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How LiteLLM names an error: the class and the words in front of the text, by provider, status and
 * what the text says. Its exception_mapping_utils as tables; our reasons are made in words.c.
 */
#ifndef WORKERS_DIALECTS_WORDS_LINES_H
#define WORKERS_DIALECTS_WORDS_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/buf.h"
#include "shared/provider.h"

/* Which of LiteLLM's blocks of rules maps a provider's errors. */
enum words_family {
	FAMILY_OPENAI,
	FAMILY_OPENROUTER, /* by status alone */
	FAMILY_LIKE,	   /* its openai_like block */
	FAMILY_PLAIN,	   /* none of its own: by status, without a word in front */
	FAMILY_ANTHROPIC,
	FAMILY_AZURE,
	FAMILY_COHERE,
	FAMILY_HUGGINGFACE,
	FAMILY_REPLICATE,
	FAMILY_BEDROCK,
	FAMILY_GOOGLE,
	FAMILY_NLP_CLOUD,
	FAMILY_SAGEMAKER,
};

/* "litellm.CLASS: PREFIXNAMEAFTER - the textSUFFIX" */
struct words_line {
	const char *class;
	const char *prefix;
	int status;	    /* 0: the answer's own */
	const char *name;   /* NULL: words_exception_of(); "": none, and no dash */
	const char *after;  /* or NULL */
	const char *suffix; /* or NULL */
};

/* What is repeated of a success whose body is no JSON. */
enum words_garbage {
	GARBAGE_WRAPPED, /* "Unable to get json response - FAULT, Original Response: BODY" */
	GARBAGE_FAULT,	 /* what the JSON reader tripped over */
	GARBAGE_BODY,
	GARBAGE_INVALID, /* "Invalid JSON response: BODY" */
	GARBAGE_BLOCK,	 /* "Error converting to valid response block=FAULT. File an issue …" */
};

/* What is repeated of a success that is an error. */
enum words_repeat {
	REPEAT_MESSAGE,
	REPEAT_ERROR, /* the member `error` as Python shows it */
	REPEAT_BODY,  /* the body as Python shows it */
	REPEAT_NOTHING,
};

/* A provider whose words for a failed success, or for no answer, are its own. */
struct words_own {
	const char *provider;
	struct words_line not_json;
	enum words_garbage garbage;
	struct words_line error;
	enum words_repeat repeat;
	const char *before; /* what is repeated, or NULL */
	struct words_line transport;
	bool wraps; /* an answer of another status is repeated in a sentence around it */
};

enum words_family words_family_of(const struct provider *p);
/* NULL: as its family and client have it. */
const struct words_own *words_own_of(const struct provider *p);
/* The line of an answer of that status; `lower` is its text in lower case. */
struct words_line words_line_of(enum words_family family, int status, const char *lower);

/* The same of the clouds: words_clouds.c. */
struct words_line words_cloud_line(
    enum words_family family, int status, const char *lower, struct words_line plain);
/* Appends what LiteLLM says of a SageMaker answer, whose body it does not read. */
void words_add_sagemaker(struct buf *b, const char *base, const char *model, int status);
#define WORDS_FILE_AN_ISSUE \
	". File an issue if litellm error - https://github.com/BerriAI/litellm/issues"

/* Whether any of the texts stands in `lower`. */
bool words_any(const char *lower, const char *const *texts, size_t n);
#define WORDS_ANY(lower, texts) words_any(lower, texts, sizeof(texts) / sizeof((texts)[0]))
bool words_say_context(const char *lower);
bool words_say_rate_limit(const char *lower);

#endif
