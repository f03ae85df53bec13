/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libyaml events to nodes, by PyYAML's composer and constructor. Syntax ends the reading; wrong
 * tags, keys and values are collected on the way.
 */
#include "supervisor/config/tree.h"

#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "supervisor/config/anchor.h"
#include "supervisor/config/reader.h"
#include "supervisor/config/scalar.h"
#include "supervisor/config/source.h"

#define TAG_PREFIX "tag:yaml.org,2002:"

struct loader {
	struct reader reader;
	struct anchors anchors;
	struct arena *arena;
	struct problems *problems;
	size_t nodes, merged;
};

/* Members of a collection while it is read. */
struct members {
	struct node **list; /* items, or key and value in turn */
	size_t n, cap;
};

static int compose(struct loader *l, unsigned depth, struct node **out);

static struct mark
mark_of(const struct loader *l, yaml_mark_t mark)
{
	return reader_mark(&l->reader, mark);
}

/* Returns the anchor's index + 1, 0 when there is none, or a negative error. */
static int
anchor_open(struct loader *l, const yaml_char_t *name, yaml_mark_t at)
{
	int rc;

	if (name == NULL)
		return 0;
	rc = anchors_add(&l->anchors, (const char *)name);
	if (rc >= 0)
		return rc + 1;
	if (rc == ERR_EXISTS) {
		problem_error(l->problems, mark_of(l, at),
		    "found an anchor (&) a second time, expected another name");
		return ERR_SYNTAX;
	}
	problem_error(l->problems, mark_of(l, at),
	    "found too many anchors (&), expected at most %d", ANCHORS_MAX);
	return ERR_LIMIT;
}

static int
compose_alias(struct loader *l, const yaml_event_t *event, struct node **out)
{
	const struct anchor *anchor =
	    anchors_get(&l->anchors, (const char *)event->data.alias.anchor);
	struct mark mark = mark_of(l, event->start_mark);

	/* The name is not shown: an unquoted key that begins with * would be one. */
	if (anchor == NULL) {
		problem_error(l->problems, mark,
		    "found an alias (*) of an anchor that is not defined, expected &name before "
		    "it, or the text quoted");
		return ERR_SYNTAX;
	}
	if (anchor->node == NULL) {
		problem_error(l->problems, mark,
		    "found an alias (*) inside the value that it stands for, expected no cycle");
		return ERR_SYNTAX;
	}
	*out = anchor->node;
	return 0;
}

/* The tag as text without its common prefix; "" for none. Only standard tags are named in messages.
 */
static const char *
short_tag(const yaml_char_t *tag)
{
	const char *t = (const char *)tag;

	if (t == NULL || strcmp(t, "!") == 0)
		return "";
	return strncmp(t, TAG_PREFIX, sizeof(TAG_PREFIX) - 1) == 0 ? t + sizeof(TAG_PREFIX) - 1
								   : "?";
}

static const struct {
	const char *name;
	enum scalar_tag tag;
} scalar_tags[] = {
	{ "str", SCALAR_STR },
	{ "null", SCALAR_NULL },
	{ "bool", SCALAR_BOOL },
	{ "int", SCALAR_INT },
	{ "float", SCALAR_FLOAT },
	{ "timestamp", SCALAR_DATE },
	{ "binary", SCALAR_BINARY },
	{ "merge", SCALAR_MERGE },
	{ "value", SCALAR_VALUE },
};

/* A tag that this kind of value cannot have. */
static void
wrong_tag(struct loader *l, struct mark mark, const char *tag)
{
	static const char *const others[] = { "map", "seq", "set", "omap", "pairs" };
	bool standard = false;

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		standard = standard || strcmp(others[i], tag) == 0;
	for (size_t i = 0; i < ARRAY_LEN(scalar_tags); i++)
		standard = standard || strcmp(scalar_tags[i].name, tag) == 0;
	if (standard)
		problem_error(l->problems, mark,
		    "found a value that cannot have the tag `!!%s`, expected none", tag);
	else
		problem_error(l->problems, mark,
		    "found a tag (!) that is not known, expected none, or the text quoted");
}

/* Which tag a scalar event has; -1 when none that is known. */
static int
scalar_tag_of(const yaml_event_t *event, struct str text)
{
	const char *tag = short_tag(event->data.scalar.tag);

	if (*tag == '\0') {
		/* `!` with nothing after it counts as plain for PyYAML. */
		if (event->data.scalar.plain_implicit || (event->data.scalar.tag && text.n == 0))
			return (int)scalar_resolve(text);
		return SCALAR_STR;
	}
	for (size_t i = 0; i < ARRAY_LEN(scalar_tags); i++)
		if (strcmp(scalar_tags[i].name, tag) == 0)
			return (int)scalar_tags[i].tag;
	return -1;
}

/* Marks the text nodes that were a plain << or =: as keys they mean something, as values nothing.
 */
static const char merge_text[] = "<<";
static const char value_text[] = "=";

static void
compose_scalar(struct loader *l, const yaml_event_t *event, struct node **out)
{
	struct str text = { (const char *)event->data.scalar.value, event->data.scalar.length };
	struct mark mark = mark_of(l, event->start_mark);
	const char *expected = NULL;
	int tag = scalar_tag_of(event, text);

	if (tag < 0) {
		wrong_tag(l, mark, short_tag(event->data.scalar.tag));
		*out = node_new(l->arena, NODE_NULL, mark);
		return;
	}
	if (tag == SCALAR_MERGE || tag == SCALAR_VALUE) {
		*out = node_new(l->arena, NODE_STR, mark);
		(*out)->text = tag == SCALAR_MERGE ? (struct str){ merge_text, 2 }
						   : (struct str){ value_text, 1 };
		return;
	}
	if (scalar_make(l->arena, (enum scalar_tag)tag, text, mark, out, &expected) < 0) {
		problem_error(l->problems, mark,
		    "found a value that its form or tag does not allow, expected %s", expected);
		*out = node_new(l->arena, NODE_NULL, mark);
	}
}

static bool
is_special(const struct node *node)
{
	return node->type == NODE_STR && (node->text.p == merge_text || node->text.p == value_text);
}

/* A value that only means something as a key. */
static void
refuse_special(struct loader *l, const struct node *node)
{
	if (is_special(node))
		problem_error(l->problems, node->mark,
		    "found a bare `%s` as a value, expected it quoted", node->text.p);
}

static void
members_add(struct members *m, struct node *node)
{
	if (m->n == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 8;
		m->list = xrealloc(m->list, m->cap * sizeof(*m->list));
	}
	m->list[m->n++] = node;
}

/* Reads nodes until the event that ends the collection. */
static int
read_members(struct loader *l, unsigned depth, struct members *m)
{
	struct node *node;
	int rc;

	for (;;) {
		rc = compose(l, depth + 1, &node);
		if (rc < 0)
			return rc;
		if (node == NULL)
			return 0;
		members_add(m, node);
	}
}

static int
check_size(struct loader *l, const struct node *node)
{
	if (node->depth > TREE_DEPTH_MAX)
		problem_error(l->problems, node->mark,
		    "found values nested too deeply, expected at most %d levels", TREE_DEPTH_MAX);
	else if (node->size > TREE_NODES_MAX || node->bytes > TREE_BYTES_MAX)
		problem_error(l->problems, node->mark,
		    "found aliases that expand to too much, expected at most %d values and %d MiB "
		    "of text",
		    TREE_NODES_MAX, (int)(TREE_BYTES_MAX / 1048576));
	else
		return 0;
	return ERR_LIMIT;
}

/* !!omap and !!pairs: a list of mappings with one entry each, which become tuples. */
static void
make_pairs(struct loader *l, struct node *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct node *entry = list->items[i], *tuple;

		if (entry->type != NODE_MAP || entry->n != 1) {
			problem_error(l->problems, entry->mark,
			    "found %s in ordered pairs, expected a mapping of length 1",
			    node_type_name(entry));
			continue;
		}
		tuple = node_new(l->arena, NODE_LIST, entry->mark);
		tuple->tuple = true;
		tuple->n = 2;
		tuple->items = arena_alloc(l->arena, 2 * sizeof(*tuple->items));
		tuple->items[0] = entry->pairs[0].key;
		tuple->items[1] = entry->pairs[0].value;
		node_measure(tuple);
		list->items[i] = tuple;
	}
}

static int
compose_list(struct loader *l, const yaml_event_t *event, unsigned depth, struct node **out)
{
	const char *tag = short_tag(event->data.sequence_start.tag);
	struct node *list = node_new(l->arena, NODE_LIST, mark_of(l, event->start_mark));
	struct members m = { NULL, 0, 0 };
	int rc = read_members(l, depth, &m);

	if (rc < 0)
		goto out;
	list->n = m.n;
	list->items = arena_alloc(l->arena, m.n * sizeof(*m.list));
	for (size_t i = 0; i < m.n; i++) {
		refuse_special(l, m.list[i]);
		list->items[i] = m.list[i];
	}
	if (strcmp(tag, "omap") == 0 || strcmp(tag, "pairs") == 0)
		make_pairs(l, list);
	else if (*tag && strcmp(tag, "seq") != 0)
		wrong_tag(l, list->mark, tag);
	node_measure(list);
	rc = check_size(l, list);
	*out = list;
out:
	free(m.list);
	return rc;
}

struct pairs {
	struct pair *list;
	size_t n, cap;
};

static void
pairs_add(struct pairs *p, const struct pair *from, size_t n)
{
	if (p->cap - p->n < n) {
		p->cap = (p->n + n) * 2;
		p->list = xrealloc(p->list, p->cap * sizeof(*p->list));
	}
	if (n)
		memcpy(p->list + p->n, from, n * sizeof(*from));
	p->n += n;
}

static int
merge_map(struct loader *l, struct pairs *p, const struct node *map, const struct node *from)
{
	l->merged += from->n;
	if (l->merged > TREE_MERGED_MAX) {
		problem_error(l->problems, map->mark,
		    "found merge keys (<<) that add too much, expected at most %d entries",
		    TREE_MERGED_MAX);
		return ERR_LIMIT;
	}
	pairs_add(p, from->pairs, from->n);
	return 0;
}

/* What `<<: value` adds. */
static int
merge(struct loader *l, struct pairs *p, const struct node *map, const struct node *value)
{
	int rc = 0;

	if (value->type == NODE_MAP || value->type == NODE_SET)
		return merge_map(l, p, map, value);
	if (value->type != NODE_LIST || value->tuple) {
		/* PyYAML points at the value; the pair is useless without it. */
		problem_error(l->problems, value->mark,
		    "found %s after `<<:`, expected a mapping or a list of mappings",
		    node_type_name(value));
		return 0;
	}
	for (size_t i = value->n; i-- > 0 && rc == 0;) {
		if (value->items[i]->type == NODE_MAP || value->items[i]->type == NODE_SET)
			rc = merge_map(l, p, map, value->items[i]);
		else
			problem_error(l->problems, value->items[i]->mark,
			    "found %s after `<<:`, expected mappings",
			    node_type_name(value->items[i]));
	}
	return rc;
}

static int
collect_pairs(struct loader *l, const struct members *m, const struct node *map, struct pairs *p)
{
	int rc = 0;

	for (size_t i = 0; i + 1 < m->n && rc == 0; i += 2)
		if (m->list[i]->type == NODE_STR && m->list[i]->text.p == merge_text)
			rc = merge(l, p, map, m->list[i + 1]);
	for (size_t i = 0; i + 1 < m->n && rc == 0; i += 2) {
		struct pair pair = { m->list[i], m->list[i + 1] };

		if (pair.key->type == NODE_STR && pair.key->text.p == merge_text)
			continue;
		if (!node_hashable(pair.key))
			problem_error(l->problems, pair.key->mark,
			    "found %s as a key, expected a text (quote it)",
			    node_type_name(pair.key));
		refuse_special(l, pair.value);
		pairs_add(p, &pair, 1);
	}
	return rc;
}

static int
compose_map(struct loader *l, const yaml_event_t *event, unsigned depth, struct node **out)
{
	const char *tag = short_tag(event->data.mapping_start.tag);
	struct node *map = node_new(l->arena, NODE_MAP, mark_of(l, event->start_mark));
	struct members m = { NULL, 0, 0 };
	struct pairs p = { NULL, 0, 0 };
	int rc = read_members(l, depth, &m);

	if (rc == 0)
		rc = collect_pairs(l, &m, map, &p);
	if (rc < 0)
		goto out;
	map->n = node_pairs_unique(p.list, p.n);
	map->pairs = arena_alloc(l->arena, map->n * sizeof(*p.list));
	if (map->n)
		memcpy(map->pairs, p.list, map->n * sizeof(*p.list));
	if (strcmp(tag, "set") == 0)
		map->type = NODE_SET;
	else if (*tag && strcmp(tag, "map") != 0)
		wrong_tag(l, map->mark, tag);
	node_measure(map);
	rc = check_size(l, map);
	*out = map;
out:
	free(m.list);
	free(p.list);
	return rc;
}

/* Every value counts, so that a large file cannot fill the memory with nodes. */
static int
count_node(struct loader *l, unsigned depth, struct mark mark)
{
	if (depth > TREE_DEPTH_MAX)
		problem_error(l->problems, mark,
		    "found values nested too deeply, expected at most %d levels", TREE_DEPTH_MAX);
	else if (++l->nodes > TREE_NODES_MAX)
		problem_error(l->problems, mark, "found too many values, expected at most %d",
		    TREE_NODES_MAX);
	else
		return 0;
	return ERR_LIMIT;
}

static const yaml_char_t *
event_anchor(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return event->data.scalar.anchor;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.anchor;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.anchor;
	default:
		return NULL;
	}
}

/* One node; *out is NULL when the collection (or the document) ends here. */
static int
compose(struct loader *l, unsigned depth, struct node **out)
{
	yaml_event_t event;
	int rc = reader_next(&l->reader, &event), anchor;

	*out = NULL;
	if (rc < 0)
		return rc;
	rc = anchor = anchor_open(l, event_anchor(&event), event.start_mark);
	if (rc >= 0 && event_anchor(&event) == NULL && event.type != YAML_ALIAS_EVENT &&
	    (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT ||
		event.type == YAML_DOCUMENT_END_EVENT || event.type == YAML_STREAM_END_EVENT))
		goto out;
	if (rc >= 0)
		rc = count_node(l, depth, mark_of(l, event.start_mark));
	if (rc < 0)
		goto out;
	switch (event.type) {
	case YAML_ALIAS_EVENT:
		rc = compose_alias(l, &event, out);
		break;
	case YAML_SCALAR_EVENT:
		compose_scalar(l, &event, out);
		break;
	case YAML_SEQUENCE_START_EVENT:
		rc = compose_list(l, &event, depth, out);
		break;
	case YAML_MAPPING_START_EVENT:
		rc = compose_map(l, &event, depth, out);
		break;
	default:
		rc = ERR_SYNTAX;
		break;
	}
	if (rc >= 0 && anchor > 0)
		l->anchors.list[anchor - 1].node = *out;
out:
	reader_done(&event);
	return rc < 0 ? rc : 0;
}

/* Stream start, then either its end or one document, then its end. */
static int
load_stream(struct loader *l, struct node **out)
{
	yaml_event_t event;
	struct mark mark;
	yaml_event_type_t type = YAML_NO_EVENT;
	int rc = 0;

	while (rc == 0 && type != YAML_DOCUMENT_START_EVENT && type != YAML_STREAM_END_EVENT) {
		rc = reader_next(&l->reader, &event);
		if (rc < 0)
			return rc;
		type = event.type;
		reader_done(&event);
	}
	if (type == YAML_STREAM_END_EVENT)
		return 0;
	rc = compose(l, 1, out);
	for (type = YAML_NO_EVENT; rc == 0 && type != YAML_STREAM_END_EVENT;) {
		rc = reader_next(&l->reader, &event);
		if (rc < 0)
			return rc;
		type = event.type;
		mark = mark_of(l, event.start_mark);
		reader_done(&event);
		if (type == YAML_DOCUMENT_START_EVENT) {
			problem_error(
			    l->problems, mark, "found a second document, expected one in a file");
			return ERR_SYNTAX;
		}
	}
	if (rc == 0 && *out)
		refuse_special(l, *out);
	return rc;
}

int
tree_parse(struct arena *arena, struct buf *text, const char *file, struct problems *problems,
    struct node **out)
{
	size_t errors = problems_errors(problems);
	struct loader l = { .arena = arena, .problems = problems };
	int rc = source_prepare(text, file, problems);

	*out = NULL;
	if (rc < 0)
		return rc;
	anchors_init(&l.anchors);
	rc = reader_open(&l.reader, text, file, problems);
	if (rc == 0)
		rc = load_stream(&l, out);
	reader_clear(&l.reader);
	anchors_clear(&l.anchors);
	if (rc == 0 && problems_errors(problems) > errors)
		rc = ERR_SYNTAX;
	if (rc < 0)
		*out = NULL;
	return rc;
}
