/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One config file's bytes: read with a limit, checked to be text that YAML may hold, and made ready
 * for libyaml, which is stricter than PyYAML about directives.
 */
#ifndef SUPERVISOR_CONFIG_SOURCE_H
#define SUPERVISOR_CONFIG_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/buf.h"
#include "shared/err.h"
#include "supervisor/config/problem.h"

/* Bytes of one file at most. */
#define SOURCE_MAX ((size_t)64 * 1024 * 1024)

/*
 * Reads a whole file into b (whose maximum is at least SOURCE_MAX). On any error one finding is
 * added: missing, unreadable, a directory, too large (told by its size, without reading it).
 */
int source_read(const char *path, struct buf *b, struct problems *problems) MUST_CHECK;
/*
 * Checks and prepares the text in place: drops a UTF-8 byte order mark; refuses UTF-16 (PyYAML
 * could read it, but LiteLLM opens its config as UTF-8), bytes that are not UTF-8 and characters
 * that YAML does not allow (NUL, control characters), with their place; blanks what only warns in
 * PyYAML (unknown directives, a minor version) without moving anything else. An error that lets the
 * rest be read is a finding only.
 */
int source_prepare(struct buf *b, const char *file, struct problems *problems) MUST_CHECK;

/* Whether all of it is UTF-8. */
bool source_is_text(struct str text);

#endif
