/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling systemd how we are, over the datagram socket in NOTIFY_SOCKET (sd_notify(3)). Does
 * nothing when nobody asked.
 */
#ifndef SUPERVISOR_NOTIFY_H
#define SUPERVISOR_NOTIFY_H

#include <stdint.h>

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. Call once, before anything else here. */
void notify_init(void);
/* "READY=1", "STOPPING=1", "STATUS=…"; lines separated by '\n'. */
void notify_send(const char *state);
/* "RELOADING=1" with the monotonic time that systemd wants beside it. */
void notify_reloading(void);
/* Milliseconds between two notify_send("WATCHDOG=1"), half of what systemd waits; 0: none wanted.
 */
int64_t notify_watchdog_ms(void);

#endif
