/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One end of a socket pair between two of our processes: frames in, frames out, descriptors beside
 * them. Writes are coalesced: all that is sent in one turn of the loop leaves in one system call.
 * A peer that sends anything wrong is closed.
 */
#ifndef SHARED_PEER_H
#define SHARED_PEER_H

#include <stddef.h>
#include <stdint.h>

#include "shared/err.h"
#include "shared/msgs.h"

struct event_base;
struct peer;

/* A decoded message. All of it is valid during the handler only. */
struct msg {
	enum msg_type type;
	uint32_t id;
	const void *body; /* struct msg_… of the type */
	int fd; /* the descriptor that came with it, now the handler's to close; else -1 */
};

/*
 * Called for each message, and once with NULL when the peer is gone (closed, or thrown out for a
 * malformed message, which has been logged). After NULL it is not called again; the handler, or
 * anyone later, must call peer_free(). It may do so at any time, also inside the handler.
 */
typedef void (*peer_handler)(struct peer *p, const struct msg *m, void *arg);

/*
 * Takes over fd (made non-blocking and close-on-exec). `me` and `them` are checked against each
 * message's senders and receivers. `name` (copied) is for the log: "worker 3".
 */
struct peer *peer_new(struct event_base *base, int fd, enum role me, enum role them,
    const char *name, peer_handler handler, void *arg);
/* Closes without sending what is still queued. Accepts NULL. */
void peer_free(struct peer *p);

/*
 * Queues a message. ERR_LIMIT when the message is too large or the queue is full, ERR_CLOSED when
 * the peer is gone; nothing is queued then. ERR_DENIED when this role may not send it to that one
 * (a bug).
 */
int peer_send(struct peer *p, enum msg_type type, uint32_t id, const void *m) MUST_CHECK;
/* The same with a descriptor, which is duplicated: the caller keeps its own. */
int peer_send_fd(struct peer *p, enum msg_type type, uint32_t id, const void *m, int fd) MUST_CHECK;
/* Writes what is queued now, waiting if it must, at most timeout_ms. For the end of a program. */
int peer_flush(struct peer *p, int timeout_ms) MUST_CHECK;

/* Bytes queued and not yet taken by the kernel. */
size_t peer_queued(const struct peer *p);
/* The number of bytes that may be queued at most; 64 MiB unless set. */
void peer_set_max_queued(struct peer *p, size_t max);

#endif
