/* SPDX-License-Identifier: Apache-2.0 */
/* A config's text: to values, through the environment, and to every way in which they are written.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "supervisor/config/environ.h"
#include "supervisor/config/pytext.h"
#include "supervisor/config/tree.h"
#include "tests/unit/problems_format.h"

#define TEXT_MAX ((size_t)1 << 20)
#define WRITTEN_MAX ((size_t)1 << 16)

static void
must(int condition)
{
	if (!condition)
		abort();
}

static struct environ *
make_environ(void)
{
	char key[] = "KEY=sk-value", yes[] = "YES= True\n", empty[] = "EMPTY=", bad[] = "BAD=\xff";
	char *variables[] = { key, yes, empty, bad, NULL };

	return environ_new(variables);
}

/* What was written keeps to its maximum and is text. */
static void
check_text(struct buf *b)
{
	must(b->len <= WRITTEN_MAX);
	if (b->len)
		must(strlen(buf_text(b)) <= b->len);
	buf_reset(b);
}

static void
write_all(const struct node *node)
{
	struct buf b = BUF_INIT(WRITTEN_MAX);
	int rc;

	pytext_str(&b, node);
	check_text(&b);
	pytext_repr(&b, node);
	check_text(&b);
	rc = pytext_json(&b, node);
	must(rc == 0 || rc == ERR_INVALID);
	check_text(&b);
	pytext_compact(&b, node);
	check_text(&b);
	buf_clear(&b);
}

static void
use(struct arena *arena, struct problems *problems, struct node *root)
{
	struct environ *env = make_environ();
	size_t errors = problems_errors(problems);
	struct node *resolved = NULL;
	int rc = environ_resolve(arena, env, problems, root, &resolved);

	must((rc < 0) == (problems_errors(problems) > errors));
	must(resolved != NULL && resolved->type == root->type);
	/* Values are put in place of values, and none that is resolved goes missing. */
	must(resolved->size == root->size && resolved->n == root->n);
	errors = problems_errors(problems);
	rc = environ_export(env, problems, resolved);
	must((rc < 0) == (problems_errors(problems) > errors) ||
	     problems_errors(problems) > PROBLEMS_MAX);
	write_all(root);
	write_all(resolved);
	environ_free(env);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct problems *problems = problems_new();
	struct buf text = BUF_INIT(2 * TEXT_MAX), told = BUF_INIT(2 * TEXT_MAX);
	struct node *root = NULL;
	int rc;

	if (size <= TEXT_MAX) {
		buf_add(&text, data, size);
		rc = tree_parse(arena, &text, "fuzz.yaml", problems, &root);
		must((rc < 0) == (problems_errors(problems) > 0));
		must(rc == 0 || root == NULL);
		if (root)
			use(arena, problems, root);
		problems_format(problems, &told);
		/* A place is in the file. */
		for (size_t i = 0; i < problems_count(problems); i++)
			must(problems_at(problems, i)->line <= size + 1 &&
			     problems_at(problems, i)->column <= size + 2);
	}
	buf_clear(&told);
	buf_clear(&text);
	problems_free(problems);
	arena_free(arena);
	return 0;
}
