/* SPDX-License-Identifier: Apache-2.0 */
/* Errors that the server names: counted, logged when they come and when they go, not each time. */
#include "supervisor/front/store/redis_state.h"

#include "shared/log.h"

static const char *const purposes[] = { "put", "claim", "heartbeat", "load", "set", "get" };

bool
redis_note(struct redis *r, enum redis_purpose purpose, const struct redisReply *reply)
{
	enum redis_error e = redis_error_of(reply), was = r->troubles[purpose];

	if (reply == NULL)
		return false;
	r->errors[e].name = redis_error_name(e);
	r->errors[e].count += e != REDIS_ERROR_NONE;
	r->troubles[purpose] = e;
	if (e == was)
		return e == REDIS_ERROR_NONE;
	if (e == REDIS_ERROR_NONE)
		log_event(LOG_LEVEL_NOTICE, "redis_error_over", LS("command", purposes[purpose]),
		    LS("error", redis_error_name(was)));
	else
		log_event(LOG_LEVEL_WARNING, "redis_error", LS("command", purposes[purpose]),
		    LS("error", redis_error_name(e)),
		    LS("means", e == REDIS_ERROR_OTHER ? reply->str : redis_error_means(e)));
	return e == REDIS_ERROR_NONE;
}

void
redis_note_status(const struct redis *r, struct store_status *status)
{
	struct redis_route_status route;

	redis_route_status(r->route, &route);
	status->topology = route.topology;
	status->server = route.server;
	status->moved = route.moved;
	status->asked = route.asked;
	status->again = route.again;
	status->masters = route.masters;
	status->error = "";
	for (int i = 0; i < REDIS_PURPOSES && *status->error == '\0'; i++)
		if (r->troubles[i] != REDIS_ERROR_NONE)
			status->error = redis_error_name(r->troubles[i]);
	status->errors = r->errors;
	status->n_errors = ARRAY_LEN(r->errors);
}
