/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a request, for the dialects that are not OpenAI's: the steps that all of them share. A
 * dialect calls ask_begin(), makes URL, headers and body in any order, and ends with ask_end().
 */
#ifndef WORKERS_DIALECTS_ASK_H
#define WORKERS_DIALECTS_ASK_H

#include "shared/provider.h"
#include "workers/dialects/dialect.h"

/* One request in the making. All is borrowed. */
struct asking {
	const struct target *t;
	const struct build_context *ctx;
	const struct provider_call *call;
	struct request *req;
	struct result *why;
};

enum ask_auth {
	ASK_KEY,    /* the api_key as the provider's row says */
	ASK_TOKEN,  /* a bearer token that workers/auth/ has fetched */
	ASK_SIGNED, /* signed after the build; an api_key is a bearer token instead */
	ASK_NOTHING,
};

/* Looks the call up and sets the method. ERR_INVALID: refused, `why` says the reason. */
int ask_begin(struct asking *a, const struct target *t, const struct build_context *ctx,
    struct request *req, struct result *why) MUST_CHECK;
/* Fills `why` with our words for a config problem; always ERR_INVALID. */
int ask_refuse(struct asking *a, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_CHECK;

/* What is said to the model: one of LiteLLM's two greetings, or the prompt, as the mode has it. */
const char *ask_text(const struct asking *a);
/* A parameter of the deployment, or `otherwise` where it has none. */
const char *ask_param(const struct asking *a, const char *name, const char *otherwise);

/* Whether the deployment asks for what is paid: a video is made. */
bool ask_generates(const struct target *t);

/* The URL: the base joined with the path. The base is the target's where `base` is NULL. */
int ask_url(
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

/*
 * The config's own parameters go into the body: those that only OpenAI's dialect knows
 * (temperature, tools, …) where `openai`, all others always. A member of ours with the same name
 * gives way.
 */
void ask_add_params(struct asking *a, bool openai);

/* How the request is shown, and that it is not too large. */
int ask_end(struct asking *a) MUST_CHECK;

#endif
