/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/dialects/body.h"

#include <string.h>

#include "shared/json.h"
#include "workers/dialects/answer.h"

static const char *const greetings[BODY_GREETINGS] = { "Hey how's it going?", "What's 1 + 1?" };

const char *
body_greeting(uint32_t variant)
{
	return greetings[variant % BODY_GREETINGS];
}

const char *
body_prompt(const struct target *t)
{
	const char *prompt = target_param(t, "prompt");

	return prompt ? prompt : "test from litellm";
}

static bool
has_member(const char *object, const char *key)
{
	struct str name, value;
	size_t at = 0;

	if (*object == '\0')
		return false;
	while (answer_member(str_of(object), &at, &name, &value))
		if (str_is(name, key))
			return true;
	return false;
}

bool
body_member(struct buf *b, const struct target *t, const char *key)
{
	if (has_member(t->extra_body, key))
		return false;
	json_add_key(b, key);
	return true;
}

void
body_text(struct buf *b, const struct target *t, const char *key, struct str value)
{
	if (body_member(b, t, key))
		json_add_string(b, value);
}

void
body_messages(struct buf *b, const struct target *t, const char *text)
{
	if (!body_member(b, t, "messages"))
		return;
	buf_add_text(b, "[{\"role\":\"user\",\"content\":");
	json_add_string(b, str_of(text));
	buf_add_text(b, "}]");
}

void
body_add_row(struct buf *b, const struct target *t, const char *members)
{
	struct buf object = BUF_INIT(8192);
	struct str key, value;
	size_t at = 0;

	if (*members == '\0')
		return;
	buf_addf(&object, "{%s}", members);
	while (answer_member(buf_str(&object), &at, &key, &value)) {
		char name[64];

		if (key.n >= sizeof(name))
			continue;
		memcpy(name, key.p, key.n);
		name[key.n] = '\0';
		if (body_member(b, t, name))
			buf_add_str(b, value);
	}
	buf_clear(&object);
}

void
body_add_config(struct buf *b, const struct target *t)
{
	struct str key, value;
	size_t at = 0;

	while (*t->extra_body && answer_member(str_of(t->extra_body), &at, &key, &value)) {
		json_add_comma(b);
		buf_add_char(b, '"');
		buf_add_str(b, key);
		buf_add(b, "\":", 2);
		buf_add_str(b, value);
	}
}
