/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/expect.h"

#include <stdlib.h>
#include <string.h>

#include "shared/probes.h"
#include "workers/dialects/answer.h"
#include "workers/dialects/words.h"

static const struct str no_text = { NULL, 0 };

static void
refuse(const struct target *t, const struct buf *why, struct result *res)
{
	words_shape(t, NULL, no_text, buf_str(why), res);
}

static bool
member_of(struct str *at, struct str name)
{
	struct str key, value, found = no_text;
	size_t i = 0;

	while (answer_member(*at, &i, &key, &value))
		if (str_eq(key, name))
			found = value; /* of one that comes twice the last counts */
	*at = found;
	return found.n > 0;
}

static bool
element_of(struct str *at, size_t number)
{
	struct str value;
	size_t i = 0;

	while (answer_element(*at, &i, &value))
		if (number-- == 0) {
			*at = value;
			return true;
		}
	return false;
}

/* The value at the path of a checked body. */
static bool
find(struct str body, const char *path, struct str *value)
{
	struct str left = str_of(path), member;
	size_t element;

	*value = body;
	while (probe_path_step(&left, &member, &element))
		if (!(member.n > 0 ? member_of(value, member) : element_of(value, element)))
			return false;
	return left.n == 0;
}

/* A text as it reads, all else as JSON. */
static void
add_plain(struct buf *b, struct str value)
{
	if (value.n >= 2 && value.p[0] == '"')
		answer_text(b, (struct str){ value.p + 1, value.n - 2 });
	else
		buf_add_str(b, value);
}

void
expect_judge(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct answer_place whole[] = { { -1, NULL } };
	const char *status = target_param(t, "expect_status"),
		   *path = target_param(t, "expect_path");
	const char *text = target_param(t, "expect_text");
	struct buf why = BUF_INIT(2048), plain = BUF_INIT((size_t)64 << 20);
	struct answer_value value;
	struct answer_fault fault;
	struct str at = resp->body;

	if (!res->healthy || (status == NULL && path == NULL && text == NULL))
		return;
	if (status && atoi(status) != resp->status) {
		buf_addf(&why, "status %d where %s is expected", resp->status, status);
	} else if (path && answer_read(resp->body, whole, 1, &value, &fault) < 0) {
		buf_addf(&why, "the answer is no JSON, and `%.256s` is expected in it", path);
	} else if (path && !find(resp->body, path, &at)) {
		buf_addf(&why, "the answer has no `%.256s`, which is expected", path);
	} else if (text) {
		if (path)
			add_plain(&plain, at);
		else
			buf_add_str(&plain, at);
		if (plain.len == 0 || memmem(plain.data, plain.len, text, strlen(text)) == NULL) {
			buf_addf(&why, "%s%.256s%s does not hold the text that is expected",
			    path ? "`" : "the answer", path ? path : "", path ? "`" : "");
		}
	}
	if (why.len > 0)
		refuse(t, &why, res);
	buf_clear(&why);
	buf_clear(&plain);
}
