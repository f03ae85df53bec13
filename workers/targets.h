/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The targets of a worker by their handle, changed in two phases: what a new generation brings is
 * put aside and comes into force as a whole, or not at all.
 */
#ifndef WORKERS_TARGETS_H
#define WORKERS_TARGETS_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/err.h"
#include "shared/msgs.h"

struct auth_scheme;
struct line;
struct mask;
struct plan;
struct target;
struct targets;
struct token;

#define TARGETS_MAX_HANDLE ((uint32_t)1 << 22)

/* One target and what is kept for its probes. Lives as long as a table or a probe holds it. */
struct entry {
	uint32_t handle;
	unsigned holders;
	struct target *target; /* NULL: it cannot be asked, for the problem */
	char *problem;
	struct mask *mask;
	struct plan *plan;    /* NULL: not built yet */
	char *pick;	      /* of a wildcard: the model that answered last; NULL: none */
	bool built_each_time; /* the dialect's request does not keep */
	struct line *line;    /* NULL: not known yet */
	bool scheme_known;
	const struct auth_scheme *scheme; /* NULL: none, or not known yet */
	struct token *token;		  /* of the scheme; NULL: not known yet */
	uint64_t version;		  /* of the credential that mask and plan know */
};

struct targets *targets_new(void);
void targets_free(struct targets *t);

/* Each returns ERR_INVALID when it does not belong to the generation that was begun. */
void targets_begin(struct targets *t, const struct msg_conf_begin *m);
int targets_add(struct targets *t, const struct msg_conf_target *m) MUST_CHECK;
int targets_remove(struct targets *t, const struct msg_conf_remove *m) MUST_CHECK;
/* ERR_INVALID also when the number of targets is not the one that was told; then nothing changes.
 */
int targets_commit(struct targets *t, const struct msg_conf_commit *m) MUST_CHECK;

/* The generation in force; 0 before the first. */
uint32_t targets_generation(const struct targets *t);
/* NULL when there is none. */
struct entry *targets_find(const struct targets *t, uint32_t handle);

/* Of a target, which is taken over, or of a problem (NULL: it cannot be asked). One holder. */
struct entry *entry_new(uint32_t handle, struct target *t, char *problem);
struct entry *entry_hold(struct entry *e);
void entry_release(struct entry *e);

#endif
