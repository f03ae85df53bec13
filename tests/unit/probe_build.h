/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One recorded deployment on its whole way: a config with it, the message to a worker, the target,
 * the dialect's build() with the credential as it was recorded, the signature.
 */
#ifndef TESTS_UNIT_PROBE_BUILD_H
#define TESTS_UNIT_PROBE_BUILD_H

#include <jansson.h>
#include <stdbool.h>

#include "shared/buf.h"
#include "workers/dialects/dialect.h"

/* What a config problem says of a provider or mode that this version does not speak. */
#define PROBE_NOT_YET "not supported yet by this version"

struct probe_built {
	struct request request;
	bool asked;	    /* the request is there */
	bool searched;	    /* the list of models came first, the model is the recorded one */
	struct buf problem; /* why not */
	bool fetches;	    /* a credential is fetched: `first` is the first request for it */
	struct request first;
};

/* `c`: a line of tests/fixtures/probes/. Always to be cleared. */
void probe_build(const json_t *c, struct probe_built *b);
void probe_build_clear(struct probe_built *b);
/* The recorded probe, or NULL where none was sent; whether more requests followed it. */
const json_t *probe_recorded(const json_t *c, bool *follows);

#endif
