/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One probe: build the request, send it, judge the answer, say the result. Whatever leaves here has
 * the target's secrets masked. Many run at a time; what is too much for the descriptors waits.
 */
#ifndef WORKERS_PROBE_H
#define WORKERS_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/err.h"
#include "shared/msgs.h"

struct entry;
struct lines;
struct probes;
struct tokens;

/* Jobs that run or wait at most. */
#define PROBES_MAX 262144

/* The message is valid during the call only. */
typedef void (*probe_report)(const struct msg_result *result, void *arg);

/* `max_running`: probes that may use a descriptor at the same time. */
struct probes *probes_new(struct lines *lines, struct tokens *tokens, size_t max_running, probe_report report,
    void *arg);
/* Cancels all. */
void probes_free(struct probes *p);

/*
 * Starts the job's probe, or lets it wait. The report comes from the loop, or at once where there
 * is nothing to send. ERR_LIMIT when there are PROBES_MAX.
 */
int probes_start(struct probes *p, const struct msg_job *job, struct entry *e) MUST_CHECK;
/* Nobody waits for the job any more: no report, its connection is closed. */
void probes_cancel(struct probes *p, uint32_t job);
void probes_cancel_all(struct probes *p);
/* Jobs that run or wait. */
size_t probes_count(const struct probes *p);

/* What would be asked, secrets masked; `send` gets it during the call. */
void probes_describe(struct probes *p, struct entry *e,
    void (*send)(const struct msg_described *m, void *arg), void *arg);

#endif
