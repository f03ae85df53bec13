/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kinds of probes that a deployment can choose by model_info.llmhealth.probe (probes.def), and
 * the form of a path into an answer. It asks nobody.
 */
#ifndef SHARED_PROBES_H
#define SHARED_PROBES_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/provider.h"
#include "shared/str.h"

struct probe_kind {
	const char *name;
	enum provider_join join;
	const char *path;   /* of a GET at the provider's base; NULL: no such route */
	const char *proves; /* for docs/probes.md and `validate` */
};

/* The kind of that name, or NULL. */
const struct probe_kind *probe_kind_find(struct str name);
/* Row i of the table, NULL past its end. */
const struct probe_kind *probe_kind_at(size_t i);

/* The form in which a provider streams its answers. */
enum probe_stream {
	PROBE_STREAM_NONE, /* not at all, or not known */
	PROBE_STREAM_CHAT, /* OpenAI's three */
	PROBE_STREAM_TEXT,
	PROBE_STREAM_RESPONSES,
	PROBE_STREAM_MESSAGES, /* Anthropic's */
	PROBE_STREAM_GEMINI,
};
/* That which the probe `stream` reads of the provider in that mode. */
enum probe_stream probe_stream_of(const struct provider *p, enum mode mode);

/* Whether the text is a path: member names and [numbers], "choices[0].message.content". */
bool probe_path_ok(struct str path);
/*
 * Takes the first step off a path that is ok: a member's name, or an element's number with *member
 * empty. False at its end.
 */
bool probe_path_step(struct str *path, struct str *member, size_t *element);

#endif
