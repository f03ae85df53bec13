/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends what the front has put together to a collector of OpenTelemetry, by OTLP over HTTP with JSON
 * (https://opentelemetry.io/docs/specs/otlp/#otlphttp). Where to, and with which headers, only this process
 * knows. It sends each batch once: whether and when again is the front's matter.
 */
#ifndef WORKERS_OTLP_H
#define WORKERS_OTLP_H

#include <stdbool.h>

#include "shared/msgs.h"
#include "shared/settings.h"

struct otlp;
struct transfers;

/* From the loop, once for each batch; valid during the call. */
typedef void (*otlp_done)(const struct msg_exported *m, void *arg);

struct otlp *otlp_new(struct transfers *transfers, otlp_done done, void *arg);
/* Cancels what is under way, without a call. Accepts NULL. */
void otlp_free(struct otlp *o);
/* For batches from now on. */
void otlp_configure(struct otlp *o, const struct settings *s);
/* The body is copied. */
void otlp_send(struct otlp *o, const struct msg_export *m);
/* Batches under way. */
size_t otlp_count(const struct otlp *o);

#endif
