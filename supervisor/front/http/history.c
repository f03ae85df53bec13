/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The deployments' histories are merged from their newest ends by a heap, so that a page costs what
 * it shows and what it skips, not what is kept.
 */
#include "supervisor/front/http/history.h"

#include <stdlib.h>
#include <time.h>

#include "shared/clock.h"
#include "shared/json.h"
#include "supervisor/front/entry.h"
#include "supervisor/front/heap.h"
#include "supervisor/front/http/server.h"
#include "supervisor/front/http/validation.h"

#define DEFAULT_LIMIT 100
#define MAX_LIMIT 1000

/* One row; status 0: nobody has asked. */
struct row {
	const struct deployment *d;
	bool healthy;
	int64_t checked_at_ms;
	uint32_t total_us;
	enum reason reason;
	unsigned http_status;
	const char *error;
	bool with_witnesses; /* what each says now */
};

/* As Python's isoformat() of a time in UTC; null for never. */
static void
add_time(struct buf *b, const char *key, int64_t ms)
{
	time_t second = (time_t)(ms / 1000);
	struct tm tm;

	json_add_key(b, key);
	if (ms <= 0 || gmtime_r(&second, &tm) == NULL)
		buf_add_text(b, "null");
	else
		buf_addf(b, "\"%04d-%02d-%02dT%02d:%02d:%02d.%06d+00:00\"", tm.tm_year + 1900,
		    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		    (int)(ms % 1000) * 1000);
}

static void
add_text(struct buf *b, const char *key, const char *text)
{
	json_add_key(b, key);
	if (text)
		json_add_string(b, str_of(text));
	else
		buf_add_text(b, "null");
}

static void
add_ms(struct buf *b, const char *key, uint32_t us)
{
	json_add_key(b, key);
	buf_addf(b, "%u.%03u", us / 1000, us % 1000);
}

/* LiteLLM's columns in its order, then ours. */
static void
add_row(struct buf *b, const struct row *r)
{
	buf_addf(b, "{\"health_check_id\":\"%u-%lld\"", r->d->handle, (long long)r->checked_at_ms);
	add_text(b, "model_name", r->d->model_name);
	add_text(b, "model_id", r->d->id);
	add_text(b, "status", r->healthy ? "healthy" : "unhealthy");
	buf_addf(b, ",\"healthy_count\":%d,\"unhealthy_count\":%d", r->healthy, !r->healthy);
	add_text(b, "error_message", r->error);
	if (r->checked_at_ms > 0)
		add_ms(b, "response_time_ms", r->total_us);
	else
		buf_add_text(b, ",\"response_time_ms\":null");
	buf_add_text(b, ",\"details\":null,\"checked_by\":\"llmhealth\"");
	add_time(b, "checked_at", r->checked_at_ms);
	add_time(b, "created_at", r->checked_at_ms);
	add_text(b, "reason", r->healthy ? NULL : reason_name(r->reason));
	buf_addf(b, ",\"http_status\":");
	if (r->http_status)
		buf_add_int(b, r->http_status);
	else
		buf_add_text(b, "null");
	if (r->with_witnesses)
		entry_add_witnesses(b, r->d);
	buf_add_char(b, '}');
}

/* The words of an older result are not kept: then its reason's. */
static struct row
row_of(const struct deployment *d, const struct history_item *item)
{
	struct row r = {
		.d = d,
		.healthy = item->reason == REASON_OK,
		.checked_at_ms = item->checked_at_ms,
		.total_us = item->total_us,
		.reason = (enum reason)item->reason,
		.http_status = item->status,
	};

	if (!r.healthy)
		r.error = item->checked_at_ms == d->verdict.checked_at_ms && d->verdict.error
			      ? d->verdict.error
			      : reason_text(r.reason);
	return r;
}

/* What is held of a deployment now. False: nothing yet. */
static bool
latest_row(const struct deployment *d, struct row *r)
{
	const struct history_item *item =
	    d->history_len > 0 ? deployment_history(d, d->history_len - 1u) : NULL;

	if (d->problem_reason != REASON_OK) {
		*r = (struct row){ .d = d, .reason = d->problem_reason, .error = d->problem };
		return true;
	}
	if (item) {
		*r = row_of(d, item);
		return true;
	}
	if (d->verdict.checked_at_ms == 0)
		return false;
	*r = (struct row){
		.d = d,
		.healthy = d->verdict.state == VERDICT_HEALTHY,
		.checked_at_ms = d->verdict.checked_at_ms,
		.total_us = d->verdict.total_us,
		.reason = d->verdict.reason,
		.http_status = d->verdict.http_status,
		.error = d->verdict.error,
	};
	return true;
}

struct cursor {
	struct heap_node node; /* the key is the time of the next item, negative: the newest first */
	const struct deployment *d;
	size_t next; /* items that are left */
};

/* A page of the results that pass the filter; returns how many rows. */
static size_t
add_page(struct buf *b, struct cursor *cursors, size_t n, const char *status, int64_t limit,
    int64_t offset)
{
	struct heap heap = { 0 };
	struct heap_node *node;
	size_t rows = 0;

	for (size_t i = 0; i < n; i++)
		if (cursors[i].next > 0)
			heap_set(&heap, &cursors[i].node,
			    -deployment_history(cursors[i].d, cursors[i].next - 1)->checked_at_ms);
	while ((int64_t)rows < limit && (node = heap_first(&heap)) != NULL) {
		struct cursor *c = HEAP_OWNER(node, struct cursor, node);
		struct row r = row_of(c->d, deployment_history(c->d, --c->next));

		if (c->next > 0)
			heap_set(&heap, node, -deployment_history(c->d, c->next - 1)->checked_at_ms);
		else
			heap_remove(&heap, node);
		if (status && strcmp(status, r.healthy ? "healthy" : "unhealthy") != 0)
			continue;
		if (offset > 0) {
			offset--;
			continue;
		}
		json_add_comma(b);
		add_row(b, &r);
		rows++;
	}
	heap_clear(&heap);
	return rows;
}

static void
reply_page(struct conn *c, const char *model, const char *status, int64_t limit, int64_t offset)
{
	struct fleet *f = conn_http(c)->fleet;
	struct cursor *cursors = xcalloc(fleet_size(f) + 1, sizeof(*cursors));
	struct buf b = BUF_INIT(SIZE_MAX);
	size_t n = 0, rows;

	for (size_t i = 0; i < fleet_size(f); i++) {
		const struct deployment *d = fleet_at(f, i);

		if (model && strcmp(model, d->model_name) != 0)
			continue;
		cursors[n].d = d;
		cursors[n++].next = d->history_len;
	}
	buf_add_text(&b, "{\"health_checks\":[");
	rows = add_page(&b, cursors, n, status, limit, offset);
	buf_addf(&b, "],\"total_records\":%zu,\"limit\":%lld,\"offset\":%lld}", rows,
	    (long long)limit, (long long)offset);
	route_reply_json(c, 200, blob_copy(buf_str(&b)));
	buf_clear(&b);
	free(cursors);
}

void
history_handle(struct conn *c, const struct http_request *r, enum caller caller)
{
	struct validation v;
	int64_t limit, offset;
	char *model, *status;

	validation_init(&v, r->query);
	limit = validation_int(&v, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT);
	offset = validation_int(&v, "offset", 0, 0, INT64_MAX);
	model = validation_text(&v, "model");
	status = validation_text(&v, "status_filter");
	/* Empty is no filter, as with LiteLLM. */
	if (!validation_refused(c, &v))
		reply_page(c, model && *model ? model : NULL, status && *status ? status : NULL,
		    limit, offset);
	free(model);
	free(status);
	validation_clear(&v);
}

void
history_handle_latest(struct conn *c, const struct http_request *r, enum caller caller)
{
	struct fleet *f = conn_http(c)->fleet;
	struct buf b = BUF_INIT(SIZE_MAX);
	struct row row;
	size_t n = 0;

	buf_add_text(&b, "{\"latest_health_checks\":{");
	for (size_t i = 0; i < fleet_size(f); i++) {
		if (!latest_row(fleet_at(f, i), &row))
			continue;
		json_add_comma(&b);
		json_add_string(&b, str_of(row.d->id));
		buf_add_char(&b, ':');
		row.with_witnesses = true;
		add_row(&b, &row);
		n++;
	}
	buf_addf(&b, "},\"total_models\":%zu}", n);
	route_reply_json(c, 200, blob_copy(buf_str(&b)));
	buf_clear(&b);
}

/* The deployments in that state, in short. Returns how many. */
static size_t
add_models(struct buf *b, struct http *h, enum verdict_state state)
{
	int64_t now = clock_wall_ms();
	size_t n = 0;

	for (size_t i = 0; i < fleet_size(h->fleet); i++) {
		const struct deployment *d = fleet_at(h->fleet, i);
		bool problem = d->problem_reason != REASON_OK;

		if (fleet_state(h->fleet, d, now) != state)
			continue;
		json_add_comma(b);
		buf_add_char(b, '{');
		add_text(b, "model_name", d->model_name);
		add_text(b, "model_id", d->id);
		add_text(b, "model", d->model);
		add_text(b, "status", verdict_state_name(state));
		add_time(b, "last_check", problem ? 0 : d->verdict.checked_at_ms);
		if (!problem && d->verdict.checked_at_ms > 0)
			add_ms(b, "latency_ms", d->verdict.total_us);
		else
			buf_add_text(b, ",\"latency_ms\":null");
		if (state == VERDICT_UNHEALTHY) {
			add_text(b, "reason",
			    reason_name(problem ? d->problem_reason : d->verdict.reason));
			add_text(b, "error", problem ? d->problem : d->verdict.error);
		}
		buf_add_char(b, '}');
		n++;
	}
	return n;
}

void
history_handle_models(struct conn *c, const struct http_request *r, enum caller caller)
{
	struct http *h = conn_http(c);
	struct buf b = BUF_INIT(SIZE_MAX);
	size_t healthy, unhealthy;

	buf_add_text(&b, "{\"healthy\":[");
	healthy = add_models(&b, h, VERDICT_HEALTHY);
	buf_add_text(&b, "],\"unhealthy\":[");
	unhealthy = add_models(&b, h, VERDICT_UNHEALTHY);
	buf_addf(&b, "],\"healthy_count\":%zu,\"unhealthy_count\":%zu}", healthy, unhealthy);
	route_reply_json(c, 200, blob_copy(buf_str(&b)));
	buf_clear(&b);
}
