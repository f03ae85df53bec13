/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the config expects of an answer beside its shape (model_info.llmhealth.expect): a status, a
 * place in the JSON that must be there, a text that must be in it.
 */
#ifndef WORKERS_EXPECT_H
#define WORKERS_EXPECT_H

#include "workers/dialects/dialect.h"

/* Judges an answer that is healthy so far; makes res unhealthy where it is not as expected. */
void expect_judge(const struct target *t, const struct response *resp, struct result *res);

#endif
