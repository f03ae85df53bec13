/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/redis_address.h"

static int
take_port(struct str s, uint16_t *port)
{
	long number = 0;

	if (s.n == 0 || s.n > 5)
		return ERR_SYNTAX;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return ERR_SYNTAX;
		number = number * 10 + (s.p[i] - '0');
	}
	if (number < 1 || number > 65535)
		return ERR_SYNTAX;
	*port = (uint16_t)number;
	return 0;
}

int
redis_address_parse(struct str text, uint16_t port, struct redis_address *a)
{
	struct str host = text, rest = { "", 0 };
	const char *end;

	if (text.n > 0 && text.p[0] == '[') {
		end = memchr(text.p, ']', text.n);
		if (end == NULL)
			return ERR_SYNTAX;
		host = (struct str){ text.p + 1, (size_t)(end - text.p) - 1 };
		rest = (struct str){ end + 1, text.n - host.n - 2 };
	} else {
		end = text.n > 0 ? memchr(text.p, ':', text.n) : NULL;
		if (end) {
			host.n = (size_t)(end - text.p);
			rest = (struct str){ end, text.n - host.n };
		}
	}
	if (host.n == 0 || host.n >= sizeof(a->host) || (rest.n > 0 && rest.p[0] != ':'))
		return ERR_SYNTAX;
	for (size_t i = 0; i < host.n; i++)
		if ((unsigned char)host.p[i] <= ' ' || strchr("/@,\"'", host.p[i]) != NULL)
			return ERR_SYNTAX;
	if (rest.n > 0 && take_port((struct str){ rest.p + 1, rest.n - 1 }, &port) < 0)
		return ERR_SYNTAX;
	memcpy(a->host, host.p, host.n);
	a->host[host.n] = '\0';
	a->port = port;
	return 0;
}

bool
redis_address_eq(const struct redis_address *a, const struct redis_address *b)
{
	return a->port == b->port && strcmp(a->host, b->host) == 0;
}
