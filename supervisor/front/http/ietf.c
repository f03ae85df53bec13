/* SPDX-License-Identifier: Apache-2.0 */
/* Each model group is a check, each of its deployments a component of it. Nothing for admins alone is said. */
#include "supervisor/front/http/ietf.h"

#include <time.h>

#include "shared/clock.h"
#include "shared/json.h"
#include "supervisor/front/database.h"
#include "supervisor/front/http/accept.h"
#include "supervisor/front/http/groups.h"
#include "supervisor/front/http/server.h"

#define MEDIA_TYPE "application/health+json"

bool
ietf_wanted(const struct http_request *r)
{
	return accept_weight(r->accept, MEDIA_TYPE) > 0;
}

static const char *
status_of(enum verdict_state state)
{
	return state == VERDICT_HEALTHY ? "pass" : state == VERDICT_UNHEALTHY ? "fail" : "warn";
}

static void
add_component(struct buf *b, const struct deployment *d, enum verdict_state state)
{
	bool problem = d->problem_reason != REASON_OK;
	time_t second = (time_t)(d->verdict.checked_at_ms / 1000);
	struct tm tm;

	json_add_comma(b);
	buf_add_text(b, "{\"componentId\":");
	json_add_string(b, str_of(d->id));
	buf_addf(b, ",\"componentType\":\"component\",\"status\":\"%s\"", status_of(state));
	if (!problem && d->verdict.checked_at_ms > 0 && gmtime_r(&second, &tm))
		buf_addf(b,
		    ",\"observedValue\":%u.%03u,\"observedUnit\":\"ms\",\"time\":"
		    "\"%04d-%02d-%02dT%02d:%02d:%02dZ\"",
		    d->verdict.total_us / 1000, d->verdict.total_us % 1000, tm.tm_year + 1900,
		    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	if (state == VERDICT_UNHEALTHY) {
		buf_add_text(b, ",\"output\":");
		json_add_string(
		    b, str_of(reason_text(problem ? d->problem_reason : d->verdict.reason)));
	} else if (state != VERDICT_HEALTHY) {
		buf_add_text(b, ",\"output\":");
		json_add_string(b, str_of(verdict_state_name(state)));
	}
	buf_add_char(b, '}');
}

static struct blob *
finish(struct buf *checks, const char *status)
{
	struct buf b = BUF_INIT(SIZE_MAX);
	struct blob *blob;

	buf_addf(&b, "{\"status\":\"%s\",\"version\":\"1\",\"releaseId\":\"%s\"", status,
	    PACKAGE_VERSION);
	if (checks) {
		buf_add_text(&b, ",\"checks\":{");
		buf_add_str(&b, buf_str(checks));
		buf_add_char(&b, '}');
	}
	buf_add_char(&b, '}');
	blob = blob_copy(buf_str(&b));
	buf_clear(&b);
	return blob;
}

/* Pass: all that is checked can serve; fail: nothing can. */
struct blob *
ietf_fleet(const struct http *h, const struct groups *g, int *status)
{
	size_t counts[VERDICT_DISABLED + 1] = { 0 };
	struct buf checks = BUF_INIT(SIZE_MAX);
	int64_t now = clock_wall_ms();
	const char *word = "pass";
	struct blob *blob;

	for (size_t i = 0; i < fleet_size(h->fleet); i++) {
		const char *name = fleet_at(h->fleet, i)->model_name;
		const uint32_t *v;
		size_t n;

		if (g->first[i] != i)
			continue;
		if (checks.len > 0)
			buf_add_char(&checks, ',');
		json_add_string(&checks, str_of(name));
		checks.data[--checks.len] = '\0'; /* the name of a check says what is measured */
		buf_add_text(&checks, ":health\":[");
		n = groups_find(g, h->fleet, str_of(name), &v);
		for (size_t k = 0; k < n; k++) {
			const struct deployment *d = fleet_at(h->fleet, v[k]);
			enum verdict_state state = fleet_state(h->fleet, d, now);

			counts[state]++;
			add_component(&checks, d, state);
		}
		buf_add_char(&checks, ']');
	}
	if (counts[VERDICT_UNHEALTHY] > 0 && counts[VERDICT_HEALTHY] == 0)
		word = "fail";
	else if (counts[VERDICT_UNHEALTHY] + counts[VERDICT_UNKNOWN] + counts[VERDICT_STALE] > 0)
		word = "warn";
	*status = *word == 'f' ? 503 : 200;
	blob = finish(&checks, word);
	buf_clear(&checks);
	return blob;
}

struct blob *
ietf_self(const struct http *h, int *status)
{
	struct buf checks = BUF_INIT(1024);
	struct database_status database;
	bool lost;
	struct blob *blob;

	database_status(h->database, &database);
	lost = database.state == DATABASE_UNKNOWN || database.state == DATABASE_DISCONNECTED;
	if (database.state != DATABASE_NONE)
		buf_addf(&checks,
		    "\"database:connected\":[{\"componentType\":\"datastore\",\"status\":\"%s\"}]",
		    lost ? "fail" : "pass");
	*status = h->draining || (lost && !http_setting(h, SETTING_DATABASE_OPTIONAL)) ? 503 : 200;
	blob = finish(checks.len > 0 ? &checks : NULL, *status == 503 ? "fail" : lost ? "warn" : "pass");
	buf_clear(&checks);
	return blob;
}
