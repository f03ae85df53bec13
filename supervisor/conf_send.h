/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One configuration as the children get it: every deployment already packed as the message that a
 * worker and the front are sent. Comparing two of them says what a reload has to send. Holds the
 * secrets of the targets, packed; they are wiped when it is freed.
 */
#ifndef SUPERVISOR_CONF_SEND_H
#define SUPERVISOR_CONF_SEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/err.h"
#include "shared/msgs.h"
#include "shared/settings.h"
#include "shared/str.h"

struct peer;

/*
 * Handles: a number for each deployment id, the same as long as the supervisor lives, so that a
 * deployment that leaves and returns is the same one.
 */
struct handles;
struct handles *handles_new(void);
void handles_free(struct handles *h);
/* The id's handle, from 1; given out now when it is new. */
uint32_t handles_get(struct handles *h, struct str id);

struct conf;

/*
 * key_digest: SHA-256 of the master key, 32 bytes, or empty; keys: msg_conf_begin.keys. The texts are
 * copied.
 */
struct conf *conf_new(const struct settings *settings, struct str key_digest, struct kvs keys);
/* One more holder of it; returns c. A conf does not change any more once it is held by two. */
struct conf *conf_hold(struct conf *c);
/* Lets go; the last holder's wipes and frees. Accepts NULL. */
void conf_free(struct conf *c);
/* Whether the settings and the key are the same in both: else even an equal fleet has to be sent.
 */
bool conf_same_settings(const struct conf *c, const struct conf *before);

/*
 * Adds a deployment; generation and handle of the messages need not be set, they are filled in
 * here. `target` is NULL for a deployment that cannot be asked (its problem is in `deployment`).
 * ERR_EXISTS when the id is there already: the first one counts. ERR_LIMIT when a message is too
 * large.
 */
int conf_add(struct conf *c, struct handles *h, const struct msg_conf_target *target,
    const struct msg_conf_deployment *deployment) MUST_CHECK;

size_t conf_size(const struct conf *c);
/* The number of deployments that have a target. */
/* The handle of item i. */
uint32_t conf_handle(const struct conf *c, size_t i);

/*
 * Sends it as `generation`: all of it when `before` is NULL, else only the differences from that.
 * `to` is ROLE_W or ROLE_F. Errors are peer_send()'s.
 */
int conf_send(const struct conf *c, const struct conf *before, enum role to, uint32_t generation,
    struct peer *p) MUST_CHECK;

struct conf_difference {
	size_t added, changed, removed, same;
};

/* What has changed between two, as one of the sides sees it. */
struct conf_difference conf_compare(
    const struct conf *c, const struct conf *before, enum role side);

#endif
