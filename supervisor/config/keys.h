/* SPDX-License-Identifier: Apache-2.0 */
/*
 * llmhealth.keys: named API keys, each given by its value, its SHA-256 or a file; and the token of
 * /health/drain. Only digests come out.
 */
#ifndef SUPERVISOR_CONFIG_KEYS_H
#define SUPERVISOR_CONFIG_KEYS_H

#include "shared/msgs.h"
#include "shared/settings.h"
#include "supervisor/config/node.h"

/*
 * "ROLE NAME" and the digest's 32 bytes, as msg_conf_begin.keys wants them; in the arena. The drain
 * token is taken out of the settings and wiped there. What is wrong is added to the problems.
 */
struct kvs keys_config_read(const struct node *root, struct settings *s, struct arena *arena,
    struct problems *problems);

#endif
