/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a probe of a deployment costs. What a token does: its own input_cost_per_token and output_cost_per_token (litellm_params,
 * then model_info, as LiteLLM reads them), else the table of models, by model_info.base_model first.
 * What is sold by pictures, pages, seconds, characters or searches has a price where the config gives it one.
 */
#include <stdio.h>
#include <stdlib.h>

#include "shared/models.h"
#include "supervisor/config/reading.h"

/* More than this a token is no price of a token. */
#define DOLLARS_MAX 1e3

static int64_t
units(double dollars)
{
	return dollars >= 0 && dollars <= DOLLARS_MAX ? (int64_t)(dollars * PRICE_UNITS + 0.5) : -1;
}

static bool
configured(const struct reading *r, const char *name, int64_t *price)
{
	const struct node *maps[] = { r->litellm_params, r->model_info };

	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		const struct node *node = maps[i] ? node_get_set(maps[i], name) : NULL;
		char text[64], *end;
		double dollars;

		if (node == NULL)
			continue;
		if (node->type == NODE_FLOAT) {
			dollars = node->real;
		} else if ((node->type == NODE_INT || node_is_str(node)) && node->text.n < sizeof(text)) {
			/* "3e-07" is a text in YAML 1.1. */
			snprintf(text, sizeof(text), "%.*s", (int)node->text.n, node->text.p);
			dollars = strtod(text, &end);
			if (end == text || *end != '\0')
				continue;
		} else {
			continue;
		}
		*price = units(dollars);
		return *price >= 0;
	}
	return false;
}

/* What one probe of a mode is beside its tokens, by the first price that the config has for it. */
static const struct {
	int mode; /* -1: any */
	const char *name;
	double times;
} sold[] = {
	{ MODE_IMAGE_GENERATION, "output_cost_per_image", 1 },
	{ MODE_IMAGE_GENERATION, "input_cost_per_image", 1 },
	{ MODE_IMAGE_GENERATION, "input_cost_per_pixel", 1024 * 1024 },
	{ MODE_IMAGE_EDIT, "output_cost_per_image", 1 },
	{ MODE_IMAGE_EDIT, "input_cost_per_image", 1 },
	{ MODE_AUDIO_SPEECH, "input_cost_per_character", 17 }, /* "test from litellm" */
	{ MODE_AUDIO_TRANSCRIPTION, "input_cost_per_second", 1 }, /* a fifth, rounded up */
	{ MODE_RERANK, "input_cost_per_query", 1 },
	{ MODE_OCR, "ocr_cost_per_page", 1 },
	{ -1, "input_cost_per_request", 1 },
};

static void
read_sold(struct reading *r)
{
	int64_t *price = &r->d->front.price_probe, one;

	for (size_t i = 0; i < ARRAY_LEN(sold) && *price < 0; i++)
		if ((sold[i].mode < 0 || sold[i].mode == r->mode) && configured(r, sold[i].name, &one))
			*price = (int64_t)((double)one * sold[i].times);
}

void
price_read(struct reading *r)
{
	struct msg_conf_deployment *front = &r->d->front;
	const struct node *base = reading_info(r, "base_model");
	struct known_model known;
	bool priced;

	front->price_in = front->price_out = front->price_probe = -1;
	if (!r->d->askable)
		return;
	read_sold(r);
	if (((node_is_str(base) && models_find(front->provider, base->text, &known)) ||
		models_find(front->provider, r->d->target.model, &known)) &&
	    known.price_in >= 0) {
		/* Those that sell searches have no price by tokens, but a 0. */
		priced = r->mode != MODE_RERANK || known.price_in > 0;
		if (priced) {
			front->price_in = units(known.price_in / 1e6);
			front->price_out = units(known.price_out < 0 ? 0 : known.price_out / 1e6);
		}
	}
	if (configured(r, "input_cost_per_token", &front->price_in) && front->price_out < 0)
		front->price_out = 0;
	if (configured(r, "output_cost_per_token", &front->price_out) && front->price_in < 0)
		front->price_in = 0;
}
