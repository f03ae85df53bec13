/* SPDX-License-Identifier: Apache-2.0 */
/* What may be passed on, to whom, and what the caller is told when it goes wrong. No key is here,
 * and no address: a worker has both. */
#include "supervisor/front/http/passthrough.h"

#include <stdlib.h>
#include <strings.h>

#include "shared/clock.h"
#include "shared/json.h"
#include "shared/json_read.h"
#include "shared/log.h"
#include "shared/reason.h"
#include "supervisor/front/http/groups.h"
#include "supervisor/front/http/models.h"
#include "supervisor/front/http/params.h"
#include "supervisor/front/http/server.h"
#include "supervisor/front/passes.h"
#include "supervisor/front/scheduler.h"

#define SHOWN_IDS 20
#define MAX_SHOWN_NAME 200
#define MAX_LINE 2048 /* of a head, about the deployment */
#define RETRY "retry-after: 1\r\n"

struct passthrough {
	struct http *http;
	struct passes *passes; /* NULL: there are no workers at all */
	struct passthrough_counts counts;
};

/* One request. */
struct passing {
	struct conn *conn;
	struct pass *pass;
	char *id, *request_id;
	int64_t started_us;
	int status; /* 0: no head yet */
	bool events;
	struct buf lines; /* of the answer's head: who is asked; a reload may end the deployment */
	char tail[2];	  /* of what was sent last */
	uint64_t bytes;
};

struct passthrough *
passthrough_new(struct http *h)
{
	struct passthrough *p = xcalloc(1, sizeof(*p));

	p->http = h;
	if (h->scheduler) /* benches have none */
		p->passes = passes_new(h->base, scheduler_pool(h->scheduler));
	return p;
}

void
passthrough_free(struct passthrough *p)
{
	if (p == NULL)
		return;
	passes_free(p->passes);
	free(p);
}

void
passthrough_counts(const struct passthrough *p, struct passthrough_counts *counts)
{
	*counts = p->counts;
	counts->in_flight = p->passes ? passes_count(p->passes) : 0;
}

const char *
passthrough_outcome(enum passthrough_outcome outcome)
{
	static const char *const names[] = { "answered", "failed", "cut", "cancelled", "busy" };

	return names[outcome];
}

/* ---- refusals ---- */

static void
add_error(struct buf *b, int status, const char *type, const char *param, struct str message)
{
	buf_add_text(b, "{\"error\":{\"message\":");
	json_add_string(b, message);
	buf_addf(b, ",\"type\":\"%s\",\"param\":", type);
	if (param)
		json_add_string(b, str_of(param));
	else
		buf_add_text(b, "null");
	buf_addf(b, ",\"code\":\"%d\"}}", status);
}

static const char *
type_of(int status)
{
	if (status == 429)
		return "throttling_error";
	if (status == 408)
		return "timeout_error";
	return status >= 500 ? "internal_server_error" : "invalid_request_error";
}

static struct blob *
error_body(int status, const char *param, struct str message)
{
	struct buf b = BUF_INIT(SIZE_MAX / 2);

	add_error(&b, status, type_of(status), param, message);
	return blob_of_buf(&b);
}

static void
refuse(struct conn *c, int status, const char *param, const char *message)
{
	struct reply r = { .status = status, .type = REPLY_JSON };

	if (status == 429 || status == 503)
		r.extra = STR(RETRY);
	r.body = error_body(status, param, str_of(message));
	conn_reply(c, &r);
	blob_unref(r.body);
}

/* What stands in a request to LiteLLM for its own use: here all of it is the deployment's. */
static const char *const not_callers[] = { "api_base", "api_key", "api_type", "api_version",
	"aws_access_key_id", "aws_bearer_token", "aws_profile_name", "aws_region_name",
	"aws_role_name", "aws_secret_access_key", "aws_session_token", "azure_ad_token", "base_url",
	"custom_llm_provider", "extra_body", "extra_headers", "headers", "litellm_credential_name",
	"mock_response", "organization", "vertex_credentials", "vertex_location",
	"vertex_project" };

static void
refuse_name(struct conn *c, struct str name)
{
	struct http *h = conn_http(c);
	struct buf b = BUF_INIT(SIZE_MAX / 2);
	const uint32_t *found;
	size_t n = groups_find(models_groups(h), h->fleet, name, &found);

	if (n == 0) {
		buf_add_text(&b, "Invalid model name passed in model=");
		buf_add(&b, name.p, name.n < MAX_SHOWN_NAME ? name.n : MAX_SHOWN_NAME);
		buf_add_text(&b, ". llmhealth is not a gateway: `model` must be the id of one "
				 "deployment, which is asked whatever its health. "
				 "`/v1/model/info` lists them as `model_info.id`.");
	} else {
		buf_add_str(&b, name);
		buf_addf(&b,
		    " names a group of %zu deployment%s. llmhealth is not a gateway and chooses "
		    "none: `model` must be the id of one, here",
		    n, n == 1 ? "" : "s");
		for (size_t i = 0; i < n && i < SHOWN_IDS; i++)
			buf_addf(&b, "%s %s", i > 0 ? "," : "", fleet_at(h->fleet, found[i])->id);
		buf_add_text(&b, n > SHOWN_IDS ? ", …" : "");
	}
	refuse(c, 400, "model", buf_text(&b));
	buf_clear(&b);
}

/* ---- the way back ---- */

static void
over(struct passing *g, enum passthrough_outcome outcome)
{
	struct passthrough *p = conn_http(g->conn)->passthrough;

	p->counts.ended[outcome]++;
	log_event(LOG_LEVEL_INFO, "passthrough", LS("deployment", g->id), LI("status", g->status),
	    LS("outcome", passthrough_outcome(outcome)), LI("bytes", g->bytes),
	    LI("us", clock_mono_us() - g->started_us), LS("request_id", g->request_id));
	free(g->id);
	free(g->request_id);
	buf_clear(&g->lines);
	free(g);
}

static void
on_cancel(void *arg)
{
	struct passing *g = arg;

	passes_cancel(g->pass);
	over(g, PASSTHROUGH_CANCELLED);
}

static void
on_taken(void *arg, size_t n)
{
	struct passing *g = arg;

	passes_taken(g->pass, n);
}

/* A worker is believed much, but not that it writes our heads. */
static bool
is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return s.n > 0;
}

/* Those that a worker passes on (workers/pass.c); none of them says where an answer ends. */
static bool
is_passed(struct str name)
{
	return str_is(name, "content-type") || str_is(name, "retry-after") ||
	       str_is(name, "retry-after-ms") || str_starts(name, "x-ratelimit-") ||
	       str_starts(name, "llm_provider-");
}

static bool
is_token(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-_", name.p[i]) || !name.p[i])
			return false;
	return name.n > 0;
}

static void
add_line(struct buf *b, struct str name, struct str value)
{
	if (!is_token(name) || !is_plain(value))
		return;
	buf_add_str(b, name);
	buf_add(b, ": ", 2);
	buf_add_str(b, value);
	buf_add(b, "\r\n", 2);
}

static void
add_own(struct buf *b, struct str name, struct str value)
{
	if (value.n <= MAX_LINE)
		add_line(b, name, value);
}

/* What LiteLLM says of the deployment, to those who may see its base: all callers are admins. */
static void
add_deployment(struct buf *b, const struct deployment *d)
{
	struct buf base = BUF_INIT(SIZE_MAX / 2);

	add_own(b, STR("x-litellm-model-id"), str_of(d->id));
	add_own(b, STR("x-litellm-model-name"), str_of(d->model));
	add_own(b, STR("x-litellm-model-group"), str_of(d->model_name));
	for (size_t i = 0; i < d->display.n; i++)
		if (str_is(d->display.v[i].key, "api_base") &&
		    json_read_text(d->display.v[i].value, &base))
			add_own(b, STR("x-litellm-model-api-base"), buf_str(&base));
	buf_clear(&base);
}

/* And of the request: how long it took up to here, and that it was sent once. */
static void
add_lines(struct buf *b, const struct passing *g)
{
	int64_t us = clock_mono_us() - g->started_us;

	add_line(b, STR("x-litellm-call-id"), str_of(g->request_id));
	buf_add_str(b, buf_str(&g->lines));
	buf_addf(b, "x-litellm-response-duration-ms: %lld.%03lld\r\n", (long long)(us / 1000),
	    (long long)(us % 1000));
	buf_add_text(b, "x-litellm-attempted-retries: 0\r\nx-litellm-attempted-fallbacks: 0\r\n");
}

static void
on_head(void *arg, const struct msg_pass_head *m)
{
	struct passing *g = arg;
	struct buf extra = BUF_INIT((size_t)64 << 10);
	struct reply r = { .type = REPLY_STREAM };

	if (g->status != 0)
		return;
	/* 204, 205, 304: a body behind them would be the next answer. */
	g->status = m->status < 200 || m->status > 599 || m->status == 204 || m->status == 205 ||
			    m->status == 304
			? 502
			: (int)m->status;
	r.status = g->status;
	for (size_t i = 0; i < m->headers.n; i++) {
		const struct kv *h = &m->headers.v[i];

		if (is_passed(h->key))
			add_line(&extra, h->key, h->value);
		g->events = g->events || (str_is(h->key, "content-type") && h->value.n >= 17 &&
					     strncasecmp(h->value.p, "text/event-stream", 17) == 0);
	}
	add_lines(&extra, g);
	if (g->events)
		buf_add_text(&extra, "x-accel-buffering: no\r\n");
	r.extra = buf_str(&extra);
	conn_stream(g->conn, &r, on_taken);
	buf_clear(&extra);
}

static void
on_piece(void *arg, struct str bytes)
{
	struct passing *g = arg;

	if (g->status == 0 || bytes.n == 0)
		return;
	g->bytes += bytes.n;
	conn_http(g->conn)->passthrough->counts.bytes_out += bytes.n;
	g->tail[0] = bytes.n > 1 ? bytes.p[bytes.n - 2] : g->tail[1];
	g->tail[1] = bytes.p[bytes.n - 1];
	conn_stream_piece(g->conn, bytes);
}

static int
status_of(const struct msg_pass_end *m)
{
	return m->exception_status >= 400 && m->exception_status < 600 ? (int)m->exception_status
								       : 502;
}

static void
add_message(struct buf *b, const struct msg_pass_end *m)
{
	buf_add_str(b, m->error.n > 0 ? m->error : m->detail);
	if (m->error.n > 0 && m->detail.n > 0) {
		buf_add_text(b, " (");
		buf_add_str(b, m->detail);
		buf_add_char(b, ')');
	}
}

static void
reply_failed(struct passing *g, const struct msg_pass_end *m, struct str message)
{
	struct reply r = { .status = status_of(m), .type = REPLY_JSON };
	struct buf extra = BUF_INIT((size_t)64 << 10);
	struct conn *c = g->conn;

	add_lines(&extra, g);
	if (r.status == 429 || r.status == 503)
		buf_add_text(&extra, RETRY);
	r.extra = buf_str(&extra);
	r.body = error_body(r.status, NULL, message);
	g->status = r.status;
	over(g, PASSTHROUGH_FAILED);
	conn_reply_late(c, &r);
	blob_unref(r.body);
	buf_clear(&extra);
}

/*
 * Behind the head there is no status left to tell it by. Between two events another one can be
 * sent; anywhere else the connection breaks off.
 */
static void
cut(struct passing *g, const struct msg_pass_end *m, struct str message)
{
	bool between = g->events && (g->bytes == 0 || (g->tail[0] == '\n' && g->tail[1] == '\n'));
	struct buf b = BUF_INIT(SIZE_MAX / 2);

	if (between) {
		buf_add_text(&b, "data: ");
		add_error(&b, status_of(m), "internal_server_error", NULL, message);
		buf_add_text(&b, "\n\n");
		conn_stream_piece(g->conn, buf_str(&b));
		buf_clear(&b);
	}
	conn_stream_end(g->conn, between);
	over(g, PASSTHROUGH_CUT);
}

static void
on_end(void *arg, const struct msg_pass_end *m)
{
	struct passing *g = arg;
	struct buf message = BUF_INIT((size_t)64 << 10);

	if (m->outcome == PASS_WHOLE && g->status != 0) {
		conn_stream_end(g->conn, true);
		over(g, PASSTHROUGH_ANSWERED);
		return;
	}
	add_message(&message, m);
	if (g->status == 0)
		reply_failed(g, m, buf_str(&message));
	else
		cut(g, m, buf_str(&message));
	buf_clear(&message);
}

/* ---- the way there ---- */

static const struct pass_events events = { on_head, on_piece, on_end };

static void
pass_on(struct conn *c, const struct http_request *r, const struct deployment *d)
{
	struct http *h = conn_http(c);
	struct passthrough *p = h->passthrough;
	struct buf body = BUF_INIT(SIZE_MAX / 2);
	struct passing *g;

	if (p->passes == NULL) {
		refuse(c, 503, NULL, "there are no workers here");
		return;
	}
	if (passes_count(p->passes) >= (size_t)http_setting(h, SETTING_PASS_MAX) ||
	    !conn_may_take(c)) {
		p->counts.ended[PASSTHROUGH_BUSY]++;
		refuse(c, 429, NULL,
		    "llmhealth.passthrough.concurrent requests are being passed on: try again "
		    "later");
		return;
	}
	g = xcalloc(1, sizeof(*g));
	g->conn = c;
	g->id = xstrdup(d->id);
	g->request_id = str_dup(conn_request_id(c));
	buf_init(&g->lines, (size_t)32 << 10);
	add_deployment(&g->lines, d);
	g->started_us = clock_mono_us();
	buf_add_str(&body, r->body);
	/* An error's body comes whole; what is masked in it may grow. */
	g->pass = passes_start(p->passes, d->handle, &body, http_setting(h, SETTING_PASS_TIMEOUT),
	    2 * (PASS_WINDOW + (size_t)http_setting(h, SETTING_MAX_BODY)), &events, g);
	buf_clear(&body);
	if (g->pass == NULL) {
		g->status = 503;
		over(g, PASSTHROUGH_FAILED);
		refuse(c, 503, NULL, "no worker is there to ask: try again later");
		return;
	}
	p->counts.bytes_in += r->body.n;
	conn_wait(c, on_cancel, g);
}

static const char *
not_callers_own(struct str object)
{
	for (size_t i = 0; i < ARRAY_LEN(not_callers); i++)
		if (json_read_member(object, not_callers[i]).n > 0)
			return not_callers[i];
	return NULL;
}

static void
take(struct conn *c, const struct http_request *r, struct str object, struct str model)
{
	struct deployment *d = fleet_find_id(conn_http(c)->fleet, model);
	const char *theirs = not_callers_own(object);
	struct buf b = BUF_INIT(SIZE_MAX / 2);

	if (d == NULL) {
		refuse_name(c, model);
	} else if (theirs) {
		buf_addf(&b, "%s is the deployment's own and is not taken from a request", theirs);
		refuse(c, 400, theirs, buf_text(&b));
	} else if (d->problem_reason != REASON_OK) {
		buf_addf(&b, "this deployment cannot be asked: %s", d->problem);
		refuse(c, 400, "model", buf_text(&b));
	} else if (d->depends.n > 0) {
		refuse(c, 400, "model", "this is a strategy router: it asks no provider itself");
	} else {
		pass_on(c, r, d);
	}
	buf_clear(&b);
}

void
passthrough_handle(struct conn *c, const struct http_request *r, enum caller caller)
{
	struct buf body = BUF_INIT(SIZE_MAX / 2), model = BUF_INIT(SIZE_MAX / 2);
	struct str in_path = route_model(r->path), given;

	(void)caller;
	if (http_setting(conn_http(c), SETTING_PASS_MAX) == 0) {
		refuse(c, 403, NULL,
		    "requests to single deployments are off: llmhealth.passthrough.concurrent is "
		    "0");
	} else if (json_read(r->body, &body, NULL) < 0 || body.data[0] != '{') {
		refuse(c, 400, NULL, "Invalid request body: a JSON object was expected");
	} else {
		given = json_read_member(buf_str(&body), "model");
		if (in_path.n > 0)
			params_decode(&model, in_path, false);
		else if (given.n > 0 && !json_read_text(given, &model))
			buf_reset(&model);
		if (model.len == 0)
			refuse(c, 400, "model",
			    "`model` must be the id of a deployment: /v1/model/info lists them as "
			    "model_info.id");
		else
			take(c, r, buf_str(&body), buf_str(&model));
	}
	buf_clear(&body);
	buf_clear(&model);
}
