/* SPDX-License-Identifier: Apache-2.0 */
/* LiteLLM's shapes of an error: `{"error":{"message"…}}`, `{"detail":…}`, `{"status":…}`, a bare text. */
#include "supervisor/front/http/problem.h"

#include "shared/json.h"
#include "shared/json_read.h"
#include "supervisor/front/http/accept.h"

#define MEDIA_TYPE "application/problem+json"
#define BODY_MAX (1u << 20)

bool
problem_wanted(struct str accept)
{
	return accept_weight(accept, MEDIA_TYPE) > 0;
}

/* The sentence in the error, and the member that is kept as it is (key NULL: none). */
static bool
find(struct str body, struct str *sentence, const char **key, struct str *kept)
{
	struct str error, detail;

	*key = NULL;
	if (*body.p == '"') {
		*sentence = body;
		return true;
	}
	error = json_read_member(body, "error");
	detail = json_read_member(body, "detail");
	if (error.n > 0 && *error.p == '{') {
		*key = "error";
		*kept = error;
		*sentence = json_read_member(error, "message");
	} else if (detail.n > 0 && *detail.p == '[') {
		*key = "errors";
		*kept = detail;
		*sentence = STR("\"the parameters are not valid\"");
	} else if (detail.n > 0 && *detail.p == '{') {
		*sentence = json_read_member(detail, "error");
	} else if (detail.n > 0) {
		*sentence = detail;
	} else {
		*sentence = json_read_member(body, "status");
	}
	return sentence->n > 0 && *sentence->p == '"';
}

struct blob *
problem_of(struct reply *r)
{
	struct buf read = BUF_INIT(BODY_MAX), b = BUF_INIT(2 * BODY_MAX);
	struct str body, sentence, kept;
	struct blob *problem = NULL;
	const char *key;

	if (r->body == NULL || r->lead.n > 0 ||
	    json_read((struct str){ r->body->data, r->body->len }, &read, NULL) < 0) {
		buf_clear(&read);
		return NULL;
	}
	body = buf_str(&read);
	if (find(body, &sentence, &key, &kept)) {
		buf_addf(&b, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":",
		    reply_phrase(r->status), r->status);
		buf_add_str(&b, sentence);
		if (key) {
			json_add_key(&b, key);
			buf_add_str(&b, kept);
		}
		buf_add_char(&b, '}');
		problem = blob_of_buf(&b);
		r->body = problem;
		r->type = REPLY_PROBLEM;
		r->vary = STR("Origin, Accept");
	}
	buf_clear(&read);
	return problem;
}
