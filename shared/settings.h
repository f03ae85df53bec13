/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of one configuration, by the rows of settings.def. The supervisor fills them from
 * the config; children get them as a list of texts in table order (settings_pack, settings_unpack).
 */
#ifndef SHARED_SETTINGS_H
#define SHARED_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/str.h"

/* Before an address of `llmhealth.listen`: LiteLLM's health routes alone. */
#define LISTEN_HEALTH "health:"

enum setting {
#define SETTING(id, path, type, def, min, max, text) SETTING_##id,
#include "shared/settings.def"
#undef SETTING
	SETTING_COUNT
};

enum setting_type {
	SETTING_TYPE_BOOL,
	SETTING_TYPE_INT,
	SETTING_TYPE_DURATION_MS,
	SETTING_TYPE_BYTES,
	SETTING_TYPE_TEXT,
	SETTING_TYPE_LIST,
	SETTING_TYPE_TRISTATE,
	SETTING_TYPE_SECRET,
};

struct setting_row {
	const char *name; /* "WORKERS" */
	const char *path; /* "llmhealth.workers" */
	enum setting_type type;
	const char *def;
	int64_t min, max; /* of the number; for a text its length, for a list its items */
	const char *text;
};

struct settings {
	int64_t num[SETTING_COUNT]; /* BOOL, INT, DURATION_MS, BYTES, TRISTATE */
	char *text[SETTING_COUNT];  /* TEXT, SECRET, LIST (items joined by '\n'); NULL for the others */
	bool given[SETTING_COUNT];  /* said in the config, so not the default */
};

const struct setting_row *setting_row(enum setting id);
/* Whether the supervisor only makes a digest of its value, which is never sent to a child. */
static inline bool
setting_is_digested(enum setting id)
{
	return id == SETTING_MASTER_KEY || id == SETTING_DRAIN_TOKEN;
}

/* Whether the secret is the workers'. The front is told SETTING_IS_SET in its place, or nothing. */
static inline bool
setting_is_for_workers(enum setting id)
{
	return id == SETTING_DATABASE_URL || id == SETTING_OTLP_ENDPOINT ||
	       id == SETTING_OTLP_TRACES_ENDPOINT || id == SETTING_OTLP_METRICS_ENDPOINT ||
	       id == SETTING_OTLP_HEADERS;
}
#define SETTING_IS_SET "set"

/* All at their defaults. */
void settings_init(struct settings *s);
void settings_clear(struct settings *s);
/*
 * Sets one value from its text. On ERR_INVALID (not of its type) and ERR_LIMIT (out of range)
 * nothing changes, and `expected`, if not NULL, says what it must be ("a duration from 100ms to
 * 1h").
 */
int settings_set(
    struct settings *s, enum setting id, struct str value, struct buf *expected) MUST_CHECK;
/* Appends what the row takes, for messages and documentation. */
void setting_expected(struct buf *b, enum setting id);
/* Appends the value as text that settings_set() reads back. */
void settings_get_text(const struct settings *s, enum setting id, struct buf *b);
/* An address of `llmhealth.listen` without LISTEN_HEALTH; *health (may be NULL) says whether it was there. */
struct str settings_bare_address(struct str address, bool *health);
/* The item at index i of a LIST, or false when there is none. Borrowed. */
bool settings_list_item(const struct settings *s, enum setting id, size_t i, struct str *item);

/* Milliseconds of "5", "5s", "250ms", "2m", "1.5h"; ERR_INVALID otherwise. */
int duration_parse(struct str text, int64_t *ms) MUST_CHECK;

/* The time between two probes: llmhealth.interval, else health_check_interval. */
int64_t settings_interval_ms(const struct settings *s);
/* Probes in flight at most: llmhealth.concurrency, else health_check_concurrency, else 256. */
int64_t settings_concurrency(const struct settings *s);

#endif
