/* SPDX-License-Identifier: Apache-2.0 */
/* Events, their marks and their errors. */
#include "supervisor/config/reader.h"

#include <string.h>

#include "shared/secret.h"

/* libyaml's words say what it met; these say what a person can do. */
static const char *
advice(const char *problem)
{
	static const struct {
		const char *problem, *advice;
	} rows[] = {
		{ "mapping values are not allowed in this context",
		    "expected no second ': ' in an unquoted value (quote it)" },
		{ "did not find expected key", "expected a key at the indentation of the mapping" },
		{ "did not find expected '-' indicator",
		    "expected '- ' at the indentation of the list" },
		{ "could not find expected ':'", "expected ': ' after a key" },
		{ "found character that cannot start any token",
		    "expected a value; tabs do not indent, and a text that begins with @, ` or % "
		    "must be quoted" },
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

struct mark
reader_mark(const struct reader *r, yaml_mark_t mark)
{
	unsigned line = (unsigned)mark.line + 1;

	return (struct mark){ r->file, line,
		strict_column(&r->strict, line, (unsigned)mark.column + 1) };
}

static int
syntax_error(struct reader *r)
{
	yaml_parser_t *p = &r->parser;
	struct mark mark = reader_mark(r, p->problem_mark);
	const char *problem = p->problem ? p->problem : "the text cannot be read";

	/* PyYAML points at the character after the backslash. */
	if (strcmp(problem, "found unknown escape character") == 0)
		mark.column++;
	if (p->error == YAML_MEMORY_ERROR)
		problem = "not enough memory";
	problem_error(r->problems, mark, "%s, %s", problem, advice(problem));
	return ERR_SYNTAX;
}

int
reader_open(struct reader *r, struct buf *text, const char *file, struct problems *problems)
{
	*r = (struct reader){ .problems = problems, .file = file };
	strict_check(text, &r->strict);
	if (!yaml_parser_initialize(&r->parser)) {
		problem_error(
		    problems, (struct mark){ file, 0, 0 }, "not enough memory to read the file");
		return ERR_LIMIT;
	}
	yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r->parser, (const unsigned char *)buf_text(text), text->len);
	if (r->strict.line)
		problem_error(problems, (struct mark){ file, r->strict.line, r->strict.column },
		    "%s", r->strict.text);
	return 0;
}

void
reader_clear(struct reader *r)
{
	strict_clear(&r->strict);
	yaml_parser_delete(&r->parser);
}

int
reader_next(struct reader *r, yaml_event_t *event)
{
	return yaml_parser_parse(&r->parser, event) ? 0 : syntax_error(r);
}

void
reader_done(yaml_event_t *event)
{
	if (event->type == YAML_SCALAR_EVENT && event->data.scalar.value)
		secret_wipe(event->data.scalar.value, event->data.scalar.length);
	yaml_event_delete(event);
}
