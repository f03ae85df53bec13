/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of findings. Kept in order of their place when read, because the parts of the loader
 * find them in passes while a person reads the file from top to bottom.
 */
#include "supervisor/config/problem.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define PROBLEM_TEXT_MAX 2048

struct problems {
	struct problem *list;
	size_t n, cap;
	size_t errors, deployments, dropped;
	char **files; /* in the order in which they were first met */
	size_t n_files;
	bool sorted;
};

struct problems *
problems_new(void)
{
	return xcalloc(1, sizeof(struct problems));
}

void
problems_free(struct problems *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n; i++)
		free(p->list[i].text);
	for (size_t i = 0; i < p->n_files; i++)
		free(p->files[i]);
	free(p->files);
	free(p->list);
	free(p);
}

static char *
intern_file(struct problems *p, const char *file)
{
	for (size_t i = 0; i < p->n_files; i++)
		if (strcmp(p->files[i], file) == 0)
			return p->files[i];
	p->files = xrealloc(p->files, (p->n_files + 1) * sizeof(*p->files));
	p->files[p->n_files] = xstrdup(file);
	return p->files[p->n_files++];
}

static bool
known(const struct problems *p, const char *file, struct mark mark, const char *text)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->list[i].line == mark.line && p->list[i].column == mark.column &&
		    p->list[i].file == file && strcmp(p->list[i].text, text) == 0)
			return true;
	return false;
}

static void
add(struct problems *p, enum problem_severity severity, struct mark mark, const char *fmt,
    va_list ap)
{
	struct buf text = BUF_INIT(PROBLEM_TEXT_MAX);
	char *file = intern_file(p, mark.file ? mark.file : "config");

	buf_vaddf(&text, fmt, ap);
	/* Names of the config are quoted: one line, and nothing that a terminal obeys. */
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
			text.data[i] = '?';
	if (known(p, file, mark, buf_text(&text)))
		goto out;
	if (severity == PROBLEM_ERROR)
		p->errors++;
	if (severity == PROBLEM_DEPLOYMENT)
		p->deployments++;
	if (p->n >= PROBLEMS_MAX) {
		p->dropped++;
		goto out;
	}
	if (p->n == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 16;
		p->list = xrealloc(p->list, p->cap * sizeof(*p->list));
	}
	p->list[p->n++] =
	    (struct problem){ severity, file, mark.line, mark.column, buf_take(&text) };
	p->sorted = false;
out:
	buf_clear(&text);
}

void
problem_error(struct problems *p, struct mark mark, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(p, PROBLEM_ERROR, mark, fmt, ap);
	va_end(ap);
}

void
problem_warning(struct problems *p, struct mark mark, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(p, PROBLEM_WARNING, mark, fmt, ap);
	va_end(ap);
}

void
problem_deployment(struct problems *p, struct mark mark, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(p, PROBLEM_DEPLOYMENT, mark, fmt, ap);
	va_end(ap);
}

size_t
problems_count(const struct problems *p)
{
	return p->n;
}

size_t
problems_dropped(const struct problems *p)
{
	return p->dropped;
}

size_t
problems_errors(const struct problems *p)
{
	return p->errors;
}

size_t
problems_deployments(const struct problems *p)
{
	return p->deployments;
}

static size_t
file_rank(const struct problems *p, const char *file)
{
	size_t i = 0;

	while (i < p->n_files && p->files[i] != file)
		i++;
	return i;
}

static bool
before(const struct problems *p, const struct problem *a, const struct problem *b)
{
	if (a->file != b->file)
		return file_rank(p, a->file) < file_rank(p, b->file);
	if (a->line != b->line)
		return a->line < b->line;
	return a->column < b->column;
}

/* Insertion: stable, and the list is short and nearly in order. */
static void
sort(struct problems *p)
{
	for (size_t i = 1; i < p->n; i++) {
		struct problem one = p->list[i];
		size_t j = i;

		for (; j > 0 && before(p, &one, &p->list[j - 1]); j--)
			p->list[j] = p->list[j - 1];
		p->list[j] = one;
	}
	p->sorted = true;
}

const struct problem *
problems_at(struct problems *p, size_t i)
{
	if (!p->sorted)
		sort(p);
	return &p->list[i];
}

void
problem_format(const struct problem *one, struct buf *b)
{
	buf_add_text(b, one->file);
	if (one->line > 0)
		buf_addf(b, ":%u:%u", one->line, one->column);
	buf_addf(b, ": %s: %s", one->severity == PROBLEM_WARNING ? "warning" : "error", one->text);
}
