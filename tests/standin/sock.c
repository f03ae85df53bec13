/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets and OpenSSL, nothing above them. */
#include "tests/standin/sock.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 16384

int
sock_open(struct sock *w, int fd, SSL_CTX *tls)
{
	*w = (struct sock){ fd, NULL };
	if (tls == NULL)
		return 0;
	w->ssl = SSL_new(tls);
	if (w->ssl == NULL || SSL_set_fd(w->ssl, fd) != 1)
		return ERR_IO;
	SSL_set_accept_state(w->ssl);
	return 0;
}

void
sock_close(struct sock *w)
{
	if (w->ssl != NULL) {
		/* Without this OpenSSL takes the session for a failed one and will not resume it.
		 */
		SSL_set_shutdown(w->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
		SSL_free(w->ssl);
	}
	w->ssl = NULL;
	close(w->fd);
	w->fd = -1;
}

static ssize_t
tls_result(struct sock *w, int result)
{
	switch (SSL_get_error(w->ssl, result)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return SOCK_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	}
	return SOCK_BROKEN;
}

int
sock_handshake(struct sock *w, bool *wants_write)
{
	int result;

	ERR_clear_error();
	result = SSL_do_handshake(w->ssl);
	if (result == 1)
		return 0;
	result = SSL_get_error(w->ssl, result);
	*wants_write = result == SSL_ERROR_WANT_WRITE;
	return *wants_write || result == SSL_ERROR_WANT_READ ? SOCK_AGAIN : SOCK_BROKEN;
}

ssize_t
sock_recv(struct sock *w, char *p, size_t n)
{
	ssize_t got;

	if (w->ssl != NULL) {
		ERR_clear_error();
		got = SSL_read(w->ssl, p, n > INT_MAX ? INT_MAX : (int)n);
		return got > 0 ? got : tls_result(w, (int)got);
	}
	got = recv(w->fd, p, n, 0);
	if (got >= 0)
		return got;
	return errno == EAGAIN || errno == EINTR ? SOCK_AGAIN : SOCK_BROKEN;
}

ssize_t
sock_send(struct sock *w, const char *p, size_t n)
{
	ssize_t sent;

	if (w->ssl != NULL) {
		ERR_clear_error();
		sent = SSL_write(w->ssl, p, n > INT_MAX ? INT_MAX : (int)n);
		if (sent > 0)
			return sent;
		sent = tls_result(w, (int)sent);
		return sent == 0 ? SOCK_BROKEN : sent;
	}
	sent = send(w->fd, p, n, MSG_NOSIGNAL);
	if (sent >= 0)
		return sent;
	return errno == EAGAIN || errno == EINTR ? SOCK_AGAIN : SOCK_BROKEN;
}

bool
sock_has_pending(const struct sock *w)
{
	return w->ssl != NULL && SSL_has_pending(w->ssl);
}

void
sock_say_goodbye(struct sock *w)
{
	if (w->ssl != NULL) {
		ERR_clear_error();
		SSL_shutdown(w->ssl);
	}
	shutdown(w->fd, SHUT_WR);
}

void
sock_set_reset(struct sock *w)
{
	struct linger reset = { 1, 0 };

	setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

/* "127.0.0.1:0" or "[::1]:0" into its address. */
static int
resolve(const char *where, struct addrinfo **found)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV };
	const char *colon = strrchr(where, ':'), *host = where;
	char text[64];
	size_t n;

	if (colon == NULL)
		return ERR_INVALID;
	n = (size_t)(colon - where);
	if (n >= 2 && where[0] == '[' && where[n - 1] == ']')
		host++, n -= 2;
	if (n == 0 || n >= sizeof(text))
		return ERR_INVALID;
	memcpy(text, host, n);
	text[n] = '\0';
	return getaddrinfo(text, colon + 1, &hints, found) == 0 ? 0 : ERR_INVALID;
}

int
sock_listen(const char *where, int *fd, unsigned *port)
{
	struct addrinfo *at = NULL;
	struct sockaddr_in6 bound;
	socklen_t n = sizeof(bound);
	int one = 1, err;

	*fd = -1;
	err = resolve(where, &at);
	if (err != 0)
		return err;
	err = ERR_IO;
	*fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		goto out;
	setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* Connections inherit it from here. */
	setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(*fd, at->ai_addr, at->ai_addrlen) != 0 || listen(*fd, BACKLOG) != 0 ||
	    getsockname(*fd, (struct sockaddr *)&bound, &n) != 0)
		goto out;
	*port = ntohs(bound.sin6_port); /* sin_port is at the same place */
	err = 0;
out:
	if (err != 0 && *fd >= 0) {
		int saved = errno;

		close(*fd);
		*fd = -1;
		errno = saved;
	}
	freeaddrinfo(at);
	return err;
}
