/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a token service, a file or the config gave for asking a provider. Which members are set is
 * the scheme's matter (schemes.h); the others are NULL. All are wiped when it is freed.
 */
#ifndef WORKERS_AUTH_CREDENTIAL_H
#define WORKERS_AUTH_CREDENTIAL_H

#include <stdint.h>

#include "shared/secret.h"

struct credential {
	struct secret *token;			/* a bearer token */
	struct secret *access_key, *secret_key; /* AWS */
	struct secret *session_token;		/* AWS; NULL for keys that do not expire */
	char *base;	    /* where the reply says that the provider is: SAP, GitHub Copilot */
	char *account;	    /* whose it is: chatgpt's account id, a Google quota project */
	int64_t expires_ms; /* wall clock; 0: it does not expire */
};

struct credential *credential_new(void);
/* Accepts NULL. */
void credential_free(struct credential *c);

#endif
