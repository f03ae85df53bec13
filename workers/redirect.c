/* SPDX-License-Identifier: Apache-2.0 */
/* Location headers against the URL that was asked, by curl's own URL parser. */
#include "workers/redirect.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <strings.h>

#include "shared/buf.h"

struct place {
	char *scheme, *host, *port;
};

static void
place_clear(struct place *p)
{
	curl_free(p->scheme);
	curl_free(p->host);
	curl_free(p->port);
}

static int
place_read(CURLU *u, struct place *p)
{
	*p = (struct place){ NULL, NULL, NULL };
	if (curl_url_get(u, CURLUPART_SCHEME, &p->scheme, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_HOST, &p->host, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_PORT, &p->port, CURLU_DEFAULT_PORT) != CURLUE_OK)
		return ERR_SYNTAX;
	return 0;
}

static bool
may_follow(const struct place *from, const struct place *to)
{
	bool same_scheme = strcasecmp(from->scheme, to->scheme) == 0;

	if (strcasecmp(from->host, to->host) != 0)
		return false;
	if (same_scheme)
		return strcmp(from->port, to->port) == 0;
	return strcasecmp(from->scheme, "http") == 0 && strcasecmp(to->scheme, "https") == 0;
}

int
redirect_resolve(const char *url, struct str location, char **next, char **host)
{
	struct place from = { NULL, NULL, NULL }, to = { NULL, NULL, NULL };
	CURLU *u = curl_url();
	char *where = str_dup(location), *text = NULL;
	int rc = ERR_SYNTAX;

	if (u == NULL)
		goto out;
	if (location.n == 0 || memchr(location.p, '\0', location.n) ||
	    curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK || place_read(u, &from) < 0)
		goto out;
	if (curl_url_set(u, CURLUPART_URL, where, 0) != CURLUE_OK || place_read(u, &to) < 0)
		goto out;
	if (host)
		*host = xstrdup(to.host);
	rc = ERR_DENIED;
	if (!may_follow(&from, &to))
		goto out;
	/* What the other side may have put there is no business of a request with a key. */
	(void)curl_url_set(u, CURLUPART_USER, NULL, 0);
	(void)curl_url_set(u, CURLUPART_PASSWORD, NULL, 0);
	rc = ERR_SYNTAX;
	if (curl_url_get(u, CURLUPART_URL, &text, 0) != CURLUE_OK)
		goto out;
	*next = xstrdup(text);
	rc = 0;
out:
	curl_free(text);
	place_clear(&from);
	place_clear(&to);
	curl_url_cleanup(u);
	free(where);
	return rc;
}
