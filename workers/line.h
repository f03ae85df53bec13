/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line is a way to a provider: all targets with the same base URL, proxy and TLS settings use it.
 * It keeps the transfers that are not in use, the last used first, so that a fleet needs as many
 * curl handles and TLS sessions as it has probes under way, not as it has deployments.
 */
#ifndef WORKERS_LINE_H
#define WORKERS_LINE_H

struct line;
struct lines;
struct target;
struct transfer;
struct transfers;

struct lines *lines_new(struct transfers *transfers);
/* All lines must have been released. */
void lines_free(struct lines *lines);

/* The target's line, to be released. */
struct line *line_get(struct lines *lines, const struct target *t);
/* Accepts NULL. Transfers taken from it must have been given back. */
void line_release(struct line *l);

/* An idle transfer, for this target until it is given back; the target must live as long. */
struct transfer *line_take(struct line *l, const struct target *t);
/* Cancels what is under way. */
void line_give(struct line *l, struct transfer *x);

#endif
