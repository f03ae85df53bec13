/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of config files for one test, and what loading one of them gives. */
#ifndef TESTS_UNIT_CONFIG_FOLDER_H
#define TESTS_UNIT_CONFIG_FOLDER_H

#include "supervisor/config/load.h"

struct folder {
	char path[64];
	struct arena *arena;
	struct problems *problems;
	struct environ *env;
	struct node *root;
	struct buf told; /* the findings, without the folder's name */
};

/* cmocka's: *state is a struct folder, removed with all that it holds. */
int folder_setup(void **state);
int folder_teardown(void **state);
#define IN_FOLDER(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)

/* Static storage until the next call. */
const char *path_of(const struct folder *f, const char *name);
void write_file(const struct folder *f, const char *name, const char *text);
void make_folder(const struct folder *f, const char *name);
/* Forgets the findings so far. */
void forget(struct folder *f);
/* Loads a file; its findings are in `told`. */
int load(struct folder *f, const char *name);
/* That a file loads to what Python would print. */
void loads(struct folder *f, const char *name, const char *repr);
void refused(struct folder *f, const char *name, const char *told);

#endif
