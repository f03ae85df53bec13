/* SPDX-License-Identifier: Apache-2.0 */
/* Real redis-server processes of one test program, on free ports of 127.0.0.1. */
#ifndef TESTS_UNIT_REDIS_SERVERS_H
#define TESTS_UNIT_REDIS_SERVERS_H

#include "shared/settings.h"

enum redis_servers_kind {
	REDIS_SERVERS_ONE,     /* on a Unix socket */
	REDIS_SERVERS_TLS,     /* on TCP with TLS, client certificate, user and password */
	REDIS_SERVERS_CLUSTER, /* three masters */
	REDIS_SERVERS_SENTINEL /* a master, a replica, three sentinels with a password */
};

/*
 * Starts them and says to the settings how they are reached. Gives NULL, or what is missing on this
 * machine. Whatever else goes wrong fails the test.
 */
const char *redis_servers_start(enum redis_servers_kind kind);
/* How those that were started are reached. */
void redis_servers_settings(enum redis_servers_kind kind, struct settings *s);
/* Ends all that were started, by their pids. */
void redis_servers_stop(void);

#endif
