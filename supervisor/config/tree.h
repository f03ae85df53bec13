/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML text to nodes: what yaml.safe_load() of PyYAML would give, with the place of each value.
 * Mapping order is kept, of a key given twice the last value wins, `<<` merges, an alias is the
 * same node again. Refused beyond PyYAML: a value that contains itself, and more than the limits
 * below.
 */
#ifndef SUPERVISOR_CONFIG_TREE_H
#define SUPERVISOR_CONFIG_TREE_H

#include "shared/buf.h"
#include "shared/err.h"
#include "supervisor/config/node.h"

/* Levels of nesting, aliases followed. */
#define TREE_DEPTH_MAX 256
/* Values in one file, and again with each alias counted as what it stands for. */
#define TREE_NODES_MAX 1000000
/* Bytes of text with each alias counted as what it stands for. */
#define TREE_BYTES_MAX (UINT64_C(256) * 1024 * 1024)
/* Entries copied by merge keys. */
#define TREE_MERGED_MAX 1000000

/*
 * Parses the text (changed on the way; wiped by the caller). *out is NULL for an empty document.
 * When there is any error, all that were found have been added and the return value is ERR_SYNTAX
 * or ERR_LIMIT. `file` must live as long as the arena.
 */
int tree_parse(struct arena *arena, struct buf *text, const char *file, struct problems *problems,
    struct node **out) MUST_CHECK;

#endif
