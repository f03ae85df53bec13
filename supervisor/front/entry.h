/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A deployment as `/health` shows it: LiteLLM's fields in LiteLLM's order, then ours (model_name,
 * state, checked_at, latency_ms, reason, …). Rendered once, kept until the verdict changes.
 */
#ifndef SUPERVISOR_FRONT_ENTRY_H
#define SUPERVISOR_FRONT_ENTRY_H

#include <stdbool.h>

#include "shared/buf.h"
#include "shared/str.h"
#include "supervisor/front/fleet.h"

enum entry_kind {
	ENTRY_FULL,    /* for admins */
	ENTRY_MEMBER,  /* without the admin-only fields */
	ENTRY_MINIMAL, /* health_check_details: false */
	ENTRY_KINDS,
};

/* The JSON object. Borrowed until the next result of this deployment or the next configuration. */
struct str entry_render(struct deployment *d, enum entry_kind kind);
/* The same, shown in that state instead of the verdict's own: stale or disabled are a matter of
 * time. */
struct str entry_render_as(struct deployment *d, enum entry_kind kind, enum verdict_state state);
/* Appends `"key":` and a wall clock time as RFC 3339, or null for 0. */
void entry_add_time(struct buf *b, const char *key, int64_t ms);
/* Appends `"witnesses":[…]`, what each of them says; nothing where no quorum decides. */
void entry_add_witnesses(struct buf *b, const struct deployment *d);
/* Whether only admins may see that key of a deployment's parameters. */
bool entry_admin_only(struct str key);
/* The names of all those, as the header Litellm-Health-Field-Notice lists them. */
const char *entry_admin_only_notice(void);
/* Voids and frees what was rendered whenever the fleet says so. Once for a fleet; http_new() does
 * it. */
void entry_watch(struct fleet *f);
/*
 * Somebody waits for a body of this kind: from now on what changes is rendered at once, result by
 * result, so that the last of a round does not find all of them to be rendered in one turn of the
 * loop. Each call with true needs one with false.
 */
void entry_eager(enum entry_kind kind, bool on);

#endif
