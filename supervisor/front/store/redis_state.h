/* SPDX-License-Identifier: Apache-2.0 */
/* The Redis backend's own struct, which its files share; nobody else includes this. */
#ifndef SUPERVISOR_FRONT_STORE_REDIS_STATE_H
#define SUPERVISOR_FRONT_STORE_REDIS_STATE_H

#include <event2/event.h>
#include <sys/queue.h>

#include "shared/buf.h"
#include "supervisor/front/store/members.h"
#include "supervisor/front/store/redis_conn.h"
#include "supervisor/front/store/redis_counts.h"
#include "supervisor/front/store/redis_script.h"
#include "supervisor/front/store/store.h"

#define REDIS_BATCH_ITEMS 64
#define REDIS_ITEM_ARGS 5

enum redis_link {
	LINK_DOWN,    /* no connection, or one that has not greeted */
	LINK_SCRIPTS, /* the scripts are being loaded */
	LINK_SYNC,    /* heartbeats; all is to be read, or is being read */
	LINK_ONLINE,
};

struct redis {
	struct event_base *base;
	void *memory;
	struct redis_conn *conn, *sub;
	char *verdicts, *view, *events_key, *counters, *instances, *channel, *claim;
	char name[MEMBER_NAME_MAX];
	char shas[REDIS_SCRIPT_COUNT][48];
	int64_t heartbeat_ms, offset_ms, offline_since_ms;
	char events_max[16];
	enum redis_link link;
	bool subscribed, was_online;
	unsigned scripts_loaded;
	bool refill; /* something could not be put */
	bool closing;
	struct members members;
	struct event *beat, *turn, *load_wait;
	char why[128];

	struct buf batch; /* the texts of the arguments that wait for the end of this turn */
	struct {
		size_t at, n;
	} args[REDIS_BATCH_ITEMS * REDIS_ITEM_ARGS];
	size_t n_args;
	struct redis_answer {
		store_claim_cb cb;
		void *arg;
		bool granted;
	} * answers; /* claims that need no command: answered in the next turn */
	size_t n_answers, cap_answers;

	store_load_cb load;
	void *load_arg;
	bool memory_loaded, synced;
	struct store_events events;
	void *events_arg;
	LIST_HEAD(, redis_get) gets;
	LIST_HEAD(, redis_asked) asked; /* claims that wait for their answer */
	struct store_status status;
	struct redis_counts counts;
};

/* Evaluates a script. As redis_conn_send(). */
int redis_eval(struct redis *r, enum redis_script script, const struct str *keys, size_t n_keys,
    const struct str *args, size_t n_args, redis_reply_cb cb, void *arg) MUST_CHECK;
/* An instance that was not heard of for this long is dead. */
int64_t redis_dead_after_ms(const struct redis *r);
/* A number as an argument. */
struct str redis_number(char *text, size_t size, int64_t n);

/* The events of the two connections; their argument is the struct redis. */
extern const struct redis_conn_events redis_sync_command, redis_sync_channel;
/* Tells the server that we live, and learns who does. */
void redis_sync_beat(struct redis *r);
/* Reads all verdicts when everything is there that this needs. */
void redis_sync_try(struct redis *r);
/* What was to be loaded has been. */
void redis_sync_end_load(struct redis *r);
/* store_leads(), store_set(), store_get(); and their end. */
bool redis_plain_leads(const void *state, struct str what);
int redis_plain_set(void *state, struct str name, struct str value, int64_t ttl_s) MUST_CHECK;
int redis_plain_get(void *state, struct str name, store_get_cb cb, void *arg) MUST_CHECK;
void redis_plain_close(struct redis *r);
/* Sends what this turn has put. */
void redis_send_batch(struct redis *r);

#endif
