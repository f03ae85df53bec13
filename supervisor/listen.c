/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets: reading an address, binding it, saying well why that failed. */
#include "supervisor/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/settings.h"

#define BACKLOG 4096

static int
bad_address(struct buf *why, struct str text, const char *what)
{
	buf_addf(why, "cannot listen on '%.*s': %s; expected host:port, [v6]:port or unix:/path",
	    (int)text.n, text.p, what);
	return ERR_INVALID;
}

static int
parse_port(struct str s, in_port_t *port)
{
	unsigned long v = 0;

	if (s.n == 0 || s.n > 5)
		return ERR_INVALID;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return ERR_INVALID;
		v = v * 10 + (unsigned long)(s.p[i] - '0');
	}
	if (v > 65535)
		return ERR_INVALID;
	*port = htons((uint16_t)v);
	return 0;
}

static int
parse_unix(struct str text, struct listen_address *a, struct buf *why)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&a->addr;
	struct str path = { text.p + 5, text.n - 5 };

	if (path.n == 0 || path.p[0] != '/')
		return bad_address(why, text, "the socket's path is not absolute");
	if (path.n >= sizeof(un->sun_path))
		return bad_address(why, text, "the socket's path is longer than 107 bytes");
	if (memchr(path.p, '\0', path.n))
		return bad_address(why, text, "the socket's path holds a NUL byte");
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path.p, path.n);
	un->sun_path[path.n] = '\0';
	a->len = sizeof(*un);
	return 0;
}

int
listen_parse(struct str text, struct listen_address *a, struct buf *why)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)&a->addr;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a->addr;
	char host[INET6_ADDRSTRLEN + 1];
	struct str h, port;
	const char *colon;
	in_port_t number;

	memset(a, 0, sizeof(*a));
	text = settings_bare_address(text, NULL);
	if (str_starts(text, "unix:"))
		return parse_unix(text, a, why);
	colon = text.n ? memrchr(text.p, ':', text.n) : NULL;
	if (colon == NULL)
		return bad_address(why, text, "there is no port");
	h = (struct str){ text.p, (size_t)(colon - text.p) };
	port = (struct str){ colon + 1, text.n - h.n - 1 };
	if (parse_port(port, &number) < 0)
		return bad_address(why, text, "the port is not a number from 0 to 65535");
	if (h.n >= 2 && h.p[0] == '[' && h.p[h.n - 1] == ']') {
		if (h.n - 2 > INET6_ADDRSTRLEN)
			return bad_address(why, text, "that is no IPv6 address");
		memcpy(host, h.p + 1, h.n - 2);
		host[h.n - 2] = '\0';
		if (inet_pton(AF_INET6, host, &in6->sin6_addr) != 1)
			return bad_address(why, text, "that is no IPv6 address");
		in6->sin6_family = AF_INET6;
		in6->sin6_port = number;
		a->len = sizeof(*in6);
		return 0;
	}
	if (memchr(h.p, ':', h.n))
		return bad_address(why, text, "an IPv6 address needs brackets");
	in4->sin_family = AF_INET;
	in4->sin_port = number;
	a->len = sizeof(*in4);
	if (h.n == 0 || str_is(h, "*")) {
		in4->sin_addr.s_addr = htonl(INADDR_ANY);
		return 0;
	}
	if (str_is(h, "localhost")) {
		in4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return 0;
	}
	if (h.n > INET6_ADDRSTRLEN)
		return bad_address(why, text, "the host is no IP address");
	memcpy(host, h.p, h.n);
	host[h.n] = '\0';
	if (inet_pton(AF_INET, host, &in4->sin_addr) != 1)
		return bad_address(why, text, "the host is no IP address (names are not resolved)");
	return 0;
}

bool
listen_is_loopback(const struct listen_address *a)
{
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)&a->addr;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->addr;

	switch (a->addr.ss_family) {
	case AF_UNIX:
		return true;
	case AF_INET:
		return ntohl(in4->sin_addr.s_addr) >> 24 == 127;
	default:
		return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
	}
}

/* A Unix socket's file that nobody listens on any more is removed; one that answers is left alone.
 */
static void
remove_stale(const struct listen_address *a)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&a->addr;
	struct stat st;
	int fd;

	if (lstat(un->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)&a->addr, a->len) < 0 && errno == ECONNREFUSED)
		(void)unlink(un->sun_path);
	close(fd);
}

static int
open_failed(struct buf *why, struct str text, int error)
{
	const char *hint = "";

	switch (error) {
	case EADDRINUSE:
		hint = "; another program has it: stop that one, or set another address with "
		       "llmhealth.listen or --listen";
		break;
	case EACCES:
	case EPERM:
		hint = "; ports below 1024 and other users' folders need a privilege: use another "
		       "address, or "
		       "start as root with llmhealth.user";
		break;
	case EADDRNOTAVAIL:
		hint = "; no interface of this machine has that address";
		break;
	case ENOENT:
		hint = "; make the socket's folder first";
		break;
	default:
		break;
	}
	buf_addf(why, "cannot listen on %.*s: %s%s", (int)text.n, text.p, strerror(error), hint);
	return ERR_IO;
}

static char *
bound_address(int fd, struct str text)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char host[INET6_ADDRSTRLEN];
	struct buf b = BUF_INIT(256);
	bool health;

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0 || ss.ss_family == AF_UNIX)
		return str_dup(text);
	settings_bare_address(text, &health);
	if (health)
		buf_add_text(&b, LISTEN_HEALTH);
	if (ss.ss_family == AF_INET) {
		const struct sockaddr_in *in4 = (const struct sockaddr_in *)&ss;

		buf_addf(&b, "%s:%u", inet_ntop(AF_INET, &in4->sin_addr, host, sizeof(host)),
		    ntohs(in4->sin_port));
	} else {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&ss;

		buf_addf(&b, "[%s]:%u", inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host)),
		    ntohs(in6->sin6_port));
	}
	return buf_take(&b);
}

int
listener_open(struct listener *l, struct str text, struct buf *why)
{
	struct listen_address a;
	int one = 1, fd, rc;

	*l = (struct listener){ .fd = -1 };
	rc = listen_parse(text, &a, why);
	if (rc < 0)
		return rc;
	fd = socket(a.addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return open_failed(why, text, errno);
	if (a.addr.ss_family == AF_UNIX)
		remove_stale(&a);
	else
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (a.addr.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a.addr, a.len) < 0 || listen(fd, BACKLOG) < 0) {
		rc = open_failed(why, text, errno);
		close(fd);
		return rc;
	}
	l->fd = fd;
	l->address = bound_address(fd, text);
	if (a.addr.ss_family == AF_UNIX)
		l->unlink = xstrdup(((struct sockaddr_un *)&a.addr)->sun_path);
	return 0;
}

void
listener_close(struct listener *l)
{
	if (l->fd >= 0)
		close(l->fd);
	if (l->unlink)
		(void)unlink(l->unlink);
	free(l->address);
	free(l->unlink);
	*l = (struct listener){ .fd = -1 };
}

void
listener_url(const struct listener *l, struct buf *b)
{
	struct str bare = settings_bare_address(str_of(l->address), NULL);

	if (l->unlink)
		buf_add_text(b, bare.p);
	else
		buf_addf(b, "http://%s", bare.p);
}
