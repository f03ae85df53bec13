/* SPDX-License-Identifier: Apache-2.0 */
/* Answers about the proxy itself; most are the same for everybody and for ever. */
#include "supervisor/front/http/proxy.h"

#include "supervisor/front/http/server.h"

/* Counts itself, as LiteLLM does. Nothing is queued or turned away here once it has been read. */
void
proxy_handle_backlog(struct conn *c, const struct http_request *r, enum caller caller)
{
	struct buf b = BUF_INIT(256);

	buf_addf(&b,
	    "{\"in_flight_requests\":%zu,\"admitted_requests\":0,\"queued_requests\":0,"
	    "\"rejected_requests\":0}",
	    conn_http(c)->n_waiting + 1);
	route_reply_json(c, 200, blob_copy(buf_str(&b)));
	buf_clear(&b);
}

void
proxy_handle_license(struct conn *c, const struct http_request *r, enum caller caller)
{
	route_reply_text(c, 200,
	    STR("{\"has_license\":false,\"license_type\":\"community\",\"expiration_date\":null,"
		"\"allowed_features\":[],\"limits\":{\"max_users\":null,\"max_teams\":null}}"));
}

void
proxy_handle_test(struct conn *c, const struct http_request *r, enum caller caller)
{
	route_reply_text(c, 200, STR("{\"route\":\"/test\"}"));
}

void
proxy_handle_callbacks(struct conn *c, const struct http_request *r, enum caller caller)
{
	struct buf b = BUF_INIT(1024);

	buf_addf(&b,
	    "{\"alerting\":\"None\",\"litellm.callbacks\":[],\"litellm.input_callback\":[],"
	    "\"litellm.failure_callback\":[],\"litellm.success_callback\":[],"
	    "\"litellm._async_success_callback\":[],\"litellm._async_failure_callback\":[],"
	    "\"litellm._async_input_callback\":[],\"all_litellm_callbacks\":[],"
	    "\"num_callbacks\":0,\"num_alerting\":0,\"litellm.request_timeout\":%lld.0}",
	    (long long)http_setting(conn_http(c), SETTING_REQUEST_TIMEOUT));
	route_reply_json(c, 200, blob_copy(buf_str(&b)));
	buf_clear(&b);
}

void
proxy_handle_key(struct conn *c, const struct http_request *r, enum caller caller)
{
	route_reply_text(c, 200, STR("{\"key\":\"healthy\",\"logging_callbacks\":null}"));
}

void
proxy_handle_cache(struct conn *c, const struct http_request *r, enum caller caller)
{
	route_reply_text(c, 503,
	    STR("{\"error\":{\"message\":\"{\\\"message\\\": \\\"Cache not initialized. litellm.cache "
		"is None\\\", \\\"litellm_cache_params\\\": \\\"{}\\\", "
		"\\\"health_check_cache_params\\\": \\\"{}\\\"}\",\"type\":\"cache_ping_error\","
		"\"param\":\"cache_ping\",\"code\":\"503\"}}"));
}

void
proxy_handle_mcp(struct conn *c, const struct http_request *r, enum caller caller)
{
	route_reply_text(c, 200, STR("[]"));
}
