/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A WebSocket's client after the handshake, until the provider's first event: bytes in, bytes out,
 * no I/O of its own. RFC 6455 by libwslay; without it there is none of this.
 */
#ifndef WORKERS_WEBSOCKET_H
#define WORKERS_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/buf.h"
#include "shared/reason.h"
#include "shared/str.h"

struct websocket;

#define WEBSOCKET_MAX_EVENT ((size_t)1 << 20)
#define WEBSOCKET_ACCEPT_SIZE 29

/* What a server must answer to Sec-WebSocket-Key `key`. */
void websocket_accept(char out[WEBSOCKET_ACCEPT_SIZE], struct str key);

enum websocket_state {
	WEBSOCKET_WAITS,   /* for the first event */
	WEBSOCKET_CLOSING, /* it has come, and our close is to be sent */
	WEBSOCKET_OVER,	   /* both sides have closed, or it has failed */
};

/* `first` is sent as a text message as soon as it goes; empty: the provider speaks first. */
struct websocket *websocket_new(struct str first);
void websocket_free(struct websocket *w);
/* Bytes from the provider. */
enum websocket_state websocket_feed(struct websocket *w, const char *data, size_t n);
/* Bytes for the provider: what is due now, at most `size`; 0 when nothing is. */
size_t websocket_take(struct websocket *w, char *data, size_t size);
/* Whether the first event has come, as a text or a binary message. */
bool websocket_has_event(const struct websocket *w);
struct str websocket_event(const struct websocket *w);
/*
 * Says why there is none, "the provider closed the WebSocket with code 1008", and returns the reason:
 * of the close's words, else of its code.
 */
enum reason websocket_why_not(const struct websocket *w, struct buf *words);

#endif
