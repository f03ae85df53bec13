/* SPDX-License-Identifier: Apache-2.0 */
/* The halves of the OpenAI dialect; the contract of each is in dialect.h. */
#ifndef WORKERS_DIALECTS_OPENAI_H
#define WORKERS_DIALECTS_OPENAI_H

#include "workers/dialects/dialect.h"

void openai_judge(const struct target *t, const struct response *resp, struct result *res);

#endif
