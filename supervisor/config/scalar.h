/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a plain YAML scalar means: YAML 1.1 as PyYAML's SafeLoader resolves and constructs it,
 * regular expression by regular expression. `017` is 15, `1:30` is 90, `yes` is true, `1e-5` is a
 * text.
 */
#ifndef SUPERVISOR_CONFIG_SCALAR_H
#define SUPERVISOR_CONFIG_SCALAR_H

#include "shared/err.h"
#include "supervisor/config/node.h"

enum scalar_tag {
	SCALAR_STR,
	SCALAR_NULL,
	SCALAR_BOOL,
	SCALAR_INT,
	SCALAR_FLOAT,
	SCALAR_DATE,
	SCALAR_BINARY,
	SCALAR_MERGE, /* << */
	SCALAR_VALUE, /* = */
};

/* Python refuses to print longer integers. */
#define SCALAR_INT_DIGITS_MAX 4300

/* The tag that a plain scalar resolves to. */
enum scalar_tag scalar_resolve(struct str text);
/*
 * The value of a scalar that has one of the first seven tags, resolved or given. ERR_INVALID when
 * the text is no value of that tag; then *expected (static) says what would be.
 */
int scalar_make(struct arena *a, enum scalar_tag tag, struct str text, struct mark mark,
    struct node **out, const char **expected) MUST_CHECK;

#endif
