/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OTLP in JSON (opentelemetry-proto 1.x by proto3's JSON mapping with OTLP's exceptions,
 * https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding): names in lowerCamelCase, ids of traces and
 * spans in hexadecimal, enums as numbers, 64-bit whole numbers as texts.
 */
#ifndef SUPERVISOR_FRONT_OTLP_JSON_H
#define SUPERVISOR_FRONT_OTLP_JSON_H

#include "shared/buf.h"
#include "shared/msgs.h"
#include "shared/settings.h"
#include "shared/str.h"
#include "supervisor/front/fleet.h"

#define OTLP_TRACE_BYTES 16
#define OTLP_SPAN_BYTES 8

/* {"key":…,"value":{…}} with a comma in front where one belongs. */
void otlp_add_text(struct buf *b, const char *key, struct str value);
void otlp_add_int(struct buf *b, const char *key, int64_t value);
/* Seconds of microseconds. */
void otlp_add_seconds(struct buf *b, const char *key, uint32_t us);
/* "123000000" of milliseconds since 1970. */
void otlp_add_nanoseconds(struct buf *b, int64_t us);

/* {"attributes":[…]}: service.name and what else the settings say. */
void otlp_add_resource(struct buf *b, const struct settings *s);

/*
 * The span of one probe: gen-ai and HTTP attributes of the semantic conventions
 * (https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/) where they say what a probe did, ours
 * for the rest. `ids` are OTLP_TRACE_BYTES and OTLP_SPAN_BYTES of chance.
 */
void otlp_add_span(struct buf *b, const struct deployment *d, const struct msg_result *r,
    const unsigned char ids[OTLP_TRACE_BYTES + OTLP_SPAN_BYTES]);

/* A whole request: what stands before the spans or metrics, and behind them. */
void otlp_open(struct buf *b, bool traces, const struct settings *s);
void otlp_close(struct buf *b);

enum otlp_kind { OTLP_GAUGE, OTLP_SUM, OTLP_HISTOGRAM };

/* A metric, with no data point yet. */
void otlp_open_metric(struct buf *b, const char *name, const char *help, enum otlp_kind kind);
/*
 * Adds the data points of samples that are written in Prometheus' text format by ourselves, all of this metric.
 * Returns how many. The buckets of a histogram stand one behind the other, with count and sum after them.
 */
size_t otlp_add_points(struct buf *b, enum otlp_kind kind, struct str samples, int64_t start_ms, int64_t now_ms);
void otlp_close_metric(struct buf *b, enum otlp_kind kind);

#endif
