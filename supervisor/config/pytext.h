/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How Python writes a value: str(), repr() and json.dumps(), needed letter by letter because
 * LiteLLM's deployment ids are hashes of them. Also compact JSON, as LiteLLM's answers have it.
 */
#ifndef SUPERVISOR_CONFIG_PYTEXT_H
#define SUPERVISOR_CONFIG_PYTEXT_H

#include "shared/buf.h"
#include "shared/err.h"
#include "supervisor/config/node.h"

/* str(value): a text as it is, everything else as repr. */
void pytext_str(struct buf *b, const struct node *node);
void pytext_repr(struct buf *b, const struct node *node);
/* repr() of a float: the shortest digits that read back the same. */
void pytext_float(struct buf *b, double value);
/*
 * json.dumps(value, default=…) as LiteLLM calls it: `, ` and `: `, all but ASCII escaped, NaN and
 * Infinity. ERR_INVALID for a key that json.dumps refuses.
 */
int pytext_json(struct buf *b, const struct node *node) MUST_CHECK;
/* Compact JSON that every reader takes: UTF-8, no NaN (null instead), dates and binary as texts. */
void pytext_compact(struct buf *b, const struct node *node);

#endif
