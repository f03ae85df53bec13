/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line an event, written with one write() so that lines of several processes never mix. A line
 * longer than the limit is cut.
 */
#include "shared/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/exitcode.h"
#include "shared/json.h"

#define LINE_MAX_BYTES 8192

static const char *log_role = "llmhealth";
static enum log_format log_format_now = LOG_FORMAT_TEXT;
static enum log_level log_level_now = LOG_LEVEL_INFO;

static const struct {
	const char *name;
	enum log_level level;
} levels[] = {
	{ "error", LOG_LEVEL_ERROR },
	{ "warning", LOG_LEVEL_WARNING },
	{ "notice", LOG_LEVEL_NOTICE },
	{ "info", LOG_LEVEL_INFO },
	{ "debug", LOG_LEVEL_DEBUG },
};

static const char *const formats[] = { "text", "json", "journald" };

void
log_init(const char *role, enum log_format format, enum log_level level)
{
	log_role = role;
	log_format_now = format;
	log_level_now = level;
}

int
log_level_parse(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (str_is(name, levels[i].name))
			return (int)levels[i].level;
	return -1;
}

int
log_format_parse(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (str_is(name, formats[i]))
			return (int)i;
	return -1;
}

enum log_level
log_current_level(void)
{
	return log_level_now;
}

static const char *
level_name(enum log_level level)
{
	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (levels[i].level == level)
			return levels[i].name;
	return "info";
}

static void
add_time(struct buf *b)
{
	int64_t ms = clock_wall_ms();
	time_t s = (time_t)(ms / 1000);
	struct tm tm;
	char text[32];

	gmtime_r(&s, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_addf(b, "%s.%03dZ", text, (int)(ms % 1000));
}

/* What moves a terminal's cursor or turns its text around: DEL, C1, marks of direction, line ends. */
static size_t
hidden_length(const unsigned char *p, size_t n, unsigned *code)
{
	*code = 0;
	if (p[0] == 0x7f)
		*code = 0x7f;
	else if (n >= 2 && p[0] == 0xc2 && p[1] < 0xa0)
		*code = p[1];
	else if (n >= 3 && p[0] == 0xe2 && (p[1] == 0x80 || p[1] == 0x81))
		*code = 0x2000u + (p[1] & 1u) * 0x40u + (p[2] & 0x3fu);
	if (*code >= 0x2000 && *code != 0x200e && *code != 0x200f &&
	    !(*code >= 0x2028 && *code <= 0x202e) && !(*code >= 0x2066 && *code <= 0x2069))
		*code = 0;
	return *code == 0 ? 0 : *code == 0x7f ? 1 : *code < 0x100 ? 2 : 3;
}

/* A JSON string that is safe to look at. */
static void
add_string(struct buf *b, struct str s)
{
	struct buf text = BUF_INIT(SIZE_MAX / 2);
	size_t i = 0, n, start = 0;
	unsigned code;

	json_add_string(&text, s);
	while (i < text.len) {
		n = hidden_length((const unsigned char *)text.data + i, text.len - i, &code);
		if (n == 0) {
			i++;
			continue;
		}
		buf_add(b, text.data + start, i - start);
		buf_addf(b, "\\u%04x", code);
		start = i += n;
	}
	buf_add(b, text.data + start, text.len - start);
	buf_clear(&text);
}

/* A text value that reads as one word stays bare, any other is a JSON string. */
static void
add_text_value(struct buf *b, struct str s)
{
	bool bare = s.n > 0;

	for (size_t i = 0; i < s.n && bare; i++) {
		unsigned char c = (unsigned char)s.p[i];

		bare = c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
	}
	if (bare)
		buf_add_str(b, s);
	else
		add_string(b, s);
}

void
log_event_(enum log_level level, const char *event, const struct log_field *fields)
{
	struct buf b = BUF_INIT(LINE_MAX_BYTES);
	bool json = log_format_now == LOG_FORMAT_JSON;
	ssize_t written;

	if (level > log_level_now)
		return;
	if (json) {
		buf_add_text(&b, "{\"time\":\"");
		add_time(&b);
		buf_addf(&b,
		    "\",\"level\":\"%s\",\"role\":\"%s\",\"pid\":%d,\"event\":", level_name(level),
		    log_role, (int)getpid());
		json_add_string(&b, str_of(event));
	} else {
		if (log_format_now == LOG_FORMAT_JOURNALD)
			buf_addf(&b, "<%d>", (int)level);
		else {
			add_time(&b);
			buf_addf(&b, " %s ", level_name(level));
		}
		buf_addf(&b, "%s[%d] %s", log_role, (int)getpid(), event);
	}
	for (; fields->key; fields++) {
		size_t before = b.len;

		if (json) {
			buf_addf(&b, ",\"%s\":", fields->key);
			if (fields->kind == LOG_FIELD_INT)
				buf_add_int(&b, fields->i);
			else
				add_string(&b, fields->s);
		} else {
			buf_addf(&b, " %s=", fields->key);
			if (fields->kind == LOG_FIELD_INT)
				buf_add_int(&b, fields->i);
			else
				add_text_value(&b, fields->s);
		}
		/* Keep room for the end of the line; a field that is too long is left out whole. */
		if (!buf_ok(&b) || b.len > LINE_MAX_BYTES - 2) {
			b.failed = false;
			b.len = before;
			break;
		}
	}
	buf_add_text(&b, json ? "}\n" : "\n");
	do
		written = write(STDERR_FILENO, b.data, b.len);
	while (written < 0 && errno == EINTR);
	buf_clear(&b);
}

void
fatal(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* No buf here: it may be memory that is missing. */
	fprintf(stderr, "%s[%d]: fatal: %s\n", log_role, (int)getpid(), text);
	_exit(EXITCODE_CANNOT_RUN);
}
