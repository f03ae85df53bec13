/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A config and the files that its `include:` names, merged into one mapping as LiteLLM 1.106.2 does
 * (proxy/common_utils/config_includes.py): breadth first; lists are appended to, every other value
 * is replaced; each file counts once; an entry is looked for beside the file that names it, then
 * beside the main file. Beyond LiteLLM, which passes over it, a circle of includes is refused.
 */
#ifndef SUPERVISOR_CONFIG_INCLUDE_H
#define SUPERVISOR_CONFIG_INCLUDE_H

#include "shared/err.h"
#include "supervisor/config/node.h"

/* Files of one config, the main one included. */
#define INCLUDE_FILES_MAX 256
/* Entries of all `include:` lists together. */
#define INCLUDE_ENTRIES_MAX 1024
/* Files between the main one and the deepest, both included. */
#define INCLUDE_DEPTH_MAX 16
/* Keys at the top of all files together, when there is more than one. */
#define INCLUDE_KEYS_MAX 10000

/*
 * Reads the file at path and all that it includes. *root is a MAP without `include`; with an error
 * it is what could be read, so that its mistakes can be told along, or NULL when the main file
 * could not. SOURCE_MAX and TREE_NODES_MAX hold for all files together.
 */
int include_load(struct arena *arena, const char *path, struct problems *problems,
    struct node **root) MUST_CHECK;

#endif
