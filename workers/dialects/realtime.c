/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenAI's realtime API and those that copy it: a WebSocket whose first event is a JSON object with
 * a `type`: session.created, or error. No compression is offered: one event is not worth it.
 */
#include "workers/dialects/realtime.h"

#include <openssl/evp.h>
#include <string.h>

#include "workers/dialects/answer.h"
#include "workers/dialects/headers.h"
#include "workers/dialects/judge.h"
#include "workers/dialects/words.h"

#define KEY_SIZE 25 /* 16 bytes in base64 */

int
realtime_end(struct asking *a)
{
	static const char *const fixed[][2] = { { "Upgrade", "websocket" },
		{ "Connection", "Upgrade" }, { "Sec-WebSocket-Version", "13" } };
	const struct target *t = a->t;
	struct request *req = a->req;
	struct buf url = BUF_INIT(REQUEST_MAX_URL);
	char key[KEY_SIZE];
	int err = 0;

	/* "https://" becomes "wss://". */
	buf_add_text(&url, "ws");
	buf_add_text(&url, buf_text(&req->url) + (req->url.len > 4 ? 4 : 0));
	buf_reset(&req->url);
	buf_add_str(&req->url, buf_str(&url));
	if (!buf_ok(&url))
		buf_add(&req->url, "", REQUEST_MAX_URL);
	buf_clear(&url);
	(void)EVP_EncodeBlock((unsigned char *)key, a->ctx->random, sizeof(a->ctx->random));
	for (size_t i = 0; err == 0 && i < ARRAY_LEN(fixed); i++)
		err = ask_header(a, fixed[i][0], fixed[i][1]);
	if (err < 0 || (err = ask_header(a, "Sec-WebSocket-Key", key)) < 0 ||
	    (!(a->call.flags & CALL_NO_AUTH) &&
		(err = headers_add_key(t, &a->call, STR("Authorization"), t->provider->auth_scheme,
		     req, a->why)) < 0) ||
	    (err = ask_header(a, "User-Agent", "llmhealth/" PACKAGE_VERSION)) < 0 ||
	    (err = headers_add_config(t, req, a->why)) < 0)
		return err;
	return ask_end(a);
}

enum place { AT_ROOT, AT_TYPE, AT_ERROR, AT_MESSAGE, AT_ERROR_TYPE, AT_CODE, N_PLACES };

static const struct answer_place places[N_PLACES] = {
	[AT_ROOT] = { -1, NULL },
	[AT_TYPE] = { AT_ROOT, "type" },
	[AT_ERROR] = { AT_ROOT, "error" },
	[AT_MESSAGE] = { AT_ERROR, "message" },
	[AT_ERROR_TYPE] = { AT_ERROR, "type" },
	[AT_CODE] = { AT_ERROR, "code" },
};

static struct str
text_of(const struct answer_value *v, struct buf *b)
{
	if (v->kind == ANSWER_STRING)
		answer_text(b, v->raw);
	return buf_str(b);
}

void
realtime_judge(const struct target *t, const struct response *resp, struct result *res)
{
	struct buf type = BUF_INIT(1024), message = BUF_INIT(4096), code = BUF_INIT(1024);
	struct answer_value v[N_PLACES];
	struct answer_fault fault;
	struct words_reply reply = { .shown = resp->body, .searched = resp->body };

	result_reset(res);
	if (resp->status != 101) {
		words_shape(t, NULL, STR("no WebSocket"),
		    STR("a status of success, but 101 was expected: the provider does not switch "
			"to a "
			"WebSocket"),
		    res);
		return;
	}
	if (answer_read(resp->body, places, N_PLACES, v, &fault) < 0) {
		words_not_json(t, CLIENT_HTTPX, resp->body, &fault, res);
		return;
	}
	if ((v[AT_ERROR].kind != ANSWER_ABSENT && v[AT_ERROR].kind != ANSWER_NULL) ||
	    (v[AT_TYPE].kind == ANSWER_STRING && str_is(v[AT_TYPE].raw, "error"))) {
		reply.message = text_of(
		    &v[v[AT_ERROR].kind == ANSWER_STRING ? AT_ERROR : AT_MESSAGE], &message);
		reply.type = text_of(&v[AT_ERROR_TYPE], &type);
		reply.code = text_of(&v[AT_CODE], &code);
		words_error_body(t, &reply, res);
	} else if (v[AT_TYPE].kind != ANSWER_STRING || v[AT_TYPE].raw.n == 0) {
		words_shape(t, NULL, STR("the first event has no type"),
		    STR("the WebSocket's first event has no `type`, session.created was expected"),
		    res);
	} else {
		judge_healthy(res);
	}
	buf_clear(&type);
	buf_clear(&message);
	buf_clear(&code);
}
