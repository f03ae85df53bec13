/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses a worker does not connect to: link-local ones and those where clouds hand out
 * credentials of the machine. Asked about the address that is really connected to, after any name
 * or redirect has been resolved.
 */
#ifndef WORKERS_ADDRESS_H
#define WORKERS_ADDRESS_H

#include <stddef.h>

#include "shared/buf.h"

struct sockaddr;

/* What the address is ("a link-local address") when it is refused; NULL when it may be used.
 * Static. */
const char *address_refused(const struct sockaddr *sa);
/* Appends "127.0.0.1:80" or "[::1]:80". */
void address_add_text(struct buf *b, const struct sockaddr *sa);

#endif
