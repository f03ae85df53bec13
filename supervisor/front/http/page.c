/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of samples. Numbers and labels go straight into the page; nothing is formatted twice. */
#include "supervisor/front/http/page.h"

#include "supervisor/front/http/server.h"

void
page_text(struct page *p, const char *s)
{
	buf_add_text(p->b, s);
}

void
page_end(struct page *p, uint64_t value)
{
	buf_add_int(p->b, (int64_t)value);
	buf_add_char(p->b, '\n');
}

void
page_plain(struct page *p, uint64_t value)
{
	page_text(p, p->sample);
	buf_add_char(p->b, ' ');
	page_end(p, value);
}

void
page_begin(struct page *p)
{
	page_text(p, p->sample);
	buf_add_char(p->b, ' ');
}

void
page_label(struct page *p, char before, const char *name, const char *value)
{
	buf_add_char(p->b, before);
	page_text(p, name);
	page_text(p, "=\"");
	exposition_value(p->b, str_of(value));
	buf_add_char(p->b, '"');
}

void
page_labels(struct page *p, const char *a, const char *a_value, const char *b, const char *b_value,
    uint64_t value)
{
	page_text(p, p->sample);
	page_label(p, '{', a, a_value);
	if (b)
		page_label(p, ',', b, b_value);
	page_text(p, "} ");
	page_end(p, value);
}

static void
add_exemplar(struct page *p, const struct tally_exemplar *e)
{
	const struct deployment *d = fleet_find(p->h->fleet, e->handle);

	if (!p->openmetrics || e->at_ms == 0)
		return;
	buf_addf(p->b, " # {probe_id=\"%08x\"", e->probe);
	/* At most 128 characters in all. */
	if (d && strlen(d->id) <= 96)
		page_label(p, ',', "model_id", d->id);
	page_text(p, "} ");
	exposition_us(p->b, e->us);
	buf_add_char(p->b, ' ');
	exposition_ms(p->b, e->at_ms);
}

void
page_histogram(struct page *p, const struct histogram *h, const char *labels,
    const struct tally_exemplar *exemplars)
{
#define BOUND_TEXT(us, text) text,
	static const char *const bounds[] = { HISTOGRAM_BOUNDS(BOUND_TEXT) "+Inf" };
	uint64_t total = 0;
	size_t n = strlen(labels);
	struct str alone = { labels, n > 0 ? n - 1 : 0 };

	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		total += h->counts[i];
		page_text(p, p->sample);
		page_text(p, "_bucket{");
		page_text(p, labels);
		page_text(p, "le=\"");
		page_text(p, bounds[i]);
		page_text(p, "\"} ");
		buf_add_int(p->b, (int64_t)total);
		if (exemplars)
			add_exemplar(p, &exemplars[i]);
		buf_add_char(p->b, '\n');
	}
	for (int sum = 0; sum < 2; sum++) {
		page_text(p, p->sample);
		page_text(p, sum ? "_sum" : "_count");
		if (n > 0) {
			buf_add_char(p->b, '{');
			buf_add_str(p->b, alone);
			buf_add_char(p->b, '}');
		}
		buf_add_char(p->b, ' ');
		if (sum)
			exposition_us(p->b, h->sum_us);
		else
			buf_add_int(p->b, (int64_t)total);
		buf_add_char(p->b, '\n');
	}
}
