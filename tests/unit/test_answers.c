/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judges of all dialects against their fixtures: tests/fixtures/DIALECT/answers.json are
 * answers good and bad, errors.json what LiteLLM said of a provider's errors. Of each good answer
 * hostile ones are made: cut off anywhere, of another type, an error with status 200. What a case
 * wants stands in it.
 *
 * usage: test_answers [DIALECT]
 */
#include "tests/unit/fixture.h"

#include <dirent.h>
#include <strings.h>
#include <unistd.h>

#include "shared/json.h"
#include "shared/provider.h"
#include "workers/dialects/dialect.h"

#define FOLDER "tests/fixtures"
/* Longer ones are cut at every few bytes only. */
#define MAX_CUTS 600
#define LARGE ((size_t)1 << 20)

static const char *filter;
static size_t wrong, judged;
#define WRONG(...) (print_error(__VA_ARGS__), print_error("\n"), wrong++)

static struct str
one_header(const struct response *r, const char *name)
{
	const json_t *c = r->arg;

	if (strcasecmp(name, "content-type") == 0)
		return fixture_str(c, "type");
	return (struct str){ NULL, 0 };
}

static struct target *
target_of(const json_t *c)
{
	const struct provider *p = provider_find(fixture_str(c, "provider"));
	int mode = mode_parse(fixture_str(c, "mode"));
	const char *model = fixture_text(c, "model"), *base = fixture_text(c, "api_base"), *key;
	struct msg_conf_target m = {
		.id = STR("id-1"), .max_tokens = 16, .timeout_ms = 60000, .ssl_verify = true
	};
	struct kv params[8];
	struct target *t;
	json_t *value;
	size_t n = 0;

	if (p == NULL)
		p = provider_find(STR("openai"));
	m.provider = str_of(p->name);
	m.dialect = str_of(p->dialect);
	m.mode = (uint32_t)(mode < 0 ? MODE_CHAT : mode);
	m.model = *model ? str_of(model) : STR("m");
	m.api_base = *base ? str_of(base) : STR("http://a/v1");
	json_object_foreach(json_object_get(c, "params"), key, value)
	{
		assert_true(n < ARRAY_LEN(params));
		params[n++] = (struct kv){ str_of(key), str_of(json_string_value(value)) };
	}
	m.params = (struct kvs){ params, n };
	if (target_new(&m, &t) < 0)
		fail_msg("%s: no dialect %s of provider %s", fixture_text(c, "name"), p->dialect,
		    p->name);
	return t;
}

/* What must hold of any verdict. */
static void
check_form(const char *name, const struct result *res)
{
	judged++;
	if (res->healthy != (res->error.len == 0) || res->healthy != (res->detail.len == 0))
		WRONG("%s: words of a healthy answer, or none of an unhealthy one", name);
	if (res->healthy != (res->reason == REASON_OK))
		WRONG("%s: healthy is %d with reason %s", name, res->healthy,
		    reason_name(res->reason));
	if (strchr(buf_text(&res->error), '\n'))
		WRONG("%s: the words are more than a line", name);
	if (!buf_ok(&res->error) || !buf_ok(&res->detail))
		WRONG("%s: the words are too long", name);
}

/* Judges a body of exactly its size, so that a read past its end is seen. */
static void
judge(const struct target *t, const json_t *c, int status, struct str body, const char *name,
    struct result *res)
{
	struct response resp = { .status = status, .header = one_header, .arg = (void *)c };
	char *exact = malloc(body.n ? body.n : 1);

	assert_non_null(exact);
	if (body.n)
		memcpy(exact, body.p, body.n);
	resp.body = (struct str){ exact, body.n };
	result_reset(res);
	buf_add_text(&res->error, "left over");
	t->dialect->judge(t, &resp, res);
	check_form(name, res);
	free(exact);
}

static void
check_case(const struct target *t, const json_t *c, struct str body, struct result *res)
{
	const char *name = fixture_text(c, "name");
	json_t *error = json_object_get(c, "error"), *detail = json_object_get(c, "detail");
	json_t *status = json_object_get(c, "exception_status");
	int reason = fixture_reason(c);
	bool healthy = json_is_true(json_object_get(c, "healthy"));

	judge(t, c, (int)json_integer_value(json_object_get(c, "status")), body, name, res);
	if (res->healthy != healthy)
		WRONG("%s: healthy is %d: %s", name, res->healthy, buf_text(&res->detail));
	if (!healthy && res->reason != (enum reason)reason)
		WRONG("%s: reason %s (%s)", name, reason_name(res->reason), buf_text(&res->detail));
	if (json_is_string(error) && strcmp(buf_text(&res->error), json_string_value(error)) != 0)
		WRONG("%s:\n is %s\nnot %s", name, buf_text(&res->error), json_string_value(error));
	if (json_is_string(detail) &&
	    strcmp(buf_text(&res->detail), json_string_value(detail)) != 0)
		WRONG(
		    "%s:\n is %s\nnot %s", name, buf_text(&res->detail), json_string_value(detail));
	if (status && res->exception_status != json_integer_value(status))
		WRONG("%s: exception_status %lld", name, (long long)res->exception_status);
	if (res->tokens_in != json_integer_value(json_object_get(c, "tokens_in")) ||
	    res->tokens_out != json_integer_value(json_object_get(c, "tokens_out")))
		WRONG("%s: %u and %u tokens", name, res->tokens_in, res->tokens_out);
}

/* Bodies that are no answer to any question. */
static const struct {
	const char *body;
	const char *what;
} strangers[] = {
	{ "", "nothing" },
	{ "{}", "an empty object" },
	{ "[]", "an empty list" },
	{ "null", "null" },
	{ "true", "true" },
	{ "0", "a number" },
	{ "\"ok\"", "a text" },
	{ "[{}]", "a list of an empty object" },
	{ "[[]]", "a list of an empty list" },
	{ "{\"a\":1,\"a\":", "half an object" },
	{ "<html><body>Welcome</body></html>", "a page" },
	{ "\xff\xfe{\0}\0", "another encoding" },
	{ "{\"\":{\"\":{\"\":[[[[]]]]}}}", "names without letters" },
};

static int
status_of(const json_t *c)
{
	return (int)json_integer_value(json_object_get(c, "status"));
}

static void
expect_sick(
    const struct target *t, const json_t *c, struct str body, const char *what, struct result *res)
{
	char name[512];

	snprintf(name, sizeof(name), "%s, %s", fixture_text(c, "name"), what);
	judge(t, c, status_of(c), body, name, res);
	if (res->healthy)
		WRONG("%s: healthy", name);
}

/* Each member of the answer, one after the other, of the wrong kind. */
static void
check_types(const struct target *t, const json_t *c, struct str body, struct result *res)
{
	static const char *const others[] = { "null", "{}", "[]", "\"\"", "-1e400", "true" };
	json_t *root = json_loadb(body.p, body.n, JSON_ALLOW_NUL, NULL), *value;
	const char *key;

	/* What jansson will not read is in the fixture for the sake of that. */
	json_object_foreach(root, key, value)
	{
		for (size_t i = 0; i < ARRAY_LEN(others); i++) {
			struct buf b = BUF_INIT((size_t)1 << 20);
			const char *other;
			json_t *member;

			buf_add_char(&b, '{');
			json_object_foreach(root, other, member)
			{
				char *text = json_dumps(member, JSON_ENCODE_ANY | JSON_COMPACT);

				json_add_comma(&b);
				json_add_string(&b, str_of(other));
				buf_add_char(&b, ':');
				buf_add_text(&b, strcmp(other, key) == 0 ? others[i] : text);
				free(text);
			}
			buf_add_char(&b, '}');
			judge(t, c, status_of(c), buf_str(&b), key, res);
			buf_clear(&b);
		}
		(void)value;
	}
	json_decref(root);
}

static void
check_hostile(const struct target *t, const json_t *c, struct str body, struct result *res)
{
	static const char deep[] = "[[[[[[[[[[[[[[[[[[[[";
	struct buf b = BUF_INIT((size_t)8 << 20);

	while (body.n > 0 && strchr(" \t\r\n", body.p[body.n - 1]))
		body.n--;
	for (size_t n = 0; n < body.n; n += 1 + body.n / MAX_CUTS)
		expect_sick(t, c, (struct str){ body.p, n }, "cut off", res);
	for (size_t i = 0; i < ARRAY_LEN(strangers); i++)
		expect_sick(t, c, str_of(strangers[i].body), strangers[i].what, res);
	for (int i = 0; i < 100; i++)
		buf_add_text(&b, deep);
	expect_sick(t, c, buf_str(&b), "nested without end", res);
	/* Far more than was asked for: it ends, and the words stay short. */
	if (body.n > 2 && body.p[0] == '{') {
		buf_reset(&b);
		buf_add_text(&b, "{\"filler\":\"");
		memset(buf_reserve(&b, LARGE), 'a', LARGE);
		buf_commit(&b, LARGE);
		buf_add_text(&b, "\",");
		buf_add(&b, body.p + 1, body.n - 1);
		judge(t, c, status_of(c), buf_str(&b), "large", res);
		judge(t, c, 500, buf_str(&b), "large, and an error", res);
	}
	buf_reset(&b);
	buf_add_text(
	    &b, "{\"error\":{\"message\":\"Invalid API key\",\"type\":\"authentication_error\"}}");
	expect_sick(t, c, buf_str(&b), "an error", res);
	if (res->reason != REASON_AUTH)
		WRONG("%s: an error with status 200 is %s", fixture_text(c, "name"),
		    reason_name(res->reason));
	/* The answer with an error in it is an error. */
	if (body.n > 2 && body.p[0] == '{' && memmem(body.p, body.n, "\"error\"", 7) == NULL) {
		buf_reset(&b);
		buf_add_text(&b, "{\"error\":\"quota exceeded\",");
		buf_add(&b, body.p + 1, body.n - 1);
		expect_sick(t, c, buf_str(&b), "an error in it", res);
		check_types(t, c, body, res);
	}
	buf_clear(&b);
}

static void
check(const json_t *c)
{
	struct buf body = BUF_INIT((size_t)4 << 20);
	struct target *t = target_of(c);
	struct result res;

	result_init(&res);
	fixture_body(c, &body);
	check_case(t, c, buf_str(&body), &res);
	/* Sound is judged by its first bytes only. */
	if (json_is_true(json_object_get(c, "healthy")) && body.len > 0 &&
	    *fixture_text(c, "type") == '\0' && *fixture_text(c, "hex") == '\0' &&
	    (status_of(c) == 200 || status_of(c) == 101))
		check_hostile(t, c, buf_str(&body), &res);
	result_clear(&res);
	buf_clear(&body);
	target_free(t);
}

/* False when there is no such list. */
static bool
check_list(const char *dialect, const char *file, size_t *n)
{
	char path[256];
	json_t *list, *c;
	size_t i;

	snprintf(path, sizeof(path), FOLDER "/%.100s/%s", dialect, file);
	if (access(unit_source_path(path), R_OK) != 0)
		return false;
	list = fixture_load(path);
	json_array_foreach(list, i, c) check(c);
	*n += i;
	json_decref(list);
	return true;
}

static void
test_folders(void **state)
{
	DIR *dir = opendir(unit_source_path(FOLDER));
	struct dirent *entry;
	size_t n = 0, folders = 0;

	(void)state;
	assert_non_null(dir);
	wrong = judged = 0;
	while ((entry = readdir(dir)) != NULL) {
		bool any;

		if (entry->d_name[0] == '.' || (filter && strcmp(filter, entry->d_name) != 0))
			continue;
		any = check_list(entry->d_name, "answers.json", &n);
		any = check_list(entry->d_name, "errors.json", &n) || any;
		folders += any;
	}
	closedir(dir);
	print_message("# %zu cases of %zu dialects, %zu answers judged\n", n, folders, judged);
	assert_true(folders > 0);
	assert_int_equal(wrong, 0);
}

/* Each dialect has answers that are right, from which the hostile ones are made. */
static void
test_each_dialect(void **state)
{
#define DIALECT(name, shapes) #name,
	static const char *const names[] = {
#include "shared/dialects.def"
	};
#undef DIALECT

	(void)state;
	for (size_t i = 0; filter == NULL && i < ARRAY_LEN(names); i++) {
		char path[256];
		json_t *list, *c;
		size_t k, good = 0, bad = 0;

		snprintf(path, sizeof(path), FOLDER "/%s/answers.json", names[i]);
		if (access(unit_source_path(path), R_OK) != 0)
			fail_msg("%s has no answers.json", names[i]);
		list = fixture_load(path);
		json_array_foreach(list, k, c)
		{
			if (json_is_true(json_object_get(c, "healthy")))
				good++;
			else
				bad++;
		}
		if (good == 0 || bad == 0)
			fail_msg("%s: %zu answers are right, %zu are not", names[i], good, bad);
		json_decref(list);
	}
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_folders),
		cmocka_unit_test(test_each_dialect),
	};

	if (argc > 1)
		filter = argv[1];
	return cmocka_run_group_tests_name("answers", tests, NULL, NULL);
}
