/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue of files, each with who named it first. Who includes whom is kept as edges, and one that
 * closes a circle is refused where it stands.
 */
#include "supervisor/config/include.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "shared/buf.h"
#include "shared/secret.h"
#include "supervisor/config/source.h"
#include "supervisor/config/tree.h"

#define KEY "include"

struct file {
	const char *path; /* in the arena */
	dev_t dev;
	ino_t ino;
	unsigned depth; /* 1 for the main file */
	struct node *node;
};

struct edge {
	size_t from, to;
};

struct pending {
	const struct node *entry;
	size_t from;
};

struct includer {
	struct arena *arena;
	struct problems *problems;
	struct file files[INCLUDE_FILES_MAX];
	size_t n_files;
	struct edge edges[INCLUDE_ENTRIES_MAX];
	size_t n_edges;
	struct pending queue[INCLUDE_ENTRIES_MAX];
	size_t n_queue;
	size_t bytes;
	uint64_t nodes;
};

static bool
is_list(const struct node *node)
{
	return node->type == NODE_LIST && !node->tuple;
}

static bool
is_map(const struct node *node)
{
	return node && node->type == NODE_MAP;
}

static int
read_file(struct includer *inc, struct file *file)
{
	struct buf text = BUF_INIT(SOURCE_MAX + 1024 * 1024);
	int rc = source_read(file->path, &text, inc->problems);

	if (rc == 0 && (inc->bytes += text.len) > SOURCE_MAX) {
		problem_error(inc->problems, (struct mark){ file->path, 0, 0 },
		    "the files of this config are too large, expected at most %zu MiB together",
		    SOURCE_MAX / 1048576);
		rc = ERR_LIMIT;
	}
	if (rc == 0)
		rc = tree_parse(inc->arena, &text, file->path, inc->problems, &file->node);
	if (rc == 0 && file->node && (inc->nodes += file->node->size) > TREE_NODES_MAX) {
		problem_error(inc->problems, (struct mark){ file->path, 0, 0 },
		    "the files of this config hold too many values, expected at most %d together",
		    TREE_NODES_MAX);
		rc = ERR_LIMIT;
	}
	if (text.data)
		secret_wipe(text.data, text.len);
	buf_clear(&text);
	return rc;
}

/* Puts the entries of a file's `include:` into the queue. */
static int
queue_entries(struct includer *inc, size_t from)
{
	const struct node *list = node_get(inc->files[from].node, KEY);
	int rc = 0;

	if (list == NULL)
		return 0;
	if (!is_list(list)) {
		problem_error(inc->problems, list->mark,
		    "include: found %s, expected a list of file paths", node_type_name(list));
		return ERR_INVALID;
	}
	for (size_t i = 0; i < list->n; i++) {
		const struct node *entry = list->items[i];

		if (entry->type != NODE_STR || entry->text.n == 0 ||
		    strlen(entry->text.p) != entry->text.n) {
			problem_error(inc->problems, entry->mark,
			    "include: found %s, expected the path of a file",
			    entry->type == NODE_STR ? "an empty text" : node_type_name(entry));
			rc = ERR_INVALID;
		} else if (inc->n_queue == INCLUDE_ENTRIES_MAX) {
			problem_error(inc->problems, entry->mark,
			    "found too many includes, expected at most %d", INCLUDE_ENTRIES_MAX);
			return ERR_LIMIT;
		} else {
			inc->queue[inc->n_queue++] = (struct pending){ entry, from };
		}
	}
	return rc;
}

/* The path of an entry beside the file that declares it. */
static const char *
path_beside(struct includer *inc, const char *declared_in, struct str entry)
{
	const char *slash = strrchr(declared_in, '/');
	size_t folder = slash && entry.p[0] != '/' ? (size_t)(slash - declared_in) + 1 : 0;
	char *path = arena_alloc(inc->arena, folder + entry.n + 1);

	memcpy(path, declared_in, folder);
	memcpy(path + folder, entry.p, entry.n);
	return path;
}

/* Where the file of an entry is, as resolve_include_file_path() decides. Returns 0 with st filled.
 */
static int
locate(struct includer *inc, const struct pending *one, const char **path, struct stat *st)
{
	const char *beside_root = path_beside(inc, inc->files[0].path, one->entry->text);
	struct stat root_st;

	*path = path_beside(inc, inc->files[one->from].path, one->entry->text);
	if (stat(*path, st) == 0) {
		if (stat(beside_root, &root_st) == 0 &&
		    (root_st.st_ino != st->st_ino || root_st.st_dev != st->st_dev))
			problem_warning(inc->problems, one->entry->mark,
			    "found two files of this name: %s is read and %s is not, expected one",
			    *path, beside_root);
		return 0;
	}
	if (strcmp(beside_root, *path) != 0 && stat(beside_root, st) == 0) {
		problem_warning(inc->problems, one->entry->mark,
		    "%s is not there and %s is read, expected the first", *path, beside_root);
		*path = beside_root;
		return 0;
	}
	problem_error(inc->problems, one->entry->mark,
	    "cannot open the included file %s: %s, expected a file there", *path, strerror(errno));
	return ERR_NOT_FOUND;
}

/* The way from one file to another over the edges: fills `before`; returns whether there is one. */
static bool
reaches(const struct includer *inc, size_t from, size_t to, size_t before[INCLUDE_FILES_MAX])
{
	bool seen[INCLUDE_FILES_MAX] = { false };
	size_t todo[INCLUDE_FILES_MAX], n = 0;

	seen[from] = true;
	todo[n++] = from;
	while (n > 0 && !seen[to]) {
		size_t at = todo[--n];

		for (size_t i = 0; i < inc->n_edges; i++) {
			if (inc->edges[i].from != at || seen[inc->edges[i].to])
				continue;
			seen[inc->edges[i].to] = true;
			before[inc->edges[i].to] = at;
			todo[n++] = inc->edges[i].to;
		}
	}
	return seen[to];
}

static int
add_edge(struct includer *inc, const struct pending *one, size_t to)
{
	size_t before[INCLUDE_FILES_MAX], way[INCLUDE_FILES_MAX], n = 0;
	struct buf text = BUF_INIT(1024);

	inc->edges[inc->n_edges++] = (struct edge){ one->from, to };
	if (!reaches(inc, to, one->from, before))
		return 0;
	for (size_t at = one->from; at != to; at = before[at])
		way[n++] = at;
	buf_addf(&text, "%s", inc->files[to].path);
	while (n > 0)
		buf_addf(&text, " -> %s", inc->files[way[--n]].path);
	buf_addf(&text, " -> %s", inc->files[to].path);
	problem_error(inc->problems, one->entry->mark,
	    "found an include loop (%s), expected files that do not include themselves",
	    buf_ok(&text) ? buf_text(&text) : "a long one");
	buf_clear(&text);
	return ERR_INVALID;
}

/* An included file is a mapping of texts; one without any value counts as empty. */
static int
check_included(struct includer *inc, struct file *file)
{
	int rc = 0;

	if (file->node == NULL || !node_truth(file->node)) {
		file->node = node_new(inc->arena, NODE_MAP, (struct mark){ file->path, 1, 1 });
		return 0;
	}
	if (file->node->type != NODE_MAP) {
		problem_error(inc->problems, file->node->mark,
		    "found %s, expected a mapping such as `model_list:`",
		    node_type_name(file->node));
		return ERR_INVALID;
	}
	for (size_t i = 0; i < file->node->n; i++) {
		const struct node *key = file->node->pairs[i].key;

		if (key->type != NODE_STR) {
			problem_error(inc->problems, key->mark,
			    "found %s as a key, expected a text (quote it)", node_type_name(key));
			rc = ERR_INVALID;
		}
	}
	return rc;
}

static int
load_entry(struct includer *inc, const struct pending *one)
{
	struct file *file;
	const char *path;
	struct stat st;
	size_t at = 0;
	int rc = locate(inc, one, &path, &st);

	if (rc < 0)
		return rc;
	while (at < inc->n_files &&
	       (inc->files[at].ino != st.st_ino || inc->files[at].dev != st.st_dev))
		at++;
	if (at < inc->n_files)
		return add_edge(inc, one, at);
	if (inc->n_files == INCLUDE_FILES_MAX || inc->files[one->from].depth == INCLUDE_DEPTH_MAX) {
		problem_error(inc->problems, one->entry->mark, "found %s, expected at most %d",
		    inc->n_files == INCLUDE_FILES_MAX ? "too many included files"
						      : "includes nested too deeply",
		    inc->n_files == INCLUDE_FILES_MAX ? INCLUDE_FILES_MAX : INCLUDE_DEPTH_MAX);
		return ERR_LIMIT;
	}
	file = &inc->files[inc->n_files++];
	*file = (struct file){ path, st.st_dev, st.st_ino, inc->files[one->from].depth + 1, NULL };
	rc = add_edge(inc, one, at);
	if (rc == 0)
		rc = read_file(inc, file);
	if (rc == 0)
		rc = check_included(inc, file);
	if (rc == 0)
		rc = queue_entries(inc, at);
	return rc;
}

/* A mapping that grows by files; `appendable` says which of its values are lists of its own. */
struct merged {
	struct node *root;
	bool *appendable;
};

/* Where the key is among the first n pairs of a mapping; n when it is not. */
static size_t
index_of(const struct node *map, size_t n, const struct node *key)
{
	size_t at = 0;

	while (at < n && !node_key_eq(map->pairs[at].key, key))
		at++;
	return at;
}

/* A list with room for all that the files from `first` on have for that key. */
static struct node *
growing_list(struct includer *inc, size_t first, const struct node *key, const struct node *list)
{
	struct node *copy = node_new(inc->arena, NODE_LIST, list->mark);
	size_t room = list->n;

	for (size_t i = first; i < inc->n_files; i++) {
		const struct node *file = inc->files[i].node;
		size_t at = index_of(file, file->n, key);

		if (at < file->n && is_list(file->pairs[at].value))
			room += file->pairs[at].value->n;
	}
	copy->items = arena_alloc(inc->arena, room * sizeof(*copy->items));
	if (list->n)
		memcpy(copy->items, list->items, list->n * sizeof(*copy->items));
	copy->n = list->n;
	return copy;
}

static void
merge_pair(struct includer *inc, struct merged *m, size_t file, size_t at, const struct pair *pair)
{
	struct pair *into = &m->root->pairs[at];

	if (!is_list(into->value) || !is_list(pair->value)) {
		into->value = pair->value;
		m->appendable[at] = false;
		return;
	}
	if (!m->appendable[at])
		into->value = growing_list(inc, file, pair->key, into->value);
	m->appendable[at] = true;
	if (pair->value->n)
		memcpy(into->value->items + into->value->n, pair->value->items,
		    pair->value->n * sizeof(*pair->value->items));
	into->value->n += pair->value->n;
}

/* Adds the pairs of one file to those of the files before it. */
static void
merge_file(struct includer *inc, struct merged *m, size_t file)
{
	const struct node *from = inc->files[file].node;
	size_t own = m->root->n;

	for (size_t i = 0; i < from->n; i++) {
		const struct pair *pair = &from->pairs[i];
		size_t at;

		if (node_is_str(pair->key) && str_is(pair->key->text, KEY))
			continue;
		at = index_of(m->root, own, pair->key);
		if (at == own)
			m->root->pairs[m->root->n++] = *pair;
		else
			merge_pair(inc, m, file, at, pair);
	}
}

static int
merge_files(struct includer *inc, struct node **root)
{
	struct merged m = { node_new(inc->arena, NODE_MAP, inc->files[0].node->mark), NULL };
	size_t n = 0;

	for (size_t i = 0; i < inc->n_files; i++) {
		/* One that could not be read has been told about. */
		if (!is_map(inc->files[i].node))
			inc->files[i].node = node_new(inc->arena, NODE_MAP, m.root->mark);
		n += inc->files[i].node->n;
	}
	if (inc->n_files > 1 && n > INCLUDE_KEYS_MAX) {
		problem_error(inc->problems, m.root->mark,
		    "found too many keys at the top of the files, expected at most %d together",
		    INCLUDE_KEYS_MAX);
		return ERR_LIMIT;
	}
	m.root->pairs = arena_alloc(inc->arena, n * sizeof(*m.root->pairs));
	m.appendable = xcalloc(n + 1, sizeof(*m.appendable));
	for (size_t i = 0; i < inc->n_files; i++)
		merge_file(inc, &m, i);
	for (size_t i = 0; i < m.root->n; i++)
		if (m.appendable[i])
			node_measure(m.root->pairs[i].value);
	node_measure(m.root);
	free(m.appendable);
	*root = m.root;
	return 0;
}

/* The main file must hold a mapping. */
static int
load_main(struct includer *inc, const char *path)
{
	struct file *file = &inc->files[0];
	struct str copy = arena_copy(inc->arena, str_of(path));
	struct stat st;
	int rc;

	*file = (struct file){ .path = copy.p, .depth = 1 };
	inc->n_files = 1;
	if (stat(path, &st) == 0) {
		file->dev = st.st_dev;
		file->ino = st.st_ino;
	}
	rc = read_file(inc, file);
	if (rc < 0)
		return rc;
	if (file->node == NULL || file->node->type == NODE_NULL) {
		problem_error(inc->problems, (struct mark){ file->path, 0, 0 },
		    "found nothing in the file, expected a mapping such as `model_list:`");
		return ERR_INVALID;
	}
	if (file->node->type != NODE_MAP) {
		problem_error(inc->problems, file->node->mark,
		    "found %s, expected a mapping such as `model_list:`",
		    node_type_name(file->node));
		return ERR_INVALID;
	}
	return queue_entries(inc, 0);
}

int
include_load(struct arena *arena, const char *path, struct problems *problems, struct node **root)
{
	struct includer *inc = xcalloc(1, sizeof(*inc));
	size_t errors = problems_errors(problems);
	int rc, one;

	*root = NULL;
	inc->arena = arena;
	inc->problems = problems;
	rc = load_main(inc, path);
	for (size_t i = 0; i < inc->n_queue; i++) {
		one = load_entry(inc, &inc->queue[i]);
		rc = rc < 0 ? rc : one;
	}
	if (rc == 0 && problems_errors(problems) > errors)
		rc = ERR_INVALID;
	if (is_map(inc->files[0].node)) {
		one = merge_files(inc, root);
		rc = rc < 0 ? rc : one;
	}
	free(inc);
	return rc;
}
