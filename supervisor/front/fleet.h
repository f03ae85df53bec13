/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fleet as the front knows it: every deployment of the generation in force, with its verdict.
 * No secret is in here. Who asks when is scheduler's work, how it is shown is entry's and http's.
 */
#ifndef SUPERVISOR_FRONT_FLEET_H
#define SUPERVISOR_FRONT_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/err.h"
#include "shared/msgs.h"
#include "shared/reason.h"
#include "shared/settings.h"
#include "shared/str.h"

enum verdict_state {
	VERDICT_UNKNOWN, /* not asked yet */
	VERDICT_HEALTHY,
	VERDICT_UNHEALTHY,
	VERDICT_STALE,	  /* computed: the last result is too old */
	VERDICT_DISABLED, /* computed: disable_background_health_check, or outside the groups, and
			     never asked */
};

/* One result of the past: 16 bytes each. */
struct history_item {
	int64_t checked_at_ms;
	uint32_t total_us;
	uint16_t status;
	uint8_t reason; /* enum reason; REASON_OK is healthy */
	uint8_t flags;
};

/* What the last result said; texts are owned, NULL when empty. */
struct verdict {
	enum verdict_state state; /* UNKNOWN, HEALTHY or UNHEALTHY */
	int64_t since_ms;	  /* wall clock of the last change of state */
	int64_t checked_at_ms;	  /* 0: never */
	enum reason reason;
	int64_t exception_status;
	uint32_t http_status;
	uint32_t dns_us, connect_us, tls_us, first_byte_us, first_token_us, total_us;
	uint32_t flags;		  /* RESULT_* */
	uint16_t rising, falling; /* results in a row against the present state */
	char *error;		  /* LiteLLM's first line */
	char *detail;		  /* our own words */
	char *raw_request;	  /* JSON */
	char *headers;		  /* kept headers, "name\0value\0…\0" */
	char *asked_model;
	uint64_t tokens_in, tokens_out; /* spent in all */
	uint64_t probes, failures;
};

struct deployment {
	uint32_t handle;
	uint32_t position;					      /* in model_list */
	uint32_t flags;						      /* DEPLOYMENT_* */
	const char *id, *model_name, *model, *provider, *mode, *host; /* one allocation, owned */
	struct kvs display;
	struct kvs depends; /* of a router: what its verdict follows from; keys end in NUL */
	struct str info;
	int64_t interval_ms, timeout_ms;
	int64_t price_probe; /* the same of a probe beside its tokens */
	int64_t price_in, price_out; /* PRICE_UNITS for a token; -1: not known */
	int64_t
	    quiet_until_ms; /* wall clock: the provider asked for no probe before; 0: it did not */
	enum reason problem_reason; /* REASON_OK: can be asked */
	int64_t problem_status;
	const char *problem;
	struct verdict verdict;
	struct history_item
	    *history; /* ring of history_cap items, oldest first from history_start */
	uint16_t history_start, history_len, history_cap;
	struct schedule_item *schedule; /* the scheduler's */
	struct entry_cache *entry;	/* the rendered fragments; entry's */
	struct deployment_tally *tally; /* what its probes came to; tally's */
	struct series *series;		/* its rendered labels; http/metrics's */
	struct quorum *quorum;		/* what each witness says; quorum's */
	uint32_t generation;	 /* that brought this configuration (its position left out) */
	struct deployment *next; /* the fleet's own, while a configuration comes */
	struct router *router;	 /* of a router: its groups; router's */
	bool feeds;		 /* a router's verdict follows from it */
	uint8_t mark;		 /* the same */
	uint8_t told;		 /* the state that listeners know; http/events's */
	uint8_t shown;		 /* enum verdict_state at the last fleet_refresh() */
};

struct fleet;
struct keys;

struct fleet *fleet_new(void);
void fleet_free(struct fleet *f);

/*
 * Who wants to know of changes; at most 8. `changed`: what is shown of d is another now (its
 * verdict, or the deployment itself). `gone`: d ends, and is freed right after the call. `result`:
 * a probe of d has ended, before its result is applied. Each may be NULL. They change nothing in
 * the fleet.
 */
struct fleet_watch {
	void (*changed)(struct deployment *d, void *arg);
	void (*gone)(struct deployment *d, void *arg);
	void (*result)(struct deployment *d, const struct msg_result *r, void *arg);
	void *arg;
};
void fleet_add_watch(struct fleet *f, const struct fleet_watch *w);
/* Forgets the one with this arg. */
void fleet_remove_watch(struct fleet *f, const void *arg);

/* The settings in force. Borrowed. */
const struct settings *fleet_settings(const struct fleet *f);
/* SHA-256 of the master key, 32 bytes, or empty. */
struct str fleet_key_digest(const struct fleet *f);
/* The named keys. Borrowed until the next configuration. */
const struct keys *fleet_keys(const struct fleet *f);
uint32_t fleet_generation(const struct fleet *f);

/*
 * The two phases of a configuration: begin, deployments and removals, commit. Nothing is visible
 * before commit. A deployment whose id was there keeps verdict, history and place in the schedule.
 * ERR_INVALID for a message out of order or a count that is wrong.
 */
int fleet_conf_begin(struct fleet *f, const struct msg_conf_begin *m) MUST_CHECK;
int fleet_conf_deployment(struct fleet *f, const struct msg_conf_deployment *m) MUST_CHECK;
int fleet_conf_remove(struct fleet *f, const struct msg_conf_remove *m) MUST_CHECK;
int fleet_conf_commit(struct fleet *f, const struct msg_conf_commit *m) MUST_CHECK;

/* All deployments, in model_list's order. */
size_t fleet_size(const struct fleet *f);
struct deployment *fleet_at(const struct fleet *f, size_t i);
/* A model's name as the provider knows it, in what shows it: of "openai/gpt-4o" what is behind the deployment's own
 * provider. Points into `model`. */
struct str fleet_bare_model(const struct deployment *d, struct str model);
/* By handle, by id; NULL when there is none. */
struct deployment *fleet_find(const struct fleet *f, uint32_t handle);
struct deployment *fleet_find_id(const struct fleet *f, struct str id);

/* What to show at this moment (wall clock). */
enum verdict_state fleet_state(const struct fleet *f, const struct deployment *d, int64_t now_ms);
const char *verdict_state_name(enum verdict_state state);
/* The history's item i, 0 the oldest; NULL past the end. */
const struct history_item *deployment_history(const struct deployment *d, size_t i);

/*
 * Applies a result: rise and fall, counters, history. Returns whether anything that /health shows
 * has changed. A result older than the verdict's is ignored (false).
 */
bool fleet_apply(struct fleet *f, struct deployment *d, const struct msg_result *r);

/* The same where a quorum decides the state: UNKNOWN leaves the verdict alone. */
bool fleet_apply_as(struct fleet *f, struct deployment *d, const struct msg_result *r,
    enum verdict_state state);
/* The verdict turns to what these words say; no probe of ours was behind it. */
void fleet_turn(struct fleet *f, struct deployment *d, const struct msg_result *words);
/* Something that is shown of d, but not its verdict, is another. */
void fleet_touch(struct fleet *f, struct deployment *d);
/* How often d is asked, and how old a verdict of it may be. */
int64_t fleet_interval_ms(const struct fleet *f, const struct deployment *d);
int64_t fleet_stale_after_ms(const struct fleet *f, const struct deployment *d);

/*
 * Takes over a verdict that was kept elsewhere, with its history: `from` is emptied where its texts
 * are taken. False when what is held is as new, or the deployment cannot be asked at all.
 */
bool fleet_restore(struct fleet *f, struct deployment *d, struct verdict *from,
    const struct history_item *history, size_t n_history);
/* Time has passed: verdicts that have become stale count as changed. To be called every second or
 * so. */
void fleet_refresh(struct fleet *f, int64_t now_ms);

/* Grows whenever an answer about the fleet may have changed: a result, a configuration. */
uint64_t fleet_version(const struct fleet *f);
/* How many deployments were never asked and are not disabled: a first round is still under way. */
size_t fleet_pending(const struct fleet *f);

#endif
