/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The headers of a request as the provider's row and the deployment's config want them. Shared by
 * all dialects whose key is a header; what is signed is not made here.
 */
#ifndef WORKERS_DIALECTS_HEADERS_H
#define WORKERS_DIALECTS_HEADERS_H

#include "shared/provider.h"
#include "workers/dialects/dialect.h"

/*
 * All of them: the key (unless CALL_NO_AUTH), Content-Type (none when `type` is empty), Accept,
 * User-Agent, the organization, the row's own, the config's extra_headers. Each of ours gives way
 * to the config's. Returns 0, or ERR_INVALID with `why` filled.
 */
int headers_add(const struct target *t, const struct provider_call *call, struct str type,
    struct request *req, struct result *why) MUST_CHECK;

/* Single ones, for a dialect that needs others or fewer; same errors. */
int headers_add_key(const struct target *t, const struct provider_call *call, struct str name,
    const char *scheme, struct request *req, struct result *why) MUST_CHECK;
int headers_add_own(const struct target *t, struct request *req, struct str name, struct str value,
    struct result *why) MUST_CHECK;
int headers_add_config(const struct target *t, struct request *req, struct result *why) MUST_CHECK;

/* "Authorization: Bearer TOKEN", unless the config sets that header. */
int headers_add_token(
    const struct target *t, struct request *req, struct str token, struct result *why) MUST_CHECK;

/* Whether the config sets that header itself. */
bool headers_configured(const struct target *t, struct str name);

/* Fills `why` with a config problem in our words; always ERR_INVALID. */
int headers_refuse(const struct target *t, struct result *why, const char *ours) MUST_CHECK;

#endif
