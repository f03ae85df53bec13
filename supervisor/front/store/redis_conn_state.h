/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's own struct, which its files share; nobody else includes this. */
#ifndef SUPERVISOR_FRONT_STORE_REDIS_CONN_STATE_H
#define SUPERVISOR_FRONT_STORE_REDIS_CONN_STATE_H

#include "supervisor/front/store/redis_conn.h"

#define WHY_MAX 200

enum redis_conn_state { FINDING, RESOLVING, CONNECTING, GREETING, READY, FAILED, WAITING };

struct redis_waiting {
	redis_reply_cb cb;
	void *arg;
	int64_t sent_us;
};

struct redis_conn {
	struct event_base *base;
	struct redis_conn_events events;
	void *arg;
	/* Copies of the options. */
	char *name, *unix_socket, *host, *user;
	uint16_t port;
	struct secret *password;
	struct redis_tls *tls;
	int database;
	int64_t timeout_ms;
	bool subscriber, master, cluster;
	struct redis_counts *counts;
	void (*find)(struct redis_conn *c, void *find_arg);
	void *find_arg;

	enum redis_conn_state state;
	bool was_ready;
	struct bufferevent *bev;
	struct redisReader *reader;
	size_t unread; /* bytes fed since the last whole reply */
	struct redis_resolve *resolve;
	struct event *timer, *turn;
	struct redis_waiting *queue; /* a ring of `cap`, a power of two */
	size_t head, waiting, cap;
	int64_t progress_ms; /* something was answered, or nothing was waiting */
	unsigned attempt, failures;
	char why[WHY_MAX];	  /* of this failure */
	char said[2][WHY_MAX];	  /* of the last two that were logged since all was good */
	bool said_cluster;		  /* that the server is a node of one */
	char moved_host[256];		  /* where the next attempt goes instead, once */
	uint16_t moved_port;
};

/* Who waits for the next answer that nobody waits for yet. */
void redis_conn_enqueue(struct redis_conn *c, redis_reply_cb cb, void *arg);
/* Writes a command; one with a secret leaves nothing behind. */
int redis_conn_format(
    struct redis_conn *c, const struct str *args, size_t n, bool is_secret) MUST_CHECK;

#endif
