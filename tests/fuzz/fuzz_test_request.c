/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of test_connection: whatever is to be asked carries no configured value and no second header. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "supervisor/front/http/groups.h"
#include "supervisor/front/http/test_request.h"

static struct fleet *
make_fleet(void)
{
	static struct str texts[SETTING_COUNT];
	static struct buf kept[SETTING_COUNT];
	struct msg_conf_begin begin = { .generation = 1, .full = true, .settings = { texts, SETTING_COUNT },
		.key_digest = STR("") };
	struct msg_conf_deployment d = { .generation = 1, .handle = 1, .id = STR("id-ok"), .model_name = STR("ok"),
		.model = STR("openai/ok"), .provider = STR("openai"), .mode = STR("chat"), .host = STR(""),
		.info = STR("{}"), .timeout_ms = 5000, .problem = STR("") };
	struct msg_conf_commit commit = { 1, 1 };
	struct fleet *f = fleet_new();
	struct settings s;

	settings_init(&s);
	for (int i = 0; i < SETTING_COUNT; i++) {
		buf_init(&kept[i], 1 << 16);
		settings_get_text(&s, (enum setting)i, &kept[i]);
		texts[i] = buf_str(&kept[i]);
	}
	settings_clear(&s);
	if (fleet_conf_begin(f, &begin) < 0 || fleet_conf_deployment(f, &d) < 0 || fleet_conf_commit(f, &commit) < 0)
		abort();
	return f;
}

static void
check(const struct msg_test *m)
{
	if (!m->own && (m->api_base.n > 0 || m->params.n > 0 || m->secrets.n > 0 || m->headers.n > 0))
		abort();
	if (m->own ? m->api_base.n == 0 : m->handle == 0)
		abort();
	for (size_t i = 0; i < m->headers.n; i++)
		if (memchr(m->headers.v[i].value.p, '\n', m->headers.v[i].value.n))
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fleet *fleet;
	static struct groups groups;
	struct str body = { (const char *)data, size };
	struct buf shown = BUF_INIT((size_t)8 << 20);
	struct test_request *t;

	if (fleet == NULL) {
		fleet = make_fleet();
		groups_update(&groups, fleet);
	}
	t = test_request_new(body, fleet, &groups);
	if (test_request_outcome(t) == TEST_ASK)
		check(test_request_message(t, STR("")));
	else if (test_request_error(t).n == 0)
		abort();
	test_request_add_shown(t, &shown);
	buf_clear(&shown);
	test_request_free(t);
	return 0;
}
