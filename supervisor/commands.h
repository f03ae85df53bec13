/* SPDX-License-Identifier: Apache-2.0 */
/* The commands, each from its command line to its exit status. */
#ifndef SUPERVISOR_COMMANDS_H
#define SUPERVISOR_COMMANDS_H

#include "shared/buf.h"
#include "supervisor/cli.h"
#include "supervisor/config/problem.h"

int command_check(const struct cli *cli);
int command_serve(const struct cli *cli);
int command_validate(const struct cli *cli);

/* One line to standard error: "llmhealth: …", made harmless. */
void complain(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Appends every finding of this severity, or all when it is negative, a harmless line each. */
void format_problems(struct problems *p, int severity, struct buf *b);
/* The same to standard error. */
void print_problems(struct problems *p, int severity);
/* Writes all of it; false when nobody reads it any more. */
bool write_all(int fd, struct str s);

#endif
