/* SPDX-License-Identifier: Apache-2.0 */
/* The texts around libpq: URLs in, failures out. Pure. */
#include <string.h>

#include "workers/postgres.h"

/* Prisma's own, of which nothing is left for a test of the connection. */
static const char *const dropped[] = { "schema", "connection_limit", "pool_timeout", "pgbouncer",
	"statement_cache_size", "socket_timeout", "max_connection_lifetime",
	"max_idle_connection_lifetime", "single_use_connections", "sslidentity", "sslpassword",
	"sslaccept", "connect_timeout" };

static bool
is_dropped(struct str key)
{
	for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++)
		if (str_is(key, dropped[i]))
			return true;
	return false;
}

static void
add_parameter(struct buf *out, struct str key, struct str value, bool strict, bool *first)
{
	if (is_dropped(key))
		return;
	buf_add_char(out, *first ? '?' : '&');
	*first = false;
	/* Prisma's sslcert is the authority's certificate. */
	buf_add_str(out, str_is(key, "sslcert") ? STR("sslrootcert") : key);
	buf_add_char(out, '=');
	if (strict && str_is(key, "sslmode") && str_is(value, "require"))
		buf_add_text(out, "verify-full");
	else
		buf_add_str(out, value);
}

int
postgres_url(struct str url, struct buf *out)
{
	const char *query;
	struct str rest = { NULL, 0 };
	bool first = true, strict = false;

	if (!str_starts(url, "postgresql://") && !str_starts(url, "postgres://"))
		return ERR_SYNTAX;
	if (memchr(url.p, '\0', url.n))
		return ERR_SYNTAX;
	query = memchr(url.p, '?', url.n);
	if (query)
		rest = (struct str){ query + 1, url.n - (size_t)(query + 1 - url.p) };
	buf_add(out, url.p, query ? (size_t)(query - url.p) : url.n);
	if (rest.n > 0)
		strict = memmem(rest.p, rest.n, "sslaccept=strict", strlen("sslaccept=strict")) != NULL;
	while (rest.n > 0) {
		const char *end = memchr(rest.p, '&', rest.n);
		struct str one = { rest.p, end ? (size_t)(end - rest.p) : rest.n };
		const char *equals = memchr(one.p, '=', one.n);

		if (one.n > 0 && equals == NULL)
			return ERR_SYNTAX;
		if (one.n > 0)
			add_parameter(out, (struct str){ one.p, (size_t)(equals - one.p) },
			    (struct str){ equals + 1, one.n - (size_t)(equals + 1 - one.p) }, strict,
			    &first);
		rest.n -= one.n + (end != NULL);
		rest.p += one.n + (end != NULL);
	}
	return buf_ok(out) ? 0 : ERR_LIMIT;
}

/* SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html), its class, or what the system says. */
static const struct {
	const char *part, *words;
} words[] = {
	{ " 28", "the user or the password is wrong, or may not connect from here" },
	{ " 3D000", "there is no database of that name" },
	{ " 53300", "the server has too many connections" },
	{ " 53", "the server lacks resources" },
	{ " 57P0", "the server is starting up or shutting down" },
	{ " 42501", "the user may not use the database" },
	{ " 25006", "the server is read-only" },
};

static const struct {
	const char *part, *words;
} texts[] = {
	{ "no password supplied", "the server wants a password, and the URL has none" },
	{ "Connection refused", "the connection was refused" },
	{ "Connection timed out", "no connection in time" },
	{ "Network is unreachable", "the network cannot be reached" },
	{ "No route to host", "the host cannot be reached" },
	{ "No such file or directory", "there is no such socket" },
	{ "Permission denied", "the socket may not be used" },
	{ "certificate", "the server's certificate does not verify" },
	{ "does not support SSL", "the server speaks no TLS" },
	{ "SSL", "TLS failed" },
	{ "closed the connection", "the server closed the connection" },
	{ "Connection reset", "the server closed the connection" },
	{ "protocol", "what answers is no PostgreSQL server" },
	{ "expected authentication request", "what answers is no PostgreSQL server" },
	{ "received invalid response", "what answers is no PostgreSQL server" },
	{ "authentication", "the server wants a way of signing in that is not known" },
};

const char *
postgres_words(const char *said)
{
	static const char *const severities[] = { "FATAL: ", "ERROR: ", "PANIC: " };

	for (size_t i = 0; i < sizeof(severities) / sizeof(severities[0]); i++) {
		const char *at = strstr(said, severities[i]);

		for (size_t k = 0; at && k < sizeof(words) / sizeof(words[0]); k++)
			if (strncmp(at + strlen(severities[i]), words[k].part, strlen(words[k].part)) == 0)
				return words[k].words;
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strstr(said, texts[i].part))
			return texts[i].words;
	return "the connection failed";
}
