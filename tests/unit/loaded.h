/* SPDX-License-Identifier: Apache-2.0 */
/* A config loaded from a text, with what was found wrong as one text. */
#ifndef TESTS_UNIT_LOADED_H
#define TESTS_UNIT_LOADED_H

#include "shared/buf.h"
#include "supervisor/config/config.h"

struct loaded {
	int rc;
	struct config *config; /* NULL when it cannot be used */
	struct problems *problems;
	struct buf told; /* the findings, the file's name replaced by "C" */
};

/* `env` may be NULL: an empty environment. */
void load_text(struct loaded *l, const char *yaml, const char *const *env);
void load_path(struct loaded *l, const char *path, const char *const *env);
void loaded_clear(struct loaded *l);
/* Fails the test, showing the findings, unless the config could be used. */
void assert_loaded(const struct loaded *l);
/* Fails unless the findings hold the text. */
void assert_told(const struct loaded *l, const char *text);
void assert_not_told(const struct loaded *l, const char *text);
/* The value of a key, or NULL. */
const char *kvs_find(struct kvs list, const char *key);
/* `key=value` of all, by blanks; static until the next call. */
const char *kvs_text(struct kvs list);

/* One deployment from its litellm_params and model_info in flow style; it must load. */
void load_one(struct loaded *l, const char *params, const char *info, const char *const *env);
const struct deployment *first(const struct loaded *l);

#endif
