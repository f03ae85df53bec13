/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of providers, row by row, against what is recorded of each: the name's prefix, the
 * dialect, base, key and base variables in their order, the auth of the request that is built, the
 * URLs that a given api_base makes, parameters. What differs must be said in
 * tests/fixtures/providers/differences.json, with its reason.
 *
 * usage: test_provider_rows [-v]      -v shows those too that are on purpose
 */
#include "tests/unit/fixture.h"

#include <dirent.h>
#include <fnmatch.h>

#include "shared/provider.h"
#include "tests/unit/header_of.h"
#include "tests/unit/loaded.h"
#include "tests/unit/probe_build.h"

#define MAX_TEXT 8192
#define RULES_MAX 128
#define MANY 16

enum column { PREFIX, DIALECT, BASE, KEYS, BASES, AUTH, JOINS, PARAMS, LIMIT, HEADERS, MODES, COLUMNS };

static const char *const column_names[COLUMNS] = { "prefix", "dialect", "base", "keys", "bases", "auth",
	"joins", "params", "limit", "headers", "modes" };

enum verdict { NOTHING, SAME, ON_PURPOSE, WRONG, VERDICTS };

static const char marks[VERDICTS] = { ' ', '=', '~', '!' };

static json_t *rules, *probes, *joins;
static bool rule_used[RULES_MAX];
static enum verdict row_marks[COLUMNS];
static unsigned totals[COLUMNS][VERDICTS];
static const char *row_name;
static bool verbose;

/* ---- what differs ---- */

static bool
listed(const json_t *patterns, const char *text)
{
	for (size_t i = 0; i < json_array_size(patterns); i++)
		if (fnmatch(json_string_value(json_array_get(patterns, i)), text, 0) == 0)
			return true;
	return false;
}

static const char *
reason_of(enum column column, const char *what)
{
	json_t *rule;
	size_t i;

	json_array_foreach(rules, i, rule)
	{
		assert_true(i < RULES_MAX);
		if (strcmp(fixture_text(rule, "column"), column_names[column]) == 0 &&
		    listed(json_object_get(rule, "rows"), row_name) &&
		    (json_object_get(rule, "what") == NULL || listed(json_object_get(rule, "what"), what))) {
			rule_used[i] = true;
			return fixture_text(rule, "why");
		}
	}
	return NULL;
}

/* One fact of the row: `what` names it within its column. */
static void
compare(enum column column, const char *what, const char *recorded, const char *ours)
{
	enum verdict mark = strcmp(recorded, ours) == 0 ? SAME : WRONG;
	const char *why = mark == SAME ? NULL : reason_of(column, what);

	if (why)
		mark = ON_PURPOSE;
	if (mark == WRONG || (mark == ON_PURPOSE && verbose))
		printf("# %s %s, %s %s: recorded %s, ours %s%s%s\n", mark == WRONG ? "WRONG" : "on purpose",
		    row_name, column_names[column], what, recorded, ours, why ? ": " : "", why ? why : "");
	totals[column][mark]++;
	if (mark > row_marks[column])
		row_marks[column] = mark;
}

/* ---- variables ---- */

struct environment {
	char names[MANY][64];
	size_t n, unset; /* those before `unset` are not there */
};

/* The value of a variable is its name. */
static const char *
look_up(void *arg, const char *name)
{
	const struct environment *env = arg;

	for (size_t i = env->unset; i < env->n; i++)
		if (strcmp(env->names[i], name) == 0)
			return env->names[i];
	return NULL;
}

/* "A+B(+C)" is A and B; the first of them is the place in the order. */
static void
read_variables(const json_t *list, struct environment *env)
{
	const char *entry;
	json_t *value;
	size_t i;

	env->n = env->unset = 0;
	json_array_foreach(list, i, value)
	{
		entry = json_string_value(value);
		while (*entry && *entry != '(') {
			size_t n = strcspn(entry, "+(");

			assert_true(env->n < MANY);
			snprintf(env->names[env->n++], sizeof(env->names[0]), "%.*s", (int)n, entry);
			entry += n + (entry[n] == '+');
		}
	}
}

/* Each variable is taken where those before it are not there; of "A+B" only A has a place. */
static void
walk_keys(const struct provider *p, const json_t *row, enum mode mode)
{
	struct environment env;
	const json_t *value;
	size_t i;

	json_array_foreach(json_object_get(row, "key_env"), i, value)
	{
		const char *entry = json_string_value(value), *found;
		char name[256], first_of[64];

		read_variables(json_object_get(row, "key_env"), &env);
		snprintf(first_of, sizeof(first_of), "%.*s", (int)strcspn(entry, "+("), entry);
		while (env.unset < env.n && strcmp(env.names[env.unset], first_of) != 0)
			env.unset++;
		found = provider_key(p, mode, look_up, &env, name, sizeof(name));
		compare(KEYS, first_of, first_of, found ? found : "none");
	}
	/* And no variable of another's. */
	env.n = env.unset = 0;
	for (size_t k = 0;; k++) {
		char name[256];

		if (!provider_key_name(p, mode, k, name, sizeof(name)))
			break;
		read_variables(json_object_get(row, "key_env"), &env);
		name[strcspn(name, "+")] = '\0';
		compare(KEYS, name, name, look_up(&env, name) ? name : "read here alone");
	}
}

static void
walk_bases(const struct provider *p, const json_t *row, enum mode mode)
{
	struct environment env;

	read_variables(json_object_get(row, "base_env"), &env);
	for (; env.unset < env.n; env.unset++) {
		struct buf base = BUF_INIT(MAX_TEXT);

		if (provider_base(p, mode, STR(""), look_up, NULL, &env, &base, NULL) < 0)
			buf_add_text(&base, "none");
		compare(BASES, env.names[env.unset], env.names[env.unset], buf_text(&base));
		buf_clear(&base);
	}
}

static void
walk_base(const struct provider *p, const json_t *row, enum mode mode)
{
	struct environment env = { .n = 0 };
	struct buf base = BUF_INIT(MAX_TEXT);
	const char *recorded = fixture_text(row, "default_base");

	if (provider_base(p, mode, STR(""), look_up, look_up, &env, &base, NULL) < 0)
		buf_add_text(&base, "none");
	compare(BASE, "", *recorded ? recorded : "none", buf_text(&base));
	buf_clear(&base);
}

/* ---- what is built ---- */

static json_t *
recording(const char *provider, const char *mode)
{
	char name[128];

	snprintf(name, sizeof(name), "%s-%s", provider, mode);
	return json_object_get(probes, name);
}

/* How the key goes out: "HEADER Scheme", "HEADER " for a bare key, "none". */
static void
describe_auth(const struct request *req, const char *header, struct buf *out)
{
	const char *value = header_of(req, header);

	if (value == NULL)
		buf_add_text(out, "none");
	else
		buf_addf(out, "%s %.*s", header, strchr(value, ' ') ? (int)strcspn(value, " ") : 0, value);
}

static const char *
str_lower(const char *text)
{
	static char lower[64];
	size_t i = 0;

	for (; text[i] && i + 1 < sizeof(lower); i++)
		lower[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] | 32 : text[i]);
	lower[i] = '\0';
	return lower;
}

/* A copy that is asked somewhere: without a host of its own LiteLLM's went to another provider's. */
static json_t *
at_a_base(const json_t *c)
{
	json_t *copy = json_deep_copy(c);
	json_t *params = json_object_get(json_object_get(copy, "deployment"), "litellm_params");

	if (json_object_get(params, "api_base") == NULL && provider_find(str_of(row_name))->base == NULL)
		json_object_set_new(params, "api_base", json_string("https://gw.test/v1"));
	return copy;
}

static void
walk_auth(const json_t *row)
{
	const json_t *auth = json_object_get(row, "auth"), *mode;
	const char *header = fixture_text(auth, "header"), *scheme = fixture_text(auth, "scheme");
	char wanted[256];
	size_t i;

	if (!json_is_object(auth))
		return;
	snprintf(wanted, sizeof(wanted), "%s %s", header, strcmp(scheme, "(raw key)") ? scheme : "");
	json_array_foreach(json_object_get(row, "modes"), i, mode)
	{
		json_t *c = at_a_base(recording(row_name, json_string_value(mode)));
		struct buf ours = BUF_INIT(MAX_TEXT);
		struct probe_built b;
		bool follows;

		/* Of a mode with a header of its own it is compared elsewhere. */
		if (!json_object_get(json_object_get(probe_recorded(c, &follows), "headers"),
			str_lower(header))) {
			json_decref(c);
			continue;
		}
		probe_build(c, &b);
		if (b.asked)
			describe_auth(&b.request, header, &ours);
		else
			buf_add_text(&ours, "not asked");
		compare(AUTH, json_string_value(mode), wanted, buf_text(&ours));
		probe_build_clear(&b);
		buf_clear(&ours);
		json_decref(c);
	}
}

/* The recorded deployment, asked at each of the bases. */
static void
walk_joins(const json_t *join_row)
{
	const char *base, *mode = fixture_text(join_row, "mode");
	json_t *path, *c = recording(row_name, mode);

	json_object_foreach(json_object_get(join_row, "join"), base, path)
	{
		json_t *copy = json_deep_copy(c);
		const char *own = strchr(base + 8, '/');
		char wanted[MAX_TEXT], what[256];
		struct buf ours = BUF_INIT(MAX_TEXT);
		struct probe_built b;
		size_t host;

		if (c == NULL)
			fail_msg("no recording of %s in mode %s", row_name, mode);
		json_object_set_new(json_object_get(json_object_get(copy, "deployment"), "litellm_params"),
		    "api_base", json_string(base));
		snprintf(wanted, sizeof(wanted), "%.*s%s", (int)(own - base), base, json_string_value(path));
		snprintf(what, sizeof(what), "%s %s", mode, base);
		probe_build(copy, &b);
		if (!b.asked)
			buf_addf(&ours, "%.300s", buf_text(&b.problem));
		else
			buf_add_str(&ours, buf_str(&b.request.url));
		/* A WebSocket's scheme is not the base's. */
		host = strncmp(buf_text(&ours), "wss://", 6) == 0 ? 6 : 0;
		compare(JOINS, what, wanted + (host ? 8 : 0), buf_text(&ours) + host);
		probe_build_clear(&b);
		buf_clear(&ours);
		json_decref(copy);
	}
}

static bool
holds(struct kvs list, const char *key, const char *value)
{
	for (size_t i = 0; i < list.n; i++)
		if (str_is(list.v[i].key, key) && str_is(list.v[i].value, value))
			return true;
	return false;
}

/* A parameter of the deployment comes to the worker, and is not a member of the body. */
static void
walk_param(const json_t *c, const char *entry)
{
	json_t *params = json_deep_copy(
	    json_object_get(json_object_get(c, "deployment"), "litellm_params"));
	json_t *info = json_object_get(json_object_get(c, "deployment"), "model_info");
	char name[64], *text;
	json_t *config;
	struct loaded l;
	const char *found = "not there";

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(entry, " "), entry);
	json_object_set_new(params, name, json_string("T6"));
	config = json_pack("{s:[{s:s,s:o,s:O}]}", "model_list", "model_name", "m", "litellm_params", params,
	    "model_info", info);
	text = json_dumps(config, JSON_COMPACT);
	load_text(&l, text, NULL);
	if (l.rc == 0 && l.config->n_deployments == 1) {
		const struct msg_conf_target *m = &l.config->deployments[0].target;

		if (memmem(m->extra_body.p, m->extra_body.n, "T6", 2))
			found = "in the body";
		else if (holds(m->params, name, "T6") || holds(m->secrets, name, "T6"))
			found = "known";
	}
	compare(PARAMS, entry, "known", found);
	loaded_clear(&l);
	free(text);
	json_decref(config);
}

/* ---- the walk ---- */

static void
print_row(void)
{
	printf("# %-24s", row_name);
	for (int i = 0; i < COLUMNS; i++)
		printf("  %*c%*s", 3, marks[row_marks[i]], (int)strlen(column_names[i]) - 3, "");
	printf("\n");
}

static void
walk_prefixes(const struct provider *p, const json_t *row)
{
	const json_t *prefix;
	size_t i;

	json_array_foreach(json_object_get(row, "prefixes"), i, prefix)
	{
		const struct provider *found;
		char model[256];
		struct str bare;

		snprintf(model, sizeof(model), "%sm", json_string_value(prefix));
		if (provider_resolve(str_of(model), STR(""), STR(""), &found, &bare, NULL) < 0)
			compare(PREFIX, model, p->name, "none");
		else if (!str_is(bare, "m"))
			compare(PREFIX, model, "m", "another name");
		else
			compare(PREFIX, model, p->name, found->name);
	}
}

static void
walk_headers(const struct provider *p, const json_t *row)
{
	struct buf recorded = BUF_INIT(MAX_TEXT);
	const char *name;
	json_t *value, *object = json_object_get(row, "extra_headers");
	const char *keys[MANY];
	size_t n = 0;

	json_object_foreach(object, name, value)
	{
		size_t at = n++;

		assert_true(n < MANY);
		for (; at > 0 && strcmp(keys[at - 1], name) > 0; at--)
			keys[at] = keys[at - 1];
		keys[at] = name;
	}
	for (size_t i = 0; i < n; i++)
		buf_addf(&recorded, "%s: %s\n", keys[i], fixture_text(object, keys[i]));
	if (recorded.len > 0 || *p->headers)
		compare(HEADERS, "", buf_text(&recorded), p->headers);
	buf_clear(&recorded);
}

static void
walk_row(const struct provider *p, const json_t *row)
{
	const json_t *modes = json_object_get(row, "modes"), *value, *c;
	enum mode mode;
	size_t i;

	row_name = p->name;
	memset(row_marks, 0, sizeof(row_marks));
	walk_prefixes(p, row);
	for (int m = 0; m < MODE_COUNT; m++) {
		bool recorded = false;

		json_array_foreach(modes, i, value)
			recorded = recorded || strcmp(json_string_value(value), mode_name((enum mode)m)) == 0;
		if (recorded || provider_call(p, (enum mode)m))
			compare(MODES, mode_name((enum mode)m), recorded ? "asked" : "not asked",
			    provider_call(p, (enum mode)m) ? "asked" : "not asked");
	}
	if (json_array_size(modes) == 0) {
		compare(DIALECT, "", "none", p->dialect ? p->dialect : "none");
		print_row();
		return;
	}
	compare(DIALECT, fixture_text(row, "dialect"), fixture_text(row, "dialect"), p->dialect ? p->dialect : "none");
	mode = (enum mode)mode_parse(str_of(json_string_value(json_array_get(modes, 0))));
	walk_base(p, row, mode);
	walk_keys(p, row, mode);
	walk_bases(p, row, mode);
	walk_auth(row);
	compare(LIMIT, "", *fixture_text(row, "token_param") ? fixture_text(row, "token_param") : "none",
	    p->token_param ? p->token_param : "none");
	walk_headers(p, row);
	json_array_foreach(joins, i, value)
		if (strcmp(fixture_text(value, "provider"), row_name) == 0)
			walk_joins(value);
	c = recording(row_name, mode_name(mode));
	json_array_foreach(json_object_get(row, "extra_params"), i, value)
		walk_param(c, json_string_value(value));
	print_row();
}

static void
test_rows(void **state)
{
	json_t *rows = fixture_load("tests/fixtures/providers/rows.json"), *row, *rule;
	unsigned wrong = 0, unused = 0;
	size_t n = 0, i;

	(void)state;
	printf("# %-24s", "provider");
	for (int k = 0; k < COLUMNS; k++)
		printf("  %s", column_names[k]);
	printf("   (= as recorded  ~ different on purpose  ! WRONG)\n");
	for (const struct provider *p; (p = provider_at(n)) != NULL; n++) {
		const json_t *found = NULL;

		json_array_foreach(rows, i, row)
			if (strcmp(fixture_text(row, "provider"), p->name) == 0)
				found = row;
		if (found == NULL)
			fail_msg("nothing is recorded of the row %s", p->name);
		walk_row(p, found);
	}
	/* And no recorded provider without a row. */
	assert_int_equal(json_array_size(rows), n);
	for (int k = 0; k < COLUMNS; k++) {
		printf("# %-8s %4u as recorded, %3u different on purpose, %u WRONG\n", column_names[k],
		    totals[k][SAME], totals[k][ON_PURPOSE], totals[k][WRONG]);
		wrong += totals[k][WRONG];
	}
	json_array_foreach(rules, i, rule)
		if (!rule_used[i]) {
			char *text = json_dumps(rule, JSON_COMPACT);

			printf("# no row differs any more as it is said: %s\n", text);
			free(text);
			unused++;
		}
	json_decref(rows);
	assert_int_equal(wrong, 0);
	assert_int_equal(unused, 0);
}

/* ---- fixtures ---- */

static void
load_probes(const char *path)
{
	char *line = NULL;
	size_t size = 0;
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	while (getline(&line, &size, f) > 0) {
		json_t *c = json_loads(line, 0, NULL);

		assert_non_null(c);
		/* The variations have an @ in their names. */
		if (strchr(fixture_text(c, "name"), '@') == NULL)
			json_object_set(probes, fixture_text(c, "name"), c);
		json_decref(c);
	}
	free(line);
	fclose(f);
}

static int
setup(void **state)
{
	DIR *dir = opendir(unit_source_path("tests/fixtures/probes"));
	struct dirent *entry;
	char path[8192];

	(void)state;
	assert_non_null(dir);
	probes = json_object();
	while ((entry = readdir(dir)) != NULL)
		if (fnmatch("*.jsonl", entry->d_name, 0) == 0) {
			snprintf(path, sizeof(path), "%s/%.200s", unit_source_path("tests/fixtures/probes"),
			    entry->d_name);
			load_probes(path);
		}
	closedir(dir);
	joins = fixture_load("tests/fixtures/providers/joins.json");
	rules = fixture_load("tests/fixtures/providers/differences.json");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	json_decref(probes);
	json_decref(joins);
	json_decref(rules);
	return 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
	return cmocka_run_group_tests_name("provider_rows", tests, setup, teardown);
}
