/* SPDX-License-Identifier: Apache-2.0 */
/* Vertex AI's families of models: vertex.c knows where each is asked, vertex_body.c what is sent. */
#ifndef WORKERS_DIALECTS_VERTEX_H
#define WORKERS_DIALECTS_VERTEX_H

#include "workers/dialects/ask.h"

enum family {
	GEMINI,
	GEMINI_ENDPOINT, /* gemini/ID: tuned, behind an endpoint */
	CLAUDE,
	MISTRAL,
	AI21,
	OPENAPI,	/* OpenAI's chat */
	OPENAPI_GLOBAL, /* the same, served at location global alone */
	ENDPOINT,	/* a deployed model: ID, bge/ID, gemma/ID, openai/ID */
	ENGINE,		/* agent_engine/ID */
	EMBEDDING,
	MULTIMODAL,
	IMAGEN,
	VIDEO, /* the model's entry */
	VIDEO_MADE,
	BATCHES,
	RANK,
	TTS,
	GEMINI_TTS,
	SPEECH,
	MISTRAL_OCR,
	DEEPSEEK_OCR,
	EDIT,
	GEMINI_IMAGE,
	LIVE,
};

enum family vertex_family(const struct target *t);
/* The body of a request to a model of that family; none where it is a GET. */
void vertex_add_body(struct asking *a, enum family family);

#endif
