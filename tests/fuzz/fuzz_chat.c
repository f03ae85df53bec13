/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes a caller's chat on its way into a deployment's request: the first byte chooses the
 * deployment, the rest is the body. What must hold: what is built is JSON, names the deployment's
 * own model once and first of all its members, and holds no key.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "shared/json.h"
#include "shared/json_read.h"
#include "shared/provider.h"
#include "workers/dialects/chat.h"

#define KEY "sk-of-the-deployment"

static const char *const extras[] = { "", "{\"temperature\":1}",
	"{\"user\":\"c\",\"model\":\"no\"}" };
static struct target *targets[2][ARRAY_LEN(extras)];

static void
must(int truth)
{
	if (!truth)
		abort();
}

static const struct target *
target_of(unsigned i)
{
	static const char *const providers[] = { "openai", "azure" };
	struct target **t = &targets[i % 2][i / 2 % ARRAY_LEN(extras)];
	struct kv secret = { STR("api_key"), STR(KEY) };
	const struct msg_conf_target m = { .id = STR("i"),
		.provider = str_of(providers[i % 2]),
		.dialect = str_of(providers[i % 2]),
		.mode = MODE_CHAT,
		.model = STR("own-model"),
		.api_base = STR("http://a.test"),
		.secrets = { &secret, 1 },
		.extra_body = str_of(extras[i / 2 % ARRAY_LEN(extras)]),
		.max_tokens = 16,
		.timeout_ms = 1000 };

	if (*t == NULL)
		must(target_new(&m, t) == 0);
	return *t;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf read = BUF_INIT(SIZE_MAX / 2);
	struct build_context ctx = { 0 };
	struct str rest, key, value;
	struct chat chat;
	struct request req;
	struct result why;
	size_t models = 0;
	char *body;

	if (size < 1)
		return 0;
	body = malloc(size);
	must(body != NULL);
	memcpy(body, data + 1, size - 1);
	chat_init(&chat);
	request_init(&req);
	result_init(&why);
	if (chat_build(target_of(data[0]), (struct str){ body, size - 1 }, &ctx, &chat, &req, &why) == 0) {
		must(json_read(buf_str(&req.body), &read, NULL) == 0);
		rest = buf_str(&read);
		while (json_next_member(&rest, &key, &value))
			if (str_is(key, "model")) {
				models++;
				must(str_is(value, "\"own-model\""));
			}
		must(models == 1);
		must(memmem(req.body.data, req.body.len, KEY, strlen(KEY)) == NULL ||
		     memmem(body, size - 1, KEY, strlen(KEY)) != NULL);
	} else {
		must(why.detail.len > 0);
	}
	buf_clear(&read);
	chat_clear(&chat);
	request_clear(&req);
	result_clear(&why);
	free(body);
	return 0;
}
