/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Amazon Bedrock: which of its interfaces a model is asked by. bedrock_route.c decides it,
 * bedrock.c makes the request and knows the answer of each.
 */
#ifndef WORKERS_DIALECTS_BEDROCK_H
#define WORKERS_DIALECTS_BEDROCK_H

#include "workers/target.h"

/* One interface: the same body, the same answer. */
enum bedrock_family {
	BEDROCK_CONVERSE,
	BEDROCK_ANTHROPIC, /* from here on to BEDROCK_OPENAI: /invoke with the vendor's own body */
	BEDROCK_TITAN,
	BEDROCK_MISTRAL,
	BEDROCK_COMMAND_R,
	BEDROCK_COMMAND,
	BEDROCK_J2,
	BEDROCK_PEGASUS,
	BEDROCK_LLAMA,
	BEDROCK_DEEPSEEK,
	BEDROCK_OPENAI,
	BEDROCK_TITAN_EMBED,
	BEDROCK_NOVA_EMBED,
	BEDROCK_COHERE_EMBED,
	BEDROCK_MARENGO,
	BEDROCK_AMAZON_IMAGE,
	BEDROCK_STABILITY,
	BEDROCK_SDXL,
	BEDROCK_LISTEN, /* converse with sound */
	BEDROCK_RERANK,
	BEDROCK_AGENT,
	BEDROCK_AGENTCORE,
	BEDROCK_UNKNOWN,
};

struct bedrock_route {
	enum bedrock_family family;
	struct str id;	  /* the model's id without the route's prefix; of the target */
	const char *kept; /* characters of the id that stay as they are in the path */
};

struct bedrock_route bedrock_route(const struct target *t);
/* Whether the model is an inference profile; *own: one of the account's own, made by its user. */
bool bedrock_is_profile(const char *model, bool *own);

#endif
