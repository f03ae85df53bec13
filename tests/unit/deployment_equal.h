/* SPDX-License-Identifier: Apache-2.0 */
/* Whether two deployments are told to front and workers in the same words. */
#ifndef TESTS_UNIT_DEPLOYMENT_EQUAL_H
#define TESTS_UNIT_DEPLOYMENT_EQUAL_H

#include "supervisor/config/deployment.h"

static inline bool
kvs_equal(struct kvs a, struct kvs b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (!str_eq(a.v[i].key, b.v[i].key) || !str_eq(a.v[i].value, b.v[i].value))
			return false;
	return true;
}

#define EQ_U32(a, b) ((a) == (b))
#define EQ_U64(a, b) ((a) == (b))
#define EQ_I64(a, b) ((a) == (b))
#define EQ_BOOL(a, b) ((a) == (b))
#define EQ_STR(a, b) str_eq(a, b)
#define EQ_KVS(a, b) kvs_equal(a, b)

static inline bool
deployment_equal(const struct deployment *a, const struct deployment *b)
{
#define COMPARE_FRONT(message, type, field) \
	if (!EQ_##type(a->front.field, b->front.field)) \
		return false;
#define COMPARE_TARGET(message, type, field) \
	if (!EQ_##type(a->target.field, b->target.field)) \
		return false;
	if (a->askable != b->askable)
		return false;
	MSG_FIELDS_conf_deployment(COMPARE_FRONT, unused) if (!a->askable) return true;
	MSG_FIELDS_conf_target(COMPARE_TARGET, unused) return true;
}

#endif
