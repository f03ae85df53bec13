/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pass over libyaml's tokens that looks at the text between them. Marks count characters, so a cursor
 * walks the text along with them.
 */
#include "supervisor/config/strict.h"

#include <string.h>

#include <yaml.h>

#define TAB_TEXT "found a tab character where a value or a key can begin, expected spaces"

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
	bool newline = first == '\n' || (first == '\r' && (c->p + 1 == c->end || c->p[1] != '\n')) ||
	    (len == 2 && memcmp(c->p, "\xC2\x85", 2) == 0) || (len == 3 && memcmp(c->p, "\xE2\x80\xA8", 3) == 0) ||
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
found(struct strict_finding *f, const struct cursor *c, const char *text)
{
	*f = (struct strict_finding){ c->line, c->column, text };
}

/* Blanks and comments before a token. */
static void
check_gap(struct cursor *c, size_t until, struct strict_finding *f)
{
	bool comment = false;

	while (c->p < c->end && c->index < until) {
		if (*c->p == '\n' || *c->p == '\r')
			comment = false;
		else if (*c->p == '#')
			comment = true;
		else if (*c->p == '\t' && !comment)
			return found(f, c, TAB_TEXT);
		step(c);
	}
}

static void
check_plain(struct cursor *c, size_t until, bool in_flow, struct strict_finding *f)
{
	for (size_t first = c->index; c->p < c->end && c->index < until; step(c)) {
		if (*c->p == '\t')
			return found(f, c, TAB_TEXT);
		if (*c->p == '?' && in_flow && c->index > first)
			return found(f, c, "found '?' in an unquoted text inside [] or {}, expected it quoted");
	}
}

static void
check_block_header(struct cursor *c, struct strict_finding *f)
{
	step(c);
	while (c->p < c->end && strchr("+-0123456789", *c->p) && *c->p)
		step(c);
	if (c->p < c->end && strchr("#\t", *c->p) && *c->p)
		return found(f, c, "found more text after | or >, expected a line break");
	while (c->p < c->end && *c->p == ' ')
		step(c);
	if (c->p < c->end && *c->p == '\t')
		found(f, c, TAB_TEXT);
}

static void
check_version(struct cursor *c, size_t until, struct strict_finding *f)
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
	if (c->p < c->end && strchr(" \r\n0123456789", *c->p) == NULL)
		found(f, c, text);
}

static void
check_token(const yaml_token_t *token, struct cursor *c, int *flow, struct strict_finding *f)
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

struct strict_finding
strict_check(struct str text)
{
	struct strict_finding f = { 0, 0, NULL };
	struct cursor c = { text.p, text.p + text.n, 0, 1, 1 };
	yaml_parser_t parser;
	yaml_token_t token;
	int flow = 0;
	bool end = false;

	if (!yaml_parser_initialize(&parser))
		return f;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text.p, text.n);
	while (!end && !f.line && yaml_parser_scan(&parser, &token)) {
		end = token.type == YAML_STREAM_END_TOKEN || token.type == YAML_NO_TOKEN;
		check_token(&token, &c, &flow, &f);
		yaml_token_delete(&token);
	}
	yaml_parser_delete(&parser);
	return f;
}
