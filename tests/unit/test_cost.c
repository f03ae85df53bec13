/* SPDX-License-Identifier: Apache-2.0 */
/* What a day costs: by interval, question, limit and price, and what costs nothing. */
#include "supervisor/cost.h"

#include <string.h>

#include "shared/mode.h"
#include "shared/models.h"
#include "tests/unit/unit.h"

#define HOUR_MS 3600000

static struct deployment
made(const char *provider, const char *model, enum mode mode, int64_t max_tokens)
{
	struct deployment d = { .askable = true };
	struct known_model known;

	d.front.interval_ms = HOUR_MS;
	d.target.provider = str_of(provider);
	d.target.dialect = STR("openai");
	d.target.model = str_of(model);
	d.target.mode = mode;
	d.target.max_tokens = max_tokens;
	d.front.price_in = d.front.price_out = d.front.price_probe = -1;
	if (models_find(d.target.provider, d.target.model, &known) && known.price_in > 0) {
		d.front.price_in = (int64_t)(known.price_in / 1e6 * PRICE_UNITS + 0.5);
		d.front.price_out = known.price_out < 0
					? 0
					: (int64_t)(known.price_out / 1e6 * PRICE_UNITS + 0.5);
	}
	return d;
}

static void
wants(const struct cost *c, double probes, double in, double out, double usd, size_t unpriced)
{
	assert_true(c->probes > probes - 0.001 && c->probes < probes + 0.001);
	assert_true(c->tokens_in > in - 0.001 && c->tokens_in < in + 0.001);
	assert_true(c->tokens_out > out - 0.001 && c->tokens_out < out + 0.001);
	assert_true(c->usd > usd - 1e-9 && c->usd < usd + 1e-9);
	assert_int_equal(c->unpriced, unpriced);
}

static void
test_by_tokens(void **state)
{
	struct settings s;
	struct deployment d = made("openai", "gpt-4o", MODE_CHAT, 16);
	struct cost c;

	(void)state;
	settings_init(&s);
	c = cost_of(&d, &s); /* $2.50 and $10.00 a million */
	wants(&c, 24, 24 * 13, 24 * 16, 24 * (13 * 2.5 + 16 * 10) / 1e6, 0);
	/* What the config adds to the body is sent, too. */
	d.target.extra_body = STR("{\"user\":\"health\"}");
	c = cost_of(&d, &s);
	wants(&c, 24, 24 * 18, 24 * 16, 24 * (18 * 2.5 + 16 * 10) / 1e6, 0);
	/* Without a limit an answer of usual length. */
	d = made("openai", "gpt-4o", MODE_CHAT, -1);
	c = cost_of(&d, &s);
	wants(&c, 24, 24 * 13, 2400, 24 * (13 * 2.5 + 1000) / 1e6, 0);
	d = made("openai", "text-embedding-3-small", MODE_EMBEDDING, -1);
	c = cost_of(&d, &s);
	wants(&c, 24, 24 * 4, 0, 24 * 4 * 0.02 / 1e6, 0);
	/* Each witness of a quorum asks. */
	s.num[SETTING_REDIS_ENABLED] = 1;
	s.num[SETTING_REDIS_QUORUM] = 2;
	c = cost_of(&d, &s);
	wants(&c, 48, 48 * 4, 0, 48 * 4 * 0.02 / 1e6, 0);
	s.num[SETTING_REDIS_WITNESSES] = 5;
	c = cost_of(&d, &s);
	wants(&c, 120, 120 * 4, 0, 120 * 4 * 0.02 / 1e6, 0);
	s.num[SETTING_REDIS_ENABLED] = 0;
	/* The interval of all: 300 seconds. */
	d.front.interval_ms = 0;
	c = cost_of(&d, &s);
	wants(&c, 288, 288 * 4, 0, 288 * 4 * 0.02 / 1e6, 0);
	settings_clear(&s);
}

/* The config's own prices come first, and those by the piece from nowhere else. */
static void
test_own_prices(void **state)
{
	struct settings s;
	struct deployment d = made("openai", "of-our-own", MODE_CHAT, 16);
	struct cost c;

	(void)state;
	settings_init(&s);
	d.front.price_in = 3000000; /* $3 and $15 a million */
	d.front.price_out = 15000000;
	c = cost_of(&d, &s);
	wants(&c, 24, 24 * 13, 24 * 16, 24 * (13 * 3.0 + 16 * 15) / 1e6, 0);
	d.front.price_probe = (int64_t)(0.001 * PRICE_UNITS); /* and for the request */
	c = cost_of(&d, &s);
	wants(&c, 24, 24 * 13, 24 * 16, 24 * ((13 * 3.0 + 16 * 15) / 1e6 + 0.001), 0);
	d.front.price_in = d.front.price_out = d.front.price_probe = 0;
	c = cost_of(&d, &s);
	wants(&c, 24, 24 * 13, 24 * 16, 0, 0);
	d = made("openai", "i", MODE_IMAGE_GENERATION, -1);
	d.front.price_probe = (int64_t)(0.04 * PRICE_UNITS);
	c = cost_of(&d, &s);
	wants(&c, 24, 24 * 4, 0, 24 * 0.04, 0);
	d = made("cohere", "rerank-v3.5", MODE_RERANK, -1);
	d.front.price_probe = (int64_t)(0.002 * PRICE_UNITS);
	c = cost_of(&d, &s);
	wants(&c, 24, 24 * 8, 0, 24 * 0.002, 0);
	settings_clear(&s);
}

static void
test_price_unknown(void **state)
{
	static const struct {
		const char *provider, *model;
		enum mode mode;
		double in, out;
	} cases[] = {
		{ "openai", "a-model-of-nobody", MODE_CHAT, 13, 16 },
		{ "openai", "*", MODE_CHAT, 13, 16 },
		{ "cohere", "rerank-v3.5", MODE_RERANK, 8, 0 }, /* by searches */
		{ "openai", "gpt-image-1", MODE_IMAGE_GENERATION, 4, 0 },
		{ "openai", "whisper-1", MODE_AUDIO_TRANSCRIPTION, 0, 0 },
	};
	struct settings s;

	(void)state;
	settings_init(&s);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct deployment d = made(cases[i].provider, cases[i].model, cases[i].mode, 16);
		struct cost c = cost_of(&d, &s);

		wants(&c, 24, 24 * cases[i].in, 24 * cases[i].out, 0, 1);
	}
	settings_clear(&s);
}

static void
test_costs_nothing(void **state)
{
	static const struct {
		const char *provider, *dialect, *probe;
		enum mode mode;
	} cases[] = {
		{ "openai", "openai", "models", MODE_CHAT },
		{ "hosted_vllm", "openai", "vllm", MODE_CHAT },
		{ "huggingface", "huggingface", "tgi", MODE_CHAT },
		{ "triton", "triton", "triton", MODE_EMBEDDING },
		{ "ollama", "ollama", "ollama", MODE_CHAT },
		{ "openai", "openai", NULL, MODE_BATCH },
		{ "openai", "openai", NULL, MODE_REALTIME },
		{ "openai", "openai", NULL, MODE_VIDEO_GENERATION },
		{ "replicate", "replicate", NULL, MODE_CHAT },
	};
	struct settings s;

	(void)state;
	settings_init(&s);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct deployment d = made(cases[i].provider, "x", cases[i].mode, 16);
		struct kv probe = { STR("probe"), str_of(cases[i].probe) };
		struct cost c;

		d.target.dialect = str_of(cases[i].dialect);
		if (cases[i].probe)
			d.target.params = (struct kvs){ &probe, 1 };
		c = cost_of(&d, &s);
		wants(&c, 24, 0, 0, 0, 0);
		/* A job that is asked for is paid for. */
		probe.value = STR("generate");
		d.target.params = (struct kvs){ &probe, 1 };
		c = cost_of(&d, &s);
		if (cases[i].mode == MODE_VIDEO_GENERATION)
			wants(&c, 24, 24 * 4, 0, 0, 1);
	}
	settings_clear(&s);
}

static void
test_not_asked(void **state)
{
	struct deployment d = made("openai", "gpt-4o", MODE_CHAT, 16);
	struct settings s;
	struct cost c;

	(void)state;
	settings_init(&s);
	d.front.flags = DEPLOYMENT_DISABLED;
	c = cost_of(&d, &s);
	wants(&c, 0, 0, 0, 0, 0);
	d.front.flags = DEPLOYMENT_OUTSIDE;
	c = cost_of(&d, &s);
	wants(&c, 0, 0, 0, 0, 0);
	d.front.flags = 0;
	d.askable = false;
	c = cost_of(&d, &s);
	wants(&c, 0, 0, 0, 0, 0);
	d.askable = true;
	assert_int_equal(settings_set(&s, SETTING_BACKGROUND, STR("false"), NULL), 0);
	c = cost_of(&d, &s);
	wants(&c, 0, 0, 0, 0, 0);
	settings_clear(&s);
}

static void
test_words(void **state)
{
	struct cost sum = { 24, 312, 384, 0.0046, 0 }, none = { .probes = 0 },
		    some = { 24, 0, 0, 0, 0 };
	struct cost unknown = { 24, 312, 384, 0, 1 };
	struct buf b = BUF_INIT(1024);

	(void)state;
	cost_json(&b, &sum);
	assert_string_equal(
	    buf_text(&b), "{\"probes\":24,\"tokens_in\":312,\"tokens_out\":384,\"usd\":0.004600}");
	buf_reset(&b);
	cost_money(&b, &sum);
	buf_add_char(&b, '|');
	cost_money(&b, &none);
	buf_add_char(&b, '|');
	cost_money(&b, &some);
	buf_add_char(&b, '|');
	cost_money(&b, &unknown);
	assert_string_equal(buf_text(&b), "$0.0046|not asked|free|price unknown");
	buf_reset(&b);
	cost_add(&sum, &unknown);
	cost_json(&b, &sum);
	assert_string_equal(
	    buf_text(&b), "{\"probes\":48,\"tokens_in\":624,\"tokens_out\":768,\"usd\":null}");
	buf_reset(&b);
	cost_sentence(&b, &sum);
	assert_string_equal(buf_text(&b),
	    "A day costs about 48 probes, 624 tokens in, at most 768 out: $0.0046 and what 1 "
	    "deployment of unknown price costs.\n");
	buf_clear(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_tokens),
		cmocka_unit_test(test_own_prices),
		cmocka_unit_test(test_price_unknown),
		cmocka_unit_test(test_costs_nothing),
		cmocka_unit_test(test_not_asked),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
