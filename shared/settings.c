/* SPDX-License-Identifier: Apache-2.0 */
/* Settings: text to value by the table's types, with a message that says what was expected. */
#include "shared/settings.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_CONCURRENCY 256

static const struct setting_row rows[] = {
#define SETTING(id, path, type, def, min, max, text) \
	{ #id, path, SETTING_TYPE_##type, def, min, max, text },
#include "shared/settings.def"
#undef SETTING
};

const struct setting_row *
setting_row(enum setting id)
{
	return &rows[id];
}

struct unit {
	const char *name;
	double factor;
};

static const struct unit duration_units[] = {
	{ "", 1000 },
	{ "ms", 1 },
	{ "s", 1000 },
	{ "m", 60000 },
	{ "h", 3600000 },
	{ "d", 86400000 },
	{ NULL, 0 },
};

static const struct unit byte_units[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "kB", 1000 },
	{ "KB", 1000 },
	{ "MB", 1000000 },
	{ "GB", 1000000000 },
	{ "KiB", 1024 },
	{ "MiB", 1048576 },
	{ NULL, 0 },
};

/* A decimal number and one of the units. */
static int
parse_with_unit(struct str text, const struct unit *units, int64_t *value)
{
	char digits[64], *end;
	double number;

	if (text.n == 0 || text.n >= sizeof(digits) || text.p[0] < '0' || text.p[0] > '9')
		return ERR_INVALID;
	memcpy(digits, text.p, text.n);
	digits[text.n] = '\0';
	/* strtod would also take hexadecimal and "1e5". */
	end = digits + strspn(digits, "0123456789.");
	for (const struct unit *u = units; u->name; u++) {
		if (strcmp(end, u->name) != 0)
			continue;
		*end = '\0';
		number = strtod(digits, &end) * u->factor;
		if (*end != '\0')
			return ERR_INVALID;
		if (number > 9e15)
			return ERR_LIMIT;
		*value = (int64_t)(number + 0.5);
		return 0;
	}
	return ERR_INVALID;
}

int
duration_parse(struct str text, int64_t *ms)
{
	return parse_with_unit(text, duration_units, ms);
}

static int
parse_int(struct str text, int64_t *value)
{
	char digits[32], *end;

	if (text.n == 0 || text.n >= sizeof(digits))
		return ERR_INVALID;
	memcpy(digits, text.p, text.n);
	digits[text.n] = '\0';
	if (strspn(digits, "+-0123456789") != text.n)
		return ERR_INVALID;
	*value = strtoll(digits, &end, 10);
	return *end == '\0' ? 0 : ERR_INVALID;
}

static int
parse_bool(struct str text, int64_t *value)
{
	static const struct {
		const char *word;
		int value;
	} words[] = { { "true", 1 }, { "false", 0 }, { "True", 1 }, { "False", 0 }, { "1", 1 },
		{ "0", 0 }, { "yes", 1 }, { "no", 0 }, { "on", 1 }, { "off", 0 } };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_is(text, words[i].word)) {
			*value = words[i].value;
			return 0;
		}
	return ERR_INVALID;
}

static void
add_duration(struct buf *b, int64_t ms)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = { { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 },
		{ "ms", 1 } };

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (ms % units[i].ms == 0 && (ms >= units[i].ms || i + 1 == ARRAY_LEN(units))) {
			buf_addf(
			    b, "%" PRId64 "%s", ms / units[i].ms, ms == 0 ? "s" : units[i].name);
			return;
		}
}

void
setting_expected(struct buf *b, enum setting id)
{
	const struct setting_row *row = &rows[id];

	switch (row->type) {
	case SETTING_TYPE_BOOL:
	case SETTING_TYPE_TRISTATE:
		buf_add_text(b, "true or false");
		break;
	case SETTING_TYPE_INT:
		buf_addf(b, "a whole number from %" PRId64 " to %" PRId64, row->min, row->max);
		break;
	case SETTING_TYPE_DURATION_MS:
		buf_add_text(b, "a duration from ");
		add_duration(b, row->min);
		buf_add_text(b, " to ");
		add_duration(b, row->max);
		break;
	case SETTING_TYPE_BYTES:
		buf_addf(b, "a size from %" PRId64 " to %" PRId64 " bytes", row->min, row->max);
		break;
	case SETTING_TYPE_TEXT:
	case SETTING_TYPE_SECRET:
		buf_addf(b, "a text of at most %" PRId64 " bytes", row->max);
		break;
	case SETTING_TYPE_LIST:
		buf_addf(b, "a list of at most %" PRId64 " texts", row->max);
		break;
	}
}

static int
check_text(const struct setting_row *row, struct str value)
{
	size_t items = 1;

	if (memchr(value.p, '\0', value.n))
		return ERR_INVALID;
	if (row->type != SETTING_TYPE_LIST)
		return (int64_t)value.n > row->max ? ERR_LIMIT : 0;
	for (size_t i = 0; i < value.n; i++)
		items += value.p[i] == '\n';
	return (int64_t)items > row->max ? ERR_LIMIT : 0;
}

static int
parse_value(const struct setting_row *row, struct str value, int64_t *num)
{
	int rc = ERR_INVALID;

	switch (row->type) {
	case SETTING_TYPE_TRISTATE:
		if (value.n == 0) {
			*num = -1;
			return 0;
		}
		rc = parse_bool(value, num);
		break;
	case SETTING_TYPE_BOOL:
		rc = parse_bool(value, num);
		break;
	case SETTING_TYPE_INT:
		rc = parse_int(value, num);
		break;
	case SETTING_TYPE_DURATION_MS:
		rc = duration_parse(value, num);
		break;
	case SETTING_TYPE_BYTES:
		rc = parse_with_unit(value, byte_units, num);
		break;
	case SETTING_TYPE_TEXT:
	case SETTING_TYPE_SECRET:
	case SETTING_TYPE_LIST:
		return check_text(row, value);
	}
	if (rc == 0 && (*num < row->min || *num > row->max))
		rc = ERR_LIMIT;
	return rc;
}

static void
drop_text(struct settings *s, enum setting id)
{
	if (s->text[id] && rows[id].type == SETTING_TYPE_SECRET)
		explicit_bzero(s->text[id], strlen(s->text[id]));
	free(s->text[id]);
	s->text[id] = NULL;
}

int
settings_set(struct settings *s, enum setting id, struct str value, struct buf *expected)
{
	const struct setting_row *row = &rows[id];
	int64_t num = 0;
	int rc = parse_value(row, value, &num);

	if (rc < 0) {
		if (expected)
			setting_expected(expected, id);
		return rc;
	}
	if (row->type == SETTING_TYPE_TEXT || row->type == SETTING_TYPE_LIST ||
	    row->type == SETTING_TYPE_SECRET) {
		drop_text(s, id);
		s->text[id] = str_dup(value);
	} else {
		s->num[id] = num;
	}
	s->given[id] = true;
	return 0;
}

void
settings_init(struct settings *s)
{
	memset(s, 0, sizeof(*s));
	for (int i = 0; i < SETTING_COUNT; i++) {
		if (settings_set(s, (enum setting)i, str_of(rows[i].def), NULL) < 0)
			abort(); /* the table's own default breaks the table's rule; a unit test
				    walks it */
		s->given[i] = false;
	}
}

void
settings_clear(struct settings *s)
{
	for (int i = 0; i < SETTING_COUNT; i++)
		drop_text(s, (enum setting)i);
	memset(s, 0, sizeof(*s));
}

void
settings_get_text(const struct settings *s, enum setting id, struct buf *b)
{
	switch (rows[id].type) {
	case SETTING_TYPE_TRISTATE:
		buf_add_text(b, s->num[id] < 0 ? "" : s->num[id] ? "true" : "false");
		break;
	case SETTING_TYPE_BOOL:
		buf_add_text(b, s->num[id] ? "true" : "false");
		break;
	case SETTING_TYPE_DURATION_MS:
		add_duration(b, s->num[id]);
		break;
	case SETTING_TYPE_INT:
	case SETTING_TYPE_BYTES:
		buf_add_int(b, s->num[id]);
		break;
	case SETTING_TYPE_TEXT:
	case SETTING_TYPE_SECRET:
	case SETTING_TYPE_LIST:
		buf_add_text(b, s->text[id]);
		break;
	}
}

struct str
settings_bare_address(struct str address, bool *health)
{
	bool prefixed = str_starts(address, LISTEN_HEALTH);
	size_t skip = prefixed ? strlen(LISTEN_HEALTH) : 0;

	if (health)
		*health = prefixed;
	return (struct str){ address.p + skip, address.n - skip };
}

bool
settings_list_item(const struct settings *s, enum setting id, size_t i, struct str *item)
{
	const char *p = s->text[id], *end;

	if (p == NULL || *p == '\0')
		return false;
	for (;; p = end + 1) {
		end = strchrnul(p, '\n');
		if (i-- == 0) {
			*item = (struct str){ p, (size_t)(end - p) };
			return true;
		}
		if (*end == '\0')
			return false;
	}
}

int64_t
settings_interval_ms(const struct settings *s)
{
	return s->num[SETTING_INTERVAL] > 0 ? s->num[SETTING_INTERVAL]
					    : s->num[SETTING_HC_INTERVAL] * 1000;
}

int64_t
settings_concurrency(const struct settings *s)
{
	if (s->num[SETTING_CONCURRENCY] > 0)
		return s->num[SETTING_CONCURRENCY];
	return s->num[SETTING_HC_CONCURRENCY] > 0 ? s->num[SETTING_HC_CONCURRENCY]
						  : DEFAULT_CONCURRENCY;
}
