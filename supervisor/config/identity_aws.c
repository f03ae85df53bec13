/* SPDX-License-Identifier: Apache-2.0 */
/* AWS: the deployment's own parameters, then the chain of botocore. */
#include "supervisor/config/identity_internal.h"

#include <stdio.h>
#include <strings.h>

#include "shared/secret.h"
#include "supervisor/config/profile.h"

#define AGENT "http://169.254.170.2"

static void
keep_profile(struct reading *r, const char *name, struct buf *b)
{
	if (b->len > 0)
		identity_param(r, name, buf_str(b));
}

static void
set_keys(struct reading *r, struct str id, struct str secret, struct str token)
{
	identity_secret(r, "aws_access_key_id", id);
	identity_secret(r, "aws_secret_access_key", secret);
	/* also when it is empty: a token of other keys must not stay */
	identity_secret(r, "aws_session_token", token);
}

static bool
env_keys(struct reading *r)
{
	const char *id = reading_env(r, "AWS_ACCESS_KEY_ID"),
		   *secret = reading_env(r, "AWS_SECRET_ACCESS_KEY");
	const char *token = reading_env(r, "AWS_SESSION_TOKEN");

	if (id == NULL || secret == NULL || *id == '\0' || *secret == '\0')
		return false;
	set_keys(r, str_of(id), str_of(secret), str_of(token));
	return true;
}

static bool
env_web_identity(struct reading *r, const char *role)
{
	const char *file = reading_env(r, "AWS_WEB_IDENTITY_TOKEN_FILE"),
		   *own = reading_env(r, "AWS_ROLE_ARN");

	if (file == NULL || own == NULL || *file == '\0' || *own == '\0')
		return false;
	identity_param(r, "aws_source", STR("web_identity"));
	identity_param(r, "aws_web_identity_token_file", str_of(file));
	identity_param(r, "aws_web_identity_role", str_of(own));
	if (role && strcmp(role, own) == 0)
		identity_param(r, "aws_role_name", STR(""));
	if (identity_text(r, "aws_session_name").n == 0 && reading_env(r, "AWS_ROLE_SESSION_NAME"))
		identity_param(
		    r, "aws_session_name", str_of(reading_env(r, "AWS_ROLE_SESSION_NAME")));
	return true;
}

static bool
env_container(struct reading *r)
{
	const char *relative = reading_env(r, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = reading_env(r, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
	const char *token = reading_env(r, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
	const char *file = reading_env(r, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	struct buf url = BUF_INIT(4096);

	if (relative && *relative == '/')
		buf_addf(&url, AGENT "%s", relative);
	else if (full)
		buf_add_text(&url, full);
	if (url.len > 0) {
		identity_param(r, "aws_source", STR("container"));
		identity_param(r, "aws_container_url", buf_str(&url));
		if (file && *file)
			identity_param(r, "aws_container_token_file", str_of(file));
		else if (token && *token)
			identity_secret(r, "aws_container_token", str_of(token));
	}
	buf_clear(&url);
	return identity_text(r, "aws_container_url").n > 0;
}

static bool
instance(struct reading *r)
{
	const char *disabled = reading_env(r, "AWS_EC2_METADATA_DISABLED");
	const char *endpoint = reading_env(r, "AWS_EC2_METADATA_SERVICE_ENDPOINT");

	if (r->ctx->settings->num[SETTING_INSTANCE_METADATA] == 0 ||
	    (disabled && strcasecmp(disabled, "true") == 0))
		return false;
	identity_param(r, "aws_source", STR("instance"));
	if (endpoint && *endpoint)
		identity_param(r, "aws_metadata_url", str_of(endpoint));
	return true;
}

/* ---- profiles ---- */

static bool read_profile(
    struct reading *r, const struct node *at, const char *name, bool named, unsigned depth);

static bool
credential_source(struct reading *r, const struct node *at, const char *name, const char *source)
{
	if (strcmp(source, "Environment") == 0 && env_keys(r))
		return true;
	if (strcmp(source, "EcsContainer") == 0 && env_container(r))
		return true;
	if (strcmp(source, "Ec2InstanceMetadata") == 0 && instance(r))
		return true;
	reading_refuse(r, at, 401, NULL,
	    "the AWS profile %s takes its credentials from %s, which has none", name, source);
	return true;
}

/*
 * A profile that is a role; its credentials are those of another profile, or of where it says. A
 * source that is a role again is refused, which also ends a circle.
 */
static bool
read_role(
    struct reading *r, const struct node *at, const char *name, struct profile *p, unsigned depth)
{
	if (identity_text(r, "aws_role_name").n > 0) {
		reading_refuse(r, at, 400, NULL,
		    "the AWS profile %s is a role, and aws_role_name another: only one role is "
		    "taken",
		    name);
		return true;
	}
	if (p->token_file.len > 0) {
		identity_param(r, "aws_source", STR("web_identity"));
		identity_param(r, "aws_web_identity_token_file", buf_str(&p->token_file));
		identity_param(r, "aws_web_identity_role", buf_str(&p->role_arn));
		keep_profile(r, "aws_session_name", &p->session_name);
		return true;
	}
	keep_profile(r, "aws_role_name", &p->role_arn);
	keep_profile(r, "aws_session_name", &p->session_name);
	keep_profile(r, "aws_external_id", &p->external_id);
	if (p->credential_source.len > 0)
		return credential_source(r, at, name, buf_text(&p->credential_source));
	if (p->source_profile.len > 0 && strcmp(buf_text(&p->source_profile), name) != 0)
		return read_profile(r, at, buf_text(&p->source_profile), true, depth + 1);
	set_keys(r, buf_str(&p->access_key), buf_str(&p->secret_key), buf_str(&p->session_token));
	return true;
}

static bool
read_found(struct reading *r, const struct node *at, const char *name, bool named,
    struct profile *p, unsigned depth)
{
	if (identity_text(r, "aws_region_name").n == 0)
		keep_profile(r, "aws_region_name", &p->region);
	/* A source's own role is not taken on the way. */
	if (p->role_arn.len > 0 && (depth == 0 || p->access_key.len == 0))
		return read_role(r, at, name, p, depth);
	if (p->access_key.len > 0 && p->secret_key.len > 0) {
		set_keys(r, buf_str(&p->access_key), buf_str(&p->secret_key),
		    buf_str(&p->session_token));
		return true;
	}
	if (!named)
		return false;
	if (p->process.len > 0)
		reading_refuse(r, at, 401, NULL,
		    "the AWS profile %s runs a program for its credentials "
		    "(credential_process), which is not done",
		    name);
	else if (p->sso.len > 0)
		reading_refuse(r, at, 401, NULL,
		    "the AWS profile %s is signed in by a person (SSO), which is not done", name);
	else
		reading_refuse(r, at, 401, NULL, "the AWS profile %s has no credentials", name);
	return true;
}

/* `named`: somebody asked for it, so that it must be there. */
static bool
read_profile(struct reading *r, const struct node *at, const char *name, bool named, unsigned depth)
{
	struct profile p;
	bool done = false;

	profile_init(&p);
	if (profile_read(&p, name, reading_env, r) == 0) {
		done = read_found(r, at, name, named, &p, depth);
	} else if (named) {
		reading_refuse(r, at, 401, NULL,
		    "the AWS profile %s is in neither AWS_SHARED_CREDENTIALS_FILE "
		    "(~/.aws/credentials) nor AWS_CONFIG_FILE (~/.aws/config)",
		    name);
		done = true;
	}
	profile_clear(&p);
	return done;
}

/* ---- the order ---- */

/* What LiteLLM's get_secret() makes of it: oidc/file/PATH, oidc/env/NAME, oidc/env_path/NAME, or a
 * variable's name. */
static bool
given_web_identity(struct reading *r, const struct node *node)
{
	struct str token, path;

	if (!identity_oidc(r, node, &token, &path))
		return true;
	identity_secret(r, "aws_web_identity_token", token);
	if (path.n > 0)
		identity_param(r, "aws_web_identity_token_file", path);
	identity_param(r, "aws_source", STR("web_identity"));
	identity_param(r, "aws_web_identity_role", identity_text(r, "aws_role_name"));
	identity_param(r, "aws_role_name", STR(""));
	return true;
}

bool
identity_aws(struct reading *r)
{
	const struct node *web = params_get(&r->asked, "aws_web_identity_token");
	const struct node *profile = params_get(&r->asked, "aws_profile_name");
	const char *role = identity_text(r, "aws_role_name").p,
		   *env_profile = reading_env(r, "AWS_PROFILE");
	bool bearer = strncmp(r->provider->name, "bedrock", 7) == 0 &&
		      reading_env(r, "AWS_BEARER_TOKEN_BEDROCK");
	bool own_keys = identity_text(r, "aws_access_key_id").n > 0 &&
			identity_text(r, "aws_secret_access_key").n > 0;

	if (identity_text(r, "api_key").n > 0 ||
	    (bearer && !own_keys && web == NULL && profile == NULL && *role == '\0') ||
	    (strcmp(r->provider->name, "bedrock_mantle") == 0 &&
		reading_env(r, "BEDROCK_MANTLE_API_KEY")))
		return false;
	if (web && node_is_str(web) && *role)
		return given_web_identity(r, web);
	if (profile && node_is_str(profile) && profile->text.n > 0)
		return read_profile(r, profile, profile->text.p, true, 0);
	if (own_keys)
		return true;
	if (*role && env_web_identity(r, role) && identity_text(r, "aws_role_name").n == 0)
		return true;
	identity_param(r, "aws_source", STR(""));
	if (env_keys(r) ||
	    read_profile(r, r->litellm_params,
		env_profile && *env_profile ? env_profile : "default", env_profile && *env_profile,
		0) ||
	    env_web_identity(r, role) || env_container(r) || instance(r))
		return true;
	reading_refuse(r, r->litellm_params, 401,
	    "litellm.AuthenticationError: BedrockException Invalid Authentication - Unable to "
	    "locate credentials",
	    "no AWS credentials: neither the deployment, the environment nor a profile has any, "
	    "and instance metadata is "
	    "not asked");
	return true;
}
