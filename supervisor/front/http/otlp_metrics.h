/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics of /metrics as OTLP's: collected when they are due, in pieces, LiteLLM's series left out. */
#ifndef SUPERVISOR_FRONT_HTTP_OTLP_METRICS_H
#define SUPERVISOR_FRONT_HTTP_OTLP_METRICS_H

struct http;
struct otlp;
struct otlp_metrics;

struct otlp_metrics *otlp_metrics_new(struct http *h, struct otlp *otlp);
/* Accepts NULL. */
void otlp_metrics_free(struct otlp_metrics *m);

#endif
