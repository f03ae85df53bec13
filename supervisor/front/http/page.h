/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of /metrics share: the page that is being written and the samples on it. A row of
 * metrics.def has its function in metrics_front.c, metrics_fleet.c or metrics_deployment.c, by its
 * source; those of Redis and the database in metrics_services.c.
 */
#ifndef SUPERVISOR_FRONT_HTTP_PAGE_H
#define SUPERVISOR_FRONT_HTTP_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "supervisor/front/database.h"
#include "supervisor/front/fleet.h"
#include "supervisor/front/histogram.h"
#include "supervisor/front/http/events.h"
#include "supervisor/front/http/exposition.h"
#include "supervisor/front/otlp.h"
#include "supervisor/front/pool.h"
#include "supervisor/front/scheduler.h"
#include "supervisor/front/store/store.h"
#include "supervisor/front/tally.h"

#define VERDICTS (VERDICT_DISABLED + 1)

struct http;

struct page {
	struct http *h;
	struct buf *b;
	const char *sample; /* the name of the samples that are being written */
	bool openmetrics;
	bool full; /* for who may see what only admins may */
	int64_t now_ms;
	struct scheduler_counts probes; /* FRONT; zero without a scheduler */
	struct pool_counts pool;
	struct events_counts events;
	struct store_status store;
	struct database_status database;
	struct otlp_counts otlp[OTLP_SIGNALS];
	size_t counts[VERDICTS], left_out; /* FLEET */
};

enum metric_source { SOURCE_FRONT, SOURCE_FLEET, SOURCE_DEPLOYMENT };

/* A row of metrics.def. */
struct metric {
	const char *family, *sample;
	enum metric_type type;
	enum metric_source source;
	const char *help;
	void (*add)(struct page *p); /* all samples; NULL: add_deployment is called for each deployment */
	void (*add_deployment)(struct page *p, const struct deployment *d, enum verdict_state state);
};

/* Row i of the table, NULL past its end. */
const struct metric *metrics_at(size_t i);
/* Whether the settings let it be shown. */
bool metrics_shown(const struct page *p, const struct metric *m);
/* Fills in what FRONT rows show. */
void metrics_read_front(struct page *p);

#define FRONT_DECLARE(id) void metrics_add_##id(struct page *p);
#define FLEET_DECLARE(id) FRONT_DECLARE(id)
#define DEPLOYMENT_DECLARE(id) \
	void metrics_add_##id(struct page *p, const struct deployment *d, enum verdict_state state);
#define METRIC(id, source, family, type, labels, help) source##_DECLARE(id)
#include "supervisor/front/http/metrics.def"
#undef METRIC

void page_text(struct page *p, const char *s);
/* The sample's name and a blank: a value follows. */
void page_begin(struct page *p);
/* The value and the line's end. */
void page_end(struct page *p, uint64_t value);
/* A whole line without labels. */
void page_plain(struct page *p, uint64_t value);
/* One label behind `{` or `,`. */
void page_label(struct page *p, char before, const char *name, const char *value);
/* A whole line with one label, or with two when b is not NULL. */
void page_labels(struct page *p, const char *a, const char *a_value, const char *b,
    const char *b_value, uint64_t value);
/* `labels` is what stands before le: empty, or labels with a comma behind them. Exemplars, one a
 * bucket, may be NULL. */
void page_histogram(struct page *p, const struct histogram *h, const char *labels,
    const struct tally_exemplar *exemplars);

#endif
