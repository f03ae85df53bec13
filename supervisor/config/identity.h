/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials that are more than a key: where LiteLLM and the clouds' own libraries look for them,
 * in their order. Files and environment are read here, once a load of the config, so that a worker
 * needs neither; but for tokens that another process keeps writing anew (a web identity, a
 * federated token, a container's), of which the worker gets the path and reads it for each fetch.
 * What is found is put into the target's params and secrets under the names that
 * workers/auth/schemes.h says.
 */
#ifndef SUPERVISOR_CONFIG_IDENTITY_H
#define SUPERVISOR_CONFIG_IDENTITY_H

#include "supervisor/config/reading.h"

/*
 * True when the provider is signed in with what is there now, or when it has been refused for a
 * reason that says more than "no key". False: it has no such ways, or a plain key comes first; look
 * for that.
 */
bool identity_read(struct reading *r);

#endif
