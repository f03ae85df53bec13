/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pass over libyaml's tokens that looks at the text between them. Marks count characters, so a
 * cursor walks the text along with them. After each change the pass begins again.
 */
#include "supervisor/config/strict.h"

#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "supervisor/config/tree.h"

#define TAB_TEXT "found a tab character where a value or a key can begin, expected spaces"

/* Bytes read by all passes together; a text with very many places to change is refused by libyaml
 * then. */
#define PASSES_MAX ((size_t)512 * 1024 * 1024)

#define DIGITS "0123456789"

struct cursor {
	const char *p, *end;
	size_t index; /* characters before p */
	unsigned line, column;
};

static void
step(struct cursor *c)
{
	unsigned char first = (unsigned char)*c->p;
	size_t len = first < 0x80 ? 1 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
	bool newline = first == '\n' ||
		       (first == '\r' && (c->p + 1 == c->end || c->p[1] != '\n')) ||
		       (len == 2 && memcmp(c->p, "\xC2\x85", 2) == 0) ||
		       (len == 3 && memcmp(c->p, "\xE2\x80\xA8", 3) == 0) ||
		       (len == 3 && memcmp(c->p, "\xE2\x80\xA9", 3) == 0);

	c->p += len;
	c->index++;
	if (newline) {
		c->line++;
		c->column = 1;
	} else {
		c->column++;
	}
}

static void
found(struct strict *f, const struct cursor *c, const char *text)
{
	f->line = c->line;
	f->column = c->column;
	f->text = text;
}

/* Blanks and comments before a token. */
static void
check_gap(struct cursor *c, size_t until, struct strict *f)
{
	bool comment = false;

	while (c->p < c->end && c->index < until) {
		if (*c->p == '\n' || *c->p == '\r')
			comment = false;
		else if (*c->p == '#')
			comment = true;
		else if (*c->p == '\t' && !comment)
			return found(f, c, TAB_TEXT);
		else if (*c->p == '\xEF' && !comment && memcmp(c->p, "\xEF\xBB\xBF", 3) == 0)
			return found(f, c,
			    "found a byte order mark inside the text, expected it at the beginning "
			    "only");
		step(c);
	}
}

static void
check_plain(struct cursor *c, size_t until, bool in_flow, struct strict *f)
{
	for (size_t first = c->index; c->p < c->end && c->index < until; step(c)) {
		if (*c->p == '\t')
			return found(f, c, TAB_TEXT);
		if (*c->p == '?' && in_flow && c->index > first)
			return found(f, c,
			    "found '?' in an unquoted text inside [] or {}, expected it quoted");
	}
}

static void
check_block_header(struct cursor *c, struct strict *f)
{
	step(c);
	while (c->p < c->end && strchr("+-" DIGITS, *c->p) && *c->p)
		step(c);
	if (c->p < c->end && strchr("#\t", *c->p) && *c->p)
		return found(f, c, "found more text after | or >, expected a line break");
	while (c->p < c->end && *c->p == ' ')
		step(c);
	if (c->p < c->end && *c->p == '\t')
		found(f, c, TAB_TEXT);
}

static void
check_version(struct cursor *c, size_t until, struct strict *f)
{
	static const char text[] = "found an unusable %YAML directive, expected `%YAML 1.1`";

	for (int i = 0; i < 5; i++)
		step(c);
	while (c->index < until && *c->p == ' ')
		step(c);
	if (*c->p == '\t')
		return found(f, c, text);
	while (c->index < until)
		step(c);
	if (c->p < c->end && strchr(" \r\n" DIGITS, *c->p) == NULL)
		found(f, c, text);
}

static void
check_token(const yaml_token_t *token, struct cursor *c, int *flow, struct strict *f)
{
	check_gap(c, token->start_mark.index, f);
	if (f->line)
		return;
	switch (token->type) {
	case YAML_FLOW_SEQUENCE_START_TOKEN:
	case YAML_FLOW_MAPPING_START_TOKEN:
		++*flow;
		break;
	case YAML_FLOW_SEQUENCE_END_TOKEN:
	case YAML_FLOW_MAPPING_END_TOKEN:
		--*flow;
		break;
	case YAML_VERSION_DIRECTIVE_TOKEN:
		check_version(c, token->end_mark.index, f);
		break;
	case YAML_SCALAR_TOKEN:
		if (token->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
			check_plain(c, token->end_mark.index, *flow > 0, f);
		else if (token->data.scalar.style == YAML_LITERAL_SCALAR_STYLE ||
			 token->data.scalar.style == YAML_FOLDED_SCALAR_STYLE)
			check_block_header(c, f);
		break;
	default:
		break;
	}
	while (!f->line && c->p < c->end && c->index < token->end_mark.index)
		step(c);
}

static void
walk_to(struct cursor *c, size_t index)
{
	while (c->p < c->end && c->index < index)
		step(c);
}

static bool
one_of(const struct cursor *c, const char *set)
{
	return c->p < c->end && *c->p && strchr(set, *c->p);
}

/* Puts text at the cursor, in place of `replaced` bytes there. Returns whether there was room for
 * it. */
static bool
put(struct strict *s, struct buf *text, const struct cursor *c, size_t replaced, const char *new)
{
	size_t n = strlen(new), at = (size_t)(c->p - text->data), rest = text->len - at - replaced;

	if (buf_reserve(text, n) == NULL)
		return false;
	memmove(text->data + at + n, text->data + at + replaced, rest);
	memcpy(text->data + at, new, n);
	buf_commit(text, n - replaced);
	if (s->n_shifts == s->cap_shifts) {
		s->cap_shifts = s->cap_shifts ? s->cap_shifts * 2 : 16;
		s->shifts = xrealloc(s->shifts, s->cap_shifts * sizeof(*s->shifts));
	}
	s->shifts[s->n_shifts++] =
	    (struct strict_shift){ c->line, c->column, (unsigned)(n - replaced) };
	return true;
}

/* To PyYAML `,`, `[` and `]` are characters of a tag as all others: `!!str,` is an unknown tag. */
static bool
escape_in_tag(struct strict *s, struct buf *text, const struct cursor *c)
{
	static const char *const escapes[] = { ",%2C", "[%5B", "]%5D" };

	for (size_t i = 0; i < ARRAY_LEN(escapes); i++)
		if (c->p < c->end && *c->p == escapes[i][0])
			return put(s, text, c, 1, escapes[i] + 1);
	return false;
}

/*
 * libyaml refuses a block scalar whose first line has a tab behind its spaces; PyYAML takes the
 * spaces as the indentation. Saying that indentation in the header (`|` becomes `|2`) makes them
 * agree.
 */
static bool
say_indentation(struct strict *s, struct buf *text, const struct cursor *header, int parent)
{
	struct cursor c = *header;
	size_t indent = 0;
	long increment;
	char digit[2] = "";

	if (!one_of(&c, "|>") || strcspn(c.p, DIGITS) < strcspn(c.p, " \t\r\n"))
		return false;
	step(&c);
	for (const char *p = memchr(c.p, '\n', (size_t)(c.end - c.p)), *line = p;
	     p && p < c.end && strchr(" \r\n", *p); p++) {
		if (*p != ' ')
			line = p + 1;
		else if ((size_t)(p + 1 - line) > indent)
			indent = (size_t)(p + 1 - line);
	}
	increment = (long)indent - (parent >= 0 ? parent : 0);
	if (increment < 1 || increment > 9)
		return false;
	digit[0] = (char)('0' + increment);
	return put(s, text, &c, 0, digit);
}

/* Where libyaml's scanner gave up: whether the text could be changed so that it goes on. */
static bool
repair(struct strict *s, struct buf *text, struct cursor *c, const yaml_parser_t *parser)
{
	const char *problem = parser->problem ? parser->problem : "";

	if (parser->error != YAML_SCANNER_ERROR)
		return false;
	if (strcmp(problem, "found a tab character where an indentation space is expected") == 0) {
		walk_to(c, parser->context_mark.index);
		return say_indentation(s, text, c, parser->indent);
	}
	walk_to(c, parser->problem_mark.index);
	if (strcmp(problem, "did not find expected whitespace or line break") == 0 &&
	    parser->context && strcmp(parser->context, "while scanning a tag") == 0)
		return escape_in_tag(s, text, c);
	if (strcmp(problem, "found unexpected ':'") == 0 && one_of(c, ":")) {
		step(c);
		return one_of(c, ",[]{}") && put(s, text, c, 0, " ");
	}
	return false;
}

/* One pass. Returns whether the text was changed and must be read again. */
static bool
pass(struct strict *s, struct buf *text)
{
	struct cursor c = { buf_text(text), buf_text(text) + text->len, 0, 1, 1 };
	yaml_parser_t parser;
	yaml_token_t token;
	int flow = 0;
	bool end = false, changed = false, tag;

	if (!yaml_parser_initialize(&parser))
		return false;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)c.p, text->len);
	/* Deeper is refused anyway, and libyaml would take time by the square of the depth. */
	while (!end && !s->line && !changed && flow <= TREE_DEPTH_MAX) {
		if (!yaml_parser_scan(&parser, &token)) {
			changed = repair(s, text, &c, &parser);
			break;
		}
		end = token.type == YAML_STREAM_END_TOKEN || token.type == YAML_NO_TOKEN;
		tag = token.type == YAML_TAG_TOKEN;
		check_token(&token, &c, &flow, s);
		yaml_token_delete(&token);
		if (tag && !s->line && one_of(&c, ",[]"))
			changed = escape_in_tag(s, text, &c);
	}
	yaml_parser_delete(&parser);
	return changed;
}

/* Whether there is anything in the text that the two scanners may differ about; most configs are
 * read once. */
static bool
may_differ(struct str text)
{
	const char *p = text.p, *end = text.p + text.n;

	for (; p < end; p++) {
		switch (*p) {
		case '\t':
		case '?':
		case '!':
		case '%':
			return true;
		case ':':
			if (p + 1 < end && strchr(",[]{}", p[1]))
				return true;
			break;
		case '#':
			if (p > text.p && strchr("|>+-" DIGITS, p[-1]))
				return true;
			break;
		case '\xEF':
			if (end - p >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0)
				return true;
			break;
		}
	}
	return false;
}

void
strict_check(struct buf *text, struct strict *s)
{
	size_t left = PASSES_MAX;

	*s = (struct strict){ 0 };
	if (!may_differ(buf_str(text)))
		return;
	while (left >= text->len && pass(s, text))
		left -= text->len;
	if (s->line)
		s->column = strict_column(s, s->line, s->column);
}

void
strict_clear(struct strict *s)
{
	free(s->shifts);
	*s = (struct strict){ 0 };
}

/* Shifts are in the order of the text, because each pass comes further than the one before. */
unsigned
strict_column(const struct strict *s, unsigned line, unsigned column)
{
	size_t low = 0, high = s->n_shifts;
	unsigned moved = 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->shifts[middle].line < line)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < s->n_shifts && s->shifts[low].line == line && s->shifts[low].column < column;
	     low++)
		moved += s->shifts[low].width;
	return column - moved;
}

void
strict_end(struct str text, unsigned *line, unsigned *column)
{
	struct cursor c = { text.p, text.p + text.n, 0, 1, 1 };

	while (c.p < c.end)
		step(&c);
	*line = c.line;
	*column = c.column;
}
