/* SPDX-License-Identifier: Apache-2.0 */
/* AWS: the deployment's own parameters, then the chain of botocore. */
#include "supervisor/config/identity_internal.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <strings.h>

#include "shared/secret.h"
#include "supervisor/config/profile.h"

/* Profiles that rest one on another. */
#define MAX_PROFILES 6
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

/* The words of a command line as a shell splits them, one a line; nothing else of a shell's. False
 * for a quote without its end, or a line break. */
static bool
split_words(struct str line, struct buf *words)
{
	char quote = 0;
	bool inside = false;

	for (size_t i = 0; i < line.n; i++) {
		char c = line.p[i];

		if (c == '\n' || c == '\0')
			return false;
		if (quote == 0 && (c == ' ' || c == '\t')) {
			if (inside)
				buf_add_char(words, '\n');
			inside = false;
			continue;
		}
		inside = true;
		if (quote == 0 && (c == '"' || c == '\'')) {
			quote = c;
		} else if (c == quote) {
			quote = 0;
		} else if (c == '\\' && quote != '\'' && i + 1 < line.n &&
			   (quote == 0 || strchr("\"\\", line.p[i + 1]))) {
			if (line.p[++i] == '\n')
				return false;
			buf_add_char(words, line.p[i]);
		} else {
			buf_add_char(words, c);
		}
	}
	return quote == 0;
}

/* A program is run by a worker, and only where the config says that it may be. */
static bool
read_process(struct reading *r, const struct node *at, const char *name, struct profile *p)
{
	struct buf words = BUF_INIT(16384);

	if (r->ctx->settings->num[SETTING_CREDENTIAL_PROGRAMS] == 0) {
		reading_refuse(r, at, 401, NULL,
		    "the AWS profile %s runs a program for its credentials (credential_process), "
		    "which is done only with llmhealth.credential_programs: true",
		    name);
	} else if (!split_words(buf_str(&p->process), &words) || words.len == 0 ||
		   words.data[0] != '/') {
		reading_refuse(r, at, 401, NULL,
		    "the credential_process of the AWS profile %s is no command whose first word is an "
		    "absolute path",
		    name);
	} else {
		identity_param(r, "aws_source", STR("process"));
		identity_secret(r, "aws_process", buf_str(&words));
		identity_program_env(r);
	}
	if (words.data)
		secret_wipe(words.data, words.cap);
	buf_clear(&words);
	return true;
}

/* `aws sso login` names its file by the session, or the start URL of a profile of the older form. */
static bool
read_sso(struct reading *r, const struct node *at, const char *name, struct profile *p)
{
	const char *home = reading_env(r, "HOME");
	struct buf section = BUF_INIT(4096), path = BUF_INIT(4096);
	struct str named = buf_str(p->sso_session.len > 0 ? &p->sso_session : &p->sso_start_url);
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	struct profile session;

	profile_init(&session);
	if (p->sso_session.len > 0) {
		buf_addf(&section, "sso-session %s", buf_text(&p->sso_session));
		if (profile_read(&session, buf_text(&section), reading_env, r) == 0 &&
		    p->sso_region.len == 0)
			buf_add_str(&p->sso_region, buf_str(&session.sso_region));
	}
	if (p->sso_account.len == 0 || p->sso_role.len == 0 || p->sso_region.len == 0) {
		reading_refuse(r, at, 401, NULL,
		    "the AWS profile %s is signed in by a person (SSO), and has no %s", name,
		    p->sso_account.len == 0 ? "sso_account_id"
		    : p->sso_role.len == 0  ? "sso_role_name"
					    : "sso_region");
	} else if (EVP_Digest(named.p, named.n, digest, &n, EVP_sha1(), NULL) == 1) {
		buf_addf(&path, "%s/.aws/sso/cache/", home ? home : "");
		for (unsigned i = 0; i < n; i++)
			buf_addf(&path, "%02x", digest[i]);
		buf_add_text(&path, ".json");
		identity_param(r, "aws_source", STR("sso"));
		identity_param(r, "aws_sso_token_file", buf_str(&path));
		keep_profile(r, "aws_sso_account", &p->sso_account);
		keep_profile(r, "aws_sso_role", &p->sso_role);
		keep_profile(r, "aws_sso_region", &p->sso_region);
	}
	profile_clear(&session);
	buf_clear(&section);
	buf_clear(&path);
	return true;
}

/* A role of a profile is taken before those that are there: they rest on it. */
static void
add_role(struct reading *r, struct profile *p)
{
	struct buf roles = BUF_INIT(16384);

	buf_addf(&roles, "%s\t%s\t%s", buf_text(&p->role_arn), buf_text(&p->session_name),
	    buf_text(&p->external_id));
	if (identity_text(r, "aws_roles").n > 0) {
		buf_add_char(&roles, '\n');
		buf_add_str(&roles, identity_text(r, "aws_roles"));
	}
	identity_param(r, "aws_roles", buf_str(&roles));
	buf_clear(&roles);
}

/*
 * A profile that is a role; its credentials are those of another profile, which may be a role again,
 * or of where it says.
 */
static bool
read_role(
    struct reading *r, const struct node *at, const char *name, struct profile *p, unsigned depth)
{
	bool last = depth == 0 && identity_text(r, "aws_role_name").n == 0;

	if (p->token_file.len > 0 && identity_text(r, "aws_roles").n == 0 && last) {
		identity_param(r, "aws_source", STR("web_identity"));
		identity_param(r, "aws_web_identity_token_file", buf_str(&p->token_file));
		identity_param(r, "aws_web_identity_role", buf_str(&p->role_arn));
		keep_profile(r, "aws_session_name", &p->session_name);
		return true;
	}
	if (p->token_file.len > 0) {
		reading_refuse(r, at, 400, NULL,
		    "the AWS profile %s is a web identity, on which no other role is taken here", name);
		return true;
	}
	if (depth >= MAX_PROFILES) {
		reading_refuse(r, at, 400, NULL,
		    "the AWS profile %s rests on more than %d others, or on itself", name,
		    MAX_PROFILES);
		return true;
	}
	if (last) {
		keep_profile(r, "aws_role_name", &p->role_arn);
		keep_profile(r, "aws_session_name", &p->session_name);
		keep_profile(r, "aws_external_id", &p->external_id);
	} else {
		add_role(r, p);
	}
	if (p->credential_source.len > 0)
		return credential_source(r, at, name, buf_text(&p->credential_source));
	if (p->source_profile.len > 0 && strcmp(buf_text(&p->source_profile), name) != 0)
		return read_profile(r, at, buf_text(&p->source_profile), true, depth + 1);
	if (p->access_key.len == 0 || p->secret_key.len == 0)
		reading_refuse(r, at, 401, NULL,
		    "the AWS profile %s is a role, and has neither source_profile, "
		    "credential_source nor keys",
		    name);
	set_keys(r, buf_str(&p->access_key), buf_str(&p->secret_key), buf_str(&p->session_token));
	return true;
}

static bool
read_found(struct reading *r, const struct node *at, const char *name, bool named,
    struct profile *p, unsigned depth)
{
	if (identity_text(r, "aws_region_name").n == 0)
		keep_profile(r, "aws_region_name", &p->region);
	/* Of a source that has keys these count, as botocore has it. */
	if (p->role_arn.len > 0 && (depth == 0 || p->access_key.len == 0))
		return read_role(r, at, name, p, depth);
	if (p->access_key.len > 0 && p->secret_key.len > 0) {
		set_keys(r, buf_str(&p->access_key), buf_str(&p->secret_key),
		    buf_str(&p->session_token));
		return true;
	}
	if (p->sso_session.len > 0 || p->sso_start_url.len > 0)
		return read_sso(r, at, name, p);
	if (p->process.len > 0)
		return read_process(r, at, name, p);
	if (!named)
		return false;
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
