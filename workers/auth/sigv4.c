/* SPDX-License-Identifier: Apache-2.0 */
/* Canonical request, string to sign, signing key, signature; the names are those of AWS's document.
 */
#include "workers/auth/sigv4.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "shared/secret.h"
#include "workers/auth/digest.h"

#define MAX_CANONICAL ((size_t)128 << 10)
#define ALGORITHM "AWS4-HMAC-SHA256"
#define KEYS 64 /* signing keys that are kept, a power of two */
#define MAX_KEPT_SECRET 256

/* A key is good for a day, a region and a service. */
struct kept_key {
	char secret[MAX_KEPT_SECRET];
	size_t secret_n;
	char scope[96]; /* "20150830/us-east-1/service" */
	uint8_t key[DIGEST_LEN];
};

static struct kept_key kept[KEYS];

void
sigv4_signature_init(struct sigv4_signature *s)
{
	memset(s, 0, sizeof(*s));
	buf_init(&s->canonical, MAX_CANONICAL);
	buf_init(&s->to_sign, 1024);
	buf_init(&s->value, MAX_CANONICAL);
}

void
sigv4_signature_clear(struct sigv4_signature *s)
{
	/* The canonical request holds the session token. */
	if (s->canonical.data)
		secret_wipe(s->canonical.data, s->canonical.len);
	buf_clear(&s->canonical);
	buf_clear(&s->to_sign);
	buf_clear(&s->value);
}

void
sigv4_forget(void)
{
	secret_wipe(kept, sizeof(kept));
}

/* ---- paths and queries ---- */

static bool
is_unreserved(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

static void
add_escaped(struct buf *b, struct str s, bool slashes)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (is_unreserved(c) || (slashes && c == '/')) {
			buf_add_char(b, (char)c);
		} else {
			char text[3] = { '%', digits[c >> 4], digits[c & 15] };

			buf_add(b, text, 3);
		}
	}
}

/* RFC 3986 section 5.2.4, and of several slashes one. */
static void
add_normalized(struct buf *b, struct str path)
{
	size_t start = b->len;

	for (size_t i = 0; i < path.n;) {
		size_t n = 0;
		struct str part;

		if (path.p[i] == '/') {
			i++;
			continue;
		}
		while (i + n < path.n && path.p[i + n] != '/')
			n++;
		part = (struct str){ path.p + i, n };
		i += n;
		if (str_is(part, "."))
			continue;
		if (str_is(part, "..")) {
			while (b->len > start && b->data[--b->len] != '/')
				;
			continue;
		}
		buf_add_char(b, '/');
		add_escaped(b, part, false);
	}
	if (b->len == start || (path.n > 0 && path.p[path.n - 1] == '/'))
		buf_add_char(b, '/');
}

static void
add_path(struct buf *b, const struct sigv4 *r)
{
	struct str path = r->path.n > 0 ? r->path : STR("/");

	if (r->normalize)
		add_normalized(b, path);
	else
		add_escaped(b, path, true);
}

struct parameter {
	struct str key, value; /* escaped, in the table's buffer */
	size_t key_at, value_at;
};

struct parameters {
	struct parameter v[SIGV4_MAX_PARAMETERS];
	size_t n;
	struct buf text;
};

static int
unhex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What is escaped already stays as it is, but in one spelling. */
static void
add_reescaped(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '%' && i + 2 < s.n && unhex(s.p[i + 1]) >= 0 && unhex(s.p[i + 2]) >= 0) {
			c = (char)(unhex(s.p[i + 1]) << 4 | unhex(s.p[i + 2]));
			i += 2;
		}
		add_escaped(b, (struct str){ &c, 1 }, false);
	}
}

static int
parameters_add(struct parameters *p, struct str key, struct str value, bool escaped)
{
	struct parameter *one;

	if (p->n == SIGV4_MAX_PARAMETERS)
		return ERR_LIMIT;
	one = &p->v[p->n++];
	one->key_at = p->text.len;
	(escaped ? add_reescaped(&p->text, key) : add_escaped(&p->text, key, false));
	one->key.n = p->text.len - one->key_at;
	one->value_at = p->text.len;
	(escaped ? add_reescaped(&p->text, value) : add_escaped(&p->text, value, false));
	one->value.n = p->text.len - one->value_at;
	return buf_ok(&p->text) ? 0 : ERR_LIMIT;
}

static int
parameters_read(struct parameters *p, struct str query)
{
	for (size_t i = 0; i < query.n; i++) {
		size_t n = 0, equals;
		struct str one;
		int err;

		while (i + n < query.n && query.p[i + n] != '&')
			n++;
		one = (struct str){ query.p + i, n };
		i += n;
		if (n == 0)
			continue;
		for (equals = 0; equals < n && one.p[equals] != '='; equals++)
			;
		err = parameters_add(p, (struct str){ one.p, equals },
		    equals < n ? (struct str){ one.p + equals + 1, n - equals - 1 } : STR(""),
		    true);
		if (err < 0)
			return err;
	}
	return 0;
}

static int
compare(struct str a, struct str b)
{
	int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return order ? order : (a.n > b.n) - (a.n < b.n);
}

static int
compare_parameters(const void *a, const void *b)
{
	const struct parameter *x = a, *y = b;
	int order = compare(x->key, y->key);

	return order ? order : compare(x->value, y->value);
}

static void
sort_parameters(struct parameters *p)
{
	const char *text = buf_text(&p->text);

	for (size_t i = 0; i < p->n; i++) {
		p->v[i].key.p = text + p->v[i].key_at;
		p->v[i].value.p = text + p->v[i].value_at;
	}
	qsort(p->v, p->n, sizeof(p->v[0]), compare_parameters);
}

/* Those from `first` on, in their order. */
static void
add_parameters(struct buf *b, struct parameters *p, size_t first)
{
	const char *text = buf_text(&p->text);

	for (size_t i = first; i < p->n; i++) {
		p->v[i].key.p = text + p->v[i].key_at;
		p->v[i].value.p = text + p->v[i].value_at;
	}
	for (size_t i = first; i < p->n; i++) {
		if (i > first)
			buf_add_char(b, '&');
		buf_add_str(b, p->v[i].key);
		buf_add_char(b, '=');
		buf_add_str(b, p->v[i].value);
	}
}

/* ---- headers ---- */

struct header {
	struct kv kv;
	size_t place;
};

struct headers {
	struct header v[SIGV4_MAX_HEADERS + 4];
	size_t n;
};

static int
compare_headers(const void *a, const void *b)
{
	const struct header *x = a, *y = b;
	size_t n = x->kv.key.n < y->kv.key.n ? x->kv.key.n : y->kv.key.n;
	int order = strncasecmp(x->kv.key.p, y->kv.key.p, n);

	if (order == 0)
		order = (x->kv.key.n > y->kv.key.n) - (x->kv.key.n < y->kv.key.n);
	return order ? order : (x->place > y->place) - (x->place < y->place);
}

static void
headers_add(struct headers *h, const char *name, struct str value)
{
	h->v[h->n] = (struct header){ { str_of(name), value }, h->n };
	h->n++;
}

static bool
same_name(const struct headers *h, size_t i, size_t k)
{
	return h->v[i].kv.key.n == h->v[k].kv.key.n &&
	       strncasecmp(h->v[i].kv.key.p, h->v[k].kv.key.p, h->v[i].kv.key.n) == 0;
}

static void
add_lower(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_add_char(b, (char)tolower((unsigned char)s.p[i]));
}

/* Blanks at the ends go, of several within one stays. */
static void
add_trimmed(struct buf *b, struct str s)
{
	bool blank = false, some = false;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
			blank = some;
			continue;
		}
		if (blank)
			buf_add_char(b, ' ');
		buf_add_char(b, c);
		blank = false;
		some = true;
	}
}

static void
add_names(struct buf *b, const struct headers *h)
{
	for (size_t i = 0; i < h->n; i++) {
		if (i > 0 && same_name(h, i, i - 1))
			continue;
		if (i > 0)
			buf_add_char(b, ';');
		add_lower(b, h->v[i].kv.key);
	}
}

static void
add_headers(struct buf *b, const struct headers *h)
{
	for (size_t i = 0; i < h->n; i++) {
		if (i > 0 && same_name(h, i, i - 1)) {
			/* of the same name: one line */
			b->data[--b->len] = '\0';
			buf_add_char(b, ',');
		} else {
			add_lower(b, h->v[i].kv.key);
			buf_add_char(b, ':');
		}
		add_trimmed(b, h->v[i].kv.value);
		buf_add_char(b, '\n');
	}
}

/* ---- the key and the signature ---- */

static void
derive(const struct sigv4 *r, const char *day, uint8_t key[DIGEST_LEN])
{
	char start[4 + MAX_KEPT_SECRET];
	struct buf long_start = BUF_INIT(SIZE_MAX / 2);
	struct str k;

	if (r->secret_key.n <= MAX_KEPT_SECRET) {
		memcpy(start, "AWS4", 4);
		if (r->secret_key.n)
			memcpy(start + 4, r->secret_key.p, r->secret_key.n);
		k = (struct str){ start, 4 + r->secret_key.n };
	} else {
		buf_add_text(&long_start, "AWS4");
		buf_add_str(&long_start, r->secret_key);
		k = buf_str(&long_start);
	}
	digest_hmac_sha256(k, (struct str){ day, 8 }, key);
	k = (struct str){ (const char *)key, DIGEST_LEN };
	digest_hmac_sha256(k, str_of(r->region), key);
	digest_hmac_sha256(k, str_of(r->service), key);
	digest_hmac_sha256(k, STR("aws4_request"), key);
	secret_wipe(start, sizeof(start));
	if (long_start.data)
		secret_wipe(long_start.data, long_start.len);
	buf_clear(&long_start);
}

static void
signing_key(const struct sigv4 *r, const char *day, uint8_t key[DIGEST_LEN])
{
	char scope[sizeof(kept[0].scope)];
	uint32_t h = 2166136261u; /* FNV-1a */
	struct kept_key *one;
	int n = snprintf(scope, sizeof(scope), "%.8s/%s/%s", day, r->region, r->service);

	if (n < 0 || (size_t)n >= sizeof(scope) || r->secret_key.n > MAX_KEPT_SECRET) {
		derive(r, day, key);
		return;
	}
	for (int i = 0; i < n; i++)
		h = (h ^ (unsigned char)scope[i]) * 16777619u;
	for (size_t i = 0; i < r->access_key.n; i++)
		h = (h ^ (unsigned char)r->access_key.p[i]) * 16777619u;
	one = &kept[(h ^ h >> 16) & (KEYS - 1)];
	if (strcmp(one->scope, scope) != 0 ||
	    !str_eq((struct str){ one->secret, one->secret_n }, r->secret_key)) {
		derive(r, day, one->key);
		memcpy(one->scope, scope, sizeof(scope));
		secret_wipe(one->secret, sizeof(one->secret));
		if (r->secret_key.n)
			memcpy(one->secret, r->secret_key.p, r->secret_key.n);
		one->secret_n = r->secret_key.n;
	}
	memcpy(key, one->key, DIGEST_LEN);
}

static int
set_date(const struct sigv4 *r, struct sigv4_signature *s)
{
	/* One format a second is enough. */
	static time_t last = -1;
	static char text[17];
	time_t now = (time_t)(r->now_ms / 1000);
	struct tm tm;

	if (r->now_ms < 0 || now > (time_t)253402300799)
		return ERR_INVALID;
	if (now != last) {
		gmtime_r(&now, &tm);
		strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &tm);
		last = now;
	}
	memcpy(s->date, text, sizeof(text));
	return 0;
}

static void
hex_digest(struct str data, char hex[65])
{
	uint8_t digest[DIGEST_LEN];
	struct buf b = BUF_INIT(64);

	digest_sha256(data, digest);
	digest_add_hex(&b, digest, sizeof(digest));
	memcpy(hex, buf_text(&b), 65);
	buf_clear(&b);
}

static void
add_canonical(
    const struct sigv4 *r, struct sigv4_signature *s, struct parameters *p, const struct headers *h)
{
	buf_add_text(&s->canonical, r->method);
	buf_add_char(&s->canonical, '\n');
	add_path(&s->canonical, r);
	buf_add_char(&s->canonical, '\n');
	sort_parameters(p);
	add_parameters(&s->canonical, p, 0);
	buf_add_char(&s->canonical, '\n');
	add_headers(&s->canonical, h);
	buf_add_char(&s->canonical, '\n');
	add_names(&s->canonical, h);
	buf_add_char(&s->canonical, '\n');
	buf_add_text(&s->canonical, s->body_digest);
}

static int
make(const struct sigv4 *r, struct sigv4_signature *s)
{
	uint8_t key[DIGEST_LEN], signature[DIGEST_LEN];
	struct buf hex = BUF_INIT(64);
	char digest[65];

	if (!buf_ok(&s->canonical))
		return ERR_LIMIT;
	hex_digest(buf_str(&s->canonical), digest);
	buf_addf(&s->to_sign, ALGORITHM "\n%s\n%.8s/%s/%s/aws4_request\n%s", s->date, s->date,
	    r->region, r->service, digest);
	if (!buf_ok(&s->to_sign))
		return ERR_LIMIT;
	signing_key(r, s->date, key);
	digest_hmac_sha256(
	    (struct str){ (const char *)key, sizeof(key) }, buf_str(&s->to_sign), signature);
	secret_wipe(key, sizeof(key));
	digest_add_hex(&hex, signature, sizeof(signature));
	memcpy(s->hex, buf_text(&hex), sizeof(s->hex));
	buf_clear(&hex);
	return 0;
}

static void
reset(struct sigv4_signature *s)
{
	buf_reset(&s->canonical);
	buf_reset(&s->to_sign);
	buf_reset(&s->value);
}

static int
copy_headers(const struct sigv4 *r, struct headers *h)
{
	if (r->n_headers > SIGV4_MAX_HEADERS)
		return ERR_LIMIT;
	h->n = 0;
	for (size_t i = 0; i < r->n_headers; i++) {
		h->v[i] = (struct header){ r->headers[i], i };
		h->n++;
	}
	return 0;
}

int
sigv4_sign(const struct sigv4 *r, struct sigv4_signature *s)
{
	struct parameters p = { .text = BUF_INIT(MAX_CANONICAL) };
	struct headers h;
	int err;

	reset(s);
	if ((err = set_date(r, s)) < 0 || (err = copy_headers(r, &h)) < 0)
		return err;
	hex_digest(r->body, s->body_digest);
	headers_add(&h, "x-amz-date", str_of(s->date));
	if (r->sign_body)
		headers_add(&h, "x-amz-content-sha256", str_of(s->body_digest));
	if (r->session_token.n > 0 && !r->token_after)
		headers_add(&h, "x-amz-security-token", r->session_token);
	qsort(h.v, h.n, sizeof(h.v[0]), compare_headers);
	err = parameters_read(&p, r->query);
	if (err == 0) {
		add_canonical(r, s, &p, &h);
		err = make(r, s);
	}
	buf_clear(&p.text);
	if (err < 0)
		return err;
	buf_addf(&s->value, ALGORITHM " Credential=%.*s/%.8s/%s/%s/aws4_request, SignedHeaders=",
	    (int)r->access_key.n, r->access_key.p, s->date, r->region, r->service);
	add_names(&s->value, &h);
	buf_addf(&s->value, ", Signature=%s", s->hex);
	return buf_ok(&s->value) ? 0 : ERR_LIMIT;
}

static int
add_query(const struct sigv4 *r, const struct sigv4_signature *s, const struct headers *h,
    struct parameters *p)
{
	struct buf names = BUF_INIT(8192), credential = BUF_INIT(1024);
	char expires[24];
	int err;

	add_names(&names, h);
	buf_addf(&credential, "%.*s/%.8s/%s/%s/aws4_request", (int)r->access_key.n, r->access_key.p,
	    s->date, r->region, r->service);
	snprintf(expires, sizeof(expires), "%lld", (long long)r->expires_s);
	err = buf_ok(&names) && buf_ok(&credential) ? 0 : ERR_LIMIT;
	if (err == 0)
		err = parameters_add(p, STR("X-Amz-Algorithm"), STR(ALGORITHM), false);
	if (err == 0)
		err = parameters_add(p, STR("X-Amz-Credential"), buf_str(&credential), false);
	if (err == 0)
		err = parameters_add(p, STR("X-Amz-Date"), str_of(s->date), false);
	if (err == 0)
		err = parameters_add(p, STR("X-Amz-SignedHeaders"), buf_str(&names), false);
	if (err == 0)
		err = parameters_add(p, STR("X-Amz-Expires"), str_of(expires), false);
	if (err == 0 && r->session_token.n > 0 && !r->token_after)
		err = parameters_add(p, STR("X-Amz-Security-Token"), r->session_token, false);
	buf_clear(&names);
	buf_clear(&credential);
	return err;
}

int
sigv4_sign_query(const struct sigv4 *r, struct sigv4_signature *s)
{
	struct parameters p = { .text = BUF_INIT(MAX_CANONICAL) };
	struct headers h;
	size_t own;
	int err;

	reset(s);
	if ((err = set_date(r, s)) < 0 || (err = copy_headers(r, &h)) < 0)
		return err;
	hex_digest(r->body, s->body_digest);
	qsort(h.v, h.n, sizeof(h.v[0]), compare_headers);
	err = parameters_read(&p, r->query);
	own = p.n;
	if (err == 0)
		err = add_query(r, s, &h, &p);
	if (err == 0) {
		buf_add_str(&s->value, r->query);
		if (r->query.n > 0)
			buf_add_char(&s->value, '&');
		add_parameters(&s->value, &p, own);
		add_canonical(r, s, &p, &h);
		err = make(r, s);
	}
	if (err == 0) {
		if (r->session_token.n > 0 && r->token_after) {
			buf_add_text(&s->value, "&X-Amz-Security-Token=");
			add_escaped(&s->value, r->session_token, false);
		}
		buf_addf(&s->value, "&X-Amz-Signature=%s", s->hex);
		err = buf_ok(&s->value) ? 0 : ERR_LIMIT;
	}
	buf_clear(&p.text);
	return err;
}
