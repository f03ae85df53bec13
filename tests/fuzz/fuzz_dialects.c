/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the judges of all providers: the first byte chooses the provider, the second the mode and
 * the status, the rest is the body. What must hold: it ends, healthy has no words and unhealthy
 * has, and
 * `{}` or an error is never healthy.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "shared/provider.h"
#include "workers/dialects/dialect.h"

#define MAX_PROVIDERS 256

static const int statuses[] = { 200, 200, 200, 200, 201, 202, 400, 400, 401, 404, 429, 500, 503,
	529, 302, 204 };
static struct target *targets[MAX_PROVIDERS][MODE_COUNT];

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

/* Row i of those that this version speaks; the names differ so that each way of a dialect is gone.
 */
static const struct target *
target_of(size_t i, enum mode mode)
{
	static const char *const models[] = { "m", "claude-m", "v1/m", "gpt-4o", "o/m:v" };
	const struct provider *p;
	size_t n = 0;

	while (provider_at(n))
		n++;
	p = provider_at(i % n);
	if (p->dialect == NULL || dialect_find(str_of(p->dialect)) == NULL)
		p = provider_find(STR("anthropic"));
	if (targets[i][mode] == NULL) {
		struct msg_conf_target msg = { .id = STR("i"),
			.provider = str_of(p->name),
			.dialect = str_of(p->dialect),
			.mode = mode,
			.model = str_of(models[i % 5]),
			.api_base = STR("http://a/v2/models/m/infer"),
			.max_tokens = 16,
			.timeout_ms = 1000 };

		must(target_new(&msg, &targets[i][mode]) == 0);
	}
	return targets[i][mode];
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct response resp = { .header = no_header };
	const struct target *t;
	struct result res;
	char *body;

	if (size < 2)
		return 0;
	t = target_of(data[0], (enum mode)((data[1] >> 4) % MODE_COUNT));
	body = malloc(size - 2 ? size - 2 : 1);
	must(body != NULL);
	memcpy(body, data + 2, size - 2);
	resp.status = statuses[data[1] & 15];
	resp.body = (struct str){ body, size - 2 };
	result_init(&res);
	t->dialect->judge(t, &resp, &res);
	must(res.healthy == (res.error.len == 0) && res.healthy == (res.detail.len == 0));
	must(res.healthy == (res.reason == REASON_OK));
	must(buf_ok(&res.error) && buf_ok(&res.detail));
	must(strchr(buf_text(&res.error), '\n') == NULL);
	must(!res.healthy || size - 2 > 2);
	result_clear(&res);
	free(body);
	return 0;
}
