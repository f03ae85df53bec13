/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sizes are those of docs/probes.md, a token taken for four bytes of what the config itself adds.
 * Prices are those that the config was read with (config/price.c): a picture, a page or a second of
 * sound has one only where the config itself gives it.
 */
#include "supervisor/cost.h"

#include <string.h>

#include "shared/probes.h"
#include "shared/provider.h"

#define DAY_MS 86400000.0
#define BYTES_PER_TOKEN 4

/* What one probe spends. */
struct question {
	unsigned in;
	bool answers;	/* in tokens, up to the limit */
	bool by_tokens; /* what it costs is said by its tokens */
};

/* By enum mode. */
static const struct question questions[MODE_COUNT] = {
	[MODE_CHAT] = { 13, true, true },
	[MODE_COMPLETION] = { 4, true, true },
	[MODE_EMBEDDING] = { 4, false, true },
	[MODE_RERANK] = { 8, false, true },
	[MODE_IMAGE_GENERATION] = { 4, false, false },
	[MODE_IMAGE_EDIT] = { 22, false, false },
	[MODE_AUDIO_SPEECH] = { 4, false, false },
	[MODE_AUDIO_TRANSCRIPTION] = { 0, false, false },
	[MODE_VIDEO_GENERATION] = { 4, false, false },
	[MODE_BATCH] = { 13, true, true },
	[MODE_REALTIME] = { 0, false, true }, /* a session is opened and closed */
	[MODE_RESPONSES] = { 4, true, true },
	[MODE_ANTHROPIC_MESSAGES] = { 13, true, true },
	[MODE_OCR] = { 0, false, false },
	[MODE_DECISIONS] = { 16, false, false },
};

static struct str
param(const struct msg_conf_target *t, const char *key)
{
	for (size_t i = 0; i < t->params.n; i++)
		if (str_is(t->params.v[i].key, key))
			return t->params.v[i].value;
	return (struct str){ NULL, 0 };
}

/* Whether what is asked is something that no provider takes money for. */
static bool
asks_for_nothing(const struct msg_conf_target *t)
{
	const struct provider *p = provider_find(t->provider);
	struct str name = param(t, "probe");
	const struct probe_kind *kind = probe_kind_find(name);
	const struct provider_call *call;

	if (str_is(name, "generate"))
		return false;
	if (kind && (kind->path || strcmp(kind->name, "models") == 0))
		return true;
	if (t->mode == MODE_REALTIME || t->mode == MODE_VIDEO_GENERATION ||
	    str_is(t->dialect, "replicate"))
		return true;
	call = p && t->mode == MODE_BATCH ? provider_call(p, MODE_BATCH) : NULL;
	return call && call->shape == SHAPE_BATCHES;
}

/* What one probe costs, in PRICE_UNITS; false when nobody knows. */
static bool
price_of(const struct deployment *d, double in, double out, double *price)
{
	const struct question *q = &questions[d->target.mode];

	*price = d->front.price_probe > 0 ? (double)d->front.price_probe : 0;
	if (!q->by_tokens)
		return d->front.price_probe >= 0;
	/* Of what is sold by searches the tokens are nobody's matter. */
	if (d->front.price_in < 0 || (q->answers && d->front.price_out < 0))
		return d->target.mode == MODE_RERANK && d->front.price_probe >= 0;
	*price += in * (double)d->front.price_in;
	if (q->answers)
		*price += out * (double)d->front.price_out;
	return true;
}

int64_t
cost_witnesses(const struct settings *s)
{
	int64_t n = s->num[SETTING_REDIS_WITNESSES], quorum = s->num[SETTING_REDIS_QUORUM];

	/* Without a number all who are there ask; those that the quorum needs, at least. */
	if (s->num[SETTING_REDIS_ENABLED] != 1 || quorum == 0)
		return 1;
	return n > 0 ? n : quorum;
}

struct cost
cost_of(const struct deployment *d, const struct settings *s)
{
	const struct msg_conf_target *t = &d->target;
	int64_t interval =
	    d->front.interval_ms ? (int64_t)d->front.interval_ms : settings_interval_ms(s);
	struct cost c = { .probes = 0 };
	double in, price;
	int64_t out = t->max_tokens;

	if (!d->askable || interval <= 0 || t->mode >= MODE_COUNT ||
	    s->num[SETTING_BACKGROUND] == 0 ||
	    (d->front.flags & (DEPLOYMENT_DISABLED | DEPLOYMENT_OUTSIDE)))
		return c;
	c.probes = DAY_MS / (double)interval;
	c.probes *= (double)cost_witnesses(s);
	if (asks_for_nothing(t))
		return c;
	if (out < 0)
		out = t->mode == MODE_ANTHROPIC_MESSAGES ? 16 : COST_ANSWER_TOKENS;
	in = questions[t->mode].in +
	     (double)((t->extra_body.n + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN);
	c.tokens_in = c.probes * in;
	c.tokens_out = questions[t->mode].answers ? c.probes * (double)out : 0;
	if (price_of(d, in, (double)out, &price))
		c.usd = c.probes * price / PRICE_UNITS;
	else
		c.unpriced = 1;
	return c;
}

void
cost_add(struct cost *sum, const struct cost *one)
{
	sum->probes += one->probes;
	sum->tokens_in += one->tokens_in;
	sum->tokens_out += one->tokens_out;
	sum->usd += one->usd;
	sum->unpriced += one->unpriced;
}

void
cost_json(struct buf *b, const struct cost *c)
{
	buf_addf(b, "{\"probes\":%.0f,\"tokens_in\":%.0f,\"tokens_out\":%.0f,\"usd\":", c->probes,
	    c->tokens_in, c->tokens_out);
	if (c->unpriced)
		buf_add_text(b, "null}");
	else
		buf_addf(b, "%.6f}", c->usd);
}

static void
add_usd(struct buf *b, double usd)
{
	if (usd > 0 && usd < 0.0001)
		buf_add_text(b, "under $0.0001");
	else
		buf_addf(b, usd > 0 && usd < 0.01 ? "$%.4f" : "$%.2f", usd);
}

void
cost_money(struct buf *b, const struct cost *c)
{
	if (c->probes <= 0)
		buf_add_text(b, "not asked");
	else if (c->unpriced)
		buf_add_text(b, "price unknown");
	else if (c->usd > 0)
		add_usd(b, c->usd);
	else
		buf_add_text(b, "free");
}

void
cost_sentence(struct buf *b, const struct cost *sum)
{
	buf_addf(b,
	    "A day costs about %.0f probes, %.0f tokens in, at most %.0f out: ", sum->probes,
	    sum->tokens_in, sum->tokens_out);
	add_usd(b, sum->usd);
	if (sum->unpriced)
		buf_addf(b, " and what %zu deployment%s of unknown price cost%s", sum->unpriced,
		    sum->unpriced == 1 ? "" : "s", sum->unpriced == 1 ? "s" : "");
	buf_add_text(b, ".\n");
}
