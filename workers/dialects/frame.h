/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the requests of most dialects have in common around their body: the table's refusals,
 * method, URL and headers before it, and what is shown of it behind.
 */
#ifndef WORKERS_DIALECTS_FRAME_H
#define WORKERS_DIALECTS_FRAME_H

#include "shared/provider.h"
#include "workers/dialects/dialect.h"

/* The call of the target, or ERR_INVALID with `why` filled: there is none, or not in this version.
 */
int frame_call(const struct target *t, struct provider_call *call, struct result *why) MUST_CHECK;
/*
 * Method and URL of the call. {parameter} in its path is a parameter of the deployment; one that is
 * not there is a config problem.
 */
int frame_url(const struct target *t, const struct provider_call *call, struct request *req,
    struct result *why) MUST_CHECK;
/* frame_call(), frame_url() and headers_add() with JSON as the body's type. */
int frame_json(const struct target *t, struct provider_call *call, struct request *req,
    struct result *why) MUST_CHECK;
/*
 * The list of models at `path` of the base: GET, no body, the row's headers. The key is added by
 * the caller where CALL_NO_AUTH is in `call`, which frame_call() has filled.
 */
int frame_list(const struct target *t, struct provider_call *call, const char *path,
    struct request *req, struct result *why) MUST_CHECK;
/* Shows the URL and the body, unless something is shown already, and checks that all has fitted. */
int frame_end(const struct target *t, struct request *req, struct result *why) MUST_CHECK;

/* A parameter under the name that the provider has for it; NULL: it has none. */
struct frame_name {
	const char *theirs; /* OpenAI's, as a config has it */
	const char *own;
};
/*
 * The config's own parameters for a provider that is not OpenAI: by the names of `names`, those
 * that only OpenAI knows left out, the rest as they are.
 */
void frame_add_config(
    struct buf *b, const struct target *t, const struct frame_name *names, size_t n);
/* What the target is asked: a greeting in the modes of a chat, the prompt in all others. */
const char *frame_text(const struct target *t, const struct build_context *ctx);
/* Percent-encodes all but letters, digits and -._~ */
void frame_add_encoded(struct buf *b, struct str s);

#endif
