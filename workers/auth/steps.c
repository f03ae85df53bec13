/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to token services and their replies. A reply is as hostile as a provider's. */
#include "workers/auth/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "shared/json.h"
#include "workers/auth/digest.h"
#include "workers/dialects/answer.h"

#define MAX_QUOTED 300 /* bytes of a service's own words */
#define MAX_MEMBERS 24
#define YEAR_9999_S INT64_C(253402300799)
#define UNSAID_LIFETIME_MS INT64_C(300000)

/* ---- requests ---- */

void
form_add(struct buf *b, const char *name, struct str value)
{
	static const char digits[] = "0123456789ABCDEF";

	if (b->len > 0)
		buf_add_char(b, '&');
	buf_add_text(b, name);
	buf_add_char(b, '=');
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];

		if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    (c && strchr("-._~", c)))
			buf_add_char(b, (char)c);
		else if (c == ' ')
			buf_add_char(b, '+');
		else {
			char text[3] = { '%', digits[c >> 4], digits[c & 15] };

			buf_add(b, text, 3);
		}
	}
}

static bool
is_url(struct str s)
{
	size_t n = str_starts(s, "https://") ? 8 : str_starts(s, "http://") ? 7 : 0;

	if (n == 0 || s.n == n || strchr("/?#@:", s.p[n]))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || strchr("\"<>\\^`{|}", s.p[i]))
			return false;
	return true;
}

static int
begin(const struct target *t, struct auth_exchange *x, const char *service, struct str base,
    const char *path, struct request *req, struct result *why)
{
	x->service = service;
	if (!is_url(base))
		return auth_refuse(t, why, service,
		    "`%.*s` is no URL that can be asked, expected https://HOST", SHORT(base, 200));
	if (*path == '/')
		while (base.n > 0 && base.p[base.n - 1] == '/')
			base.n--;
	buf_add_str(&req->url, base);
	buf_add_text(&req->url, path);
	return buf_ok(&req->url) ? 0 : auth_refuse(t, why, service, "its URL is too long");
}

int
step_form(const struct target *t, struct auth_exchange *x, const char *service, struct str base,
    const char *path, struct request *req, struct result *why)
{
	int err = begin(t, x, service, base, path, req, why);

	if (err < 0)
		return err;
	req->method = "POST";
	if ((err = step_header(
		 t, x, req, "Content-Type", STR("application/x-www-form-urlencoded"), why)) < 0)
		return err;
	return step_header(t, x, req, "Accept", STR("application/json"), why);
}

int
step_get(const struct target *t, struct auth_exchange *x, const char *service, struct str base,
    const char *path, struct request *req, struct result *why)
{
	int err = begin(t, x, service, base, path, req, why);

	req->method = "GET";
	return err;
}

static void
add_lines(struct buf *b, struct str lines)
{
	for (size_t i = 0; i < lines.n;) {
		const char *end = memchr(lines.p + i, '\n', lines.n - i);
		size_t n = end ? (size_t)(end - lines.p) - i : lines.n - i;

		if (n > 0) {
			buf_add(b, lines.p + i, n);
			buf_add_char(b, '\0');
		}
		i += n + 1;
	}
}

int
step_run(const struct target *t, struct auth_exchange *x, const char *service, struct str words,
    struct str variables)
{
	x->service = service;
	buf_reset(&x->words);
	buf_reset(&x->variables);
	add_lines(&x->words, words);
	add_lines(&x->variables, secret_of(t, "program_env"));
	add_lines(&x->variables, variables);
	return AUTH_RUN;
}

int
step_header(const struct target *t, const struct auth_exchange *x, struct request *req,
    const char *name, struct str value, struct result *why)
{
	if (request_add_header(req, str_of(name), value) == 0)
		return 0;
	return auth_refuse(
	    t, why, x->service, "what is sent to it as %s holds a line break or is too long", name);
}

int
step_basic(const struct target *t, struct auth_exchange *x, struct request *req, struct str id,
    struct str secret, struct result *why)
{
	struct buf pair = BUF_INIT(STEPS_MAX_TOKEN), value = BUF_INIT(STEPS_MAX_TOKEN * 2);
	int err;

	buf_add_str(&pair, id);
	buf_add_char(&pair, ':');
	buf_add_str(&pair, secret);
	buf_add_text(&value, "Basic ");
	digest_add_base64(&value, buf_text(&pair), pair.len);
	if (!buf_ok(&pair) || !buf_ok(&value)) {
		err = auth_refuse(t, why, x->service, "its id and secret are longer than any are");
	} else {
		auth_hide(x, (struct str){ buf_text(&value) + 6, value.len - 6 });
		err = step_header(t, x, req, "Authorization", buf_str(&value), why);
	}
	if (pair.data)
		secret_wipe(pair.data, pair.len);
	if (value.data)
		secret_wipe(value.data, value.len);
	buf_clear(&pair);
	buf_clear(&value);
	return err;
}

/* ---- JSON ---- */

int
json_texts(struct str json, const char *const *names, size_t n, struct buf *texts)
{
	struct answer_place places[1 + MAX_MEMBERS * 2] = { { -1, NULL } };
	struct answer_value values[1 + MAX_MEMBERS * 2];
	char parents[MAX_MEMBERS][48];
	struct answer_fault fault;
	size_t n_places = 1, place[MAX_MEMBERS];

	for (size_t i = 0; i < n; i++)
		buf_init(&texts[i], STEPS_MAX_TOKEN);
	if (n > MAX_MEMBERS)
		return ERR_LIMIT;
	for (size_t i = 0; i < n; i++) {
		const char *dot = strchr(names[i], '.');
		int parent = 0;

		if (dot) {
			snprintf(parents[i], sizeof(parents[i]), "%.*s", (int)(dot - names[i]),
			    names[i]);
			/* one place a parent */
			for (size_t k = 1; k < n_places && parent == 0; k++)
				if (places[k].parent == 0 && strcmp(places[k].key, parents[i]) == 0)
					parent = (int)k;
			if (parent == 0) {
				parent = (int)n_places;
				places[n_places++] = (struct answer_place){ 0, parents[i] };
			}
		}
		place[i] = n_places;
		places[n_places++] = (struct answer_place){ parent, dot ? dot + 1 : names[i] };
	}
	if (answer_read(json, places, n_places, values, &fault) < 0 ||
	    values[0].kind != ANSWER_OBJECT)
		return ERR_SYNTAX;
	for (size_t i = 0; i < n; i++) {
		const struct answer_value *v = &values[place[i]];

		if (v->kind == ANSWER_STRING)
			answer_text(&texts[i], v->raw);
		else if (v->kind == ANSWER_NUMBER || v->kind == ANSWER_BOOL)
			buf_add_str(&texts[i], v->raw);
		if (!buf_ok(&texts[i]))
			return ERR_LIMIT;
	}
	return 0;
}

void
json_texts_clear(struct buf *texts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (texts[i].data)
			secret_wipe(texts[i].data, texts[i].len);
		buf_clear(&texts[i]);
	}
}

/* ---- replies ---- */

/* One line, without control characters, cut at a character. */
static void
add_quoted(struct buf *b, struct str s)
{
	size_t n = s.n < MAX_QUOTED ? s.n : MAX_QUOTED;
	bool blank = false;

	while (n > 0 && n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= ' ' || c == 0x7f) {
			blank = true;
			continue;
		}
		if (blank && b->len > 0)
			buf_add_char(b, ' ');
		blank = false;
		buf_add_char(b, (char)c);
	}
	if (n < s.n)
		buf_add_text(b, "...");
}

/* <Code>AccessDenied</Code><Message>…</Message>, as STS says it. */
static void
add_xml_words(struct buf *b, struct str body)
{
	static const char *const tags[] = { "Code", "Message" };

	for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
		char open[16], close[16];
		const char *from, *to;

		snprintf(open, sizeof(open), "<%s>", tags[i]);
		snprintf(close, sizeof(close), "</%s>", tags[i]);
		from = memmem(body.p, body.n, open, strlen(open));
		if (from == NULL)
			continue;
		from += strlen(open);
		to = memmem(from, (size_t)(body.p + body.n - from), close, strlen(close));
		if (to == NULL)
			continue;
		if (b->len > 0)
			buf_add_text(b, ": ");
		add_quoted(b, (struct str){ from, (size_t)(to - from) });
	}
}

static void
add_words(struct buf *b, struct str body)
{
	static const char *const names[] = { "error", "error.status", "error_description",
		"error.message", "errorCode", "errorMessage", "Code", "Message", "code",
		"message" };
	struct buf texts[ARRAY_LEN(names)];

	if (json_texts(body, names, ARRAY_LEN(names), texts) == 0) {
		for (size_t i = 0; i < ARRAY_LEN(names); i++) {
			if (texts[i].len == 0)
				continue;
			if (b->len > 0)
				buf_add_text(b, ": ");
			add_quoted(b, buf_str(&texts[i]));
		}
	} else if (utf8_valid(body)) {
		add_xml_words(b, body);
	}
	json_texts_clear(texts, ARRAY_LEN(names));
}

int
step_refused(const struct target *t, const struct auth_exchange *x, const struct response *resp,
    struct result *why)
{
	struct buf words = BUF_INIT(4096);
	int err;

	add_words(&words, resp->body);
	if (words.len > 0)
		err = auth_refuse(
		    t, why, x->service, "status %d, %s", resp->status, buf_text(&words));
	else
		err = auth_refuse(t, why, x->service, "status %d without a reason", resp->status);
	buf_clear(&words);
	return err;
}

int
step_keep(const struct target *t, const struct auth_exchange *x, const char *what, struct str token,
    struct secret **out, struct result *why)
{
	if (token.n == 0)
		return auth_refuse(t, why, x->service, "its answer has no %s", what);
	if (token.n > STEPS_MAX_TOKEN)
		return auth_refuse(t, why, x->service, "its %s is longer than any is", what);
	for (size_t i = 0; i < token.n; i++)
		if (token.p[i] <= ' ' || token.p[i] > '~')
			return auth_refuse(t, why, x->service,
			    "its %s holds a blank, a line break or a character that no header "
			    "takes",
			    what);
	secret_free(*out);
	*out = secret_new(token);
	return 0;
}

int
step_expires(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    int64_t ms, struct result *why)
{
	if (ms <= 0) {
		x->credential->expires_ms = ctx->now_ms + UNSAID_LIFETIME_MS;
		return 0;
	}
	if (ms <= ctx->now_ms)
		return auth_refuse(t, why, x->service,
		    "what it gave expired %lld s ago by the clock of this machine",
		    (long long)((ctx->now_ms - ms) / 1000));
	x->credential->expires_ms = ms;
	return 0;
}

int64_t
time_seconds(struct str s)
{
	int64_t v = 0;

	if (s.n == 0)
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		/* a fraction says nothing here */
		if (s.p[i] == '.' && i > 0)
			break;
		if (s.p[i] < '0' || s.p[i] > '9')
			return -1;
		v = v * 10 + (s.p[i] - '0');
		if (v > YEAR_9999_S)
			return -1;
	}
	return v * 1000;
}

int64_t
time_iso8601(struct str s)
{
	char text[64], *end;
	struct tm tm = { 0 };
	int hours, minutes;
	int64_t ms;

	if (s.n >= sizeof(text) || s.n == 0)
		return -1;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (end == NULL)
		return -1;
	ms = (int64_t)timegm(&tm) * 1000;
	if (*end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	if (strcmp(end, "Z") == 0 || *end == '\0')
		return ms;
	if ((*end == '+' || *end == '-') && sscanf(end + 1, "%2d:%2d", &hours, &minutes) == 2)
		return ms - (*end == '-' ? -1 : 1) * ((int64_t)hours * 60 + minutes) * 60000;
	return -1;
}

int
step_token(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    const struct response *resp, const char *token_name, const char *absolute, struct result *why)
{
	const char *const names[] = { token_name, "expires_in",
		absolute ? absolute : "expires_at" };
	struct buf texts[ARRAY_LEN(names)];
	int64_t in, at;
	int err;

	if (resp->status < 200 || resp->status > 299)
		return step_refused(t, x, resp, why);
	err = json_texts(resp->body, names, ARRAY_LEN(names), texts);
	if (err < 0) {
		err = auth_refuse(
		    t, why, x->service, "its answer is no JSON object that can be read");
		goto out;
	}
	if ((err = step_keep(t, x, token_name, buf_str(&texts[0]), &x->credential->token, why)) < 0)
		goto out;
	in = time_seconds(buf_str(&texts[1]));
	at = time_seconds(buf_str(&texts[2]));
	if (at < 0)
		at = time_iso8601(buf_str(&texts[2]));
	/* Counted from now it does not depend on this machine's clock. */
	if (texts[1].len > 0 && in == 0)
		err = auth_refuse(t, why, x->service, "the token that it gave has expired already");
	else if (in > 0)
		err = step_expires(t, x, ctx, ctx->now_ms + in, why);
	else
		err = step_expires(t, x, ctx, at, why);
out:
	json_texts_clear(texts, ARRAY_LEN(names));
	return err < 0 ? err : AUTH_DONE;
}

/* ---- identities, look-ups ---- */

void
identity_add(struct buf *key, struct str part)
{
	buf_addf(key, "%zu:", part.n);
	buf_add_str(key, part);
}

struct str
param_of(const struct target *t, const char *name)
{
	return str_of(target_param(t, name));
}

struct str
secret_of(const struct target *t, const char *name)
{
	return secret_reveal(target_secret(t, name));
}

void
identity_add_named(struct buf *key, const struct target *t, const char *name)
{
	identity_add(key, param_of(t, name));
	identity_add(key, secret_of(t, name));
}
