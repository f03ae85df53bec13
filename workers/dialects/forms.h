/* SPDX-License-Identifier: Apache-2.0 */
/* The answers that more than one dialect knows, as tables for judge_form(). */
#ifndef WORKERS_DIALECTS_FORMS_H
#define WORKERS_DIALECTS_FORMS_H

#include "workers/dialects/judge.h"

/* OpenAI's. */
extern const struct judge_form form_chat, form_images, form_responses;
/* Anthropic's messages. */
extern const struct judge_form form_messages;
/* Google's. */
extern const struct judge_form form_generate, form_embed_contents, form_predict_embedding,
    form_predict_image, form_model, form_rank;
/* A list of results with a score each. */
extern const struct judge_form form_scores;

#endif
