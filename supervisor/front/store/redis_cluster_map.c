/* SPDX-License-Identifier: Apache-2.0 */
/* Which node has which slot: what one of them says, unless a redirection has said otherwise since. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "supervisor/front/store/redis_cluster_state.h"

void
redis_cluster_ask_soon(struct redis_cluster *c)
{
	int64_t wait = c->asked_ms + SOON_MS - clock_mono_ms();

	redis_cluster_timer(c->refresh, wait > 0 ? wait : 0);
}

/* From the control's callbacks only: not inside those of the node's own connection. */
static void
forget_nodes(struct redis_cluster *c)
{
	struct node *node, *next;

	for (node = LIST_FIRST(&c->nodes); node; node = next) {
		next = LIST_NEXT(node, link);
		if (node->mapped || node == c->home || node->flying > 0)
			continue;
		LIST_REMOVE(node, link);
		c->n_nodes--;
		redis_conn_free(node->conn);
		free(node);
	}
}

struct reading {
	struct redis_cluster *c;
	struct redis_address home;
};

static void
find_home(uint16_t first, uint16_t last, const struct redis_address *master, void *arg)
{
	struct reading *reading = arg;

	if (reading->c->home_slot >= first && reading->c->home_slot <= last)
		reading->home = *master;
}

static void
take_range(uint16_t first, uint16_t last, const struct redis_address *master, void *arg)
{
	struct reading *reading = arg;
	struct node *node = redis_cluster_node(reading->c, master);

	if (node == NULL)
		return;
	node->mapped = true;
	for (unsigned i = first; i <= last; i++)
		reading->c->map[i] = node;
}

/* Another node is asked next. */
static void
leave_control(struct redis_cluster *c, const char *why)
{
	snprintf(c->why, sizeof(c->why), "%s", why);
	redis_conn_drop(c->control, why);
}

static void
on_map(const struct redisReply *r, void *arg)
{
	struct redis_cluster *c = arg;
	struct redis_address from = { .port = redis_conn_port(c->control) };
	struct reading reading = { .c = c };
	struct node *node;

	c->asking = false;
	if (r == NULL)
		return;
	snprintf(from.host, sizeof(from.host), "%s", redis_conn_host(c->control));
	redis_slots_read(r, &from, find_home, &reading);
	if (reading.home.port == 0) {
		leave_control(c, r->type == REDIS_REPLY_ERROR
				     ? "the server is not part of a cluster"
				     : "a node knows nobody who has our slot");
		return;
	}
	/* A node that has fallen behind may say what is no longer so. */
	if (c->doubted && c->home && !redis_address_eq(&c->home->address, &reading.home)) {
		leave_control(c, "a node's map is not that of the cluster");
		return;
	}
	c->doubted = false;
	redis_conn_good(c->control);
	LIST_FOREACH(node, &c->nodes, link)
		node->mapped = false;
	memset(c->map, 0, sizeof(c->map));
	redis_slots_read(r, &from, take_range, &reading);
	if (c->map[c->home_slot])
		redis_cluster_set_home(c, c->map[c->home_slot]);
	forget_nodes(c);
	redis_cluster_try_up(c);
	redis_cluster_send_waiting(c);
}

static void
ask_map(struct redis_cluster *c)
{
	const struct str slots[] = { STR("CLUSTER"), STR("SLOTS") };

	if (c->asking || !redis_conn_ready(c->control))
		return;
	c->asked_ms = clock_mono_ms();
	c->asking = redis_conn_send(c->control, slots, ARRAY_LEN(slots), on_map, c) == 0;
}

void
redis_cluster_refresh(evutil_socket_t fd, short what, void *arg)
{
	struct redis_cluster *c = arg;

	/* One that is there, but cannot serve us, knows no better than others. */
	c->misses = c->up ? 0 : c->misses + 1;
	if (c->misses % 2 == 0 && !c->up && redis_conn_ready(c->control))
		leave_control(c, "the home cannot be reached");
	else
		ask_map(c);
	redis_cluster_timer(c->refresh, c->up ? c->ask_ms : SOON_MS * 5);
}

static void
on_control_ready(void *arg)
{
	ask_map(arg);
}

static void
on_control_lost(const char *why, void *arg)
{
	struct redis_cluster *c = arg;

	c->asking = false;
}

/* Seeds and known nodes in turn. */
void
redis_cluster_find_control(struct redis_conn *conn, void *arg)
{
	struct redis_cluster *c = arg;
	size_t i = c->turn++ % (c->n_seeds + c->n_nodes);
	struct node *node = LIST_FIRST(&c->nodes);

	if (i < c->n_seeds) {
		redis_conn_found(conn, c->seeds[i].host, c->seeds[i].port, "");
		return;
	}
	for (i -= c->n_seeds; i > 0; i--)
		node = LIST_NEXT(node, link);
	redis_conn_found(conn, node->address.host, node->address.port, "");
}

const struct redis_conn_events redis_cluster_control = { on_control_ready, on_control_lost, NULL };
