/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each witness says of a deployment, and the verdict of them all: unhealthy when enough of
 * them say so. A witness is an instance, or a region of instances (llmhealth.region). Without
 * llmhealth.redis.quorum there is none of this, and every result is the verdict's.
 */
#ifndef SUPERVISOR_FRONT_QUORUM_H
#define SUPERVISOR_FRONT_QUORUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/msgs.h"
#include "shared/reason.h"
#include "shared/str.h"
#include "supervisor/front/fleet.h"

struct store;
struct store_item;

/* Longest packed view. */
#define QUORUM_VIEW_MAX 16384
/* The word of LiteLLM's own proxies, where it is consumed. */
#define QUORUM_LITELLM "litellm"

/* What one witness says. Texts are owned, NULL when empty. */
struct sight {
	char *witness;
	bool healthy;
	bool ours;
	int64_t checked_at_ms, since_ms;
	enum reason reason;
	int64_t exception_status;
	uint32_t http_status, total_us;
	char *error, *detail;
};

/* Reads a word as it is in Redis, its times made ours. False when it is none; else to be cleared. */
bool sight_read(struct str json, int64_t offset_ms, struct sight *s);
void sight_clear(struct sight *s);

/* Whether verdicts are made of several witnesses' words; as it was when the store was opened. Accepts
 * NULL. */
bool quorum_on(const struct store *store);

/*
 * A result of our own: our word is another one, and the verdict may be. The result is applied to
 * the verdict where it agrees with it, and only counted where it does not. True when something is
 * to be kept (keep.h).
 */
bool quorum_result(
    struct fleet *f, struct store *store, struct deployment *d, const struct msg_result *r);

enum quorum_heard {
	QUORUM_NOTHING,
	QUORUM_CHANGED = 1, /* the verdict is another one */
	QUORUM_ALARM = 2,   /* one whom we do not agree with says "unhealthy", and did not before */
};
/* Another witness's word. Flags. */
unsigned quorum_heard(struct fleet *f, struct store *store, const struct store_item *item,
    struct deployment **found);
/* Other words count than before: members have come or gone, a verdict was taken over. True when the
 * verdict is another one. Without a quorum all words are forgotten. */
bool quorum_settle(struct fleet *f, struct store *store, struct deployment *d);

/* The words that are held. NULL past the end. */
const struct sight *quorum_sight(const struct deployment *d, size_t i);
/* When we have looked ourselves; 0: never. */
int64_t quorum_own_ms(const struct deployment *d);
/* Appends a word as JSON, its times moved by so much. Nothing when we have none. */
void quorum_add_own(struct buf *b, const struct deployment *d, int64_t offset_ms);
/* The same for what a proxy has said. */
void quorum_add_result(struct buf *b, const struct msg_result *r, int64_t offset_ms);
/* For the deployment's end. */
void quorum_free(struct deployment *d);

#endif
