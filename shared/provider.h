/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of providers: what LiteLLM 1.106 knows of each (providers.def), which provider a model
 * name means, which variables hold its key and its base, and at which URL each mode is asked. It
 * knows no secret's value and makes no request.
 */
#ifndef SHARED_PROVIDER_H
#define SHARED_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/mode.h"
#include "shared/str.h"

/* What happens when no key is configured and no variable of the provider's own is set. */
enum provider_without_key {
	KEY_REQUIRED,	 /* a config problem */
	KEY_OPTIONAL,	 /* asked without an auth header */
	KEY_PLACEHOLDER, /* asked with the placeholder of the row */
};

/* How a base and a path make a URL; `/a/b` and `/a/b/` are the base's own path. */
enum provider_join {
	JOIN_STRIP,	       /* one trailing slash goes, the path is appended */
	JOIN_APPEND,	       /* the path is appended as it is: /a/b//path */
	JOIN_VERBATIM,	       /* the base is the URL */
	JOIN_ADD_V1,	       /* unless it ends in exactly /v1, /v1 is added; then appended */
	JOIN_DROP_V1,	       /* one trailing slash and a final /v1 go; then appended */
	JOIN_ADD_INFERENCE_V1, /* one trailing slash goes; unless it ends in /v1, /inference/v1 is
				  added */
	JOIN_DROP_API_V2,      /* one trailing slash and a final /api/v2 go; then appended */
	JOIN_REPLACE,	       /* the path takes the place of the base's own path */
	JOIN_OTHER,	       /* only the dialect knows */
};

/* What is sent; the dialect gives it its form. */
enum provider_shape {
	SHAPE_CHAT,
	SHAPE_TEXT, /* a text completion */
	SHAPE_EMBEDDING,
	SHAPE_EMBEDDING_TEXT,
	SHAPE_RERANK,
	SHAPE_RERANK_PASSAGES,
	SHAPE_RERANK_QUERIES,
	SHAPE_IMAGE,
	SHAPE_IMAGE_INPUT,     /* `input` with messages */
	SHAPE_IMAGE_EDIT,      /* a form */
	SHAPE_IMAGE_EDIT_CHAT, /* a chat with the picture in it */
	SHAPE_SPEECH,
	SHAPE_SPEECH_TEXT, /* `text`, an answer in JSON */
	SHAPE_SPEECH_VOICE_ID,
	SHAPE_TRANSCRIPTION,
	SHAPE_VIDEO,
	SHAPE_BATCHES,
	SHAPE_REALTIME,
	SHAPE_RESPONSES,
	SHAPE_MESSAGES,
	SHAPE_OCR,
	SHAPE_DECISIONS,       /* `state` and questions by name */
	SHAPE_DECISIONS_INPUT, /* `input` and a list of questions */
	SHAPE_MODELS,	       /* of a dialect: the list of models, asked for a wildcard */
};

/* LiteLLM's client for a call: it decides which words of the answer its error repeats. */
enum provider_client {
	CLIENT_SDK,   /* OpenAI's: error.message where there is one, else the body */
	CLIENT_HTTPX, /* the body as it is */
};

enum provider_accept {
	ACCEPT_JSON,
	ACCEPT_ANY,
	ACCEPT_BYTES,
};

#define CALL_RATELIMIT 1u   /* LiteLLM shows the rate-limit headers of the answer */
#define CALL_HEADERS 2u	    /* the provider's extra headers are sent */
#define CALL_NO_AUTH 4u	    /* the key is not sent */
#define CALL_NO_MODEL 16u   /* the body names no model: the path does */
#define CALL_FIXED_BASE 32u /* a configured api_base is not used */
#define CALL_BASE_IS_URL 8u /* the call's own base is the whole URL; a given one is joined */

struct provider {
	const char *name;
	const char *dialect; /* NULL: none, see why_not */
	const char *why_not; /* why no health check can ask it over HTTP, or NULL */
	const char *base;    /* default base; NULL: api_base is required */
	const char *keys;    /* own key variables in order, see provider_key() */
	const char *bases;   /* own base variables in order */
	enum provider_without_key without_key;
	const char *placeholder; /* of KEY_PLACEHOLDER */
	const char *auth_header; /* NULL: the dialect knows */
	const char *auth_scheme; /* "" : the bare key */
	const char *token_param; /* name of the token limit in a body; NULL: it takes none */
	const char *headers;	 /* "name: value\n" each, sent where CALL_HEADERS is set */
	const char *params;	 /* further parameters of the deployment that matter, by blanks */
};

/* What a provider is asked in one mode. */
struct provider_call {
	const struct provider *provider;
	enum mode mode;
	const char *method;
	enum provider_shape shape;
	enum provider_client client;
	enum provider_accept accept;
	enum provider_join join;
	const char *path; /* {model}: the model's name */
	const char *base; /* of this call where it is not the provider's, or NULL */
	const char
	    *extra;	/* members of the JSON body beside the usual ones, without braces, or "" */
	unsigned flags; /* CALL_* */
};

/* Whether the provider's dialect can ask for its list of models, so that a wildcard can be asked.
 */
bool provider_lists_models(const struct provider *p);
/* Whether this version has the dialect that the call needs, and the dialect what the call asks. */
bool provider_call_supported(const struct provider_call *call);
/* The row of that name (LiteLLM's: "text-completion-openai"), or NULL. */
const struct provider *provider_find(struct str name);
/* Row i of the table, NULL past its end, in LiteLLM's order: tests walk it. */
const struct provider *provider_at(size_t i);
/* What the provider is asked in that mode, or NULL when it has no such call. */
const struct provider_call *provider_call(const struct provider *p, enum mode mode);

/*
 * Which provider a model name means, by LiteLLM's get_llm_provider: custom_llm_provider where
 * given, else the prefix, else a known OpenAI-compatible endpoint in api_base, else known model
 * names. On success *p is the row and *bare the name without the prefix, a part of `model`.
 * ERR_NOT_FOUND when nothing decides; the first line of LiteLLM's error is then appended to `why`
 * (may be NULL). `custom` and `api_base` may be empty.
 */
int provider_resolve(struct str model, struct str custom, struct str api_base,
    const struct provider **p, struct str *bare, struct buf *why) MUST_CHECK;

/* Looks a name up (a variable of the environment, a parameter); NULL or "" when there is none. */
typedef const char *provider_lookup(void *arg, const char *name);

/*
 * The provider's key variables in that mode, in order: copies name i into `name` (size n). False
 * past the last. "A+B" in the table is one entry of several variables that are needed together; it
 * is given as it is.
 */
bool provider_key_name(const struct provider *p, enum mode mode, size_t i, char *name, size_t n);
/*
 * The first of them that is set: returns its value and copies its name, or NULL; then name is that
 * of the first variable ("" when the provider has none). Entries "A+B" give the value of A when all
 * are set.
 */
const char *provider_key(const struct provider *p, enum mode mode, provider_lookup *env, void *arg,
    char *name, size_t n);

/*
 * Appends the base that a target is asked at: api_base when not empty, else the first base variable
 * set, else the call's or the provider's default with its {VARIABLE} and {parameter} filled in
 * (each may be NULL). ERR_NOT_FOUND when there is none; `why` (may be NULL) then says what is
 * missing. The result is what CONF_TARGET's api_base carries and provider_url() takes.
 */
int provider_base(const struct provider *p, enum mode mode, struct str api_base,
    provider_lookup *env, provider_lookup *param, void *arg, struct buf *out,
    struct buf *why) MUST_CHECK;

/*
 * Appends the URL of a call. `model` fills {model} in the path, percent-encoded. ERR_INVALID when
 * the base is no http:// or https:// URL, holds a blank, control or non-ASCII byte or a fragment,
 * or has no host; ERR_NOT_FOUND for JOIN_OTHER.
 */
int provider_url(const struct provider_call *call, struct str base, struct str model,
    struct buf *out) MUST_CHECK;

/*
 * Why the provider cannot be asked in that mode, as one line for a config problem, or false: it can
 * be. `why` may be NULL.
 */
bool provider_refuses(const struct provider *p, enum mode mode, struct buf *why);

#endif
