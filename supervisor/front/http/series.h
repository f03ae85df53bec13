/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The labels of one deployment's series in /metrics, rendered once for each of its configurations.
 * Each text begins with `{` and lacks the closing brace, so that more labels can follow.
 */
#ifndef SUPERVISOR_FRONT_HTTP_SERIES_H
#define SUPERVISOR_FRONT_HTTP_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/str.h"

struct deployment;

struct series {
	uint32_t generation;  /* of the deployment */
	struct str ours;      /* model_id, model_name, provider */
	struct str state;     /* LiteLLM's labels of a deployment; api_base first */
	struct str probe;     /* LiteLLM's labels of a health check's request; api_base first */
	size_t base_end;      /* in both: where the value of api_base ends */
	size_t remaining_end; /* in probe: the labels of its rate limits end here */
	char text[];
};

/* Makes d->series fit. False when its id cannot be a label: not UTF-8, or too long. */
bool series_update(struct deployment *d);
/* For the deployment's end. */
void series_free(struct deployment *d);

#endif
