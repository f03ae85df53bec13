/* SPDX-License-Identifier: Apache-2.0 */
/* One function a cloud; AWS's chain is in identity_aws.c. */
#include "supervisor/config/identity.h"

#include <errno.h>
#include <strings.h>

#include "shared/file.h"
#include "shared/secret.h"
#include "supervisor/config/identity_internal.h"

#define MAX_FILE ((size_t)64 << 10)

static struct kv *
find(struct kv_list *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (str_is(list->v[i].key, name))
			return &list->v[i];
	return NULL;
}

void
identity_param(struct reading *r, const char *name, struct str value)
{
	kv_set(&r->params, str_of(name), arena_copy(r->ctx->arena, value));
}

void
identity_secret(struct reading *r, const char *name, struct str value)
{
	kv_set(&r->secrets, str_of(name), arena_copy(r->ctx->arena, value));
}

struct str
identity_text(const struct reading *r, const char *name)
{
	const struct kv *kv = find((struct kv_list *)&r->secrets, name);

	if (kv == NULL)
		kv = find((struct kv_list *)&r->params, name);
	return kv && kv->value.n > 0 ? kv->value : STR("");
}

bool
identity_env_param(struct reading *r, const char *name, const char *variable)
{
	const char *value = reading_env(r, variable);

	if (identity_text(r, name).n == 0 && value && *value)
		identity_param(r, name, str_of(value));
	return identity_text(r, name).n > 0;
}

bool
identity_env_secret(struct reading *r, const char *name, const char *variable)
{
	const char *value = reading_env(r, variable);

	if (identity_text(r, name).n == 0 && value && *value)
		identity_secret(r, name, str_of(value));
	return identity_text(r, name).n > 0;
}

void
identity_program_env(struct reading *r)
{
	const char *path = reading_env(r, "PATH"), *home = reading_env(r, "HOME");
	struct buf lines = BUF_INIT(READING_TEXT_MAX);

	buf_addf(&lines, "PATH=%s\n",
	    path && *path && !strchr(path, '\n') ? path : "/usr/local/bin:/usr/bin:/bin");
	if (home && *home && !strchr(home, '\n'))
		buf_addf(&lines, "HOME=%s\n", home);
	identity_secret(r, "program_env", buf_str(&lines));
	buf_clear(&lines);
}

static bool
take_file(struct reading *r, const char *name, const char *path)
{
	struct buf text = BUF_INIT(MAX_FILE);
	bool there = file_read(path, &text) == 0;

	if (there)
		identity_secret(r, name, buf_str(&text));
	if (text.data)
		secret_wipe(text.data, text.len);
	buf_clear(&text);
	return there;
}

bool
identity_file(
    struct reading *r, const struct node *at, const char *name, const char *what, const char *path)
{
	if (take_file(r, name, path))
		return true;
	reading_refuse(
	    r, at, 401, NULL, "%s: the file %s cannot be read: %s", what, path, strerror(errno));
	return false;
}

bool
identity_oidc(struct reading *r, const struct node *node, struct str *token, struct str *path)
{
	struct str s = node->text;
	const char *value = NULL;

	*token = *path = STR("");
	if (str_starts(s, "oidc/file/")) {
		*path = (struct str){ s.p + 10, s.n - 10 };
		return true;
	}
	if (str_starts(s, "oidc/env_path/") && (value = reading_env(r, s.p + 14)) != NULL &&
	    *value) {
		*path = str_of(value);
		return true;
	}
	/* A service gives it, which the worker asks. */
	if (str_starts(s, "oidc/google/")) {
		const char *host = reading_env(r, "GCE_METADATA_HOST");

		identity_param(r, "oidc_source", STR("google"));
		identity_param(r, "oidc_audience", (struct str){ s.p + 12, s.n - 12 });
		if (host && *host)
			identity_param(r, "google_metadata_host", str_of(host));
		return true;
	}
	if (str_starts(s, "oidc/github/")) {
		const char *url = reading_env(r, "ACTIONS_ID_TOKEN_REQUEST_URL");
		const char *bearer = reading_env(r, "ACTIONS_ID_TOKEN_REQUEST_TOKEN");

		if (url && *url && bearer && *bearer) {
			identity_param(r, "oidc_source", STR("github"));
			identity_param(r, "oidc_audience", (struct str){ s.p + 12, s.n - 12 });
			identity_param(r, "oidc_url", str_of(url));
			identity_secret(r, "oidc_token", str_of(bearer));
			return true;
		}
	}
	if (str_starts(s, "oidc/azure/") &&
	    (value = reading_env(r, "AZURE_FEDERATED_TOKEN_FILE")) != NULL && *value) {
		*path = str_of(value);
		return true;
	}
	if (str_starts(s, "oidc/circleci_v2/"))
		value = reading_env(r, "CIRCLE_OIDC_TOKEN_V2");
	else if (str_starts(s, "oidc/circleci/"))
		value = reading_env(r, "CIRCLE_OIDC_TOKEN");
	else if (str_starts(s, "oidc/env/"))
		value = reading_env(r, s.p + 9);
	else if (!str_starts(s, "oidc/"))
		value = reading_env(r, s.p);
	if (value && *value) {
		*token = str_of(value);
		return true;
	}
	/* A token itself: three parts with dots between. */
	if (str_starts(s, "eyJ") && strchr(s.p, '.')) {
		*token = s;
		return true;
	}
	if (*s.p == '/') {
		*path = s;
		return true;
	}
	reading_refuse(r, node, 401, NULL,
	    "no token can be had where it says: expected oidc/file/PATH, oidc/env/NAME, "
	    "oidc/env_path/NAME, oidc/google/AUDIENCE, oidc/github/AUDIENCE (in a job that may ask "
	    "for one), oidc/azure/, oidc/circleci/, oidc/circleci_v2/ where their variables are set, "
	    "or the name of a variable that is set");
	return false;
}

/* ---- Google ---- */

/* The text of a member on the top level of a credentials file, where it is plain. */
static struct str
json_plain(struct str json, const char *name)
{
	struct buf quoted = BUF_INIT(64);
	const char *at, *end;

	buf_addf(&quoted, "\"%s\"", name);
	at = memmem(json.p, json.n, buf_text(&quoted), quoted.len);
	at = at ? at + quoted.len : NULL;
	buf_clear(&quoted);
	if (at == NULL)
		return STR("");
	at += strspn(at, " \t\r\n:");
	if (*at != '"')
		return STR("");
	end = strpbrk(++at, "\"\\");
	return end && *end == '"' ? (struct str){ at, (size_t)(end - at) } : STR("");
}

static bool
google_file(struct reading *r)
{
	const char *variable = reading_env(r, "GOOGLE_APPLICATION_CREDENTIALS"),
		   *dir = reading_env(r, "CLOUDSDK_CONFIG");
	const char *home = reading_env(r, "HOME");
	struct buf path = BUF_INIT(4096);
	bool there = false;

	if (variable && *variable) {
		/* what is named is meant: nothing else is looked for */
		(void)identity_file(r, r->litellm_params, "vertex_credentials",
		    "GOOGLE_APPLICATION_CREDENTIALS", variable);
		return true;
	}
	if (dir && *dir)
		buf_addf(&path, "%s/application_default_credentials.json", dir);
	else if (home)
		buf_addf(&path, "%s/.config/gcloud/application_default_credentials.json", home);
	if (path.len > 0)
		there = take_file(r, "vertex_credentials", buf_text(&path));
	buf_clear(&path);
	return there;
}

static bool
google_metadata(struct reading *r)
{
	const char *disabled = reading_env(r, "NO_GCE_CHECK"),
		   *host = reading_env(r, "GCE_METADATA_HOST");

	if (r->ctx->settings->num[SETTING_INSTANCE_METADATA] == 0 ||
	    (disabled && strcasecmp(disabled, "true") == 0))
		return false;
	identity_param(r, "google_metadata", STR("true"));
	if (host && *host)
		identity_param(r, "google_metadata_host", str_of(host));
	return true;
}

static bool
read_google(struct reading *r)
{
	const struct node *given = params_get(&r->asked, "vertex_credentials");
	struct str own = identity_text(r, "vertex_credentials"), project;
	const char *variable = reading_env(r, "VERTEXAI_CREDENTIALS");

	if (own.n == 0 && variable && *variable)
		own = str_of(variable);
	while (own.n > 0 && strchr(" \t\r\n", *own.p)) {
		own.p++;
		own.n--;
	}
	if (own.n > 0 && *own.p == '{')
		identity_secret(r, "vertex_credentials", own);
	else if (own.n > 0)
		(void)identity_file(r, given ? given : r->litellm_params, "vertex_credentials",
		    "vertex_credentials", own.p);
	else if (!google_file(r) && !google_metadata(r))
		reading_refuse(r, r->litellm_params, 500,
		    "litellm.APIConnectionError: Your default credentials were not found. To set "
		    "up Application Default "
		    "Credentials, see "
		    "https://cloud.google.com/docs/authentication/external/set-up-adc for more "
		    "information.",
		    "no Google credentials: neither vertex_credentials nor "
		    "GOOGLE_APPLICATION_CREDENTIALS is set, and "
		    "instance metadata is not asked");
	if (memmem(identity_text(r, "vertex_credentials").p, identity_text(r, "vertex_credentials").n,
		"\"environment_id\"", 16)) {
		identity_env_secret(r, "aws_access_key_id", "AWS_ACCESS_KEY_ID");
		identity_env_secret(r, "aws_secret_access_key", "AWS_SECRET_ACCESS_KEY");
		identity_env_secret(r, "aws_session_token", "AWS_SESSION_TOKEN");
		if (!identity_env_param(r, "aws_region_name", "AWS_REGION"))
			identity_env_param(r, "aws_region_name", "AWS_DEFAULT_REGION");
	}
	variable = reading_env(r, "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES");
	if (variable && strcmp(variable, "1") == 0) {
		identity_param(r, "google_executables", STR("1"));
		identity_program_env(r);
	}
	project = json_plain(identity_text(r, "vertex_credentials"), "project_id");
	if (identity_text(r, "vertex_project").n == 0 && project.n > 0 &&
	    reading_env(r, "VERTEXAI_PROJECT") == NULL)
		identity_param(r, "vertex_project", project);
	return true;
}

/* ---- Entra ID ---- */

/*
 * The machine's own identity: where the config or AZURE_CREDENTIAL asks for it, as LiteLLM has it
 * (enable_azure_ad_token_refresh, ManagedIdentityCredential), and not otherwise.
 */
static bool
azure_machine(struct reading *r)
{
	const struct node *refresh = node_get_set(
	    node_get_set(r->ctx->root, "litellm_settings"), "enable_azure_ad_token_refresh");
	const char *wanted = reading_env(r, "AZURE_CREDENTIAL"),
		   *endpoint = reading_env(r, "IDENTITY_ENDPOINT");
	const char *header = reading_env(r, "IDENTITY_HEADER"),
		   *arc = reading_env(r, "IMDS_ENDPOINT");

	if (!node_says_true(refresh) &&
	    (wanted == NULL || (strcmp(wanted, "ManagedIdentityCredential") != 0 &&
				   strcmp(wanted, "DefaultAzureCredential") != 0)))
		return false;
	if (endpoint && *endpoint && header && *header) {
		identity_param(r, "azure_managed_identity", STR("app_service"));
		identity_param(r, "azure_identity_endpoint", str_of(endpoint));
		identity_secret(r, "azure_identity_header", str_of(header));
	} else if (endpoint && *endpoint && arc && *arc) {
		identity_param(r, "azure_managed_identity", STR("arc"));
		identity_param(r, "azure_identity_endpoint", str_of(endpoint));
	} else if (r->ctx->settings->num[SETTING_INSTANCE_METADATA] != 0) {
		identity_param(r, "azure_managed_identity", STR("imds"));
	} else {
		return false;
	}
	return true;
}

static bool
read_azure(struct reading *r)
{
	const struct node *token = params_get(&r->asked, "azure_ad_token");
	const char *file = reading_env(r, "AZURE_FEDERATED_TOKEN_FILE");
	const char *certificate = reading_env(r, "AZURE_CLIENT_CERTIFICATE_PATH");
	bool own =
	    identity_text(r, "client_secret").n > 0 || identity_text(r, "azure_password").n > 0;
	struct str given, path;
	char unused[128];

	if (identity_text(r, "api_key").n > 0)
		return false;
	if (token && node_is_str(token) && str_starts(token->text, "oidc/")) {
		if (!identity_oidc(r, token, &given, &path))
			return true;
		identity_secret(r, "azure_ad_token", given);
		if (path.n > 0)
			identity_param(r, "azure_federated_token_file", path);
		own = true;
	} else if (token && node_is_str(token) && token->text.n > 0) {
		return true;
	}
	/* A key of the environment comes before what else is there; what the deployment says comes
	 * before it. */
	if (!own &&
	    provider_key(r->provider, (enum mode)r->mode, reading_env, r, unused, sizeof(unused)))
		return false;
	identity_env_param(r, "tenant_id", "AZURE_TENANT_ID");
	identity_env_param(r, "client_id", "AZURE_CLIENT_ID");
	identity_env_param(r, "azure_scope", "AZURE_SCOPE");
	identity_env_param(r, "azure_authority_host", "AZURE_AUTHORITY_HOST");
	if (own)
		return true;
	if (identity_text(r, "client_id").n == 0)
		return azure_machine(r);
	if (identity_env_secret(r, "client_secret", "AZURE_CLIENT_SECRET"))
		return true;
	if (certificate && *certificate)
		return identity_file(r, r->litellm_params, "azure_client_certificate",
			   "AZURE_CLIENT_CERTIFICATE_PATH", certificate) ||
		       true;
	if (file && *file) {
		identity_param(r, "azure_federated_token_file", str_of(file));
		return true;
	}
	if (identity_env_param(r, "azure_username", "AZURE_USERNAME") &&
	    identity_env_secret(r, "azure_password", "AZURE_PASSWORD"))
		return true;
	return azure_machine(r);
}

/* ---- others ---- */

static bool
read_watsonx(struct reading *r)
{
	identity_env_param(r, "watsonx_iam_url", "WATSONX_IAM_URL");
	return identity_text(r, "token").n > 0 || identity_text(r, "zen_api_key").n > 0;
}

static bool
read_databricks(struct reading *r)
{
	if (identity_text(r, "api_key").n > 0 || reading_env(r, "DATABRICKS_API_KEY"))
		return false;
	return identity_env_param(r, "client_id", "DATABRICKS_CLIENT_ID") &&
	       identity_env_secret(r, "client_secret", "DATABRICKS_CLIENT_SECRET");
}

static bool
read_sap(struct reading *r)
{
	identity_env_param(r, "aicore_resource_group", "AICORE_RESOURCE_GROUP");
	return false;
}

static bool
read_gigachat(struct reading *r)
{
	identity_env_param(r, "gigachat_scope", "GIGACHAT_SCOPE");
	identity_env_param(r, "gigachat_auth_url", "GIGACHAT_AUTH_URL");
	return false;
}

static bool
read_oci(struct reading *r)
{
	static const struct {
		const char *name, *variable;
		bool secret;
	} rows[] = {
		{ "oci_user", "OCI_USER", false },
		{ "oci_fingerprint", "OCI_FINGERPRINT", true },
		{ "oci_tenancy", "OCI_TENANCY", true },
		{ "oci_key", "OCI_KEY", true },
		{ "oci_key_file", "OCI_KEY_FILE", true },
		{ "oci_compartment_id", "OCI_COMPARTMENT_ID", false },
		{ "oci_region", "OCI_REGION", false },
	};
	const struct node *file = params_get(&r->asked, "oci_key_file");
	struct str path;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].secret)
			identity_env_secret(r, rows[i].name, rows[i].variable);
		else
			identity_env_param(r, rows[i].name, rows[i].variable);
	path = identity_text(r, "oci_key_file");
	if (identity_text(r, "oci_key").n == 0 && path.n > 0)
		(void)identity_file(
		    r, file ? file : r->litellm_params, "oci_key", "oci_key_file", path.p);
	return identity_text(r, "oci_key").n > 0 && identity_text(r, "oci_user").n > 0;
}

static bool
read_snowflake(struct reading *r)
{
	const struct node *file = params_get(&r->asked, "snowflake_private_key_file");

	if (file && node_is_str(file))
		(void)identity_file(
		    r, file, "snowflake_private_key", "snowflake_private_key_file", file->text.p);
	identity_env_param(r, "snowflake_user", "SNOWFLAKE_USER");
	return identity_text(r, "api_key").n == 0 &&
	       identity_text(r, "snowflake_private_key").n > 0;
}

/* A file in the folder where LiteLLM keeps a person's login. */
static void
add_login_path(struct reading *r, struct buf *path, const char *dir_variable, const char *folder,
    const char *file_variable, const char *file)
{
	const char *dir = reading_env(r, dir_variable), *home = reading_env(r, "HOME");
	const char *name = reading_env(r, file_variable);

	if (dir && *dir)
		buf_add_text(path, dir);
	else if (home)
		buf_addf(path, "%s/.config/litellm/%s", home, folder);
	else
		return;
	buf_addf(path, "/%s", name && *name ? name : file);
}

static bool
read_copilot(struct reading *r)
{
	struct buf path = BUF_INIT(4096);
	struct str token;

	add_login_path(r, &path, "GITHUB_COPILOT_TOKEN_DIR", "github_copilot",
	    "GITHUB_COPILOT_ACCESS_TOKEN_FILE", "access-token");
	if (path.len == 0 || !take_file(r, "github_copilot_access_token", buf_text(&path))) {
		reading_refuse(r, r->litellm_params, 401, NULL,
		    "no login for GitHub Copilot: %s cannot be read, and a login "
		    "needs a person",
		    path.len ? buf_text(&path) : "access-token");
	} else {
		token = identity_text(r, "github_copilot_access_token");
		while (token.n > 0 && strchr(" \t\r\n", token.p[token.n - 1]))
			token.n--;
		identity_secret(r, "github_copilot_access_token", token);
		identity_env_param(r, "github_copilot_token_url", "GITHUB_COPILOT_API_KEY_URL");
	}
	buf_clear(&path);
	return true;
}

/* It is written anew by the gateway: the worker reads it. */
static bool
read_chatgpt(struct reading *r)
{
	struct buf path = BUF_INIT(4096);

	add_login_path(r, &path, "CHATGPT_TOKEN_DIR", "chatgpt", "CHATGPT_AUTH_FILE", "auth.json");
	if (path.len > 0)
		identity_param(r, "chatgpt_auth_file", buf_str(&path));
	buf_clear(&path);
	return true;
}

bool
identity_read(struct reading *r)
{
	static const struct {
		const char *provider;
		bool (*read)(struct reading *r);
	} rows[] = {
		{ "bedrock", identity_aws },
		{ "bedrock_mantle", identity_aws },
		{ "sagemaker", identity_aws },
		{ "sagemaker_chat", identity_aws },
		{ "sagemaker_nova", identity_aws },
		{ "aws_polly", identity_aws },
		{ "vertex_ai", read_google },
		{ "vertex_ai_beta", read_google },
		{ "azure", read_azure },
		{ "azure_text", read_azure },
		{ "azure_ai", read_azure },
		{ "watsonx", read_watsonx },
		{ "watsonx_text", read_watsonx },
		{ "databricks", read_databricks },
		{ "sap", read_sap },
		{ "gigachat", read_gigachat },
		{ "oci", read_oci },
		{ "snowflake", read_snowflake },
		{ "github_copilot", read_copilot },
		{ "chatgpt", read_chatgpt },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].provider, r->provider->name) == 0)
			return rows[i].read(r);
	return false;
}
