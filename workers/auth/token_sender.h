/* SPDX-License-Identifier: Apache-2.0 */
/* The world of tokens.h over the worker's transfers and the file system. */
#ifndef WORKERS_AUTH_TOKEN_SENDER_H
#define WORKERS_AUTH_TOKEN_SENDER_H

#include "workers/auth/tokens.h"

struct transfers;

/* The transfers must outlive all requests. */
struct tokens_world token_sender(struct transfers *transfers);

#endif
