/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The auth schemes, one function each: which scheme the target needs, or NULL when its static key
 * (secret `api_key`) goes into a header as it is. A dialect names one of them as its `scheme`, or
 * asks it in its own. What each reads of a target is said here; all of it is put there when the
 * config is read (supervisor/config/identity.c), files and environment included.
 */
#ifndef WORKERS_AUTH_SCHEMES_H
#define WORKERS_AUTH_SCHEMES_H

struct auth_scheme;
struct target;

/*
 * AWS: signs with SigV4. build must have set req->sign_service ("bedrock", "sagemaker", "polly")
 * and req->sign_region, with Content-Type among the headers; sign adds X-Amz-Date,
 * X-Amz-Security-Token and Authorization. NULL with the secret api_key (a Bedrock API key:
 * `Authorization: Bearer`). Reads: secrets aws_access_key_id, aws_secret_access_key,
 * aws_session_token, aws_web_identity_token; params aws_source ("web_identity", "container",
 * "instance"; else the keys), aws_role_name (taken with them), aws_session_name, aws_external_id,
 * aws_region_name, aws_sts_endpoint, aws_web_identity_token_file, aws_web_identity_role,
 * aws_container_url, aws_container_token_file, aws_metadata_url; of a person's login (aws_source "sso")
 * aws_sso_account, aws_sso_role, aws_sso_region, aws_sso_token_file, aws_sso_endpoint; secrets aws_process
 * (aws_source "process": a program's words, one a line) and program_env; aws_roles, which
 * are taken before aws_role_name ("arn TAB session TAB external id" a line); those of subject.h.
 */
const struct auth_scheme *auth_aws(const struct target *t);

/*
 * Google: credential->token is an access token for cloud-platform, credential->account the quota
 * project or NULL. Never NULL. Reads the secret vertex_credentials: JSON of a service account, an
 * authorized user, an external account or an impersonated one; without it params google_metadata
 * ("true"), google_metadata_host.
 */
const struct auth_scheme *auth_google(const struct target *t);

/*
 * Entra ID: credential->token is the bearer token. NULL when an api_key is there and nothing that
 * Entra needs. A given azure_ad_token is the token as it is. Reads secrets azure_ad_token,
 * client_secret, azure_password, azure_client_certificate (PEM); params tenant_id, client_id,
 * azure_username, azure_scope, azure_authority_host, azure_federated_token_file; those of subject.h.
 */
const struct auth_scheme *auth_entra(const struct target *t);

/*
 * watsonx: credential->token for `Authorization: Bearer`. NULL with the secret zen_api_key
 * (`Authorization: ZenApiKey KEY`). Reads secrets token (as it is), api_key; param watsonx_iam_url.
 */
const struct auth_scheme *auth_ibm_iam(const struct target *t);

/*
 * OCI: signs with the key, no token; the Host is that of the URL, Content-Type must be among the
 * headers. Reads secrets oci_key (PEM), oci_tenancy, oci_fingerprint; param oci_user.
 */
const struct auth_scheme *auth_oci(const struct target *t);

/* Databricks M2M: credential->token. NULL with an api_key. Reads secret client_secret, param
 * client_id. */
const struct auth_scheme *auth_databricks(const struct target *t);

/*
 * SAP AI Core: credential->token and credential->base, the URL of the orchestration deployment.
 * Reads the secret api_key: the service key's JSON, or aicore_client_id, aicore_client_secret,
 * aicore_auth_url and aicore_base_url; param aicore_resource_group.
 */
const struct auth_scheme *auth_sap(const struct target *t);

/*
 * GigaChat: credential->token. Reads secrets token (as it is), api_key (sent as Basic); params
 * gigachat_scope, gigachat_auth_url.
 */
const struct auth_scheme *auth_gigachat(const struct target *t);

/*
 * Snowflake: credential->token, made of a key pair without any request. NULL with an api_key (a JWT
 * made elsewhere, or `pat/TOKEN`). Reads secret snowflake_private_key (PEM), params account_id,
 * snowflake_user.
 */
const struct auth_scheme *auth_snowflake(const struct target *t);

/*
 * GitHub Copilot: credential->token, credential->base where the reply names one. Reads the secret
 * github_copilot_access_token, which a person's login left in LiteLLM's folder.
 */
const struct auth_scheme *auth_github_copilot(const struct target *t);

/*
 * chatgpt: credential->token and credential->account, out of the file that a person's login left
 * (param chatgpt_auth_file). It is never refreshed here: that would end the gateway's own login.
 */
const struct auth_scheme *auth_chatgpt(const struct target *t);

#endif
