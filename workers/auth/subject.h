/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a workload shows of itself at another's token service, where it is asked for and not read
 * from a file: LiteLLM's oidc/google/AUDIENCE and oidc/github/AUDIENCE, and the token of an Azure
 * machine's own identity. Steps of the schemes in schemes.h.
 */
#ifndef WORKERS_AUTH_SUBJECT_H
#define WORKERS_AUTH_SUBJECT_H

#include "workers/auth/auth.h"

/* Parameters and secrets that decide it, for an identity; until NULL. */
extern const char *const subject_parts[];

/* Whether the target's subject token is asked for: param oidc_source. */
bool subject_is(const struct target *t);
/*
 * Asks for it: AUTH_SEND or an error. Params oidc_source ("google", "github"), oidc_audience,
 * oidc_url, google_metadata_host; secret oidc_token.
 */
int subject_ask(const struct target *t, struct auth_exchange *x, struct request *req,
    struct result *why) MUST_CHECK;
/* Puts it into x->kept: AUTH_MORE or an error. */
int subject_judge(const struct target *t, struct auth_exchange *x, const struct response *resp,
    struct result *why) MUST_CHECK;

/*
 * The token of an Azure machine: param azure_managed_identity ("imds", "app_service", "arc"),
 * client_id for one of several, azure_identity_endpoint, secret azure_identity_header. Uses
 * x->state, which is 0 at first. `scope` is that of the token.
 */
bool machine_is(const struct target *t);
int machine_ask(const struct target *t, struct auth_exchange *x, struct str scope,
    struct request *req, struct result *why) MUST_CHECK;
/* Puts it into the credential: AUTH_DONE, AUTH_MORE or an error. */
int machine_judge(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    const struct response *resp, struct result *why) MUST_CHECK;

#endif
