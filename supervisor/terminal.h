/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text for terminals: how wide it is, how it is cut, and how what strangers wrote is made harmless.
 * A model's name or a provider's words may hold escape sequences; none reaches a terminal as it is.
 */
#ifndef SUPERVISOR_TERMINAL_H
#define SUPERVISOR_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/buf.h"
#include "shared/str.h"

enum color_when {
	COLOR_AUTO, /* on a terminal, unless NO_COLOR is set or TERM is "dumb" */
	COLOR_ALWAYS,
	COLOR_NEVER,
};

/* Call once at the start: the character type of UTF-8, whatever the user's language is. */
void terminal_init(void);
/* Columns of the terminal on fd, or 0 when it is none. COLUMNS is not asked. */
size_t terminal_width(int fd);
bool terminal_wants_color(enum color_when when, int fd);

/*
 * Appends s on one line and without anything that a terminal acts on: control characters (C0, DEL,
 * C1) and characters that turn the direction of writing are shown as \n, \x1b, \u202e; bytes that
 * are not UTF-8 as U+FFFD.
 */
void terminal_add_clean(struct buf *b, struct str s);
/*
 * The same for a whole JSON text, which stays the same JSON: what a terminal acts on can only be
 * inside its strings, and becomes \u0000.
 */
void terminal_add_clean_json(struct buf *b, struct str json);
/* Columns that a clean text takes. */
size_t terminal_columns(struct str clean);
/* How many bytes of a clean text take at most that many columns. */
size_t terminal_fitting(struct str clean, size_t columns);
/* Appends at most `columns` columns of a clean text; when it is cut, the last column is `…` (or
 * `~`). */
void terminal_add_cut(struct buf *b, struct str clean, size_t columns);

#endif
