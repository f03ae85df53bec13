/* SPDX-License-Identifier: Apache-2.0 */
/* A credential's memory. */
#include "workers/auth/credential.h"

#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"

struct credential *
credential_new(void)
{
	return xcalloc(1, sizeof(struct credential));
}

void
credential_free(struct credential *c)
{
	if (c == NULL)
		return;
	secret_free(c->token);
	secret_free(c->access_key);
	secret_free(c->secret_key);
	secret_free(c->session_token);
	free(c->base);
	free(c->account);
	free(c);
}
