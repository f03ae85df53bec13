/* SPDX-License-Identifier: Apache-2.0 */
/* `own` decides first, so that no field of the message can mix the two. */
#include "workers/trial.h"

#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/msgs.h"
#include "shared/provider.h"
#include "workers/target.h"
#include "workers/targets.h"

static struct entry *
refused(const struct msg_test *m, const char *why)
{
	return entry_new(m->handle, NULL, xstrdup(why));
}

static struct entry *
of_caller(const struct msg_test *m)
{
	const struct provider *provider = provider_find(m->provider);
	struct target *t = NULL;
	struct msg_conf_target c = {
		.generation = m->generation,
		.handle = m->handle,
		.id = STR("test_connection"),
		.provider = m->provider,
		.mode = m->mode,
		.model = m->model,
		.api_base = m->api_base,
		.params = m->params,
		.secrets = m->secrets,
		.headers = m->headers,
		.extra_body = STR(""),
		.max_tokens = -1,
		.timeout_ms = m->timeout_ms,
		.ssl_verify = true,
		.ca_file = STR(""),
		.client_cert = STR(""),
		.client_key = STR(""),
		.proxy = STR(""),
		.no_proxy = STR(""),
		.allow_link_local = m->allow_link_local,
	};

	if (provider == NULL || provider->dialect == NULL || m->mode >= MODE_COUNT)
		return refused(m, "no such provider or mode is built in");
	c.dialect = str_of(provider->dialect);
	if (mode_takes_max_tokens((enum mode)m->mode))
		c.max_tokens = TARGET_MAX_TOKENS;
	if (target_new(&c, &t) < 0)
		return refused(m, "these parameters cannot be asked with");
	return entry_new(m->handle, t, NULL);
}

static struct entry *
of_deployment(struct entry *base, const struct msg_test *m)
{
	bool same_mode = base->target && (m->mode == MODE_COUNT || m->mode == (uint32_t)base->target->mode);
	struct target *t;
	char *model;

	if (base->target == NULL || (same_mode && m->model.n == 0))
		return entry_hold(base);
	if (m->mode > MODE_COUNT || (m->model.n > 0 && memchr(m->model.p, '\0', m->model.n)))
		return refused(m, "no such mode or model");
	model = m->model.n > 0 ? str_dup(m->model) : NULL;
	t = target_copy(base->target, same_mode ? base->target->mode : (enum mode)m->mode, model);
	free(model);
	return entry_new(m->handle, t, NULL);
}

struct entry *
trial_new(struct entry *base, const struct msg_test *m)
{
	if (m->own)
		return of_caller(m);
	return base ? of_deployment(base, m) : NULL;
}
