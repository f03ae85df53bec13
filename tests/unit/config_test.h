/* SPDX-License-Identifier: Apache-2.0 */
/* What the config's tests share: files, corpora and parsing a text. */
#ifndef TESTS_UNIT_CONFIG_TEST_H
#define TESTS_UNIT_CONFIG_TEST_H

#include <jansson.h>

#include "supervisor/config/tree.h"

/* Whether ../shared/corpus/NAME is there; writes its path. Says on standard error when it is not.
 */
bool corpus_path(char *path, size_t n, const char *name);
/* Parses YAML text; findings are added to problems. */
int parse_yaml(struct arena *arena, struct str text, struct problems *problems, struct node **out);
/* Whether a value is what JSON says PyYAML makes of it. `why` gets the path of the first
 * difference. */
bool node_equals_json(const struct node *node, const json_t *json, struct buf *why);

#endif
