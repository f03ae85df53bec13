/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a child of the supervisor does before anything else: it becomes unreadable for others, keeps
 * no descriptor that it was not meant to have, and does not outlive its parent. To be called after
 * any change of user, which would undo part of it. Holds no sandbox of system calls.
 */
#ifndef SHARED_HARDEN_H
#define SHARED_HARDEN_H

#include <stdint.h>

#include "shared/err.h"

/* The descriptor on which a child finds its socket to the supervisor. */
#define HARDEN_PEER_FD 3

/*
 * Undumpable (left out with sanitizers, whose leak check traces the process), no core file, no new
 * privileges, descriptors above HARDEN_PEER_FD closed, SIGPIPE, SIGINT, SIGHUP and SIGTERM ignored
 * (a child stops when its supervisor says so or is gone: what a terminal or systemd sends to all
 * would cut a drain short), and `death_signal` delivered when the parent dies; 0 leaves that to the
 * socket's end.
 *
 * Returns 0; ERR_INVALID when HARDEN_PEER_FD is no socket, so a person started the program;
 * ERR_CLOSED when the parent is gone already; ERR_IO when the kernel refused a step (errno says
 * why).
 */
int harden_child(int death_signal) MUST_CHECK;

/* Raises the limit of open descriptors to the hard one. Returns the limit in force. */
uint64_t harden_raise_descriptors(void);

#endif
