/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which Redis server verdicts are shared over: our own section, else the places where LiteLLM has
 * it. Afterwards the rows llmhealth.redis.* alone say so, and the URL is empty.
 */
#ifndef SUPERVISOR_CONFIG_REDIS_SETTINGS_H
#define SUPERVISOR_CONFIG_REDIS_SETTINGS_H

#include "shared/settings.h"
#include "supervisor/config/environ.h"
#include "supervisor/config/node.h"
#include "supervisor/config/problem.h"

/* What a URL says; texts are empty and numbers -1 where it is silent. */
struct redis_url {
	char host[256], socket[108], username[513], password[1025];
	int port, database;
	bool tls;
};

/* ERR_SYNTAX when it is no redis://, rediss:// or unix:// URL. */
int redis_url_parse(struct str text, struct redis_url *url) MUST_CHECK;

/* After the rows have been read. */
void redis_settings_read(const struct node *root, const struct environ *env,
    struct problems *problems, struct settings *s);

#endif
