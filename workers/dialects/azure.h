/* SPDX-License-Identifier: Apache-2.0 */
/* Azure's OpenAI service, and what Azure's AI Foundry takes of it. */
#ifndef WORKERS_DIALECTS_AZURE_H
#define WORKERS_DIALECTS_AZURE_H

#include "workers/dialects/ask.h"

/* How a key is sent; a token always is `Authorization: Bearer`. */
enum azure_key {
	AZURE_API_KEY, /* api-key */
	AZURE_BEARER,
	AZURE_BOTH,	    /* x-api-key and api-key: Claude */
	AZURE_X_API_KEY,    /* x-api-key: Claude's own route */
	AZURE_SUBSCRIPTION, /* Ocp-Apim-Subscription-Key */
};

/* Adds the key, else the token. Returns 0, or ERR_INVALID with `why` filled. */
int azure_add_auth(struct asking *a, enum azure_key how) MUST_CHECK;

/*
 * The call as a deployment's: /openai/deployments/NAME/ROUTE?api-version=…, or /openai/v1/ROUTE for
 * the versions that have no number. Makes and ends the request; `a->call` says what is asked.
 */
int azure_ask(struct asking *a) MUST_CHECK;

/* Whether Azure AI asks it by Anthropic's messages. */
bool azure_ai_is_claude(const struct target *t);

#endif
