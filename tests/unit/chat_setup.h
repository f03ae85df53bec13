/* SPDX-License-Identifier: Apache-2.0 */
/* A deployment to which a chat is sent by hand, for the tests of what becomes of it. */
#ifndef TESTS_UNIT_CHAT_SETUP_H
#define TESTS_UNIT_CHAT_SETUP_H

#include "workers/dialects/chat.h"

/* Members of the shortest chat. */
#define SAID "\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]"

struct setup {
	struct target *t;
	struct chat chat;
	struct request req;
	struct result why;
	struct buf out, fault;
};

/* Its config has a max_tokens of 77; `extra` are its other parameters. */
void chat_setup(struct setup *s, const char *provider, const char *model, const char *extra);
void chat_setup_clear(struct setup *s);
/* chat_build() with a credential, in November 2023, with random bytes of 0. */
int chat_setup_build(struct setup *s, const char *body) MUST_CHECK;

#endif
