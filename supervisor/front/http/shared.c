/* SPDX-License-Identifier: Apache-2.0 */
/* Two keys are read for each request: the lock, then the results. LiteLLM's fields, in its order.
 */
#include "supervisor/front/http/shared.h"

#include <stdlib.h>

#include "shared/clock.h"
#include "shared/json.h"
#include "supervisor/front/http/server.h"
#include "supervisor/front/litellm.h"
#include "supervisor/front/pyvalue.h"
#include "supervisor/front/scheduler.h"
#include "supervisor/front/store/store.h"

#define LOCK_TTL_S 60 /* DEFAULT_SHARED_HEALTH_CHECK_LOCK_TTL */
#define OWNER_MAX 1024

struct asking {
	struct conn *conn; /* NULL: the client has gone */
	struct http *http;
	char *owner; /* of the lock, or NULL */
};

static void
asking_free(struct asking *a)
{
	free(a->owner);
	free(a);
}

static void
add_status(struct buf *b, const struct asking *a, const struct store_status *store,
    const struct litellm_head *head)
{
	const struct settings *s = fleet_settings(a->http->fleet);

	buf_add_text(b, "{\"shared_health_check_enabled\":true,\"status\":{\"pod_id\":");
	json_add_string(b, str_of(store->instance));
	buf_addf(b, ",\"redis_available\":%s,\"lock_ttl\":%d,\"cache_ttl\":%lld,\"lock_owner\":",
	    store->connected ? "true" : "false", LOCK_TTL_S,
	    (long long)(s->num[SETTING_REDIS_LITELLM_TTL] / 1000));
	if (a->owner)
		json_add_string(b, str_of(a->owner));
	else
		buf_add_text(b, "null");
	buf_addf(b, ",\"lock_in_progress\":%s,\"cache_available\":%s", a->owner ? "true" : "false",
	    head ? "true" : "false");
	if (head) {
		buf_addf(b, ",\"cache_age_seconds\":%.6f,\"last_checked_by\":",
		    (double)(clock_wall_ms() + store->offset_ms) / 1000 - head->timestamp);
		json_add_string(b, str_of(head->checked_by));
	}
	buf_add_text(b, "},\"llmhealth\":{");
	json_add_key(b, "redis");
	json_add_string(b, str_of(store->connected ? "connected" : "disconnected"));
	json_add_key(b, "topology");
	json_add_string(b, str_of(store->topology));
	json_add_key(b, "server");
	json_add_string(b, str_of(store->server));
	json_add_key(b, "why");
	json_add_string(b, str_of(store->why));
	json_add_key(b, "error");
	json_add_string(b, str_of(store->error));
	buf_addf(b, ",\"instances\":%zu,\"losses\":%llu}}", store->instances,
	    (unsigned long long)store->losses);
}

static void
finish(struct asking *a, const struct str *results, bool late)
{
	struct buf b = BUF_INIT(16384);
	struct litellm_head head;
	struct store_status store;
	struct reply r = { .status = 200, .type = REPLY_JSON };
	bool found = results && litellm_read(*results, &head, NULL, NULL);

	if (a->conn) {
		store_status(scheduler_store(a->http->scheduler), &store);
		add_status(&b, a, &store, found ? &head : NULL);
		r.body = blob_copy(buf_str(&b));
		if (late)
			conn_reply_late(a->conn, &r);
		else
			conn_reply(a->conn, &r);
		blob_unref(r.body);
	}
	buf_clear(&b);
	asking_free(a);
}

static void
on_results(const struct str *value, int err, void *arg)
{
	finish(arg, value, true);
}

static void
on_lock(const struct str *value, int err, void *arg)
{
	struct asking *a = arg;
	struct store *store = a->conn ? scheduler_store(a->http->scheduler) : NULL;
	struct buf name = BUF_INIT(1024), owner = BUF_INIT(OWNER_MAX);
	struct pyvalue v;

	if (store == NULL || err < 0) {
		finish(a, NULL, true);
		return;
	}

	if (value) {
		/* LiteLLM's is a JSON text; whoever else holds it may have written anything. */
		pyvalue_init(&v, *value);
		if (!pyvalue_text(&v, &owner)) {
			buf_reset(&owner);
			buf_add_str(&owner, *value);
		}
		a->owner = xstrdup(buf_text(&owner));
	}
	litellm_key(fleet_settings(a->http->fleet), LITELLM_RESULTS, &name);
	if (store_get(store, buf_str(&name), on_results, a) < 0)
		finish(a, NULL, true);
	buf_clear(&name);
	buf_clear(&owner);
}

static void
on_cancel(void *arg)
{
	((struct asking *)arg)->conn = NULL;
}

void
shared_handle_status(struct conn *c, const struct http_request *r, enum caller caller)
{
	struct http *h = conn_http(c);
	struct store *store = scheduler_store(h->scheduler);
	struct buf name = BUF_INIT(1024);
	struct store_status status;
	struct asking *a;

	store_status(store, &status);
	if (!http_setting(h, SETTING_HC_SHARED)) {
		route_reply_json(c, 200,
		    blob_copy(STR("{\"shared_health_check_enabled\":false,\"message\":\"Shared "
				  "health check is not enabled\"}")));
		return;
	}
	if (!status.shared) {
		route_reply_json(c, 200,
		    blob_copy(STR("{\"shared_health_check_enabled\":true,\"redis_available\":false,"
				  "\"message\":\"Redis is not configured\"}")));
		return;
	}
	a = xcalloc(1, sizeof(*a));
	a->conn = c;
	a->http = h;
	litellm_key(fleet_settings(h->fleet), LITELLM_LOCK, &name);
	if (store_get(store, buf_str(&name), on_lock, a) < 0)
		finish(a, NULL, false);
	else
		conn_wait(c, on_cancel, a);
	buf_clear(&name);
}
