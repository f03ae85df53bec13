/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening sockets. The supervisor binds them and hands them to the front, so that they stay open
 * while a front is replaced. Addresses: `host:port` (an IPv4 address, `localhost`, or nothing for
 * all), `[v6]:port`, `unix:/path`. Names are not resolved: the supervisor does not use the network.
 */
#ifndef SUPERVISOR_LISTEN_H
#define SUPERVISOR_LISTEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/str.h"

struct listener {
	int fd;	       /* -1 when not open */
	char *address; /* as it is bound: the port is the real one where 0 was asked for */
	char *unlink;  /* a Unix socket's path, removed by listener_close(); else NULL */
};

struct listen_address {
	struct sockaddr_storage addr;
	socklen_t len;
};

/* Reads an address. On ERR_INVALID *why says what was expected. */
int listen_parse(struct str text, struct listen_address *a, struct buf *why) MUST_CHECK;
/* Whether only this machine can connect: 127.0.0.0/8, ::1, a Unix socket. */
bool listen_is_loopback(const struct listen_address *a);

/*
 * Binds and listens. On ERR_INVALID (not an address) and ERR_IO (taken, not permitted, …) *why is
 * one line that names the address and says what to do.
 */
int listener_open(struct listener *l, struct str text, struct buf *why) MUST_CHECK;
/* Closes, and removes the Unix socket's file. Accepts one that is not open. */
void listener_close(struct listener *l);
/* "http://127.0.0.1:4001" for people; a wildcard address is shown as it is. */
void listener_url(const struct listener *l, struct buf *b);

#endif
