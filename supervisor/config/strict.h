/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What PyYAML's scanner refuses and libyaml lets pass: tabs between tokens or inside a plain scalar, `?` in
 * a plain scalar of a flow collection, a comment glued to a block scalar's header. A config that LiteLLM
 * would not load is told so here.
 */
#ifndef SUPERVISOR_CONFIG_STRICT_H
#define SUPERVISOR_CONFIG_STRICT_H

#include "shared/str.h"
#include "supervisor/config/problem.h"

struct strict_finding {
	unsigned line, column; /* from 1; line 0: nothing found */
	const char *text;      /* static */
};

/* The first such place in a prepared text, up to where libyaml's own scanner gives up. */
struct strict_finding strict_check(struct str text);

#endif
