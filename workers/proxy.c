/* SPDX-License-Identifier: Apache-2.0 */
/* NO_PROXY, as urllib's proxy_bypass_environment reads it. */
#include "workers/proxy.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "shared/str.h"

static bool
ends_with(struct str text, struct str end)
{
	return text.n >= end.n && strncasecmp(text.p + text.n - end.n, end.p, end.n) == 0;
}

/* The host itself, or one below it. */
static bool
covers(struct str item, struct str host)
{
	if (!ends_with(host, item))
		return false;
	return host.n == item.n || host.p[host.n - item.n - 1] == '.';
}

bool
proxy_skipped(const char *no_proxy, const char *host, unsigned port)
{
	char with_port[512];

	if (strcmp(no_proxy, "*") == 0)
		return true;
	(void)snprintf(with_port, sizeof(with_port), "%s:%u", host, port);
	for (const char *p = no_proxy; *p;) {
		struct str item = { p, strcspn(p, ",") };

		p += item.n + (p[item.n] == ',');
		while (item.n && (*item.p == ' ' || *item.p == '.'))
			item = (struct str){ item.p + 1, item.n - 1 };
		while (item.n && item.p[item.n - 1] == ' ')
			item.n--;
		if (item.n && (covers(item, str_of(host)) || covers(item, str_of(with_port))))
			return true;
	}
	return false;
}
