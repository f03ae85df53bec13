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
struct histogram;
struct store;

/* A verdict packed for keeping (verdict_pack.h), under the deployment's id. */
struct store_item {
	struct str id;
	struct str packed; /* of a put, empty: no verdict, only what a witness says */
	int64_t checked_at_ms; /* the newer wins */
	bool only_newer;       /* of a put: one that is as new is left as it is */
	/* Of a put only; what others than llmhealth read of a shared store. May be empty. */
	struct str state; /* "healthy"; empty: nothing for others */
	struct str view;  /* the verdict as JSON */
	/* What one witness says (quorum.h), as JSON; empty: nothing. */
	struct str sight;
	struct str witness;   /* whose it is; of a put, empty: ours */
	int64_t sight_ttl_ms; /* of a put */
};

/* Whose words are counted of one deployment at most. */
#define STORE_WITNESSES_MAX 32

/* One call for each item, then one with NULL: the end. err is 0 or why nothing could be read. */
typedef void (*store_load_cb)(const struct store_item *item, int err, void *arg);
/* Whether this instance may probe the deployment in this slot. */
typedef void (*store_claim_cb)(bool granted, void *arg);

/* A value that was asked for: NULL when there is none, or it could not be read (err). */
typedef void (*store_get_cb)(const struct str *value, int err, void *arg);

/* What a store that others share has to tell. From the loop. */
struct store_events {
	/* A verdict that another instance has put. */
	void (*item)(const struct store_item *item, void *arg);
	/* Other instances are there than before: who may probe what is another question now. */
	void (*members)(void *arg);
	/* The store may lack what is known here: all of it should be put again. */
	void (*refill)(void *arg);
	/* What another witness says. */
	void (*sight)(const struct store_item *item, void *arg);
};

/* Claims: also when the deployment is another instance's, which has let its turn pass. */
#define STORE_CLAIM_ANYBODY 1u

/* An error that the server has answered with; the name is NULL when it never has. */
struct store_error {
	const char *name;
	uint64_t count;
};

struct store_status {
	const char *name;     /* of the backend */
	const char *instance; /* this one's name among those who share it */
	struct str witness;   /* the witness that it is, or belongs to */
	size_t quorum;	      /* so many witnesses must say that something is unhealthy; 0: none */
	bool shared;	      /* with other instances */
	bool connected;
	const char *why;  /* not connected: what was wrong last; static or the store's own */
	size_t instances; /* alive, this one included */
	uint64_t losses;  /* of the connection */
	uint64_t put, refused, taken; /* verdicts: sent, older than what was there, of others */
	uint64_t claims, denied;
	uint64_t unset; /* store_set()s that failed later */
	int64_t offset_ms; /* store_clock_offset_ms() */
	/* Of a shared one. Static or the store's own, until the loop's next turn. */
	const char *topology; /* "server", "sentinel", "cluster" */
	const char *server;   /* "host:port" or a path of who has our keys; "" when nobody is known */
	const char *error;    /* by the name that the server gives it: what fails now; or "" */
	uint64_t moved, asked, again; /* redirections in a cluster that were followed */
	uint64_t masters;	      /* times that another server had our keys than before */
	const struct store_error *errors;
	size_t n_errors;
	uint64_t commands, connects;	 /* answered; connections that were made */
	uint32_t latency_us;		 /* of the last answer; 0: none has come */
	size_t waiting;			 /* commands that wait for their answer */
	const struct histogram *latency; /* of all answers; NULL: none is counted. Borrowed */
	const struct histogram *lag;	 /* from a check by another instance to its verdict here; as above */
};

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
	int (*reopen)(void *state, const struct settings *s); /* may be NULL */
	void (*remove)(void *state, struct str id);
	int (*load)(void *state, store_load_cb cb, void *arg);
	void (*watch)(void *state, const struct store_events *events, void *arg);
	int (*claim)(void *state, struct str id, uint64_t slot, int64_t lease_ms, unsigned flags,
	    int64_t since_ms, store_claim_cb cb, void *arg);
	/* These may be NULL: nothing is shared. */
	void (*release)(void *state, struct str id, uint64_t slot);
	bool (*leads)(const void *state, struct str what);
	int (*set)(void *state, struct str key, struct str value, int64_t ttl_s);
	int (*get)(void *state, struct str key, store_get_cb cb, void *arg);
	int64_t (*clock_offset_ms)(const void *state);
	int64_t (*again_ms)(const void *state);
	size_t (*witnesses)(const void *state, struct str id, struct str *out, size_t room);
	void (*status)(const void *state, struct store_status *status);
	int (*flush)(void *state);
	void (*close)(void *state);
};

extern const struct store_ops store_memory;
/* Several instances on one Redis server, with store_memory behind it, which is all it is while the
 * settings name no server. */
extern const struct store_ops store_redis;

/* Opens the backend. */
int store_open(
    const struct store_ops *ops, const struct store_options *o, struct store **out) MUST_CHECK;
/*
 * The settings may be others than before: a shared store goes to the server that they name, without
 * losing what it holds. An error leaves it where it was.
 */
int store_reopen(struct store *s, const struct settings *settings) MUST_CHECK;
/* The backend: "memory", … */
const char *store_name(const struct store *s);
/* Keeps the item unless a newer one is there. ERR_LIMIT when the store is full. */
int store_put(struct store *s, const struct store_item *item) MUST_CHECK;
void store_remove(struct store *s, struct str id);
/* Reads all that is kept. */
int store_load(struct store *s, store_load_cb cb, void *arg) MUST_CHECK;
void store_watch(struct store *s, const struct store_events *events, void *arg);
/*
 * flags: STORE_CLAIM_*. Not granted where another instance has put a result that was checked at
 * `since_ms` (wall clock) or later: it is on its way to us. 0: whatever was put.
 */
int store_claim(struct store *s, struct str id, uint64_t slot, int64_t lease_ms, unsigned flags,
    int64_t since_ms, store_claim_cb cb, void *arg) MUST_CHECK;
/* A claim that was granted is over before its lease is. */
void store_release(struct store *s, struct str id, uint64_t slot);
/*
 * Keys that are not ours but agreed with other programs; stores that nobody shares have none.
 * Whether this instance is the one of all that does `what`; only while it is connected.
 */
bool store_leads(const struct store *s, struct str what);
/* ERR_CLOSED when it is not connected, or nobody shares it. */
int store_set(struct store *s, struct str key, struct str value, int64_t ttl_s) MUST_CHECK;
/* cb comes once, with ERR_CLOSED when the store is closed before. Errors as above. */
int store_get(struct store *s, struct str key, store_get_cb cb, void *arg) MUST_CHECK;
/* What has to be added to clock_wall_ms() for the time that all who share the store have. */
int64_t store_clock_offset_ms(const struct store *s);
/* After this time, one who was not granted a claim looks whether it was used; 0: never. */
int64_t store_again_ms(const struct store *s);
/* Who says what the deployment is, of those who are alive; how many. Borrowed until the next turn of
 * the loop. */
size_t store_witnesses(const struct store *s, struct str id, struct str *out, size_t room);
/* Accepts NULL: one that nobody shares. */
void store_status(const struct store *s, struct store_status *status);
/* Everything put so far is safe when this returns 0; for the end. */
int store_flush(struct store *s) MUST_CHECK;
/* A load that is under way ends with ERR_CLOSED; claims are never answered. Accepts NULL. */
void store_close(struct store *s);

#endif
