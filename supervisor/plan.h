/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a config file and a command line to what the house is given: the settings in force, the
 * deployments that were asked for, packed for sending, and the rows of a report.
 */
#ifndef SUPERVISOR_PLAN_H
#define SUPERVISOR_PLAN_H

#include <stdbool.h>

#include "shared/err.h"
#include "supervisor/cli.h"
#include "supervisor/conf_send.h"
#include "supervisor/config/config.h"
#include "supervisor/house.h"
#include "supervisor/report.h"

struct plan {
	struct config *config;
	struct conf *conf;
	struct deployment *
	    *chosen; /* those that the command line asks for, in the config's order */
	size_t n_chosen;
	size_t n_askable; /* of the chosen */
	struct house_config house;
	bool has_key; /* a master key is set, or a named one */
};

/*
 * Loads and packs. Findings go to `problems`. ERR_NOT_FOUND when the command line's choice fits no
 * deployment, or there is none at all where one is needed (check): *why is one line. Other errors
 * are config_load()'s: the reason is among the problems. *plan is empty then.
 */
int plan_load(const struct cli *cli, struct handles *handles, struct problems *problems,
    struct plan *plan, struct buf *why) MUST_CHECK;
/* Wipes and frees what it holds. */
void plan_clear(struct plan *plan);

/* A row for each chosen deployment. Its texts are the plan's. */
void plan_rows(const struct plan *plan, struct report *report);

#endif
