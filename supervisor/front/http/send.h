/* SPDX-License-Identifier: Apache-2.0 */
/* Putting an answer on a socket. */
#ifndef SUPERVISOR_FRONT_HTTP_SEND_H
#define SUPERVISOR_FRONT_HTTP_SEND_H

#include <stddef.h>
#include <sys/types.h>

#include "supervisor/front/http/blob.h"

/*
 * Sends what is left of a head and of a body: from the body's file, or both in one call. Returns
 * how much, or -1 with errno.
 */
ssize_t send_answer(int fd, const char *head, size_t head_len, struct blob *body, size_t body_at);

#endif
