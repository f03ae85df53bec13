/* SPDX-License-Identifier: Apache-2.0 */
/* A cluster's own structs, which its files share; nobody else includes this. */
#ifndef SUPERVISOR_FRONT_STORE_REDIS_CLUSTER_STATE_H
#define SUPERVISOR_FRONT_STORE_REDIS_CLUSTER_STATE_H

#include <event2/event.h>
#include <sys/queue.h>

#include "supervisor/front/store/redis_cluster.h"
#include "supervisor/front/store/redis_slots.h"

#define SOON_MS 200 /* the map is not read more often */
#define WHY_MAX 200

struct node {
	LIST_ENTRY(node) link;
	struct redis_cluster *c;
	struct redis_address address;
	struct redis_conn *conn; /* NULL until it is needed */
	size_t flying; /* commands that it has to answer */
	bool mapped;
};

/* A command on its way. It waits here, or for the answer of `node`. */
struct command {
	TAILQ_ENTRY(command) link;
	struct redis_cluster *c;
	redis_reply_cb cb;
	void *arg;
	uint64_t number;
	int64_t not_before_ms, deadline_ms;
	struct node *node; /* that was sent to */
	struct redis_address ask; /* port 0: by the map */
	uint16_t slot;
	bool ours;
	unsigned hops;
	size_t n;
	char text[];
};

TAILQ_HEAD(commands, command);

struct redis_cluster {
	struct event_base *base;
	struct redis_cluster_events events;
	void *arg;
	struct redis_conn_options conn; /* its texts are the owner's below */
	char *user, *ca, *cert, *key;
	struct secret *password;
	struct redis_address *seeds;
	size_t n_seeds;
	int64_t ask_ms;
	uint16_t home_slot;

	struct redis_conn *control; /* says where the slots are */
	bool asking, doubted;	    /* a redirection contradicts the map */
	size_t turn;	 /* whom the control asks next */
	unsigned misses; /* looks at the map since we went down */
	int64_t asked_ms;
	LIST_HEAD(, node) nodes;
	size_t n_nodes;
	struct node *home;
	struct node *map[REDIS_SLOTS];
	bool up;
	char why[WHY_MAX];

	uint64_t number;
	struct commands ours, others, flying;
	size_t waiting, waiting_bytes;
	struct event *tick, *refresh;
	struct redis_cluster_counts counts;
};

/* The node of that address, made if it is new; NULL when there are too many. */
struct node *redis_cluster_node(struct redis_cluster *c, const struct redis_address *address);
void redis_cluster_set_home(struct redis_cluster *c, struct node *node);
/* The home takes no commands; and if it does after all. */
void redis_cluster_down(struct redis_cluster *c, const char *why);
void redis_cluster_try_up(struct redis_cluster *c);
void redis_cluster_send_waiting(struct redis_cluster *c);
void redis_cluster_timer(struct event *e, int64_t ms);

/* redis_cluster_map.c: reading the map now and then, over a connection that goes round the nodes. */
void redis_cluster_ask_soon(struct redis_cluster *c);
void redis_cluster_refresh(evutil_socket_t fd, short what, void *arg);
void redis_cluster_find_control(struct redis_conn *conn, void *arg);
extern const struct redis_conn_events redis_cluster_control;

#endif
