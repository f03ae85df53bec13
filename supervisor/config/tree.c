/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libyaml events to nodes, by PyYAML's composer and constructor. Syntax ends the reading; wrong tags, keys
 * and values are collected on the way.
 */
#include "supervisor/config/tree.h"

#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "shared/secret.h"
#include "supervisor/config/scalar.h"
#include "supervisor/config/source.h"
#include "supervisor/config/strict.h"

#define TAG_PREFIX "tag:yaml.org,2002:"

struct anchor {
	char *name;
	struct node *node; /* NULL while its value is being read */
};

#define ANCHORS_MAX 10000
#define ANCHOR_SLOTS 32768

struct loader {
	yaml_parser_t parser;
	struct arena *arena;
	const char *file;
	struct problems *problems;
	struct anchor *anchors;
	size_t n_anchors, cap_anchors;
	uint16_t *anchor_slots; /* index + 1 by the name's hash */
	size_t nodes, merged;
	int rc; /* the first error that ends the reading */
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
	return (struct mark){ l->file, (unsigned)mark.line + 1, (unsigned)mark.column + 1 };
}

static int
stop(struct loader *l, int rc)
{
	if (l->rc == 0)
		l->rc = rc;
	return rc;
}

/* libyaml's words say what it met; these say what a person can do. */
static const char *
advice(const char *problem)
{
	static const struct {
		const char *problem, *advice;
	} rows[] = {
		{ "mapping values are not allowed in this context", "expected no second ': ' in an unquoted value (quote it)" },
		{ "did not find expected key", "expected a key at the indentation of the mapping" },
		{ "did not find expected '-' indicator", "expected '- ' at the indentation of the list" },
		{ "could not find expected ':'", "expected ': ' after a key" },
		{ "found character that cannot start any token",
		    "expected a value; tabs do not indent, and a text that begins with @, ` or % must be quoted" },
		{ "found unexpected end of stream", "expected the closing quote" },
		{ "did not find expected ',' or ']'", "expected ',' or ']'" },
		{ "did not find expected ',' or '}'", "expected ',' or '}'" },
		{ "did not find expected alphabetic or numeric character",
		    "expected a name after * or & (quote a text that begins with one)" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].problem, problem) == 0)
			return rows[i].advice;
	return "expected YAML 1.1";
}

static int
syntax_error(struct loader *l)
{
	yaml_parser_t *p = &l->parser;
	struct mark mark = mark_of(l, p->problem_mark);
	const char *problem = p->problem ? p->problem : "the text cannot be read";

	/* PyYAML points at the character after the backslash. */
	if (strcmp(problem, "found unknown escape character") == 0)
		mark.column++;
	if (p->error == YAML_MEMORY_ERROR)
		problem = "not enough memory";
	problem_error(l->problems, mark, "%s, %s", problem, advice(problem));
	return stop(l, ERR_SYNTAX);
}

static int
next_event(struct loader *l, yaml_event_t *event)
{
	if (!yaml_parser_parse(&l->parser, event))
		return syntax_error(l);
	return 0;
}

static void
event_done(yaml_event_t *event)
{
	if (event->type == YAML_SCALAR_EVENT && event->data.scalar.value)
		secret_wipe(event->data.scalar.value, event->data.scalar.length);
	yaml_event_delete(event);
}

/* Where the name's index is, or belongs. */
static uint16_t *
anchor_slot(struct loader *l, const char *name)
{
	uint32_t h = 2166136261u;

	for (const char *c = name; *c; c++)
		h = (h ^ (unsigned char)*c) * 16777619u;
	for (h ^= h >> 15;; h++) {
		uint16_t *slot = &l->anchor_slots[h % ANCHOR_SLOTS];

		if (*slot == 0 || strcmp(l->anchors[*slot - 1].name, name) == 0)
			return slot;
	}
}

/* Returns the anchor's index + 1, 0 when there is none, or a negative error. */
static int
anchor_open(struct loader *l, const yaml_char_t *name, yaml_mark_t at)
{
	uint16_t *slot;

	if (name == NULL)
		return 0;
	slot = anchor_slot(l, (const char *)name);
	if (*slot) {
		problem_error(l->problems, mark_of(l, at), "found an anchor (&) a second time, expected another name");
		return stop(l, ERR_SYNTAX);
	}
	if (l->n_anchors >= ANCHORS_MAX) {
		problem_error(l->problems, mark_of(l, at), "found too many anchors (&), expected at most %d",
		    ANCHORS_MAX);
		return stop(l, ERR_LIMIT);
	}
	if (l->n_anchors == l->cap_anchors) {
		l->cap_anchors = l->cap_anchors ? l->cap_anchors * 2 : 16;
		l->anchors = xrealloc(l->anchors, l->cap_anchors * sizeof(*l->anchors));
	}
	l->anchors[l->n_anchors] = (struct anchor){ xstrdup((const char *)name), NULL };
	*slot = (uint16_t)++l->n_anchors;
	return *slot;
}

static int
compose_alias(struct loader *l, const yaml_event_t *event, struct node **out)
{
	uint16_t slot = *anchor_slot(l, (const char *)event->data.alias.anchor);
	struct mark mark = mark_of(l, event->start_mark);

	/* The name is not shown: an unquoted key that begins with * would be one. */
	if (slot == 0) {
		problem_error(l->problems, mark,
		    "found an alias (*) of an anchor that is not defined, expected &name before it, or the text quoted");
		return stop(l, ERR_SYNTAX);
	}
	if (l->anchors[slot - 1].node == NULL) {
		problem_error(l->problems, mark, "found an alias (*) inside the value that it stands for, expected no cycle");
		return stop(l, ERR_SYNTAX);
	}
	*out = l->anchors[slot - 1].node;
	return 0;
}

/* The tag as text without its common prefix; "" for none. Only standard tags are named in messages. */
static const char *
short_tag(const yaml_char_t *tag)
{
	const char *t = (const char *)tag;

	if (t == NULL || strcmp(t, "!") == 0)
		return "";
	return strncmp(t, TAG_PREFIX, sizeof(TAG_PREFIX) - 1) == 0 ? t + sizeof(TAG_PREFIX) - 1 : "?";
}

static void
unknown_tag(struct loader *l, struct mark mark, const char *tag)
{
	if (strcmp(tag, "?") == 0)
		problem_error(l->problems, mark, "found a tag (!) that is not known, expected none, or the text quoted");
	else
		problem_error(l->problems, mark, "found a value that the tag `!!%s` cannot make, expected no such tag", tag);
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

/* Marks the text nodes that were a plain << or =: as keys they mean something, as values nothing. */
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
		unknown_tag(l, mark, short_tag(event->data.scalar.tag));
		*out = node_new(l->arena, NODE_NULL, mark);
		return;
	}
	if (tag == SCALAR_MERGE || tag == SCALAR_VALUE) {
		*out = node_new(l->arena, NODE_STR, mark);
		(*out)->text = tag == SCALAR_MERGE ? (struct str){ merge_text, 2 } : (struct str){ value_text, 1 };
		return;
	}
	if (scalar_make(l->arena, (enum scalar_tag)tag, text, mark, out, &expected) < 0) {
		problem_error(l->problems, mark, "found a value that is not what its form says, expected %s", expected);
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
		problem_error(l->problems, node->mark, "found a bare `%s` as a value, expected it quoted", node->text.p);
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
		problem_error(l->problems, node->mark, "found values nested too deeply, expected at most %d levels",
		    TREE_DEPTH_MAX);
	else if (node->size > TREE_NODES_MAX || node->bytes > TREE_BYTES_MAX)
		problem_error(l->problems, node->mark,
		    "found aliases that expand to too much, expected at most %d values and %d MiB of text", TREE_NODES_MAX,
		    (int)(TREE_BYTES_MAX / 1048576));
	else
		return 0;
	return stop(l, ERR_LIMIT);
}

/* !!omap and !!pairs: a list of mappings with one entry each, which become tuples. */
static void
make_pairs(struct loader *l, struct node *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct node *entry = list->items[i], *tuple;

		if (entry->type != NODE_MAP || entry->n != 1) {
			problem_error(l->problems, entry->mark, "found %s in ordered pairs, expected a mapping of length 1",
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
		unknown_tag(l, list->mark, tag);
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
		problem_error(l->problems, map->mark, "found merge keys (<<) that add too much, expected at most %d entries",
		    TREE_MERGED_MAX);
		return stop(l, ERR_LIMIT);
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
		problem_error(l->problems, value->mark, "found %s after `<<:`, expected a mapping or a list of mappings",
		    node_type_name(value));
		return 0;
	}
	for (size_t i = value->n; i-- > 0 && rc == 0;) {
		if (value->items[i]->type == NODE_MAP || value->items[i]->type == NODE_SET)
			rc = merge_map(l, p, map, value->items[i]);
		else
			problem_error(l->problems, value->items[i]->mark, "found %s after `<<:`, expected mappings",
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
			problem_error(l->problems, pair.key->mark, "found %s as a key, expected a text (quote it)",
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
		unknown_tag(l, map->mark, tag);
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
		problem_error(l->problems, mark, "found values nested too deeply, expected at most %d levels", TREE_DEPTH_MAX);
	else if (++l->nodes > TREE_NODES_MAX)
		problem_error(l->problems, mark, "found too many values, expected at most %d", TREE_NODES_MAX);
	else
		return 0;
	return stop(l, ERR_LIMIT);
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
	int rc = next_event(l, &event), anchor;

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
		rc = stop(l, ERR_SYNTAX);
		break;
	}
	if (rc >= 0 && anchor > 0)
		l->anchors[anchor - 1].node = *out;
out:
	event_done(&event);
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
		rc = next_event(l, &event);
		if (rc < 0)
			return rc;
		type = event.type;
		yaml_event_delete(&event);
	}
	if (type == YAML_STREAM_END_EVENT)
		return 0;
	rc = compose(l, 1, out);
	for (type = YAML_NO_EVENT; rc == 0 && type != YAML_STREAM_END_EVENT;) {
		rc = next_event(l, &event);
		if (rc < 0)
			return rc;
		type = event.type;
		mark = mark_of(l, event.start_mark);
		yaml_event_delete(&event);
		if (type == YAML_DOCUMENT_START_EVENT) {
			problem_error(l->problems, mark, "found a second document, expected one in a file");
			return stop(l, ERR_SYNTAX);
		}
	}
	if (rc == 0 && *out)
		refuse_special(l, *out);
	return rc;
}

static void
loader_clear(struct loader *l)
{
	for (size_t i = 0; i < l->n_anchors; i++)
		free(l->anchors[i].name);
	free(l->anchors);
	free(l->anchor_slots);
	l->anchor_slots = NULL;
	l->anchors = NULL;
	l->n_anchors = l->cap_anchors = 0;
	yaml_parser_delete(&l->parser);
}

/*
 * libyaml refuses a block scalar whose first line has a tab behind its spaces; PyYAML takes the spaces as the
 * indentation. Saying that indentation in the header (`|` becomes `|2`) makes them agree. Returns whether
 * the text was changed, so that it is worth reading again.
 */
static bool
say_indentation(struct loader *l, struct buf *text)
{
	yaml_parser_t *p = &l->parser;
	const char *c, *end = text->data + text->len;
	size_t line = 0, at, indent = 0;
	long increment;

	if (p->error != YAML_SCANNER_ERROR || p->problem == NULL ||
	    strcmp(p->problem, "found a tab character where an indentation space is expected") != 0)
		return false;
	c = text->data;
	for (; c < end && line < p->context_mark.line; c++)
		line += *c == '\n';
	/* Columns count characters. */
	for (size_t column = p->context_mark.column; c < end && column > 0; column--)
		for (c++; c < end && ((unsigned char)*c & 0xC0) == 0x80; c++)
			;
	if (c >= end || (*c != '|' && *c != '>'))
		return false;
	at = (size_t)(c - text->data) + 1;
	c = memchr(c, '\n', (size_t)(end - c));
	for (size_t column = 0; c && c < end && strchr(" \r\n", *c); c++) {
		column = *c == ' ' ? column + 1 : 0;
		indent = column > indent ? column : indent;
	}
	increment = (long)indent - (p->indent >= 0 ? p->indent : 0);
	if (increment < 1 || increment > 9 || (at < text->len && strchr("0123456789", text->data[at])))
		return false;
	if (buf_reserve(text, 1) == NULL)
		return false;
	buf_commit(text, 1);
	memmove(text->data + at + 1, text->data + at, text->len - 1 - at);
	text->data[at] = (char)('0' + increment);
	return true;
}

#define SAY_INDENTATION_MAX 100

/* Adds the finding of the strict pass when it comes before all syntax errors. */
static void
add_strict(struct loader *l, struct strict_finding f)
{
	problem_error(l->problems, (struct mark){ l->file, f.line, f.column }, "%s", f.text);
	stop(l, ERR_SYNTAX);
}

/* Reads once; findings go to `problems`. */
static int
parse_once(struct loader *l, struct buf *text, struct node **out)
{
	struct strict_finding strict = strict_check(buf_str(text));

	*out = NULL;
	l->anchor_slots = xcalloc(ANCHOR_SLOTS, sizeof(*l->anchor_slots));
	l->rc = 0;
	l->nodes = l->merged = 0;
	if (!yaml_parser_initialize(&l->parser)) {
		problem_error(l->problems, (struct mark){ l->file, 0, 0 }, "not enough memory to read the file");
		return ERR_LIMIT;
	}
	yaml_parser_set_encoding(&l->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&l->parser, (const unsigned char *)buf_text(text), text->len);
	load_stream(l, out);
	if (strict.line)
		add_strict(l, strict);
	return l->rc;
}

int
tree_parse(struct arena *arena, struct buf *text, const char *file, struct problems *problems, struct node **out)
{
	size_t errors = problems_errors(problems);
	struct loader l = { .arena = arena, .file = file };
	int rc = source_prepare(text, file, problems);

	*out = NULL;
	if (rc < 0)
		return rc;
	for (int i = 0;; i++) {
		struct problems *attempt = problems_new();
		bool again;

		l.problems = attempt;
		rc = parse_once(&l, text, out);
		again = rc == ERR_SYNTAX && i < SAY_INDENTATION_MAX && say_indentation(&l, text);
		loader_clear(&l);
		for (size_t j = 0; !again && j < problems_count(attempt); j++) {
			const struct problem *one = problems_at(attempt, j);

			problem_error(problems, (struct mark){ file, one->line, one->column }, "%s", one->text);
		}
		problems_free(attempt);
		if (!again)
			break;
	}
	if (rc == 0 && problems_errors(problems) > errors)
		rc = ERR_SYNTAX;
	if (rc < 0)
		*out = NULL;
	return rc;
}
