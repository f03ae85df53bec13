/* SPDX-License-Identifier: Apache-2.0 */
/* The list of a target's secrets in all their spellings, and its use. */
#include "workers/mask.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shared/json.h"
#include "shared/secret.h"
#include "workers/auth/credential.h"
#include "workers/dialects/answer.h"
#include "workers/target.h"

#define MAX_SECRETS 128
#define MAX_JSON_DEPTH 4
#define MIN_SECRET 4 /* as shared/secret.h: shorter ones would mask ordinary words */

/* The target's own first, then those of the credential before, then those of the present one. */
struct mask {
	struct secret **v;
	size_t n;
	bool ended; /* no more of the target's own */
	size_t n_own, n_before;
};

static const char *const hiding[] = { "authorization", "token", "key", "secret", "credentials",
	"password", "passwd" };

bool
mask_hides_header(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(hiding); i++) {
		size_t n = strlen(hiding[i]);

		for (size_t at = 0; at + n <= name.n; at++)
			if (strncasecmp(name.p + at, hiding[i], n) == 0)
				return true;
	}
	return false;
}

static void
add_one(struct mask *m, struct str text)
{
	if (text.n < MIN_SECRET || m->n == MAX_SECRETS)
		return;
	for (size_t i = 0; i < m->n; i++)
		if (str_eq(secret_reveal(m->v[i]), text))
			return;
	m->v = xrealloc(m->v, (m->n + 1) * sizeof(*m->v));
	m->v[m->n++] = secret_new(text);
}

static void
add_secret(struct mask *m, struct str text)
{
	struct buf escaped = BUF_INIT(SIZE_MAX / 2);

	add_one(m, text);
	json_add_string(&escaped, text);
	add_one(m, (struct str){ escaped.data + 1, escaped.len - 2 });
	secret_wipe(escaped.data, escaped.cap);
	buf_clear(&escaped);
}

/* "Bearer sk-x": the key after the scheme is a secret of its own. */
static void
add_header_value(struct mask *m, struct str value)
{
	const char *space = memchr(value.p, ' ', value.n);

	if (space)
		add_secret(m, (struct str){ space + 1, (size_t)(value.p + value.n - space - 1) });
	else
		add_secret(m, value);
}

/* http://user:password@proxy:3128 */
static void
add_proxy(struct mask *m, const char *proxy)
{
	const char *at = strrchr(proxy, '@'), *start = strstr(proxy, "://"), *colon;

	start = start ? start + 3 : proxy;
	if (at == NULL || at < start)
		return;
	colon = memchr(start, ':', (size_t)(at - start));
	if (colon)
		add_secret(m, (struct str){ colon + 1, (size_t)(at - colon - 1) });
}

/* A service account, a service key: each text in it that is named as a secret is one. */
static void
add_json(struct mask *m, struct str json, unsigned depth)
{
	struct answer_place whole = { -1, NULL };
	struct answer_value value;
	struct answer_fault fault;
	struct str key, member;
	struct buf text = BUF_INIT(SIZE_MAX / 2);
	size_t at = 0;

	if (depth == 0 &&
	    (json.n == 0 || *json.p != '{' || answer_read(json, &whole, 1, &value, &fault) < 0))
		return;
	while (answer_member(json, &at, &key, &member)) {
		if (member.n > 1 && *member.p == '{' && depth < MAX_JSON_DEPTH) {
			add_json(m, member, depth + 1);
		} else if (member.n > 2 && *member.p == '"' && mask_hides_header(key)) {
			buf_reset(&text);
			answer_text(&text, (struct str){ member.p + 1, member.n - 2 });
			add_secret(m, buf_str(&text));
			secret_wipe(text.data, text.len);
		}
	}
	buf_clear(&text);
}

void
mask_add(struct mask *m, struct str text)
{
	add_secret(m, text);
}

void
mask_set_credential(struct mask *m, const struct credential *c)
{
	size_t n_present;

	if (!m->ended) {
		m->ended = true;
		m->n_own = m->n;
	}
	n_present = m->n - m->n_own - m->n_before;
	for (size_t i = 0; i < m->n_before; i++)
		secret_free(m->v[m->n_own + i]);
	if (m->n_before > 0)
		memmove(
		    m->v + m->n_own, m->v + m->n_own + m->n_before, n_present * sizeof(m->v[0]));
	m->n = m->n_own + n_present;
	m->n_before = n_present;
	if (c == NULL)
		return;
	add_secret(m, secret_reveal(c->token));
	add_secret(m, secret_reveal(c->secret_key));
	add_secret(m, secret_reveal(c->session_token));
}

struct mask *
mask_new(const struct target *t)
{
	struct mask *m = xcalloc(1, sizeof(*m));

	for (size_t i = 0; i < t->n_secrets; i++) {
		add_secret(m, secret_reveal(t->secrets[i].value));
		add_json(m, secret_reveal(t->secrets[i].value), 0);
	}
	for (size_t i = 0; i < t->n_headers; i++)
		if (mask_hides_header(str_of(t->headers[i].key)))
			add_header_value(m, str_of(t->headers[i].value));
	add_proxy(m, t->proxy);
	return m;
}

void
mask_free(struct mask *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->n; i++)
		secret_free(m->v[i]);
	free(m->v);
	free(m);
}

bool
mask_finds(const struct mask *m, struct str text, size_t min)
{
	for (size_t i = 0; i < m->n; i++) {
		struct str s = secret_reveal(m->v[i]);

		if (s.n >= min && memmem(text.p, text.n, s.p, s.n))
			return true;
	}
	return false;
}

/* Whether a whole secret lies across the place where the text is cut; hold begins before it then. */
static bool
is_cut(const struct mask *m, struct str text, size_t *hold)
{
	size_t cut = text.n - *hold;

	for (size_t i = 0; i < m->n; i++) {
		struct str s = secret_reveal(m->v[i]);
		size_t from = cut + 1 > s.n ? cut + 1 - s.n : 0;
		size_t until = cut - 1 + s.n < text.n ? cut - 1 + s.n : text.n;
		const char *at =
		    cut > 0 && until > from ? memmem(text.p + from, until - from, s.p, s.n) : NULL;

		if (at) {
			*hold = text.n - (size_t)(at - text.p);
			return true;
		}
	}
	return false;
}

size_t
mask_hold(const struct mask *m, struct str text)
{
	size_t hold = 0;

	for (size_t i = 0; i < m->n; i++) {
		struct str s = secret_reveal(m->v[i]);
		size_t k = s.n - 1 < text.n ? s.n - 1 : text.n;

		for (; k > hold; k--)
			if (memcmp(text.p + text.n - k, s.p, k) == 0)
				hold = k;
	}
	while (hold > 0 && is_cut(m, text, &hold))
		;
	return hold;
}

void
mask_add_text(const struct mask *m, struct buf *b, struct str text)
{
	if (mask_finds(m, text, MIN_SECRET))
		secret_mask_text(b, text, (const struct secret *const *)m->v, m->n);
	else
		buf_add_str(b, text);
}

void
mask_buf(const struct mask *m, struct buf *b)
{
	struct buf masked;

	if (!mask_finds(m, buf_str(b), MIN_SECRET))
		return;
	buf_init(&masked, b->max);
	secret_mask_text(&masked, buf_str(b), (const struct secret *const *)m->v, m->n);
	/* A mask may be longer than what it hides: cut, rather than show nothing or the secret. */
	buf_reset(b);
	buf_add_str(b, buf_str(&masked));
	buf_clear(&masked);
}

void
mask_add_header(const struct mask *m, struct buf *b, struct str name, struct str value)
{
	if (mask_hides_header(name))
		secret_mask_value(b, value);
	else
		mask_add_text(m, b, value);
}
