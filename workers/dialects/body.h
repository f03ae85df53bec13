/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the JSON bodies of all dialects have in common: LiteLLM's questions, members that the config
 * may set itself, and the config's own parameters behind them.
 */
#ifndef WORKERS_DIALECTS_BODY_H
#define WORKERS_DIALECTS_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/str.h"
#include "workers/target.h"

#define BODY_GREETINGS 2

/* What is asked of a chat: LiteLLM's check picks one of two. */
const char *body_greeting(uint32_t variant);
/* What is asked in all other modes: the target's `prompt`, else LiteLLM's "test from litellm". */
const char *body_prompt(const struct target *t);

/* Begins a member: comma, key, colon. False, with nothing added, where the config sets it itself.
 */
bool body_member(struct buf *b, const struct target *t, const char *key);
/* A member with a text; nothing where the config sets it itself. */
void body_text(struct buf *b, const struct target *t, const char *key, struct str value);
/* A member with a list of one text; nothing where the config sets it itself. */
void body_list(struct buf *b, const struct target *t, const char *key, struct str value);
/* `messages` with one of the user's. */
void body_messages(struct buf *b, const struct target *t, const char *text);
/* Members of a row, `"a": 1, "b": 2`, those left out that the config sets. */
void body_add_row(struct buf *b, const struct target *t, const char *members);
/* The config's own parameters: the members of extra_body. */
void body_add_config(struct buf *b, const struct target *t);

/* A parameter under the name that the provider has for it; NULL: it has none. */
struct body_name {
	const char *theirs; /* OpenAI's, as a config has it */
	const char *own;
};
/*
 * The config's own parameters for a provider that is not OpenAI: by the names of `names`, those
 * that only OpenAI knows left out, the rest as they are.
 */
void body_add_renamed(
    struct buf *b, const struct target *t, const struct body_name *names, size_t n);
/*
 * The config's own parameters for a body that is complete, in place of its members of the same
 * name: those of OpenAI's dialect (temperature, tools, …) only where `openai`, all others always.
 */
void body_merge_config(struct buf *body, const struct target *t, bool openai);

/* Whether OpenAI's dialect has a parameter of that name; its messages and limits are not among them. */
bool body_is_openais(struct str key);

#endif
