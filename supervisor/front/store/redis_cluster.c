/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/front/store/redis_cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/secret.h"
#include "supervisor/front/store/redis_cluster_state.h"
#include "supervisor/front/store/redis_script.h"

#define HOPS_MAX 16	    /* redirections of one command */
#define AGAIN_MS 50	    /* between two attempts of what waits for a slot's move */
#define WAITING_MAX 65536   /* commands that no node has taken */
#define WAITING_BYTES_MAX ((size_t)64 << 20)
#define NODES_MAX 1024

static bool node_ready(struct node *node);

void
redis_cluster_timer(struct event *e, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_add(e, &tv);
}

/* Being up. */

void
redis_cluster_down(struct redis_cluster *c, const char *why)
{
	snprintf(c->why, sizeof(c->why), "%s", why);
	redis_cluster_ask_soon(c);
	if (!c->up)
		return;
	c->up = false;
	c->events.lost(c->why, c->arg);
}

void
redis_cluster_try_up(struct redis_cluster *c)
{
	if (c->up || c->home == NULL || !node_ready(c->home))
		return;
	c->up = true;
	c->why[0] = '\0';
	c->events.ready(c->arg);
}

void
redis_cluster_set_home(struct redis_cluster *c, struct node *node)
{
	if (c->home == node)
		return;
	log_event(LOG_LEVEL_NOTICE, "redis_home", LS("node", node->address.host),
	    LI("port", node->address.port), LI("slot", c->home_slot));
	c->home = node;
	c->events.home(&node->address, c->arg);
}

/* Commands. */

static void
wait_in_line(struct redis_cluster *c, struct command *cmd)
{
	struct commands *line = cmd->ours ? &c->ours : &c->others;
	struct command *before = TAILQ_LAST(line, commands);

	/* What comes back goes before what was asked for later. */
	while (before && before->number > cmd->number)
		before = TAILQ_PREV(before, commands, link);
	if (before)
		TAILQ_INSERT_AFTER(line, before, cmd, link);
	else
		TAILQ_INSERT_HEAD(line, cmd, link);
	c->waiting++;
	c->waiting_bytes += cmd->n;
	if (!event_pending(c->tick, EV_TIMEOUT, NULL))
		redis_cluster_timer(c->tick, AGAIN_MS);
}

static void
leave_line(struct redis_cluster *c, struct command *cmd)
{
	TAILQ_REMOVE(cmd->ours ? &c->ours : &c->others, cmd, link);
	c->waiting--;
	c->waiting_bytes -= cmd->n;
}

static void on_answer(const struct redisReply *r, void *arg);

/* Whether a node has taken it; it waits in no line then. */
static bool
send_one(struct redis_cluster *c, struct command *cmd)
{
	static const char asking[] = "*1\r\n$6\r\nASKING\r\n";
	struct node *node = cmd->ask.port ? redis_cluster_node(c, &cmd->ask) : c->map[cmd->slot];

	if (cmd->ours && !cmd->ask.port)
		node = c->home;
	if (node == NULL || !node_ready(node) ||
	    cmd->not_before_ms > clock_mono_ms())
		return false;
	if (cmd->ask.port &&
	    redis_conn_send_text(node->conn, STR(asking), NULL, NULL) < 0)
		return false;
	if (redis_conn_send_text(
		node->conn, (struct str){ cmd->text, cmd->n }, on_answer, cmd) < 0)
		return false;
	cmd->node = node;
	node->flying++;
	return true;
}

void
redis_cluster_send_waiting(struct redis_cluster *c)
{
	struct command *cmd, *next;

	/* Ours keep their order; each of the others waits for its own node. */
	while ((cmd = TAILQ_FIRST(&c->ours)) != NULL && send_one(c, cmd)) {
		leave_line(c, cmd);
		TAILQ_INSERT_TAIL(&c->flying, cmd, link);
	}
	for (cmd = TAILQ_FIRST(&c->others); cmd; cmd = next) {
		next = TAILQ_NEXT(cmd, link);
		if (!send_one(c, cmd))
			continue;
		leave_line(c, cmd);
		TAILQ_INSERT_TAIL(&c->flying, cmd, link);
	}
}

static void
finish(struct command *cmd, const struct redisReply *r)
{
	if (cmd->cb)
		cmd->cb(r, cmd->arg);
	free(cmd);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct redis_cluster *c = arg;
	struct commands *const lines[] = { &c->ours, &c->others };
	int64_t now = clock_mono_ms();
	struct commands late = TAILQ_HEAD_INITIALIZER(late);
	struct command *cmd, *next;
	bool ours = false;

	redis_cluster_send_waiting(c);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		for (cmd = TAILQ_FIRST(lines[i]); cmd; cmd = next) {
			next = TAILQ_NEXT(cmd, link);
			if (cmd->deadline_ms > now)
				continue;
			leave_line(c, cmd);
			TAILQ_INSERT_TAIL(&late, cmd, link);
			ours = ours || cmd->ours;
		}
	if (c->waiting > 0)
		redis_cluster_timer(c->tick, AGAIN_MS);
	if (ours)
		redis_cluster_down(c, "no node took a command in time");
	while ((cmd = TAILQ_FIRST(&late)) != NULL) {
		TAILQ_REMOVE(&late, cmd, link);
		finish(cmd, NULL);
	}
}

static void
moved(struct redis_cluster *c, struct command *cmd, uint16_t slot, const struct redis_address *to)
{
	struct node *node = redis_cluster_node(c, to);

	c->counts.moved++;
	cmd->ask.port = 0;
	cmd->slot = slot;
	if (node == NULL || c->map[slot] == node)
		return;
	c->map[slot] = node;
	node->mapped = true;
	c->doubted = true;
	redis_cluster_ask_soon(c);
	if (slot == c->home_slot)
		redis_cluster_set_home(c, node);
}

static void
on_answer(const struct redisReply *r, void *arg)
{
	struct command *cmd = arg;
	struct redis_cluster *c = cmd->c;
	enum redis_error e = redis_error_of(r);
	struct redis_address node;
	uint16_t slot;

	TAILQ_REMOVE(&c->flying, cmd, link);
	cmd->node->flying--;
	if (r == NULL || cmd->hops++ >= HOPS_MAX * (e == REDIS_ERROR_TRYAGAIN ? 100u : 1u)) {
		finish(cmd, r);
		return;
	}
	switch (e) {
	case REDIS_ERROR_MOVED:
		if (!redis_slots_redirect(r, &cmd->node->address, &slot, &node))
			break;
		moved(c, cmd, slot, &node);
		wait_in_line(c, cmd);
		redis_cluster_send_waiting(c);
		return;
	case REDIS_ERROR_ASK:
		if (!redis_slots_redirect(r, &cmd->node->address, &slot, &cmd->ask))
			break;
		c->counts.asked++;
		wait_in_line(c, cmd);
		redis_cluster_send_waiting(c);
		return;
	case REDIS_ERROR_TRYAGAIN:
		/* Some of its keys are here and some there: until all are there. */
		c->counts.again++;
		cmd->ask.port = 0;
		cmd->not_before_ms = clock_mono_ms() + AGAIN_MS;
		if (cmd->not_before_ms >= cmd->deadline_ms)
			break;
		wait_in_line(c, cmd);
		return;
	case REDIS_ERROR_NONE:
		redis_conn_good(cmd->node->conn);
		break;
	default:
		break;
	}
	finish(cmd, r);
}

int
redis_cluster_send(struct redis_cluster *c, const struct str *key, const struct str *args, size_t n,
    redis_reply_cb cb, void *arg)
{
	struct command *cmd;
	struct buf b = BUF_INIT(WAITING_BYTES_MAX);

	if (!c->up)
		return ERR_CLOSED;
	if (c->waiting >= WAITING_MAX || c->waiting_bytes >= WAITING_BYTES_MAX)
		return ERR_LIMIT;
	buf_addf(&b, "*%zu\r\n", n);
	for (size_t i = 0; i < n; i++) {
		buf_addf(&b, "$%zu\r\n", args[i].n);
		buf_add_str(&b, args[i]);
		buf_add_text(&b, "\r\n");
	}
	cmd = xmalloc(sizeof(*cmd) + b.len);
	*cmd = (struct command){ .c = c,
		.cb = cb,
		.arg = arg,
		.number = ++c->number,
		.slot = key ? redis_slot(*key) : c->home_slot,
		.ours = key == NULL,
		.n = b.len,
		.deadline_ms = clock_mono_ms() + c->conn.timeout_ms };
	memcpy(cmd->text, b.data, b.len);
	buf_clear(&b);
	if ((cmd->ours && !TAILQ_EMPTY(&c->ours)) || !send_one(c, cmd))
		wait_in_line(c, cmd);
	else
		TAILQ_INSERT_TAIL(&c->flying, cmd, link);
	return 0;
}

/* Nodes. */

static void
on_node_ready(void *arg)
{
	struct node *node = arg;

	/* A node may never have seen our scripts. In the order of the connection, so before any use. */
	for (int i = 0; i < REDIS_SCRIPT_COUNT; i++) {
		const struct str load[] = { STR("SCRIPT"), STR("LOAD"),
			str_of(redis_script_text((enum redis_script)i)) };

		if (redis_conn_send(node->conn, load, ARRAY_LEN(load), NULL, NULL) < 0)
			redis_conn_drop(node->conn, "cannot load the scripts");
	}
	if (node == node->c->home)
		redis_cluster_try_up(node->c);
	redis_cluster_send_waiting(node->c);
}

static void
on_node_lost(const char *why, void *arg)
{
	struct node *node = arg;

	if (node == node->c->home)
		redis_cluster_down(node->c, why);
	else
		redis_cluster_ask_soon(node->c);
}

/* Only nodes that have something of ours are connected. */
static bool
node_ready(struct node *node)
{
	static const struct redis_conn_events events = { on_node_ready, on_node_lost, NULL };
	struct redis_conn_options o = node->c->conn;
	char name[320];

	if (node->conn)
		return redis_conn_ready(node->conn);
	snprintf(name, sizeof(name), "node %s:%u", node->address.host, node->address.port);
	o.name = name;
	o.host = node->address.host;
	o.port = node->address.port;
	if (redis_conn_new(node->c->base, &o, &events, node, &node->conn) < 0)
		node->conn = NULL;
	return false;
}

struct node *
redis_cluster_node(struct redis_cluster *c, const struct redis_address *address)
{
	struct node *node;

	LIST_FOREACH(node, &c->nodes, link)
		if (redis_address_eq(&node->address, address))
			return node;
	if (c->n_nodes >= NODES_MAX)
		return NULL;
	node = xcalloc(1, sizeof(*node));
	node->c = c;
	node->address = *address;
	LIST_INSERT_HEAD(&c->nodes, node, link);
	c->n_nodes++;
	return node;
}

/* Life. */

static void
copy_options(struct redis_cluster *c, const struct redis_conn_options *o)
{
	c->conn = *o;
	c->conn.user = c->user = xstrdup(o->user);
	c->conn.ca = c->ca = xstrdup(o->ca);
	c->conn.cert = c->cert = xstrdup(o->cert);
	c->conn.key = c->key = xstrdup(o->key);
	c->conn.password = c->password = o->password ? secret_new(secret_reveal(o->password)) : NULL;
	c->conn.unix_socket = "";
	c->conn.database = 0; /* a cluster has only this one */
	c->conn.cluster = true;
}

int
redis_cluster_new(struct event_base *base, const struct redis_cluster_options *o,
    const struct redis_cluster_events *events, void *arg, struct redis_cluster **out)
{
	struct redis_cluster *c = xcalloc(1, sizeof(*c));
	struct redis_conn_options conn;
	int rc;

	c->base = base;
	c->events = *events;
	c->arg = arg;
	copy_options(c, &o->conn);
	c->seeds = xcalloc(o->n, sizeof(*c->seeds));
	memcpy(c->seeds, o->addresses, o->n * sizeof(*c->seeds));
	c->n_seeds = o->n;
	c->ask_ms = o->ask_ms;
	c->home_slot = redis_slot(o->home);
	LIST_INIT(&c->nodes);
	TAILQ_INIT(&c->ours);
	TAILQ_INIT(&c->others);
	TAILQ_INIT(&c->flying);
	c->tick = evtimer_new(base, on_tick, c);
	c->refresh = evtimer_new(base, redis_cluster_refresh, c);
	if (c->tick == NULL || c->refresh == NULL)
		fatal("cannot make a cluster's events");
	conn = c->conn;
	conn.name = "cluster";
	conn.host = "";
	conn.find = redis_cluster_find_control;
	conn.find_arg = c;
	rc = redis_conn_new(base, &conn, &redis_cluster_control, c, &c->control);
	if (rc < 0) {
		redis_cluster_free(c);
		return rc;
	}
	redis_cluster_timer(c->refresh, c->ask_ms);
	*out = c;
	return 0;
}

void
redis_cluster_free(struct redis_cluster *c)
{
	struct commands *lines[3];
	struct node *node;
	struct command *cmd;

	if (c == NULL)
		return;
	lines[0] = &c->ours;
	lines[1] = &c->others;
	lines[2] = &c->flying;
	redis_conn_free(c->control);
	while ((node = LIST_FIRST(&c->nodes)) != NULL) {
		LIST_REMOVE(node, link);
		redis_conn_free(node->conn);
		free(node);
	}
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		while ((cmd = TAILQ_FIRST(lines[i])) != NULL) {
			TAILQ_REMOVE(lines[i], cmd, link);
			free(cmd);
		}
	event_free(c->tick);
	event_free(c->refresh);
	secret_free(c->password);
	free(c->seeds);
	free(c->user);
	free(c->ca);
	free(c->cert);
	free(c->key);
	free(c);
}

bool
redis_cluster_ready(const struct redis_cluster *c)
{
	return c->up;
}

const char *
redis_cluster_why(const struct redis_cluster *c)
{
	return c->home && c->home->conn && !redis_conn_ready(c->home->conn) &&
		       *redis_conn_why(c->home->conn)
		   ? redis_conn_why(c->home->conn)
	       : c->why[0] ? c->why
			   : redis_conn_why(c->control);
}

void
redis_cluster_good(struct redis_cluster *c)
{
	if (c->home && c->home->conn)
		redis_conn_good(c->home->conn);
}

void
redis_cluster_drop(struct redis_cluster *c, const char *why)
{
	if (c->home && c->home->conn)
		redis_conn_drop(c->home->conn, why);
}

void
redis_cluster_flush(struct redis_cluster *c, int64_t wait_ms)
{
	if (c->home)
		redis_conn_flush(c->home->conn, wait_ms);
}

void
redis_cluster_mute(struct redis_cluster *c)
{
	struct commands *const lines[] = { &c->ours, &c->others, &c->flying };
	struct command *cmd;

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		TAILQ_FOREACH(cmd, lines[i], link)
			cmd->cb = NULL;
}

void
redis_cluster_counts(const struct redis_cluster *c, struct redis_cluster_counts *counts)
{
	const struct node *node;

	*counts = c->counts;
	LIST_FOREACH(node, &c->nodes, link)
		counts->nodes += redis_conn_ready(node->conn);
}
