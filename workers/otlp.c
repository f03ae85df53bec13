/* SPDX-License-Identifier: Apache-2.0 */
/* One transfer a batch: there are few, and curl keeps the connection. */
#include "workers/otlp.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/json_read.h"
#include "shared/log.h"
#include "shared/secret.h"
#include "workers/dialects/dialect.h"
#include "workers/retry_after.h"
#include "workers/target.h"
#include "workers/transfer.h"

#define SIGNALS 2
#define ANSWER_MAX 65536 /* of an answer, what is read of it */
#define SENDING_MAX 8

/* What a batch is sent with. Shared by those under way, because a configuration may change meanwhile. */
struct way {
	unsigned holders;
	char *urls[SIGNALS];
	struct curl_slist *headers;
	char *ca, *cert, *key;
};

struct sending {
	LIST_ENTRY(sending) link;
	struct otlp *otlp;
	struct way *way;
	struct target target;
	struct transfer *transfer;
	char *body;
	uint32_t number, signal;
};

struct otlp {
	struct transfers *transfers;
	otlp_done done;
	void *arg;
	struct way *way;
	LIST_HEAD(, sending) sending;
	size_t n;
};

static void
wipe(char *text)
{
	if (text)
		secret_wipe(text, strlen(text));
	free(text);
}

static void
way_free(struct way *w)
{
	if (w == NULL || --w->holders > 0)
		return;
	for (int i = 0; i < SIGNALS; i++)
		wipe(w->urls[i]);
	for (struct curl_slist *h = w->headers; h; h = h->next)
		secret_wipe(h->data, strlen(h->data));
	curl_slist_free_all(w->headers);
	free(w->ca);
	free(w->cert);
	free(w->key);
	free(w);
}

static void
add_header(struct way *w, const char *line)
{
	struct curl_slist *more = curl_slist_append(w->headers, line);

	if (more == NULL)
		fatal("out of memory");
	w->headers = more;
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "name=value,name=value", values in percent-encoding. The supervisor has checked it; what is not right is left out. */
static void
add_headers(struct way *w, struct str text)
{
	struct buf line = BUF_INIT(8192);

	while (text.n > 0) {
		const char *end = memchr(text.p, ',', text.n), *equals;
		struct str one = { text.p, end ? (size_t)(end - text.p) : text.n }, name, value;

		text.p += one.n + (end != NULL);
		text.n -= one.n + (end != NULL);
		equals = memchr(one.p, '=', one.n);
		if (equals == NULL)
			continue;
		name = str_trim((struct str){ one.p, (size_t)(equals - one.p) });
		value = str_trim((struct str){ equals + 1, one.n - (size_t)(equals + 1 - one.p) });
		buf_reset(&line);
		buf_add_str(&line, name);
		buf_add_text(&line, ": ");
		for (size_t i = 0; i < value.n; i++) {
			char c = value.p[i];

			if (c == '%' && i + 2 < value.n && hex(value.p[i + 1]) >= 0 && hex(value.p[i + 2]) >= 0) {
				c = (char)(hex(value.p[i + 1]) << 4 | hex(value.p[i + 2]));
				i += 2;
			}
			buf_add_char(&line, c);
		}
		if (buf_ok(&line) && name.n > 0 && !memchr(line.data, '\n', line.len) &&
		    !memchr(line.data, '\r', line.len) && !memchr(line.data, '\0', line.len))
			add_header(w, buf_text(&line));
	}
	if (line.data)
		secret_wipe(line.data, line.cap);
	buf_clear(&line);
}

void
otlp_configure(struct otlp *o, const struct settings *s)
{
	struct way *w = xcalloc(1, sizeof(*w));

	w->holders = 1;
	w->urls[EXPORT_TRACES] = xstrdup(s->text[SETTING_OTLP_TRACES_ENDPOINT]);
	w->urls[EXPORT_METRICS] = xstrdup(s->text[SETTING_OTLP_METRICS_ENDPOINT]);
	w->ca = xstrdup(s->text[SETTING_OTLP_CA]);
	w->cert = xstrdup(s->text[SETTING_OTLP_CERT]);
	w->key = xstrdup(s->text[SETTING_OTLP_KEY]);
	add_header(w, "content-type: application/json");
	add_header(w, "accept: application/json");
	/* https://opentelemetry.io/docs/specs/otel/protocol/exporter/#user-agent */
	add_header(w, "user-agent: OTel-OTLP-Exporter-llmhealth/" PACKAGE_VERSION);
	/* curl would wait for a 100. */
	add_header(w, "expect:");
	add_headers(w, str_of(s->text[SETTING_OTLP_HEADERS]));
	way_free(o->way);
	o->way = w;
}

static void
sending_free(struct sending *s)
{
	LIST_REMOVE(s, link);
	s->otlp->n--;
	transfer_free(s->transfer);
	way_free(s->way);
	free(s->body);
	free(s);
}

/* {"partialSuccess": {"rejectedSpans": "3", "errorMessage": "…"}}; the number may be one, or a text of it. */
static uint64_t
rejected_of(struct str body, uint32_t signal)
{
	struct buf json = BUF_INIT(ANSWER_MAX * 2);
	struct str value;
	uint64_t n = 0;

	if (body.n > 0 && body.n <= ANSWER_MAX && json_read(body, &json, NULL) == 0) {
		value = json_read_member(buf_str(&json), "partialSuccess");
		value = json_read_member(
		    value, signal == EXPORT_TRACES ? "rejectedSpans" : "rejectedDataPoints");
		for (size_t i = 0; i < value.n && n < UINT32_MAX; i++)
			if (value.p[i] >= '0' && value.p[i] <= '9')
				n = n * 10 + (uint64_t)(value.p[i] - '0');
			else if (value.p[i] != '"')
				break;
	}
	buf_clear(&json);
	return n;
}

static void
judge(struct transfer *x, const struct transfer_outcome *o, struct msg_exported *m)
{
	m->http_status = o->status > 0 ? (uint32_t)o->status : 0;
	if (!o->whole) {
		/* A URL that cannot be asked is none the next time, either. */
		m->outcome = o->reason == REASON_CONFIG ? EXPORTED_REFUSED : EXPORTED_AGAIN;
		m->why = str_of(reason_name(o->reason));
	} else if (o->status >= 200 && o->status < 300) {
		m->outcome = EXPORTED_OK;
	} else if (o->status == 429 || o->status == 502 || o->status == 503 || o->status == 504) {
		m->outcome = EXPORTED_AGAIN;
		m->why = STR("status");
		m->retry_after_ms = retry_after_parse(STR(""), transfer_header(x, "retry-after"), clock_wall_ms());
	} else {
		m->outcome = EXPORTED_REFUSED;
		m->why = STR("status");
	}
}

static void
on_outcome(struct transfer *x, const struct transfer_outcome *outcome, void *arg)
{
	struct sending *s = arg;
	struct otlp *o = s->otlp;
	struct msg_exported m = { .number = s->number, .retry_after_ms = -1, .why = STR("") };

	judge(x, outcome, &m);
	if (m.outcome == EXPORTED_OK)
		m.rejected = rejected_of(outcome->body, s->signal);
	sending_free(s);
	o->done(&m, o->arg);
}

/* A target of no provider: only what a transfer looks at. */
static void
make_target(struct target *t, const struct way *w)
{
	char *none = (char *)(uintptr_t) "";

	*t = (struct target){ .id = none,
		.model = none,
		.api_base = none,
		.extra_body = none,
		.ssl_verify = true,
		.ca_file = w->ca,
		.client_cert = w->cert,
		.client_key = w->key,
		.proxy = none,
		.no_proxy = none,
		/* Where it goes is the configuration's own word. */
		.allow_link_local = true };
}

void
otlp_send(struct otlp *o, const struct msg_export *m)
{
	struct msg_exported refused = { .number = m->number,
		.outcome = EXPORTED_AGAIN,
		.retry_after_ms = -1,
		.why = STR("limit") };
	struct transfer_request request = { .method = "POST" };
	struct sending *s;

	if (m->signal >= SIGNALS || o->way == NULL || *o->way->urls[m->signal] == '\0') {
		refused.outcome = EXPORTED_REFUSED;
		refused.why = STR("not configured");
		o->done(&refused, o->arg);
		return;
	}
	if (o->n >= SENDING_MAX) {
		o->done(&refused, o->arg);
		return;
	}
	s = xcalloc(1, sizeof(*s));
	s->otlp = o;
	s->number = m->number;
	s->signal = m->signal;
	s->way = o->way;
	s->way->holders++;
	s->body = str_dup(m->body);
	LIST_INSERT_HEAD(&o->sending, s, link);
	o->n++;
	make_target(&s->target, s->way);
	s->transfer = transfer_new(o->transfers, &s->target);
	request.url = s->way->urls[m->signal];
	request.headers = s->way->headers;
	request.body = (struct str){ s->body, m->body.n };
	transfer_start(s->transfer, &request, m->timeout_ms, 0, on_outcome, s);
}

size_t
otlp_count(const struct otlp *o)
{
	return o->n;
}

struct otlp *
otlp_new(struct transfers *transfers, otlp_done done, void *arg)
{
	struct otlp *o = xcalloc(1, sizeof(*o));

	o->transfers = transfers;
	o->done = done;
	o->arg = arg;
	LIST_INIT(&o->sending);
	return o;
}

void
otlp_free(struct otlp *o)
{
	struct sending *s;

	if (o == NULL)
		return;
	while ((s = LIST_FIRST(&o->sending)) != NULL)
		sending_free(s);
	way_free(o->way);
	free(o);
}
