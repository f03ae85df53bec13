/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS profiles: the two files that AWS's tools share
 * (docs.aws.amazon.com/sdkref/latest/guide/file-format.html), read for one profile.
 */
#ifndef SUPERVISOR_CONFIG_PROFILE_H
#define SUPERVISOR_CONFIG_PROFILE_H

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/provider.h"

/* What of a profile matters here; all owned, all wiped by profile_clear(). Empty where it says
 * nothing. */
struct profile {
	struct buf access_key, secret_key, session_token;
	struct buf role_arn, external_id, session_name;
	struct buf source_profile, credential_source, token_file;
	struct buf process; /* a way that needs a program */
	struct buf sso_session, sso_start_url, sso_account, sso_role, sso_region; /* one that needs a person */
	struct buf region;
};

void profile_init(struct profile *p);
void profile_clear(struct profile *p);
/*
 * Reads `name` out of the credentials file, then of the config file for what is still empty.
 * ERR_NOT_FOUND when neither has it. `env` looks variables up: AWS_SHARED_CREDENTIALS_FILE,
 * AWS_CONFIG_FILE, HOME.
 */
int profile_read(struct profile *p, const char *name, provider_lookup *env, void *arg) MUST_CHECK;
/* The same of given texts. */
int profile_read_text(
    struct profile *p, struct str name, struct str text, bool config_file) MUST_CHECK;

#endif
