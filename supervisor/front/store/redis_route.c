/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/front/store/redis_route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"
#include "shared/log.h"
#include "shared/redis_address.h"
#include "shared/secret.h"
#include "supervisor/front/store/redis_cluster.h"
#include "supervisor/front/store/redis_sentinel.h"

#define ADDRESSES_MAX 64
#define BEATS 5 /* in a heartbeat's time */
#define SENTINEL_PORT 26379

struct redis_route {
	struct redis_conn_events command, channel;
	void *arg;
	struct redis_conn *conn, *sub; /* conn: NULL with a cluster */
	struct redis_sentinel *sentinel;
	struct redis_cluster *cluster;
	struct redis_address server; /* port 0: not found, or fixed */
	bool channel_moves;
	uint64_t masters;
	char shown[300];
};

/* The channel follows the commands. */
static void
set_server(struct redis_route *r, const struct redis_address *server)
{
	bool other = r->server.port != 0 && !redis_address_eq(&r->server, server);

	r->server = *server;
	r->masters += other;
	if (r->sub == NULL)
		return;
	if (redis_conn_searches(r->sub)) {
		redis_conn_found(r->sub, server->host, server->port, "");
	} else if (other && redis_conn_ready(r->sub)) {
		r->channel_moves = r->cluster != NULL;
		redis_conn_drop(r->sub, "the server of our keys is another now");
	} else {
		redis_conn_hurry(r->sub);
	}
}

/* Sentinels. */

static void
on_found(const struct redis_address *master, const char *why, void *arg)
{
	struct redis_route *r = arg;

	if (master)
		set_server(r, master);
	redis_conn_found(r->conn, master ? master->host : NULL, master ? master->port : 0, why);
}

static void
on_most(const struct redis_address *master, const char *why, void *arg)
{
	struct redis_route *r = arg;

	if (!redis_conn_ready(r->conn) || redis_address_eq(master, &r->server))
		return;
	log_event(LOG_LEVEL_NOTICE, "redis_master_moved", LS("host", master->host),
	    LI("port", master->port));
	redis_conn_drop(r->conn, "the sentinels name another master");
}

static void
find_master(struct redis_conn *conn, void *arg)
{
	struct redis_route *r = arg;

	r->conn = conn;
	redis_sentinel_search(r->sentinel);
}

static void
find_channel(struct redis_conn *conn, void *arg)
{
	struct redis_route *r = arg;

	if (r->server.port != 0)
		redis_conn_found(conn, r->server.host, r->server.port, "");
}

/* Events. */

static void
on_ready(void *arg)
{
	struct redis_route *r = arg;

	r->command.ready(r->arg);
}

static void
on_lost(const char *why, void *arg)
{
	struct redis_route *r = arg;

	r->command.lost(why, r->arg);
}

static void
on_channel_ready(void *arg)
{
	struct redis_route *r = arg;

	r->channel_moves = false;
	r->channel.ready(r->arg);
}

static void
on_channel_lost(const char *why, void *arg)
{
	struct redis_route *r = arg;

	r->channel.lost(why, r->arg);
}

static void
on_channel_message(const struct redisReply *reply, void *arg)
{
	struct redis_route *r = arg;

	r->channel.message(reply, r->arg);
}

static void
on_home(const struct redis_address *a, void *arg)
{
	set_server(arg, a);
}

/* Life. */

static size_t
addresses(const struct settings *s, enum setting id, uint16_t port, struct redis_address *a)
{
	struct str item;
	size_t n = 0;

	for (size_t i = 0; i < ADDRESSES_MAX && settings_list_item(s, id, i, &item); i++) {
		if (redis_address_parse(item, port, &a[n]) == 0)
			n++;
		else
			log_event(LOG_LEVEL_ERROR, "redis_address", LV("address", item));
	}
	return n;
}

static int
open_sentinel(struct redis_route *r, struct event_base *base, const struct settings *s,
    const struct redis_conn_options *server, const struct redis_address *a, size_t n)
{
	static const struct redis_sentinel_events events = { on_found, on_most };
	struct secret *password =
	    secret_new(str_of(s->text[SETTING_REDIS_SENTINEL_PASSWORD]));
	struct redis_sentinel_options o = { .conn = *server,
		.addresses = a,
		.n = n,
		.service = s->text[SETTING_REDIS_SERVICE],
		.ask_ms = s->num[SETTING_REDIS_HEARTBEAT] / BEATS };
	int rc;

	o.conn.user = s->text[SETTING_REDIS_SENTINEL_USERNAME];
	o.conn.password = password;
	o.conn.database = 0;
	o.conn.counts = NULL;
	rc = redis_sentinel_new(base, &o, &events, r, &r->sentinel);
	secret_free(password);
	return rc;
}

static int
open_all(struct redis_route *r, struct event_base *base, const struct settings *s, struct str key,
    struct redis_conn_options *o)
{
	static const struct redis_conn_events command = { on_ready, on_lost, NULL };
	static const struct redis_conn_events channel = { on_channel_ready, on_channel_lost,
		on_channel_message };
	static const struct redis_cluster_events cluster = { on_ready, on_lost, on_home };
	struct redis_address *a = xcalloc(ADDRESSES_MAX, sizeof(*a));
	size_t n = addresses(s, SETTING_REDIS_CLUSTER, o->port, a);
	int rc = 0;

	if (n > 0) {
		struct redis_cluster_options c = { .conn = *o,
			.addresses = a,
			.n = n,
			.home = key,
			.ask_ms = s->num[SETTING_REDIS_HEARTBEAT] };

		rc = redis_cluster_new(base, &c, &cluster, r, &r->cluster);
		o->find = find_channel;
		o->database = 0;
	} else if ((n = addresses(s, SETTING_REDIS_SENTINELS, SENTINEL_PORT, a)) > 0) {
		rc = open_sentinel(r, base, s, o, a, n);
		o->find = find_master;
		o->master = true;
	}
	free(a);
	o->find_arg = r;
	if (o->find)
		o->unix_socket = "";
	if (rc == 0 && r->cluster == NULL)
		rc = redis_conn_new(base, o, &command, r, &r->conn);
	o->name = "channel";
	o->subscriber = true;
	if (o->find)
		o->find = find_channel;
	if (rc == 0)
		rc = redis_conn_new(base, o, &channel, r, &r->sub);
	return rc;
}

int
redis_route_new(struct event_base *base, const struct settings *s, struct str key,
    const struct redis_conn_events *command, const struct redis_conn_events *channel, void *arg,
    struct redis_counts *counts, struct redis_route **out)
{
	struct secret *password = secret_new(str_of(s->text[SETTING_REDIS_PASSWORD]));
	struct redis_route *r = xcalloc(1, sizeof(*r));
	struct redis_conn_options o = {
		.name = "commands",
		.unix_socket = s->text[SETTING_REDIS_SOCKET],
		.host = s->text[SETTING_REDIS_HOST],
		.port = (uint16_t)s->num[SETTING_REDIS_PORT],
		.tls = s->num[SETTING_REDIS_TLS],
		.tls_verify = s->num[SETTING_REDIS_TLS_VERIFY],
		.ca = s->text[SETTING_REDIS_CA],
		.cert = s->text[SETTING_REDIS_CERT],
		.key = s->text[SETTING_REDIS_KEY],
		.user = s->text[SETTING_REDIS_USERNAME],
		.password = password,
		.database = (int)s->num[SETTING_REDIS_DATABASE],
		.timeout_ms = s->num[SETTING_REDIS_TIMEOUT],
		.counts = counts,
	};
	int rc;

	r->command = *command;
	r->channel = *channel;
	r->arg = arg;
	rc = open_all(r, base, s, key, &o);
	secret_free(password);
	if (rc < 0) {
		redis_route_free(r);
		return rc;
	}
	*out = r;
	return 0;
}

void
redis_route_free(struct redis_route *r)
{
	if (r == NULL)
		return;
	redis_conn_free(r->conn);
	redis_conn_free(r->sub);
	redis_sentinel_free(r->sentinel);
	redis_cluster_free(r->cluster);
	free(r);
}

static void
nothing(void *arg)
{
}

static void
nothing_lost(const char *why, void *arg)
{
}

static void
nothing_said(const struct redisReply *r, void *arg)
{
}

void
redis_route_mute(struct redis_route *r)
{
	r->command = r->channel =
	    (struct redis_conn_events){ nothing, nothing_lost, nothing_said };
	if (r->conn)
		redis_conn_mute(r->conn);
	if (r->cluster)
		redis_cluster_mute(r->cluster);
	redis_conn_mute(r->sub);
}

bool
redis_route_ready(const struct redis_route *r)
{
	return r && (r->cluster ? redis_cluster_ready(r->cluster) : redis_conn_ready(r->conn));
}

const char *
redis_route_why(const struct redis_route *r)
{
	return r == NULL  ? ""
	       : r->cluster ? redis_cluster_why(r->cluster) : redis_conn_why(r->conn);
}

void
redis_route_drop(struct redis_route *r, const char *why)
{
	if (r->cluster)
		redis_cluster_drop(r->cluster, why);
	else
		redis_conn_drop(r->conn, why);
}

void
redis_route_flush(struct redis_route *r, int64_t wait_ms)
{
	if (r == NULL)
		return;
	if (r->cluster)
		redis_cluster_flush(r->cluster, wait_ms);
	else
		redis_conn_flush(r->conn, wait_ms);
}

int
redis_route_send(
    struct redis_route *r, const struct str *args, size_t n, redis_reply_cb cb, void *arg)
{
	return r->cluster ? redis_cluster_send(r->cluster, NULL, args, n, cb, arg)
			  : redis_conn_send(r->conn, args, n, cb, arg);
}

int
redis_route_send_key(struct redis_route *r, struct str key, const struct str *args, size_t n,
    redis_reply_cb cb, void *arg)
{
	return r->cluster ? redis_cluster_send(r->cluster, &key, args, n, cb, arg)
			  : redis_conn_send(r->conn, args, n, cb, arg);
}

void
redis_route_good(struct redis_route *r)
{
	if (r->cluster)
		redis_cluster_good(r->cluster);
	else
		redis_conn_good(r->conn);
	redis_conn_good(r->sub);
	if (r->sentinel)
		redis_sentinel_good(r->sentinel);
}

int
redis_route_listen(
    struct redis_route *r, const struct str *args, size_t n, redis_reply_cb cb, void *arg)
{
	return redis_conn_send(r->sub, args, n, cb, arg);
}

void
redis_route_drop_channel(struct redis_route *r, const char *why)
{
	redis_conn_drop(r->sub, why);
}

bool
redis_route_channel_moves(const struct redis_route *r)
{
	return r->channel_moves;
}

void
redis_route_status(const struct redis_route *r, struct redis_route_status *status)
{
	char *shown = ((struct redis_route *)r)->shown;
	const char *host = r->conn ? redis_conn_host(r->conn) : r->server.host;
	unsigned port = r->conn ? redis_conn_port(r->conn) : r->server.port;
	struct redis_cluster_counts counts = { 0 };

	if (r->cluster)
		redis_cluster_counts(r->cluster, &counts);
	if (*host && port)
		snprintf(shown, sizeof(r->shown), "%s%s%s:%u", strchr(host, ':') ? "[" : "", host,
		    strchr(host, ':') ? "]" : "", port);
	else
		snprintf(shown, sizeof(r->shown), "%s", host);
	*status = (struct redis_route_status){ .topology = r->cluster ? "cluster"
							: r->sentinel ? "sentinel"
								      : "server",
		.server = shown,
		.moved = counts.moved,
		.asked = counts.asked,
		.again = counts.again,
		.masters = r->masters,
		.connections = counts.nodes + redis_conn_ready(r->conn) + redis_conn_ready(r->sub) };
}
