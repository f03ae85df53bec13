/* SPDX-License-Identifier: Apache-2.0 */
/* Copies CONF_TARGET into a target and checks what the dialects rely on. */
#include "workers/target.h"

#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"
#include "shared/provider.h"
#include "workers/dialects/answer.h"
#include "workers/dialects/dialect.h"
#include "workers/dialects/free.h"

static bool
has_nul(struct str s)
{
	return s.n > 0 && memchr(s.p, '\0', s.n) != NULL;
}

/* Most texts of most targets are empty: all of those are this one, but for extra_body. */
static char empty[1];

static char *
dup_text(struct str s)
{
	return s.n ? str_dup(s) : empty;
}

static void
free_text(char *text)
{
	if (text != empty)
		free(text);
}

static int
copy(struct str s, char **out)
{
	if (has_nul(s))
		return ERR_INVALID;
	*out = dup_text(s);
	return 0;
}

static int
copy_pairs(struct kvs from, struct target_pair **out, size_t *n)
{
	int err;

	*out = from.n ? xcalloc(from.n, sizeof(**out)) : NULL;
	for (*n = 0; *n < from.n;) {
		struct target_pair *pair = &(*out)[(*n)++];

		if ((err = copy(from.v[*n - 1].key, &pair->key)) < 0 ||
		    (err = copy(from.v[*n - 1].value, &pair->value)) < 0)
			return err;
	}
	return 0;
}

static int
copy_secrets(struct kvs from, struct target *t)
{
	int err;

	t->secrets = from.n ? xcalloc(from.n, sizeof(*t->secrets)) : NULL;
	for (size_t i = 0; i < from.n; i++) {
		t->n_secrets = i + 1;
		if (has_nul(from.v[i].value))
			return ERR_INVALID;
		if ((err = copy(from.v[i].key, &t->secrets[i].key)) < 0)
			return err;
		t->secrets[i].value = secret_new(from.v[i].value);
	}
	return 0;
}

static int
check_extra_body(struct str text)
{
	static const struct answer_place whole[] = { { -1, NULL } };
	struct answer_value value;
	struct answer_fault fault;

	if (text.n == 0)
		return 0;
	if (answer_read(text, whole, 1, &value, &fault) < 0 || value.kind != ANSWER_OBJECT)
		return ERR_INVALID;
	return 0;
}

int
target_new(const struct msg_conf_target *m, struct target **out)
{
	struct target *t;
	int err;

	*out = NULL;
	if (m->mode >= MODE_COUNT || m->timeout_ms > INT64_MAX || m->attempt_timeout_ms > INT64_MAX)
		return ERR_INVALID;
	t = xcalloc(1, sizeof(*t));
	t->holders = 1;
	t->provider = provider_find(m->provider);
	t->dialect = dialect_find(m->dialect);
	t->generation = m->generation;
	t->handle = m->handle;
	t->mode = (enum mode)m->mode;
	t->max_tokens = m->max_tokens;
	t->timeout_ms = (int64_t)m->timeout_ms;
	t->attempt_timeout_ms = (int64_t)m->attempt_timeout_ms;
	t->ssl_verify = m->ssl_verify;
	t->allow_link_local = m->allow_link_local;
	err = ERR_NOT_FOUND;
	if (t->provider == NULL || t->dialect == NULL)
		goto out;
	if ((err = copy(m->id, &t->id)) < 0 || (err = copy(m->model, &t->model)) < 0 ||
	    (err = copy(m->api_base, &t->api_base)) < 0 ||
	    (err = copy(m->ca_file, &t->ca_file)) < 0 ||
	    (err = copy(m->client_cert, &t->client_cert)) < 0 ||
	    (err = copy(m->client_key, &t->client_key)) < 0 ||
	    (err = copy(m->proxy, &t->proxy)) < 0 || (err = copy(m->no_proxy, &t->no_proxy)) < 0)
		goto out;
	err = ERR_INVALID;
	if (has_nul(m->extra_body))
		goto out;
	t->extra_body = str_dup(m->extra_body);
	if ((err = copy_pairs(m->params, &t->params, &t->n_params)) < 0 ||
	    (err = copy_pairs(m->headers, &t->headers, &t->n_headers)) < 0 ||
	    (err = copy_secrets(m->secrets, t)) < 0 || (err = check_extra_body(m->extra_body)) < 0)
		goto out;
	if (free_is(t))
		t->dialect = &dialect_free;
	*out = t;
	t = NULL;
	err = 0;
out:
	target_free(t);
	return err;
}

static void
free_pairs(struct target_pair *pairs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		/* extra_headers and a parameter may hold a key as well. */
		if (pairs[i].value)
			secret_wipe(pairs[i].value, strlen(pairs[i].value));
		free_text(pairs[i].key);
		free_text(pairs[i].value);
	}
	free(pairs);
}

struct target *
target_hold(struct target *t)
{
	t->holders++;
	return t;
}

void
target_free(struct target *t)
{
	if (t == NULL || --t->holders > 0)
		return;
	free_pairs(t->params, t->n_params);
	free_pairs(t->headers, t->n_headers);
	for (size_t i = 0; i < t->n_secrets; i++) {
		free_text(t->secrets[i].key);
		secret_free(t->secrets[i].value);
	}
	free(t->secrets);
	free_text(t->id);
	free_text(t->model);
	free_text(t->api_base);
	free(t->extra_body);
	free_text(t->ca_file);
	free_text(t->client_cert);
	free_text(t->client_key);
	free_text(t->proxy);
	free_text(t->no_proxy);
	free(t);
}

const char *
target_param(const struct target *t, const char *key)
{
	for (size_t i = 0; i < t->n_params; i++)
		if (strcmp(t->params[i].key, key) == 0)
			return t->params[i].value;
	return NULL;
}

const struct secret *
target_secret(const struct target *t, const char *key)
{
	for (size_t i = 0; i < t->n_secrets; i++)
		if (strcmp(t->secrets[i].key, key) == 0)
			return t->secrets[i].value;
	return NULL;
}

static char *
copy_text(const char *s)
{
	return s ? dup_text(str_of(s)) : NULL;
}

static struct target_pair *
clone_pairs(const struct target_pair *from, size_t n)
{
	struct target_pair *to = n ? xcalloc(n, sizeof(*to)) : NULL;

	for (size_t i = 0; i < n; i++)
		to[i] = (struct target_pair){ copy_text(from[i].key), copy_text(from[i].value) };
	return to;
}

struct target *
target_copy(const struct target *t, enum mode mode, const char *model)
{
	struct target *c = xcalloc(1, sizeof(*c));

	*c = *t;
	c->id = copy_text(t->id);
	c->model = copy_text(model ? model : t->model);
	c->api_base = copy_text(t->api_base);
	c->params = clone_pairs(t->params, t->n_params);
	c->headers = clone_pairs(t->headers, t->n_headers);
	c->secrets = t->n_secrets ? xcalloc(t->n_secrets, sizeof(*c->secrets)) : NULL;
	for (size_t i = 0; i < t->n_secrets; i++)
		c->secrets[i] = (struct target_secret){ copy_text(t->secrets[i].key),
			secret_new(secret_reveal(t->secrets[i].value)) };
	c->extra_body = xstrdup(t->extra_body);
	c->ca_file = copy_text(t->ca_file);
	c->client_cert = copy_text(t->client_cert);
	c->client_key = copy_text(t->client_key);
	c->proxy = copy_text(t->proxy);
	c->no_proxy = copy_text(t->no_proxy);
	if (mode != t->mode) {
		c->mode = mode;
		c->max_tokens = mode_takes_max_tokens(mode) ? TARGET_MAX_TOKENS : -1;
	}
	return c;
}
