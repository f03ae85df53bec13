/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A target: all that a worker needs to ask one deployment, copied out of CONF_TARGET. It owns its
 * texts and its secrets; secrets are wiped when it is freed.
 */
#ifndef WORKERS_TARGET_H
#define WORKERS_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/mode.h"
#include "shared/msgs.h"
#include "shared/secret.h"
#include "shared/str.h"

struct dialect;
struct provider;

/* What a probe asks for where nothing else is said. */
#define TARGET_MAX_TOKENS 16

struct target_pair {
	char *key;
	char *value;
};

struct target_secret {
	char *key;
	struct secret *value;
};

struct target {
	unsigned holders;
	uint32_t handle;
	uint32_t generation;
	char *id;
	const struct provider *provider; /* row of providers.def; never NULL */
	const struct dialect *dialect;	 /* never NULL */
	enum mode mode;
	char *model;
	char *api_base;
	struct target_pair *params;
	size_t n_params;
	struct target_secret *secrets;
	size_t n_secrets;
	struct target_pair *headers;
	size_t n_headers;
	char *extra_body;   /* JSON object, "" for none; on the heap, a copy's may be replaced */
	int64_t max_tokens; /* -1: not sent */
	int64_t timeout_ms;
	int64_t attempt_timeout_ms; /* 0: none of its own */
	bool ssl_verify;
	char *ca_file, *client_cert, *client_key, *proxy, *no_proxy; /* "" for none */
	bool allow_link_local;
};

/*
 * Copies the message. ERR_NOT_FOUND when no provider or dialect of that name is built in,
 * ERR_INVALID when a field is not what it must be (unknown mode, a NUL byte in a text).
 */
int target_new(const struct msg_conf_target *m, struct target **out) MUST_CHECK;
/* One holder more: it is freed when target_free() has been called for each. */
struct target *target_hold(struct target *t);
/* Accepts NULL. */
void target_free(struct target *t);
/* A copy that is asked in another mode or for another model; NULL keeps the model. */
struct target *target_copy(const struct target *t, enum mode mode, const char *model);

/* A parameter's text, or NULL. */
const char *target_param(const struct target *t, const char *key);
/* A secret, or NULL. */
const struct secret *target_secret(const struct target *t, const char *key);

#endif
