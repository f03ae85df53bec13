/* SPDX-License-Identifier: Apache-2.0 */
/* What the steps of several schemes are made of: forms, replies with a token, JSON documents,
 * times. */
#ifndef WORKERS_AUTH_STEPS_H
#define WORKERS_AUTH_STEPS_H

#include "workers/auth/auth.h"

#define STEPS_MAX_TOKEN ((size_t)32 << 10)

/* For "%.*s": a text, cut at `max` bytes. */
#define SHORT(s, max) (int)((s).n < (max) ? (s).n : (max)), (s).p

/* Appends "name=value" to a form's body, escaped, with an & in front unless it is the first. */
void form_add(struct buf *b, const char *name, struct str value);
/*
 * Begins a POST of a form: method, URL (base and path joined with one slash), Content-Type and
 * Accept. The caller adds the fields to req->body. Refuses a base that is no http or https URL with
 * a host.
 */
int step_form(const struct target *t, struct auth_exchange *x, const char *service, struct str base,
    const char *path, struct request *req, struct result *why) MUST_CHECK;
/* The same for a GET without a body. */
int step_get(const struct target *t, struct auth_exchange *x, const char *service, struct str base,
    const char *path, struct request *req, struct result *why) MUST_CHECK;
/*
 * Begins the run of a program: its words, one a line, and the variables that it needs beside those
 * of the secret `program_env`, one a line. Returns AUTH_RUN.
 */
int step_run(const struct target *t, struct auth_exchange *x, const char *service, struct str words,
    struct str variables);
/* Adds a header; refuses a value with a line break, without repeating it. */
int step_header(const struct target *t, const struct auth_exchange *x, struct request *req,
    const char *name, struct str value, struct result *why) MUST_CHECK;
/* "Authorization: Basic base64(id:secret)", hidden. */
int step_basic(const struct target *t, struct auth_exchange *x, struct request *req, struct str id,
    struct str secret, struct result *why) MUST_CHECK;

/*
 * Reads a JSON object's members by their place: "a", or "a.b" for one that is nested once; into
 * texts[i], an empty buffer where it is absent, null or no text, number or boolean. ERR_SYNTAX when
 * it is no JSON object.
 */
int json_texts(struct str json, const char *const *names, size_t n, struct buf *texts) MUST_CHECK;
void json_texts_clear(struct buf *texts, size_t n);

/*
 * What is wrong with a service's answer that is no success, in its own words where it has some:
 * error, error_description, errorMessage, message; XML's Code and Message. Bounded, one line.
 * Returns ERR_DENIED.
 */
int step_refused(const struct target *t, const struct auth_exchange *x, const struct response *resp,
    struct result *why);
/*
 * Reads an OAuth reply into x->credential: access_token, and expires_in (seconds from now) or
 * `absolute`, the name of a member that is a time in seconds or ISO 8601, or NULL. A token that is
 * no text of visible ASCII, or has expired already, is refused. Returns AUTH_DONE.
 */
int step_token(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    const struct response *resp, const char *token_name, const char *absolute,
    struct result *why) MUST_CHECK;
/* Puts a token in its place once it has been checked as above. `what` names it in the refusal. */
int step_keep(const struct target *t, const struct auth_exchange *x, const char *what,
    struct str token, struct secret **out, struct result *why) MUST_CHECK;
/* Sets when the credential expires; a time that has passed is refused. 0 or less in `ms`: it does
 * not say. */
int step_expires(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    int64_t ms, struct result *why) MUST_CHECK;

/* Milliseconds since 1970 of "2026-11-21T08:00:00Z" (with a fraction or an offset), or -1. */
int64_t time_iso8601(struct str s);
/* Whole seconds as milliseconds, -1 when it is no number from 0 to the year 9999. */
int64_t time_seconds(struct str s);

/* Appends a part of an identity; parts cannot run into one another. */
void identity_add(struct buf *key, struct str part);
/* Appends the target's parameter or secret of that name. */
void identity_add_named(struct buf *key, const struct target *t, const char *name);

/* A parameter's or a secret's text, empty when absent. */
struct str param_of(const struct target *t, const char *name);
struct str secret_of(const struct target *t, const char *name);

#endif
