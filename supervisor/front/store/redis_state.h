/* SPDX-License-Identifier: Apache-2.0 */
/* The Redis backend's own struct, which its files share; nobody else includes this. */
#ifndef SUPERVISOR_FRONT_STORE_REDIS_STATE_H
#define SUPERVISOR_FRONT_STORE_REDIS_STATE_H

#include <event2/event.h>
#include <sys/queue.h>

#include "shared/buf.h"
#include "shared/sha256.h"
#include "supervisor/front/store/members.h"
#include "supervisor/front/store/redis_counts.h"
#include "supervisor/front/store/redis_route.h"
#include "supervisor/front/store/redis_script.h"
#include "supervisor/front/store/store.h"

#define REDIS_BATCH_ITEMS 64
#define REDIS_ITEM_ARGS 5
#define REDIS_SIGHT_MAX 16384

enum redis_link {
	LINK_DOWN,    /* no connection, or one that has not greeted */
	LINK_SCRIPTS, /* the scripts are being loaded */
	LINK_SYNC,    /* heartbeats; all is to be read, or is being read */
	LINK_ONLINE,
};

/* What commands are for: each has its own troubles. */
enum redis_purpose {
	REDIS_PUTS,
	REDIS_CLAIMS,
	REDIS_BEATS,
	REDIS_LOADS,
	REDIS_SETS, /* of LiteLLM's keys */
	REDIS_GETS,
	REDIS_PURPOSES
};

struct redis {
	struct event_base *base;
	void *memory;
	struct redis_route *route;   /* NULL: nothing is shared */
	struct redis_route *retired; /* that was left a moment ago */
	uint8_t digest[SHA256_LEN];  /* of the settings that it goes by */
	char *verdicts, *view, *events_key, *counters, *instances, *channel, *claim, *witness;
	size_t quorum;	  /* several witnesses probe each deployment, so many must agree; 0 */
	size_t witnesses; /* so many; 0: all */
	char name[MEMBER_NAME_MAX];
	char shas[REDIS_SCRIPT_COUNT][48];
	int64_t heartbeat_ms, offset_ms, offline_since_ms;
	int64_t beats_sent[256];	/* when, of those that wait for their answers */
	uint32_t beats, beats_answered; /* so many in all */
	int64_t late_ms;		/* from the last one to its answer */
	char events_max[16];
	enum redis_link link;
	bool subscribed, was_online;
	uint64_t loads;	 /* of all verdicts, that were begun; the last may be under way */
	struct redis_load { /* what a piece's answer belongs to; an old one's comes before it is used again */
		struct redis *redis;
		uint64_t number;
	} pieces[8];
	bool load_careful; /* an answer was too long: those that cannot be ours are left out there */
	size_t load_items, load_foreign;
	uint64_t load_detours; /* as many redirections when it began */
	unsigned load_again;   /* times that it began anew because of them */
	bool said_later;       /* that others write what we cannot read */
	bool reread; /* online, and what others have put must be read once more */
	int64_t deaf_since_ms;
	bool told_alone; /* since offline_since_ms: that all is ours now */
	unsigned scripts_loaded;
	bool refill; /* something could not be put */
	bool closing;
	struct members members;
	struct event *beat, *turn, *load_wait, *retire;
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
	enum redis_error troubles[REDIS_PURPOSES]; /* the last answer's */
	struct store_error errors[REDIS_ERROR_COUNT];
	struct redis_counts counts;
};

struct redis_asked {
	LIST_ENTRY(redis_asked) link;
	struct redis *redis;
	store_claim_cb cb; /* NULL: answered already */
	void *arg;
	int64_t since_ms;
	bool patient;
	size_t n;
	char id[];
};

/* Whether it may be probed without asking Redis, which cannot be asked. */
bool redis_alone(const struct redis *r, struct str id);
/* Answers a claim in the next turn. */
void redis_answer(struct redis *r, bool granted, store_claim_cb cb, void *arg);
void redis_answer_late(struct redis *r);
/* What events of the loop call. */
void redis_on_turn(evutil_socket_t fd, short what, void *arg);
void redis_on_load_wait(evutil_socket_t fd, short what, void *arg);
/* store_open(), store_reopen(), store_close(): redis_life.c. */
int redis_open(const struct store_options *o, void **state) MUST_CHECK;
int redis_reopen(void *state, const struct settings *s) MUST_CHECK;
void redis_close(void *state);
/* Evaluates a script. As redis_conn_send(). */
int redis_eval(struct redis *r, enum redis_script script, const struct str *keys, size_t n_keys,
    const struct str *args, size_t n_args, redis_reply_cb cb, void *arg) MUST_CHECK;
/* Notes what is wrong with an answer, or that nothing is any more. Whether it is no error. */
bool redis_note(struct redis *r, enum redis_purpose purpose, const struct redisReply *reply);
/* Completes the status with what is wrong and where the server is. */
void redis_note_status(const struct redis *r, struct store_status *status);
/* An instance that was not heard of for this long is dead. */
int64_t redis_dead_after_ms(const struct redis *r);
/* A number as an argument. */
struct str redis_number(char *text, size_t size, int64_t n);

/* The events of the two connections; their argument is the struct redis. */
extern const struct redis_conn_events redis_sync_command, redis_sync_channel;
/* How long the server takes to answer now. */
int64_t redis_late_ms(const struct redis *r);
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
/* What one witness says: told, and kept for its time. */
void redis_sight_put(struct redis *r, const struct store_item *item);
/* Reads what the witnesses say. */
void redis_sights_load(struct redis *r);
/* A message of the channel that begins with 'S'. */
void redis_sight_take(struct redis *r, struct str message);
size_t redis_witnesses(const void *state, struct str id, struct str *out, size_t room);
/* Whether it is ours to probe, by the members that are known. */
bool redis_owns(const struct redis *r, struct str id);
/* Sends what this turn has put. */
void redis_send_batch(struct redis *r);

#endif
