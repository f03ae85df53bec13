/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing metrics: Prometheus text 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/) and OpenMetrics 1.0
 * (https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md). They differ
 * in the names of families, in the end mark and in exemplars; samples are the same.
 */
#ifndef SUPERVISOR_FRONT_HTTP_EXPOSITION_H
#define SUPERVISOR_FRONT_HTTP_EXPOSITION_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/str.h"

enum metric_type { METRIC_GAUGE, METRIC_COUNTER, METRIC_HISTOGRAM, METRIC_INFO };

/* Longest value of a label; what is longer is cut. */
#define EXPOSITION_LABEL_MAX 512

/*
 * The lines before a family's samples. `family` is OpenMetrics' name, `sample` the one that its
 * samples have (a counter's ends in _total, an info's in _info).
 */
void exposition_family(struct buf *b, bool openmetrics, const char *family, const char *sample,
    enum metric_type type, const char *help);
/* A label's value with what must be escaped escaped. What is not UTF-8 becomes U+FFFD. */
void exposition_value(struct buf *b, struct str value);
/* Seconds: of microseconds, of milliseconds. */
void exposition_us(struct buf *b, uint64_t us);
void exposition_ms(struct buf *b, int64_t ms);
/* Dollars of PRICE_UNITS. */
void exposition_money(struct buf *b, uint64_t units);
/* Whether an Accept header prefers OpenMetrics. */
bool exposition_openmetrics(struct str accept);

#define EXPOSITION_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define EXPOSITION_OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

#endif
