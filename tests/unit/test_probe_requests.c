/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What LiteLLM's health check sends, recorded for each provider and mode, against what we send:
 * each recorded deployment goes through a config, the message to the worker and the dialect's
 * build().
 *
 * usage: test_probe_requests [-v] [--ratchet] [FILTER]
 *
 * FILTER: a dialect, a provider, or a pattern of recordings' names. -v shows each difference that
 * is not on purpose, -vv also those that are. --ratchet writes down what is built now, so that it
 * stays.
 */
#include "tests/unit/fixture.h"

#include <dirent.h>
#include <fnmatch.h>
#include <unistd.h>

#include "shared/provider.h"
#include "tests/unit/loaded.h"
#include "tests/unit/probe_build.h"
#include "tests/unit/probe_compare.h"

#define FOLDER "tests/fixtures/probes"
#define RULES_MAX 512

enum outcome { EQUAL, ON_PURPOSE, NOT_BUILT, WRONG, OUTCOMES };

static const char marks[OUTCOMES] = { '=', '~', '.', '!' };

struct rule {
	json_t *row; /* {"cases": [pattern], "fields": [pattern], "why": text} */
	bool used;
};

/* One cell of the table, and the numbers of the ratchet. */
struct cell {
	char dialect[48];
	char provider[64];
	char mode[32];
	unsigned n[OUTCOMES];
};

static struct rule rules[RULES_MAX];
static size_t n_rules;
static struct cell *cells;
static size_t n_cells;
static unsigned totals[OUTCOMES];
static json_t *kept[512]; /* the folder's lists */
static size_t n_kept;
static const char *filter;
static int verbose;
static bool write_ratchet;

/* ---- fixtures ---- */

static void
load_rules(void)
{
	DIR *dir = opendir(unit_source_path(FOLDER "/differences"));
	struct dirent *entry;
	char path[512];

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		json_t *list, *row;
		size_t i;

		if (entry->d_name[0] == '.')
			continue;
#ifndef HAVE_WSLAY
		if (strcmp(entry->d_name, "realtime.json") == 0)
			continue;
#endif
		snprintf(path, sizeof(path), FOLDER "/differences/%.200s", entry->d_name);
		kept[n_kept++] = list = fixture_load(path);
		json_array_foreach(list, i, row)
		{
			assert_true(n_rules < RULES_MAX);
			if (*fixture_text(row, "why") == '\0')
				fail_msg("%s: a difference without a reason", path);
			rules[n_rules++].row = row;
		}
	}
	closedir(dir);
}

static bool
listed(const json_t *patterns, const char *text)
{
	for (size_t i = 0; i < json_array_size(patterns); i++)
		if (fnmatch(json_string_value(json_array_get(patterns, i)), text, 0) == 0)
			return true;
	return false;
}

/* Why the difference is on purpose, or NULL. */
static const char *
reason_of(const char *name, const char *field)
{
	for (size_t i = 0; i < n_rules; i++)
		if (listed(json_object_get(rules[i].row, "cases"), name) &&
		    listed(json_object_get(rules[i].row, "fields"), field)) {
			rules[i].used = true;
			return fixture_text(rules[i].row, "why");
		}
	return NULL;
}

/* ---- the comparison ---- */

/* A credential was fetched first. */
static bool
needs_token(const json_t *c)
{
	json_t *r;
	size_t i;

	json_array_foreach(json_object_get(c, "requests"), i, r)
	{
		if (strcmp(fixture_text(r, "role"), "credential") == 0)
			return true;
	}
	return false;
}

static enum outcome
judge_differences(const char *name, const struct differences *d)
{
	enum outcome outcome = d->n ? ON_PURPOSE : EQUAL;

	for (size_t i = 0; i < d->n; i++) {
		const char *why = reason_of(name, d->v[i].field);

		if (why == NULL) {
			if (verbose)
				printf("# WRONG %s: %s: %s\n", name, d->v[i].field, d->v[i].text);
			outcome = WRONG;
		} else if (verbose > 1) {
			printf("# %s: %s: %s (%s)\n", name, d->v[i].field, d->v[i].text, why);
		}
	}
	return outcome;
}

/*
 * The requests before the probe. The first of ours for a credential is compared with the recorded
 * one at the same address; the steps behind it are those of tests/fixtures/auth/exchanges.json. What
 * is asked there and not here is a difference as well.
 */
static void
compare_credentials(const json_t *c, const struct probe_built *b, struct differences *d)
{
	bool found = false, recorded = false;
	json_t *r;
	size_t i;

	json_array_foreach(json_object_get(c, "requests"), i, r)
	{
		const char *role = fixture_text(r, "role"), *url = fixture_text(r, "url");
		size_t n = strcspn(url, "?");

		if (strcmp(role, "lookup") == 0)
			differ(d, "lookup", "%s", url);
		if (strcmp(role, "credential") != 0)
			continue;
		recorded = true;
		if (b->fetches && strncmp(buf_text(&b->first.url), url, n) == 0) {
			struct differences own = { .n = 0 };

			found = true;
			compare_requests(r, &b->first, &own);
			for (size_t k = 0; k < own.n; k++) {
				char field[160];

				snprintf(field, sizeof(field), "credential %s", own.v[k].field);
				differ(d, field, "%s", own.v[k].text);
			}
		} else {
			differ(d, "credential more", "LiteLLM asks %s", url);
		}
	}
	if (b->fetches && recorded && !found)
		differ(d, "credential", "built %s", buf_text(&b->first.url));
}

static enum outcome
compare_case(const json_t *c)
{
	const char *name = fixture_text(c, "name");
	struct differences d = { .n = 0 };
	enum outcome outcome;
	struct probe_built b;
	bool follows;
	const json_t *probe = probe_recorded(c, &follows);

	probe_build(c, &b);
	if (!b.asked &&
	    (strstr(buf_text(&b.problem), PROBE_NOT_YET) || (probe && needs_token(c)))) {
		if (verbose > 1)
			printf("# not built %s: %s\n", name, buf_text(&b.problem));
		outcome = NOT_BUILT;
	} else {
		if (b.asked && probe)
			compare_requests(probe, &b.request, &d);
		else if (b.asked)
			differ(&d, "asked", "LiteLLM sends nothing, built %s %s", b.request.method,
			    buf_text(&b.request.url));
		else if (probe)
			differ(&d, "problem", "%.400s", buf_text(&b.problem));
		if (b.asked && b.searched)
			differ(&d, "wildcard", "the list of models is asked first");
		if (b.asked)
			compare_credentials(c, &b, &d);
		if (b.asked && follows)
			differ(&d, "follow-up", "more requests follow in the recording");
		outcome = judge_differences(name, &d);
	}
	probe_build_clear(&b);
	return outcome;
}

/* ---- the table ---- */

static struct cell *
cell_of(const char *dialect, const char *provider, const char *mode)
{
	struct cell *cell;

	for (size_t i = 0; i < n_cells; i++)
		if (strcmp(cells[i].provider, provider) == 0 && strcmp(cells[i].mode, mode) == 0 &&
		    strcmp(cells[i].dialect, dialect) == 0)
			return &cells[i];
	cells = xrealloc(cells, (n_cells + 1) * sizeof(*cells));
	cell = &cells[n_cells++];
	memset(cell, 0, sizeof(*cell));
	snprintf(cell->dialect, sizeof(cell->dialect), "%s", dialect);
	snprintf(cell->provider, sizeof(cell->provider), "%s", provider);
	snprintf(cell->mode, sizeof(cell->mode), "%s", mode);
	return cell;
}

/* The mode as recorded, else that in the recording's name, else "other". */
static const char *
mode_of(const json_t *c)
{
	const char *name = fixture_text(c, "name"), *recorded = fixture_text(c, "mode"), *dash;
	size_t n = strcspn(name, "@");

	if (mode_parse(str_of(recorded)) >= 0)
		return recorded;
	dash = memrchr(name, '-', n);
	if (dash) {
		struct str word = { dash + 1, n - (size_t)(dash + 1 - name) };
		int mode = mode_parse(word);

		if (mode >= 0)
			return mode_name((enum mode)mode);
	}
	return "other";
}

static bool
wanted(const char *dialect, const json_t *c)
{
	return filter == NULL || strcmp(filter, dialect) == 0 ||
	       strcmp(filter, fixture_text(c, "provider")) == 0 ||
	       fnmatch(filter, fixture_text(c, "name"), 0) == 0;
}

static void
run_file(const char *file)
{
	char path[8192], dialect[48], *line = NULL;
	size_t size = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", unit_source_path(FOLDER), file);
	snprintf(dialect, sizeof(dialect), "%.*s", (int)strcspn(file, "."), file);
	if ((f = fopen(path, "r")) == NULL)
		fail_msg("%s cannot be read", path);
	while (getline(&line, &size, f) > 0) {
		json_error_t error;
		json_t *c = json_loads(line, 0, &error);

		if (c == NULL)
			fail_msg("%s: %s", file, error.text);
		if (wanted(dialect, c)) {
			enum outcome outcome = compare_case(c);

			cell_of(dialect, fixture_text(c, "provider"), mode_of(c))->n[outcome]++;
			totals[outcome]++;
		}
		json_decref(c);
	}
	free(line);
	fclose(f);
}

static int
is_list(const struct dirent *entry)
{
	return fnmatch("*.jsonl", entry->d_name, 0) == 0;
}

static char
mark_of(const struct cell *cell)
{
	for (int i = OUTCOMES - 1; i > 0; i--)
		if (cell->n[i])
			return marks[i];
	return marks[EQUAL];
}

static void
print_table(void)
{
	printf("# %-24s", "provider");
	for (int m = 0; m < MODE_COUNT; m++)
		printf(" %.5s", mode_name((enum mode)m));
	printf(" other   (= equal  ~ different on purpose  . not built  ! WRONG)\n");
	for (size_t i = 0; i < n_cells; i++) {
		bool first = true;

		for (size_t k = 0; k < i; k++)
			first = first && strcmp(cells[k].provider, cells[i].provider) != 0;
		if (!first)
			continue;
		printf("# %-24s", cells[i].provider);
		for (int m = 0; m <= MODE_COUNT; m++) {
			const char *mode = m < MODE_COUNT ? mode_name((enum mode)m) : "other";
			char mark = ' ';

			for (size_t k = 0; k < n_cells; k++)
				if (strcmp(cells[k].provider, cells[i].provider) == 0 &&
				    strcmp(cells[k].mode, mode) == 0)
					mark = mark_of(&cells[k]);
			printf(" %*s%c%*s", 2, "", mark,
			    (int)(strlen(mode) < 5 ? strlen(mode) : 5) - 3, "");
		}
		printf("\n");
	}
	printf("# recordings: %u equal, %u different on purpose, %u not built, %u WRONG\n",
	    totals[EQUAL], totals[ON_PURPOSE], totals[NOT_BUILT], totals[WRONG]);
}

static void
test_recordings(void **state)
{
	struct dirent **files;
	size_t unused = 0;
	int n = scandir(unit_source_path(FOLDER), &files, is_list, alphasort);

	(void)state;
	assert_true(n > 0);
	load_rules();
	for (int i = 0; i < n; i++) {
		run_file(files[i]->d_name);
		free(files[i]);
	}
	free(files);
	print_table();
	if (totals[EQUAL] + totals[ON_PURPOSE] + totals[NOT_BUILT] + totals[WRONG] == 0)
		fail_msg("no recording is called %s", filter ? filter : "anything");
	if (totals[WRONG] > 0)
		fail_msg("%u requests differ and no difference is on purpose; -v shows them",
		    totals[WRONG]);
	for (size_t i = 0; filter == NULL && i < n_rules; i++)
		if (!rules[i].used) {
			char *row = json_dumps(rules[i].row, JSON_COMPACT);

			printf("# no recording differs any more as it is said: %s\n", row);
			free(row);
			unused++;
		}
	assert_int_equal(unused, 0);
}

/* ---- the ratchet: what was built stays built ---- */

static unsigned
built_count(const struct cell *cell)
{
	return cell->n[EQUAL] + cell->n[ON_PURPOSE];
}

/* One list a dialect; a dialect of which nothing is built has none. */
static void
write_built(const char *dialect)
{
	char path[8192];
	bool any = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/built/%s.txt", unit_source_path(FOLDER), dialect);
	if (filter && strcmp(filter, dialect) != 0)
		fail_msg("--ratchet takes a dialect, not %s", filter);
	unlink(path);
	for (size_t i = 0; i < n_cells; i++)
		any = any || (strcmp(cells[i].dialect, dialect) == 0 && built_count(&cells[i]) > 0);
	if (!any)
		return;
	if ((f = fopen(path, "w")) == NULL)
		fail_msg("%s cannot be written", path);
	for (size_t i = 0; i < n_cells; i++)
		if (strcmp(cells[i].dialect, dialect) == 0 && built_count(&cells[i]) > 0)
			fprintf(f, "%s %s %u\n", cells[i].provider, cells[i].mode,
			    built_count(&cells[i]));
	fclose(f);
}

static void
check_built(const char *dialect, const char *path)
{
	char provider[64], mode[32];
	unsigned count;
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	while (fscanf(f, "%63s %31s %u", provider, mode, &count) == 3) {
#ifndef HAVE_WSLAY
		if (strcmp(mode, "realtime") == 0)
			continue;
#endif
		if (built_count(cell_of(dialect, provider, mode)) < count)
			fail_msg("%s: %u recordings of %s %s were built before, now %u are",
			    dialect, count, provider, mode,
			    built_count(cell_of(dialect, provider, mode)));
	}
	fclose(f);
}

static void
test_ratchet(void **state)
{
	char path[8192], dialect[48];
	DIR *dir;
	struct dirent *entry;

	(void)state;
	for (size_t i = 0; write_ratchet && i < n_cells; i++)
		if (i == 0 || strcmp(cells[i].dialect, cells[i - 1].dialect) != 0)
			write_built(cells[i].dialect);
	if (filter)
		return;
	dir = opendir(unit_source_path(FOLDER "/built"));
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%.200s", unit_source_path(FOLDER "/built"),
		    entry->d_name);
		snprintf(dialect, sizeof(dialect), "%.*s", (int)strcspn(entry->d_name, "."),
		    entry->d_name);
		check_built(dialect, path);
	}
	closedir(dir);
}

/* ---- the table of providers ---- */

static void
check_unaskable(const struct provider *p)
{
	char config[512];
	struct loaded l;

	snprintf(config, sizeof(config),
	    "{\"model_list\":[{\"model_name\":\"m\",\"litellm_params\":{\"model\":\"%s/x\"}}]}",
	    p->name);
	load_text(&l, config, NULL);
	if (l.rc != 0 || l.config->deployments[0].askable ||
	    strstr(buf_text(&l.told), "cannot be asked: ") == NULL)
		fail_msg("%s has no HTTP interface, but its config finding is: %s", p->name,
		    buf_text(&l.told));
	loaded_clear(&l);
}

/* Every row has a recording, or a reason why it can have none. */
static void
test_providers(void **state)
{
	const struct provider *p;

	(void)state;
	for (size_t i = 0; filter == NULL && (p = provider_at(i)) != NULL; i++) {
		if (p->dialect == NULL) {
			check_unaskable(p);
			continue;
		}
		for (int m = 0; m < MODE_COUNT; m++) {
			bool found = provider_call(p, (enum mode)m) == NULL;

			for (size_t k = 0; !found && k < n_cells; k++)
				found = strcmp(cells[k].provider, p->name) == 0 &&
					strcmp(cells[k].mode, mode_name((enum mode)m)) == 0;
			if (!found)
				fail_msg("no recording of %s in mode %s", p->name,
				    mode_name((enum mode)m));
		}
	}
}

static int
teardown(void **state)
{
	(void)state;
	while (n_kept > 0)
		json_decref(kept[--n_kept]);
	free(cells);
	return 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recordings),
		cmocka_unit_test(test_ratchet),
		cmocka_unit_test(test_providers),
	};

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-v") == 0)
			verbose = 1;
		else if (strcmp(argv[i], "-vv") == 0)
			verbose = 2;
		else if (strcmp(argv[i], "--ratchet") == 0)
			write_ratchet = true;
		else
			filter = argv[i];
	}
	return cmocka_run_group_tests(tests, NULL, teardown);
}
