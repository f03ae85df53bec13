/* SPDX-License-Identifier: Apache-2.0 */
/* Events, their marks and their errors. */
#include "supervisor/config/reader.h"

#include <string.h>

#include "shared/secret.h"

/* libyaml's words say what its machine missed; these say what was found and what a person can do.
 */
static const struct {
	const char *problem, *text;
} words[] = {
	{ "mapping values are not allowed in this context",
	    "found ': ' where no value can begin, expected one ': ' in a line and the same "
	    "indentation (or quotes)" },
	{ "mapping keys are not allowed in this context",
	    "found '? ' where no key can begin, expected it quoted" },
	{ "block sequence entries are not allowed in this context",
	    "found '- ' where no list can begin, expected it on a line of its own" },
	{ "did not find expected key",
	    "found something else than a key, expected a key at the indentation of the mapping" },
	{ "did not find expected '-' indicator",
	    "found something else than '- ', expected '- ' at the indentation of the list" },
	{ "could not find expected ':'", "found a line without ': ', expected ': ' after a key" },
	{ "found character that cannot start any token",
	    "found a character that no value begins with, expected a text with @, ` or % in "
	    "quotes, and no tabs" },
	{ "found a tab character that violates indentation",
	    "found a tab character, expected spaces as indentation" },
	{ "found a tab character where an indentation space is expected",
	    "found a tab character, expected spaces as indentation" },
	{ "found unexpected end of stream",
	    "found the end of the file, expected the closing quote" },
	{ "found unexpected document indicator",
	    "found '---' or '...' inside quotes, expected the closing quote" },
	{ "did not find expected ',' or ']'", "found a list without its end, expected ',' or ']'" },
	{ "did not find expected ',' or '}'",
	    "found a mapping without its end, expected ',' or '}'" },
	{ "did not find expected node content", "found no value, expected one before this" },
	{ "did not find expected <document start>",
	    "found more after the end of the text, expected nothing" },
	{ "did not find expected alphabetic or numeric character",
	    "found no name after * or &, expected letters, digits, - or _ (quote a text that "
	    "begins with * or &)" },
	{ "found unexpected ':'",
	    "found ':' inside an unquoted text in [] or {}, expected the text quoted" },
	{ "found unknown escape character", "found an unknown escape after a backslash, expected "
					    "\\\\ for a backslash (or single quotes)" },
	{ "did not find expected hexdecimal number",
	    "found too few hexadecimal digits, expected 2 after \\x, 4 after \\u and 8 after \\U" },
	{ "found invalid Unicode character escape code",
	    "found an escape that is no character, expected a Unicode character" },
	{ "found an indentation indicator equal to 0", "found 0 after | or >, expected 1 to 9" },
	{ "did not find expected comment or line break",
	    "found more text after | or >, expected a line break" },
	{ "did not find expected whitespace or line break",
	    "found more text after a tag, expected a space" },
	{ "did not find the expected '>'",
	    "found no '>' after '!<', expected one (or the text quoted)" },
	{ "found undefined tag handle",
	    "found a tag whose prefix is not known, expected no tag, or the text quoted" },
	{ "found incompatible YAML document", "found another version, expected `%YAML 1.1`" },
};

static const char *
words_of(const char *problem)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i].problem, problem) == 0)
			return words[i].text;
	return NULL;
}

struct mark
reader_mark(const struct reader *r, yaml_mark_t mark)
{
	unsigned line = (unsigned)mark.line + 1;

	return (struct mark){ r->file, line,
		strict_column(&r->strict, line, (unsigned)mark.column + 1) };
}

/* libyaml counts the end of a text without a last line break as a new line; PyYAML does not. */
static struct mark
end_mark(const struct reader *r)
{
	struct mark mark = { r->file, 0, 0 };

	strict_end(r->text, &mark.line, &mark.column);
	mark.column = strict_column(&r->strict, mark.line, mark.column);
	return mark;
}

static int
syntax_error(struct reader *r)
{
	yaml_parser_t *p = &r->parser;
	struct mark mark = reader_mark(r, p->problem_mark), end = end_mark(r);
	const char *problem = p->problem ? p->problem : "the text cannot be read",
		   *text = words_of(problem);

	if (mark.line > end.line)
		mark = end;
	/* PyYAML points at the character after the backslash, and after the ':' that it has read.
	 */
	if (strcmp(problem, "found unknown escape character") == 0 ||
	    strcmp(problem, "found unexpected ':'") == 0)
		mark.column++;
	/* Of one line one is enough: the second follows from the first. */
	if (r->strict.line == mark.line)
		return ERR_SYNTAX;
	if (p->error == YAML_MEMORY_ERROR)
		problem_error(r->problems, mark, "not enough memory to read the file");
	else if (text)
		problem_error(r->problems, mark, "%s", text);
	else
		problem_error(r->problems, mark, "%s, expected YAML 1.1", problem);
	return ERR_SYNTAX;
}

int
reader_open(struct reader *r, struct buf *text, const char *file, struct problems *problems)
{
	*r = (struct reader){ .problems = problems, .file = file };
	strict_check(text, &r->strict);
	r->text = buf_str(text);
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
