/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a request: the steps that all dialects share. A dialect calls ask_begin(), makes URL,
 * headers and body in any order, and ends with ask_end(). What is refused on the way is a config
 * problem, said in `why`.
 */
#ifndef WORKERS_DIALECTS_ASK_H
#define WORKERS_DIALECTS_ASK_H

#include "shared/provider.h"
#include "workers/dialects/dialect.h"

/* One request in the making. All is borrowed. */
struct asking {
	const struct target *t;
	const struct build_context *ctx;
	struct provider_call call; /* the table's; a dialect may change it */
	struct request *req;
	struct result *why;
};

enum ask_auth {
	ASK_KEY,    /* the api_key as the provider's row says, unless CALL_NO_AUTH */
	ASK_TOKEN,  /* a bearer token that workers/auth/ has fetched */
	ASK_SIGNED, /* signed after the build; an api_key is a bearer token instead */
	ASK_NOTHING,
};

/* Looks the call up and sets the method. ERR_INVALID: refused, `why` says the reason. */
int ask_begin(struct asking *a, const struct target *t, const struct build_context *ctx,
    struct request *req, struct result *why) MUST_CHECK;
/* ask_begin(), ask_url() and ask_headers(): what most requests with a body in JSON begin with. */
int ask_begin_json(struct asking *a, const struct target *t, const struct build_context *ctx,
    struct request *req, struct result *why) MUST_CHECK;
/* Fills `why` with our words for a config problem; always ERR_INVALID. */
int ask_refuse(struct asking *a, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_CHECK;

/* What is said to the model: one of LiteLLM's two greetings, or the prompt, as the mode has it. */
const char *ask_text(const struct asking *a);
/* A parameter of the deployment, or `otherwise` where it has none. */
const char *ask_param(const struct asking *a, const char *name, const char *otherwise);

/* Whether the deployment asks for what is paid: a video is made, a job is started. */
bool ask_generates(const struct target *t);

/*
 * The URL of the call: {parameter} in its path is a parameter of the deployment, without which it
 * is refused; {model} the model's name. The base is the target's where `base` is NULL.
 */
int ask_url(struct asking *a, const char *base) MUST_CHECK;
/* The same for another path, which is taken as it is. */
int ask_path(
    struct asking *a, const char *base, enum provider_join join, const char *path) MUST_CHECK;
/* Appends s percent-encoded; letters, digits, "-._~" and the characters of `kept` stay. */
void ask_encode(struct buf *b, struct str s, const char *kept);

/* All headers; Content-Type only where `type` is not empty, an Accept of the dialect's own stays.
 */
int ask_headers(struct asking *a, enum ask_auth auth, struct str type) MUST_CHECK;
/* One more, unless the config sets it itself. */
int ask_header(struct asking *a, const char *name, const char *value) MUST_CHECK;

/*
 * Appends JSON by a pattern: ' stands for the quote, %s for a text (const char *), as a JSON
 * string; %d for a number (int64_t); %r for JSON as it is (const char *); %% for itself.
 */
void ask_json(struct buf *b, const char *pattern, ...);

/* body_merge_config() of the request's body. */
void ask_add_params(struct asking *a, bool openai);

/* A GET without a body, with the row's headers: a list, or an entry of it. It ends the request. */
int ask_get(
    struct asking *a, const char *base, enum provider_join join, const char *path) MUST_CHECK;

/* Shows the base alone, as LiteLLM does of what OpenAI's own client sends. */
void ask_show_base(struct asking *a);
/* How the request is shown, unless something is shown already, and that it is not too large. */
int ask_end(struct asking *a) MUST_CHECK;

#endif
