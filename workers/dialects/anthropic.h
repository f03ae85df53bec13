/* SPDX-License-Identifier: Apache-2.0 */
/* Anthropic's messages, which other providers' hosts take as well: its body and its judge. */
#ifndef WORKERS_DIALECTS_ANTHROPIC_H
#define WORKERS_DIALECTS_ANTHROPIC_H

#include "workers/dialects/ask.h"

/*
 * The body of /v1/messages. The mode anthropic_messages asks as a client of that route does, the
 * others as LiteLLM carries a chat over it.
 */
void anthropic_body(struct asking *a);
/* Judges the answer; `call` as of judge_forms(). */
void anthropic_judge_as(const struct target *t, const struct provider_call *call,
    const struct response *resp, struct result *res);

#endif
