/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logging: one line an event to standard error, as `key=value` text, as JSON, or with journald's
 * priority prefix. Holds no secrets: callers never pass one. Also where the program ends when it
 * cannot go on.
 */
#ifndef SHARED_LOG_H
#define SHARED_LOG_H

#include <stdint.h>

#include "shared/err.h"
#include "shared/str.h"

/* syslog's numbers, so that the journald prefix is the level itself. */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

enum log_format {
	LOG_FORMAT_TEXT,
	LOG_FORMAT_JSON,
	LOG_FORMAT_JOURNALD, /* text with "<6>" in front and no time */
};

struct log_field {
	const char *key; /* NULL ends the list */
	enum { LOG_FIELD_STR, LOG_FIELD_INT } kind;
	struct str s;
	int64_t i;
};

#define LS(key, text) \
	{ \
		(key), LOG_FIELD_STR, str_of(text), 0 \
	}
#define LV(key, slice) \
	{ \
		(key), LOG_FIELD_STR, (slice), 0 \
	}
#define LI(key, number) \
	{ \
		(key), LOG_FIELD_INT, { NULL, 0 }, (int64_t)(number) \
	}

/* `role` (static storage) names the program in each line. */
void log_init(const char *role, enum log_format format, enum log_level level);
/* The level's name, or -1 / NULL when unknown. */
int log_level_parse(struct str name);
int log_format_parse(struct str name);
enum log_level log_current_level(void);

/* log_event(LOG_LEVEL_INFO, "worker_started", LI("worker", 1), LS("why", text)); at least one
 * field. */
#define log_event(level, event, ...) \
	log_event_((level), (event), \
	    (const struct log_field[]){ __VA_ARGS__, { NULL, LOG_FIELD_STR, { NULL, 0 }, 0 } })
void log_event_(enum log_level level, const char *event, const struct log_field *fields);

/* Says why, in one line, and ends the program with EXITCODE_CANNOT_RUN. For start-up, out of memory
 * and broken invariants. */
void fatal(const char *fmt, ...) PRINTF_LIKE(1, 2) NORETURN;

#endif
