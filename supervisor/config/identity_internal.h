/* SPDX-License-Identifier: Apache-2.0 */
/* What identity.c and identity_aws.c share. */
#ifndef SUPERVISOR_CONFIG_IDENTITY_INTERNAL_H
#define SUPERVISOR_CONFIG_IDENTITY_INTERNAL_H

#include "supervisor/config/identity.h"

bool identity_aws(struct reading *r);

/* Sets a param or a secret of the target; the text is copied. */
void identity_param(struct reading *r, const char *name, struct str value);
void identity_secret(struct reading *r, const char *name, struct str value);
/* A param's or secret's text as it is now; empty when there is none. NUL-terminated. */
struct str identity_text(const struct reading *r, const char *name);
/* A variable into that name, unless the deployment has it. Whether it is there now. */
bool identity_env_param(struct reading *r, const char *name, const char *variable);
bool identity_env_secret(struct reading *r, const char *name, const char *variable);
/* What a program that gives credentials gets of the environment: PATH and HOME. */
void identity_program_env(struct reading *r);
/* Reads a file into a secret; a finding at `at` when it cannot be read. */
bool identity_file(
    struct reading *r, const struct node *at, const char *name, const char *what, const char *path);
/*
 * What a reference to a token means, as LiteLLM's get_secret() has it: oidc/file/PATH and
 * oidc/env_path/NAME are a path, oidc/env/NAME and a variable's name a token. False with a finding
 * when it means nothing.
 */
bool identity_oidc(struct reading *r, const struct node *node, struct str *token, struct str *path);

#endif
