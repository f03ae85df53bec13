/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics of the fleet as a whole and of its providers. */
#include "supervisor/front/http/page.h"
#include "supervisor/front/http/server.h"
#include "supervisor/front/quorum.h"

void
metrics_add_DEPLOYMENTS(struct page *p)
{
	for (int i = 0; i < VERDICTS; i++)
		page_labels(p, "verdict", verdict_state_name((enum verdict_state)i), NULL, NULL,
		    p->counts[i]);
}

void
metrics_add_LEFT_OUT(struct page *p)
{
	page_plain(p, p->left_out);
}

void
metrics_add_RESULTS(struct page *p)
{
	for (size_t i = 0; i < tally_providers(p->h->tally); i++) {
		const struct tally_provider *t = tally_provider(p->h->tally, i);

		for (int r = 0; r < REASON_COUNT; r++)
			if (t->results[r] > 0 || r == REASON_OK)
				page_labels(p, "provider", t->name, "reason",
				    reason_name((enum reason)r), t->results[r]);
	}
}

void
metrics_add_DURATION(struct page *p)
{
	static const char *const phases[PHASES] = { "dns", "connect", "tls", "first_byte",
		"total" };
	struct buf labels = BUF_INIT(8192);

	for (size_t i = 0; i < tally_providers(p->h->tally); i++) {
		const struct tally_provider *t = tally_provider(p->h->tally, i);

		for (int phase = 0; phase < PHASES; phase++) {
			buf_reset(&labels);
			buf_addf(&labels, "phase=\"%s\",provider=\"", phases[phase]);
			exposition_value(&labels, str_of(t->name));
			buf_add_text(&labels, "\",");
			page_histogram(p, &t->phases[phase], buf_text(&labels),
			    phase == PHASE_TOTAL ? t->exemplars : NULL);
		}
	}
	buf_clear(&labels);
}

void
metrics_add_TOKENS(struct page *p)
{
	for (size_t i = 0; i < tally_providers(p->h->tally); i++) {
		const struct tally_provider *t = tally_provider(p->h->tally, i);

		page_labels(p, "direction", "in", "provider", t->name, t->tokens_in);
		page_labels(p, "direction", "out", "provider", t->name, t->tokens_out);
	}
}

void
metrics_add_COST(struct page *p)
{
	for (size_t i = 0; i < tally_providers(p->h->tally); i++) {
		const struct tally_provider *t = tally_provider(p->h->tally, i);

		page_text(p, p->sample);
		page_label(p, '{', "provider", t->name);
		page_text(p, "} ");
		exposition_money(p->b, t->spent);
		buf_add_char(p->b, '\n');
	}
}

void
metrics_add_UNPRICED(struct page *p)
{
	for (size_t i = 0; i < tally_providers(p->h->tally); i++) {
		const struct tally_provider *t = tally_provider(p->h->tally, i);

		page_labels(p, "provider", t->name, NULL, NULL, t->unpriced);
	}
}

void
metrics_add_CERTIFICATE(struct page *p)
{
	for (size_t i = 0; i < tally_hosts(p->h->tally); i++) {
		const struct tally_host *t = tally_host(p->h->tally, i);

		page_labels(p, "host", t->name, NULL, NULL, (uint64_t)t->certificate_expires_s);
	}
}

void
metrics_add_REACHED(struct page *p)
{
	static const char *const kinds[REACHES] = { "reused", "new", "tls", "tls_resumed" };

	for (size_t i = 0; i < tally_providers(p->h->tally); i++) {
		const struct tally_provider *t = tally_provider(p->h->tally, i);

		for (int k = 0; k < REACHES; k++)
			page_labels(p, "kind", kinds[k], "provider", t->name, t->reached[k]);
	}
}

#define WITNESSES_MAX 64

/* One row for each witness that says something, at most so many. */
void
metrics_add_WITNESSES(struct page *p)
{
	struct row {
		const char *witness;
		uint64_t says[2];
	} rows[WITNESSES_MAX];
	size_t n = 0;
	const struct sight *s;

	for (size_t i = 0; i < fleet_size(p->h->fleet); i++)
		for (size_t k = 0; (s = quorum_sight(fleet_at(p->h->fleet, i), k)) != NULL; k++) {
			size_t at = 0;

			while (at < n && strcmp(rows[at].witness, s->witness) != 0)
				at++;
			if (at == WITNESSES_MAX)
				continue;
			if (at == n)
				rows[n++] = (struct row){ s->witness, { 0, 0 } };
			rows[at].says[s->healthy]++;
		}
	for (size_t i = 0; i < n; i++)
		for (int healthy = 1; healthy >= 0; healthy--)
			page_labels(p, "verdict", healthy ? "healthy" : "unhealthy", "witness",
			    rows[i].witness, rows[i].says[healthy]);
}
