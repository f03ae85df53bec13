/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where verdicts live beyond one process: one interface, several backends. Everything is
 * asynchronous, even in memory: a callback never runs inside the call that asked for it, always
 * from the loop.
 */
#ifndef SUPERVISOR_FRONT_STORE_STORE_H
#define SUPERVISOR_FRONT_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/err.h"
#include "shared/settings.h"
#include "shared/str.h"

struct event_base;
struct store;

/* A verdict packed for keeping (verdict_pack.h), under the deployment's id. */
struct store_item {
	struct str id;
	struct str packed;
	int64_t checked_at_ms; /* the newer wins */
};

/* One call for each item, then one with NULL: the end. err is 0 or why nothing could be read. */
typedef void (*store_load_cb)(const struct store_item *item, int err, void *arg);
/* A verdict that another instance has put. */
typedef void (*store_watch_cb)(const struct store_item *item, void *arg);
/* Whether this instance may probe the deployment in this slot. */
typedef void (*store_claim_cb)(bool granted, void *arg);

struct store_options {
	struct event_base *base;
	const struct settings *settings;
	const char *state_file; /* "" for none */
	int state_fd;		/* anonymous file that outlives the front, or -1; taken over */
};

struct store_ops {
	const char *name;
	int (*open)(const struct store_options *o, void **state);
	int (*put)(void *state, const struct store_item *item);
	void (*remove)(void *state, struct str id);
	int (*load)(void *state, store_load_cb cb, void *arg);
	void (*watch)(void *state, store_watch_cb cb, void *arg);
	int (*claim)(void *state, struct str id, uint64_t slot, int64_t lease_ms, store_claim_cb cb,
	    void *arg);
	int (*flush)(void *state);
	void (*close)(void *state);
};

extern const struct store_ops store_memory;

/* Opens the backend. */
int store_open(
    const struct store_ops *ops, const struct store_options *o, struct store **out) MUST_CHECK;
/* The backend: "memory", … */
const char *store_name(const struct store *s);
/* Keeps the item unless a newer one is there. ERR_LIMIT when the store is full. */
int store_put(struct store *s, const struct store_item *item) MUST_CHECK;
void store_remove(struct store *s, struct str id);
/* Reads all that is kept. */
int store_load(struct store *s, store_load_cb cb, void *arg) MUST_CHECK;
void store_watch(struct store *s, store_watch_cb cb, void *arg);
int store_claim(struct store *s, struct str id, uint64_t slot, int64_t lease_ms, store_claim_cb cb,
    void *arg) MUST_CHECK;
/* Everything put so far is safe when this returns 0; for the end. */
int store_flush(struct store *s) MUST_CHECK;
/* A load that is under way ends with ERR_CLOSED; claims are never answered. Accepts NULL. */
void store_close(struct store *s);

#endif
