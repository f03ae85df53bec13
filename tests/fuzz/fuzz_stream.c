/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the reading of streams. The first byte chooses the format, the second how many bytes come
 * at a time; the rest is the body. What must hold: it ends; what is read piece by piece comes to
 * the same verdict as the whole; a verdict that is not healthy has words of one line.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "shared/json.h"
#include "workers/dialects/stream.h"

static const struct {
	const char *provider, *dialect;
	enum mode mode;
} formats[] = {
	{ "openai", "openai", MODE_CHAT },
	{ "text-completion-openai", "openai", MODE_COMPLETION },
	{ "openai", "openai", MODE_RESPONSES },
	{ "anthropic", "anthropic", MODE_CHAT },
	{ "gemini", "gemini", MODE_CHAT },
};

static struct target *targets[ARRAY_LEN(formats)];

static void
must(int truth)
{
	if (!truth)
		abort();
}

static struct str
no_header(const struct response *r, const char *name)
{
	(void)r;
	(void)name;
	return (struct str){ NULL, 0 };
}

static const struct target *
target_of(size_t i)
{
	static const struct kv probe = { STR("probe"), STR("stream") };
	struct msg_conf_target msg = { .id = STR("i"),
		.provider = str_of(formats[i].provider),
		.dialect = str_of(formats[i].dialect),
		.mode = formats[i].mode,
		.model = STR("m"),
		.api_base = STR("http://a/v1"),
		.params = { &probe, 1 },
		.max_tokens = 16,
		.timeout_ms = 1000 };

	if (targets[i] == NULL)
		must(target_new(&msg, &targets[i]) == 0);
	return targets[i];
}

static void
check(const struct result *res)
{
	must(res->healthy == (res->reason == REASON_OK));
	must(res->healthy == (res->error.len == 0));
	must(memchr(res->detail.len ? res->detail.data : "", '\n', res->detail.len) == NULL);
	must(utf8_valid(buf_str(&res->detail)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct target *t;
	struct str body;
	struct result whole, part;
	struct sse sse = { 0 };
	enum dialect_watched w = DIALECT_WAITS;
	size_t step, n = 0;

	if (size < 2)
		return 0;
	t = target_of(data[0] % ARRAY_LEN(formats));
	step = data[1] % 64 + (size > 65536 ? 4096u : 1u);
	body = (struct str){ (const char *)data + 2, size - 2 };
	result_init(&whole);
	result_init(&part);
	while (n < body.n && w == DIALECT_WAITS) {
		n = n + step < body.n ? n + step : body.n;
		w = t->dialect->watch(t, &sse, (struct str){ body.p, n });
		must(sse.event <= sse.line && sse.line <= n && sse.seen <= n);
	}
	t->dialect->judge(t, &(struct response){ 200, body, no_header, NULL }, &whole);
	check(&whole);
	t->dialect->judge(
	    t, &(struct response){ 200, { body.p, n }, no_header, NULL }, &part);
	check(&part);
	must(whole.healthy == part.healthy);
	must(w != DIALECT_TOKEN || whole.healthy);
	result_clear(&whole);
	result_clear(&part);
	return 0;
}
