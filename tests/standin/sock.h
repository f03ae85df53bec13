/* SPDX-License-Identifier: Apache-2.0 */
/* A non-blocking socket with or without TLS on it, and a listening one. No events here. */
#ifndef TESTS_STANDIN_SOCK_H
#define TESTS_STANDIN_SOCK_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <sys/types.h>

#include "shared/err.h"

#define SOCK_AGAIN (-1)
#define SOCK_BROKEN (-2)

struct sock {
	int fd;
	SSL *ssl; /* NULL: plain */
};

/* Takes the descriptor over, in any case. With a context it is TLS, and sock_handshake() comes
 * first. */
int sock_open(struct sock *w, int fd, SSL_CTX *tls) MUST_CHECK;
/* Closes at once, without a word. */
void sock_close(struct sock *w);
/* 0, SOCK_AGAIN (then *wants_write says for what), SOCK_BROKEN. */
int sock_handshake(struct sock *w, bool *wants_write) MUST_CHECK;
/* Bytes, 0 at the end, SOCK_AGAIN, SOCK_BROKEN. */
ssize_t sock_recv(struct sock *w, char *p, size_t n) MUST_CHECK;
/* Bytes, SOCK_AGAIN, SOCK_BROKEN. */
ssize_t sock_send(struct sock *w, const char *p, size_t n) MUST_CHECK;
/* Whether bytes are here that the socket will not announce any more. */
bool sock_has_pending(const struct sock *w);
/* Ends our side: TLS's farewell, then the FIN. */
void sock_say_goodbye(struct sock *w);
/* sock_close() will send a reset. */
void sock_set_reset(struct sock *w);

/* A listening socket at "ADDRESS:PORT" ("[::1]:0" too). ERR_INVALID; ERR_IO, errno says which. */
int sock_listen(const char *where, int *fd, unsigned *port) MUST_CHECK;

#endif
