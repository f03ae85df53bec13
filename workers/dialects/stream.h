/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The probe `stream`: the provider's own question with an answer in pieces, judged by its first
 * piece of content. target_new() puts the dialect in where the target's `probe` asks for it.
 */
#ifndef WORKERS_DIALECTS_STREAM_H
#define WORKERS_DIALECTS_STREAM_H

#include "workers/dialects/dialect.h"

extern const struct dialect dialect_stream;
bool stream_is(const struct target *t);

#endif
