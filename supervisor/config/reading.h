/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One deployment while it is being read: what deployment.c, target.c and display.c pass to each
 * other. Nothing here outlives deployment_read(), except what is copied into the arena.
 */
#ifndef SUPERVISOR_CONFIG_READING_H
#define SUPERVISOR_CONFIG_READING_H

#include "shared/buf.h"
#include "shared/provider.h"
#include "shared/reason.h"
#include "supervisor/config/deployment.h"
#include "supervisor/config/params.h"

#define READING_KVS_MAX (PARAMS_MAX + 32)
#define READING_TEXT_MAX ((size_t)1 << 20)

struct kv_list {
	struct kv v[READING_KVS_MAX];
	size_t n;
};

struct reading {
	const struct deployment_context *ctx;
	struct deployment *d;
	const struct node *element;
	const struct node *litellm_params; /* a MAP */
	const struct node *model_info;	   /* a MAP or NULL */
	struct params configured;	   /* litellm_params without nulls */
	struct params asked;		   /* with the credential and health_check_params */
	struct str model;		   /* what is asked, with the prefix, as /health shows it */
	const struct provider *provider;   /* NULL: not known */
	struct str bare;		   /* the model as the provider knows it */
	int mode;			   /* enum mode; -1: none that a check knows */
	bool wildcard;			   /* `*` in the configured model */
	bool own_tokens;		   /* the probe decides max_tokens */
	struct kv_list secrets, params, headers;
};

/*
 * The deployment cannot be asked: adds the finding, and keeps the first one as what /health shows.
 * `shown` is LiteLLM's own first line where it has one, else NULL: then it is made from the text.
 */
void reading_refuse(struct reading *r, const struct node *at, int64_t status, const char *shown,
    const char *fmt, ...) PRINTF_LIKE(5, 6);
/* A value of model_info, NULL when absent or null. */
const struct node *reading_info(const struct reading *r, const char *key);
/* Copies the buffer into the arena, wipes and clears it. */
struct str reading_keep(const struct reading *r, struct buf *b);
/* A copy of the list in the arena. */
struct kvs reading_kvs(const struct reading *r, const struct kv_list *list);
/* Replaces the value of a key, or adds it; texts are borrowed. */
void kv_set(struct kv_list *list, struct str key, struct str value);
/* Variables of the environment, as provider_lookup. `arg` is the reading. */
const char *reading_env(void *arg, const char *name);

/* Milliseconds of a number of seconds or a text of one; ERR_INVALID otherwise, ERR_LIMIT outside 0
 * to 24 h. */
int node_milliseconds(const struct node *node, int64_t *ms) MUST_CHECK;
/* A whole number or a text of one. */
int node_whole(const struct node *node, int64_t *value) MUST_CHECK;
/* Python's truth, but the texts "false", "no", "off", "0" count as what they say. */
bool node_says_true(const struct node *node);

/* Whether the word is one of those in a list by blanks. */
bool names_list_has(const char *list, struct str word);

/* Checks llmhealth.probes, the choice for all deployments of a provider. */
void probe_kinds_check(const struct node *kinds, struct problems *problems);
/* Reads model_info.llmhealth, and what llmhealth.probes has for the provider. May refuse. */
void probe_kind_read(struct reading *r);

/* Fills target: what a worker needs. May refuse. */
void target_read(struct reading *r);
/* What its tokens cost. Last: after `askable` is known. */
void price_read(struct reading *r);
/* The part of it that says what is sent: headers, extra_body, max_tokens, timeouts. */
void request_read(struct reading *r);
/* Fills display, info and host of what the front is told. After target_read(). */
void display_read(struct reading *r);

#endif
