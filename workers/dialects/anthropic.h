/* SPDX-License-Identifier: Apache-2.0 */
/* Anthropic's messages, which other providers' hosts take as well: its body and its judge. */
#ifndef WORKERS_DIALECTS_ANTHROPIC_H
#define WORKERS_DIALECTS_ANTHROPIC_H

#include "shared/provider.h"
#include "workers/dialects/dialect.h"

/*
 * The body of /v1/messages. The mode anthropic_messages asks as a client of that route does, the
 * others as LiteLLM carries a chat over it. `model` NULL: it is not in the body. `more`: members
 * that are always sent, `"anthropic_version": "…"`, or "".
 */
void anthropic_body(struct buf *b, const struct target *t, const struct build_context *ctx,
    const char *model, const char *more);
/* Judges the answer; `call` as of judge_forms(). */
void anthropic_judge_as(const struct target *t, const struct provider_call *call,
    const struct response *resp, struct result *res);

#endif
