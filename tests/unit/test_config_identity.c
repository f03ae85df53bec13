/* SPDX-License-Identifier: Apache-2.0 */
/* Where credentials are found when a config is read: parameters, variables, profiles, files. */
#include "tests/unit/unit.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/config/profile.h"
#include "tests/unit/loaded.h"

#define KEYS "aws_access_key_id: AKIA1, aws_secret_access_key: sk-canary-secret"

static char home[64];

static void
put(const char *name, const char *text)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", home, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
make_folder(const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", home, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

static int
set_up(void **state)
{
	snprintf(home, sizeof(home), "/tmp/llmhealth-identity-XXXXXX");
	assert_non_null(mkdtemp(home));
	make_folder(".aws");
	put(".aws/credentials",
	    "# a comment\n[default]\naws_access_key_id = AKIADEFAULT\n"
	    "aws_secret_access_key=sk-canary-default ; "
	    "behind\n\n[base]\r\naws_access_key_id=AKIABASE\r\n"
	    "aws_secret_access_key=sk-canary-base\r\naws_session_token=sk-canary-session\r\n"
	    "[half]\naws_access_key_id = X\n");
	put(".aws/config",
	    "[default]\nregion = eu-central-1\n[profile role]\nrole_arn = arn:aws:iam::1:role/p\n"
	    "source_profile = base\nexternal_id = ext\nregion=ap-south-1\ns3 =\n  "
	    "max_concurrent_requests = 20\n"
	    "[profile loop]\nrole_arn = arn:r\nsource_profile = loop2\n[profile loop2]\nrole_arn = "
	    "arn:r2\n"
	    "source_profile = loop\n[profile machine]\nrole_arn = arn:m\ncredential_source = "
	    "Ec2InstanceMetadata\n"
	    "[profile web]\nrole_arn = arn:w\nweb_identity_token_file = "
	    "/var/token\nrole_session_name = me\n"
	    "[profile program]\ncredential_process = /bin/true\n[profile person]\nsso_start_url = "
	    "https://x.test\nsso_account_id = 123\nsso_role_name = Reader\nsso_region = eu-west-1\n"
	    "[profile person2]\nsso_session = corp\nsso_account_id = 9\nsso_role_name = R\n"
	    "[sso-session corp]\nsso_region = us-east-2\nsso_start_url = https://y.test\n"
	    "[profile person3]\nsso_session = none\nsso_account_id = 9\nsso_role_name = R\n"
	    "[profile person4]\nrole_arn = arn:p4\nsource_profile = person2\n"
	    "[profile outer]\nrole_arn = arn:o\nsource_profile = role\nrole_session_name = so\n"
	    "[profile outer2]\nrole_arn = arn:o2\nsource_profile = outer\n"
	    "[profile self]\nrole_arn = arn:self\nsource_profile = self\n"
	    "[profile environment]\nrole_arn = arn:e\ncredential_source = Environment\n"
	    "[profile nobase]\nrole_arn = arn:n\nsource_profile = nobody\n"
	    "[notaprofile]\naws_access_key_id = NO\n");
	put("sa.json", "{\"type\": \"service_account\", \"project_id\": \"my-proj\", "
		       "\"private_key\": \"sk-canary-pem\"}");
	put("oci.pem", "sk-canary-oci-pem");
	make_folder(".config");
	make_folder(".config/litellm");
	make_folder(".config/litellm/github_copilot");
	put(".config/litellm/github_copilot/access-token", "sk-canary-ghu\n");
	return 0;
}

static int
tear_down(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", home);
	return system(command);
}

struct wanted {
	const char *model, *params;
	const char
	    *env; /* "NAME=VALUE NAME=VALUE", the folder as ~; HOME is it unless given first */
	const char
	    *has; /* "key=value key=value" of params and secrets; "key=" for what must be empty */
	const char *told; /* a finding, or NULL for none */
};

/* "~" becomes the folder. */
static void
expand(struct buf *b, const char *text)
{
	for (; *text; text++)
		if (*text == '~')
			buf_add_text(b, home);
		else
			buf_add_char(b, *text);
	buf_add_char(b, '\0');
}

static void
check_has(const struct deployment *d, const char *has)
{
	while (*has) {
		size_t n = strcspn(has, "="), m = strcspn(has + n + 1, " ");
		char key[64], value[256];
		struct buf whole = BUF_INIT(1024);
		const char *found;

		snprintf(key, sizeof(key), "%.*s", (int)n, has);
		snprintf(value, sizeof(value), "%.*s", (int)m, has + n + 1);
		found = kvs_find(d->target.params, key);
		if (found == NULL || *found == '\0')
			found = kvs_find(d->target.secrets, key);
		expand(&whole, value);
		if (strcmp(found ? found : "", buf_text(&whole)) != 0)
			fail_msg("%s is %s, not %s", key, found ? found : "absent", buf_text(&whole));
		buf_clear(&whole);
		has += n + 1 + m;
		has += *has == ' ';
	}
}

static void
check(const struct wanted *w)
{
	struct buf yaml = BUF_INIT(1 << 16), env = BUF_INIT(1 << 16);
	const char *variables[16];
	struct loaded l;
	size_t n = 0;
	char *at;

	buf_add_text(&yaml, "model_list:\n- model_name: a\n  litellm_params: {model: ");
	expand(&yaml, w->model);
	yaml.len--;
	if (*w->params) {
		buf_add_text(&yaml, ", ");
		expand(&yaml, w->params);
		yaml.len--;
	}
	buf_add_text(&yaml, "}\n");
	if (strncmp(w->env, "HOME=", 5) != 0)
		expand(&env, "HOME=~");
	for (const char *p = w->env; *p; p += strspn(p, " ")) {
		char one[512];
		size_t m = strcspn(p, " ");

		snprintf(one, sizeof(one), "%.*s", (int)m, p);
		expand(&env, one);
		p += m;
	}
	for (at = env.data; at < env.data + env.len; at += strlen(at) + 1)
		variables[n++] = at;
	variables[n] = NULL;
	load_text(&l, buf_text(&yaml), variables);
	if (l.config == NULL)
		fail_msg("%s, %s: %s", w->model, w->params, buf_text(&l.told));
	if (w->told)
		assert_told(&l, w->told);
	assert_not_told(&l, "canary");
	check_has(&l.config->deployments[0], w->has);
	loaded_clear(&l);
	buf_clear(&yaml);
	buf_clear(&env);
}

static void
check_all(const struct wanted *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check(&cases[i]);
}

#define BEDROCK "bedrock/amazon.nova-lite-v1:0"

static void
test_aws(void **state)
{
	static const struct wanted cases[] = {
		{ BEDROCK, KEYS, "", "aws_access_key_id=AKIA1 aws_source=", NULL },
		{ BEDROCK, KEYS ", aws_session_token: sk-canary-t", "",
		    "aws_session_token=sk-canary-t", NULL },
		/* what the deployment says comes before the environment */
		{ BEDROCK, KEYS,
		    "AWS_ACCESS_KEY_ID=AKIAENV AWS_SECRET_ACCESS_KEY=s AWS_SESSION_TOKEN=t",
		    "aws_access_key_id=AKIA1 aws_session_token=", NULL },
		{ BEDROCK, KEYS, "AWS_BEARER_TOKEN_BEDROCK=b",
		    "aws_access_key_id=AKIA1 api_key=", NULL },
		{ BEDROCK, "",
		    "AWS_BEARER_TOKEN_BEDROCK=b AWS_ACCESS_KEY_ID=A AWS_SECRET_ACCESS_KEY=s",
		    "api_key=b", NULL },
		{ BEDROCK, "",
		    "AWS_ACCESS_KEY_ID=AKIAENV AWS_SECRET_ACCESS_KEY=s AWS_SESSION_TOKEN=t "
		    "AWS_REGION=r",
		    "aws_access_key_id=AKIAENV aws_session_token=t aws_region_name=r", NULL },
		/* then the default profile, with its region */
		{ BEDROCK, "", "",
		    "aws_access_key_id=AKIADEFAULT aws_secret_access_key=sk-canary-default", NULL },
		{ BEDROCK, "", "AWS_PROFILE=base",
		    "aws_access_key_id=AKIABASE aws_session_token=sk-canary-session", NULL },
		{ BEDROCK, "", "AWS_PROFILE=nobody",
		    "aws_access_key_id=", "the AWS profile nobody is in neither" },
		{ BEDROCK, "aws_profile_name: base", "AWS_ACCESS_KEY_ID=A AWS_SECRET_ACCESS_KEY=s",
		    "aws_access_key_id=AKIABASE", NULL },
		{ BEDROCK, "aws_profile_name: role", "",
		    "aws_access_key_id=AKIABASE aws_role_name=arn:aws:iam::1:role/p "
		    "aws_external_id=ext",
		    NULL },
		{ BEDROCK, "aws_profile_name: web", "",
		    "aws_source=web_identity aws_web_identity_token_file=/var/token "
		    "aws_web_identity_role=arn:w aws_session_name=me aws_role_name=",
		    NULL },
		{ BEDROCK, "aws_profile_name: machine", "",
		    "aws_source=instance aws_role_name=arn:m", NULL },
		{ BEDROCK, "aws_profile_name: machine", "AWS_EC2_METADATA_DISABLED=true",
		    "aws_source=",
		    "the AWS profile machine takes its credentials from Ec2InstanceMetadata, which "
		    "has none" },
		{ BEDROCK, "aws_profile_name: loop", "", "", "more than 6 others, or on itself" },
		{ BEDROCK, "aws_profile_name: self", "", "", "neither source_profile" },
		{ BEDROCK, "aws_profile_name: nobase", "", "", "the AWS profile nobody is in neither" },
		{ BEDROCK, "aws_profile_name: environment", "AWS_ACCESS_KEY_ID=A AWS_SECRET_ACCESS_KEY=s",
		    "aws_access_key_id=A aws_role_name=arn:e", NULL },
		{ BEDROCK, "aws_profile_name: environment", "", "aws_access_key_id=",
		    "takes its credentials from Environment, which has none" },
		/* roles one on another: the innermost first */
		{ BEDROCK, "aws_profile_name: outer2", "",
		    "aws_access_key_id=AKIABASE aws_role_name=arn:o2 aws_external_id= "
		    "aws_roles=arn:aws:iam::1:role/p\t\text\narn:o\tso\t",
		    NULL },
		{ BEDROCK, "aws_profile_name: program", "", "aws_source=",
		    "only with llmhealth.credential_programs: true" },
		{ BEDROCK, "aws_profile_name: person", "",
		    "aws_source=sso aws_sso_account=123 aws_sso_role=Reader aws_sso_region=eu-west-1 "
		    "aws_sso_token_file=~/.aws/sso/cache/8d6ec6e48ccd298855c6c0286836dcecf5d79d46.json",
		    NULL },
		{ BEDROCK, "aws_profile_name: person2", "",
		    "aws_source=sso aws_sso_account=9 aws_sso_region=us-east-2 aws_sso_token_file=~/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json",
		    NULL },
		{ BEDROCK, "aws_profile_name: person3", "", "aws_source=", "and has no sso_region" },
		{ BEDROCK, "aws_profile_name: person4", "", "aws_source=sso aws_role_name=arn:p4", NULL },
		{ BEDROCK, "aws_profile_name: half", "", "",
		    "the AWS profile half has no credentials" },
		{ BEDROCK, "aws_profile_name: notaprofile", "", "",
		    "the AWS profile notaprofile is in neither" },
		{ BEDROCK, "aws_role_name: arn:x, " KEYS, "",
		    "aws_role_name=arn:x aws_access_key_id=AKIA1", NULL },
		{ BEDROCK, "aws_role_name: arn:x, aws_profile_name: role", "",
		    "aws_access_key_id=AKIABASE aws_role_name=arn:x "
		    "aws_roles=arn:aws:iam::1:role/p\t\text",
		    NULL },
		{ BEDROCK, "aws_role_name: arn:x, aws_profile_name: web", "", "aws_source=",
		    "on which no other role is taken" },
		{ BEDROCK, "aws_role_name: arn:x, aws_web_identity_token: oidc/google/https://aud", "",
		    "aws_source=web_identity oidc_source=google oidc_audience=https://aud "
		    "aws_web_identity_role=arn:x",
		    NULL },
		{ BEDROCK, "aws_role_name: arn:x, aws_web_identity_token: oidc/github/sts.amazonaws.com",
		    "ACTIONS_ID_TOKEN_REQUEST_URL=https://g.test/?v=1 "
		    "ACTIONS_ID_TOKEN_REQUEST_TOKEN=sk-canary-g",
		    "oidc_source=github oidc_audience=sts.amazonaws.com oidc_url=https://g.test/?v=1 "
		    "oidc_token=sk-canary-g",
		    NULL },
		{ BEDROCK, "aws_role_name: arn:x, aws_web_identity_token: oidc/github/aud", "",
		    "oidc_source=", "oidc/github/AUDIENCE (in a job that may ask for one)" },
		{ BEDROCK, "aws_role_name: arn:x, aws_web_identity_token: oidc/circleci/",
		    "CIRCLE_OIDC_TOKEN=sk-canary-c", "aws_web_identity_token=sk-canary-c", NULL },
		{ BEDROCK, "aws_role_name: arn:x, aws_web_identity_token: oidc/circleci_v2/",
		    "CIRCLE_OIDC_TOKEN_V2=sk-canary-c2", "aws_web_identity_token=sk-canary-c2", NULL },
		{ BEDROCK, "aws_role_name: arn:x",
		    "AWS_WEB_IDENTITY_TOKEN_FILE=/f AWS_ROLE_ARN=arn:x",
		    "aws_source=web_identity aws_web_identity_role=arn:x aws_role_name=", NULL },
		{ BEDROCK, "aws_role_name: arn:x, aws_web_identity_token: oidc/file//var/t", "",
		    "aws_source=web_identity aws_web_identity_token_file=/var/t "
		    "aws_web_identity_role=arn:x aws_role_name=",
		    NULL },
		{ BEDROCK, "aws_role_name: arn:x, aws_web_identity_token: oidc/env/TOK",
		    "TOK=sk-canary-jwt",
		    "aws_web_identity_token=sk-canary-jwt aws_web_identity_token_file=", NULL },
		{ BEDROCK, "aws_role_name: arn:x, aws_web_identity_token: oidc/env_path/TOK",
		    "TOK=/p", "aws_web_identity_token_file=/p", NULL },
		{ BEDROCK, "aws_role_name: arn:x, aws_web_identity_token: NOT_SET", "", "",
		    "no token can be had" },
		{ "sagemaker/ep", KEYS, "", "aws_access_key_id=AKIA1", NULL },
	};

	check_all(cases, ARRAY_LEN(cases));
}

/* Without any file in the home folder. */
static void
test_aws_machine(void **state)
{
	static const struct wanted cases[] = {
		{ BEDROCK, "",
		    "HOME=/nonexistent AWS_WEB_IDENTITY_TOKEN_FILE=/f AWS_ROLE_ARN=arn:x "
		    "AWS_ROLE_SESSION_NAME=s",
		    "aws_source=web_identity aws_web_identity_token_file=/f "
		    "aws_web_identity_role=arn:x aws_session_name=s",
		    NULL },
		{ BEDROCK, "", "HOME=/nonexistent AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/x",
		    "aws_source=container aws_container_url=http://169.254.170.2/v2/x", NULL },
		{ BEDROCK, "",
		    "HOME=/nonexistent AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.23/v1 "
		    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/t",
		    "aws_source=container aws_container_url=http://169.254.170.23/v1 "
		    "aws_container_token_file=/t",
		    NULL },
		{ BEDROCK, "", "HOME=/nonexistent", "aws_source=instance aws_metadata_url=", NULL },
		{ BEDROCK, "",
		    "HOME=/nonexistent AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:1",
		    "aws_source=instance aws_metadata_url=http://127.0.0.1:1", NULL },
		{ BEDROCK, "", "HOME=/nonexistent AWS_EC2_METADATA_DISABLED=True",
		    "aws_source=", "no AWS credentials" },
	};

	check_all(cases, ARRAY_LEN(cases));
}

#define VERTEX "vertex_ai/gemini-2.0-flash"

static void
test_google(void **state)
{
	static const struct wanted cases[] = {
		{ VERTEX, "vertex_credentials: ~/sa.json", "", "vertex_project=my-proj", NULL },
		{ VERTEX, "vertex_credentials: ~/sa.json, vertex_project: p", "",
		    "vertex_project=p", NULL },
		{ VERTEX, "vertex_credentials: ~/sa.json", "VERTEXAI_PROJECT=q", "vertex_project=q",
		    NULL },
		{ VERTEX, "vertex_credentials: {type: x, project_id: inline}", "",
		    "vertex_project=inline", NULL },
		{ VERTEX, "", "GOOGLE_APPLICATION_CREDENTIALS=~/sa.json",
		    "vertex_project=my-proj google_metadata=", NULL },
		{ VERTEX, "vertex_credentials: ~/nothing.json", "",
		    "google_metadata=", "nothing.json cannot be read: No such file or directory" },
		{ VERTEX, "vertex_credentials: /dev/null", "", "",
		    "/dev/null cannot be read: Invalid argument" },
		{ VERTEX, "", "GOOGLE_APPLICATION_CREDENTIALS=~/nothing.json",
		    "google_metadata=", "cannot be read" },
		{ VERTEX, "", "", "google_metadata=true google_metadata_host=", NULL },
		{ VERTEX, "", "GCE_METADATA_HOST=127.0.0.1:8",
		    "google_metadata=true google_metadata_host=127.0.0.1:8", NULL },
		{ VERTEX, "", "NO_GCE_CHECK=true", "google_metadata=", "no Google credentials" },
		{ VERTEX,
		    "vertex_credentials: {type: external_account, credential_source: {environment_id: aws1}}",
		    "AWS_ACCESS_KEY_ID=A AWS_SECRET_ACCESS_KEY=s AWS_DEFAULT_REGION=r",
		    "aws_access_key_id=A aws_secret_access_key=s aws_region_name=r google_executables=",
		    NULL },
		{ VERTEX, "vertex_credentials: {type: external_account}",
		    "AWS_ACCESS_KEY_ID=A AWS_SECRET_ACCESS_KEY=s "
		    "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1",
		    "aws_access_key_id= google_executables=1", NULL },
	};

	check_all(cases, ARRAY_LEN(cases));
}

static void
test_azure(void **state)
{
	static const struct wanted cases[] = {
		{ "azure/d", "api_base: https://r.test, api_key: sk-canary-k",
		    "AZURE_CLIENT_ID=c AZURE_TENANT_ID=t", "api_key=sk-canary-k tenant_id=", NULL },
		{ "azure/d", "api_base: https://r.test, azure_ad_token: sk-canary-t", "",
		    "azure_ad_token=sk-canary-t", NULL },
		{ "azure/d",
		    "api_base: https://r.test, tenant_id: T, client_id: C, client_secret: "
		    "sk-canary-s",
		    "AZURE_API_KEY=k AZURE_AUTHORITY_HOST=https://a.test",
		    "tenant_id=T client_secret=sk-canary-s api_key= "
		    "azure_authority_host=https://a.test",
		    NULL },
		{ "azure/d", "api_base: https://r.test",
		    "AZURE_API_KEY=k AZURE_CLIENT_ID=c AZURE_CLIENT_SECRET=s",
		    "api_key=k client_secret=", NULL },
		{ "azure/d", "api_base: https://r.test", "AZURE_OPENAI_AD_TOKEN=t",
		    "azure_ad_token=t", NULL },
		{ "azure/d", "api_base: https://r.test",
		    "AZURE_TENANT_ID=t AZURE_CLIENT_ID=c AZURE_CLIENT_SECRET=s",
		    "tenant_id=t client_id=c client_secret=s", NULL },
		{ "azure/d", "api_base: https://r.test",
		    "AZURE_TENANT_ID=t AZURE_CLIENT_ID=c AZURE_FEDERATED_TOKEN_FILE=/f",
		    "azure_federated_token_file=/f", NULL },
		{ "azure/d", "api_base: https://r.test",
		    "AZURE_TENANT_ID=t AZURE_CLIENT_ID=c AZURE_CLIENT_CERTIFICATE_PATH=~/oci.pem",
		    "azure_client_certificate=sk-canary-oci-pem", NULL },
		{ "azure/d", "api_base: https://r.test",
		    "AZURE_CLIENT_ID=c AZURE_USERNAME=u AZURE_PASSWORD=p",
		    "azure_username=u azure_password=p", NULL },
		{ "azure/d", "api_base: https://r.test, azure_ad_token: oidc/file//f",
		    "AZURE_CLIENT_ID=c AZURE_TENANT_ID=t",
		    "azure_federated_token_file=/f azure_ad_token= client_id=c tenant_id=t", NULL },
		{ "azure/d", "api_base: https://r.test, azure_ad_token: oidc/google/aud",
		    "AZURE_CLIENT_ID=c AZURE_TENANT_ID=t",
		    "oidc_source=google oidc_audience=aud client_id=c tenant_id=t", NULL },
		/* the machine's own, only where it is asked for */
		{ "azure/d", "api_base: https://r.test", "AZURE_CREDENTIAL=ManagedIdentityCredential",
		    "azure_managed_identity=imds", NULL },
		{ "azure/d", "api_base: https://r.test",
		    "AZURE_CREDENTIAL=DefaultAzureCredential AZURE_CLIENT_ID=c",
		    "azure_managed_identity=imds client_id=c", NULL },
		{ "azure/d", "api_base: https://r.test",
		    "AZURE_CREDENTIAL=ManagedIdentityCredential IDENTITY_ENDPOINT=http://127.0.0.1:4/t "
		    "IDENTITY_HEADER=sk-canary-h",
		    "azure_managed_identity=app_service azure_identity_endpoint=http://127.0.0.1:4/t "
		    "azure_identity_header=sk-canary-h",
		    NULL },
		{ "azure/d", "api_base: https://r.test",
		    "AZURE_CREDENTIAL=ManagedIdentityCredential IDENTITY_ENDPOINT=http://127.0.0.1:4/t "
		    "IMDS_ENDPOINT=http://127.0.0.1:5",
		    "azure_managed_identity=arc azure_identity_endpoint=http://127.0.0.1:4/t", NULL },
		{ "azure/d", "api_base: https://r.test", "AZURE_CLIENT_ID=c",
		    "azure_managed_identity=", "no api_key is given" },
	};

	check_all(cases, ARRAY_LEN(cases));
}

static void
test_others(void **state)
{
	static const struct wanted cases[] = {
		{ "databricks/m", "api_base: https://d.test",
		    "DATABRICKS_CLIENT_ID=c DATABRICKS_CLIENT_SECRET=s",
		    "client_id=c client_secret=s", NULL },
		{ "databricks/m", "api_base: https://d.test",
		    "DATABRICKS_API_KEY=k DATABRICKS_CLIENT_ID=c DATABRICKS_CLIENT_SECRET=s",
		    "api_key=k client_secret=", NULL },
		{ "watsonx/m", "project_id: p", "WATSONX_TOKEN=t", "token=t api_key=", NULL },
		{ "watsonx/m", "project_id: p", "WATSONX_ZENAPIKEY=z",
		    "zen_api_key=z api_key=", NULL },
		{ "watsonx/m", "project_id: p", "WATSONX_API_KEY=k WATSONX_IAM_URL=https://i.test",
		    "api_key=k watsonx_iam_url=https://i.test", NULL },
		{ "oci/m",
		    "oci_user: u, oci_fingerprint: f, oci_tenancy: t, oci_key_file: ~/oci.pem", "",
		    "oci_key=sk-canary-oci-pem", NULL },
		{ "oci/m",
		    "oci_user: u, oci_fingerprint: f, oci_tenancy: t, oci_key_file: ~/none.pem", "",
		    "oci_key=", "oci_key_file: the file " },
		{ "oci/m", "",
		    "OCI_USER=u OCI_FINGERPRINT=f OCI_TENANCY=t OCI_KEY_FILE=~/oci.pem "
		    "OCI_COMPARTMENT_ID=c",
		    "oci_user=u oci_tenancy=t oci_key=sk-canary-oci-pem oci_compartment_id=c",
		    NULL },
		{ "github_copilot/m", "", "", "github_copilot_access_token=sk-canary-ghu", NULL },
		{ "github_copilot/m", "", "GITHUB_COPILOT_TOKEN_DIR=/nonexistent", "",
		    "no login for GitHub Copilot: /nonexistent/access-token cannot be read" },
		{ "gigachat/m", "", "GIGACHAT_ACCESS_TOKEN=t GIGACHAT_SCOPE=S",
		    "token=t gigachat_scope=S", NULL },
		{ "sap/m", "",
		    "AICORE_CLIENT_ID=a AICORE_CLIENT_SECRET=b AICORE_AUTH_URL=u AICORE_BASE_URL=v "
		    "AICORE_RESOURCE_GROUP=g",
		    "aicore_client_id=a aicore_client_secret=b aicore_resource_group=g", NULL },
	};

	check_all(cases, ARRAY_LEN(cases));
}

static void
test_profile_text(void **state)
{
	static const char *const hostile[] = { "", "[", "[]", "]", "[default",
		"[default]\n=\n==\n=x\naws_access_key_id", "[ default ]\n \n\t\n#\n;\n",
		"[default]\naws_access_key_id = # nothing", "\n\n[profile  \"default\"]" };
	struct profile p;

	profile_init(&p);
	for (size_t i = 0; i < ARRAY_LEN(hostile); i++)
		for (int config = 0; config < 2; config++) {
			int rc = profile_read_text(&p, STR("default"), str_of(hostile[i]), config);

			assert_true(rc == 0 || rc == ERR_NOT_FOUND);
		}
	profile_clear(&p);
	assert_int_equal(
	    profile_read_text(&p, STR("a b"), STR("[profile \"a b\"]\nregion = r"), true), 0);
	assert_string_equal(buf_text(&p.region), "r");
	profile_clear(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_aws),
		cmocka_unit_test(test_aws_machine),
		cmocka_unit_test(test_google),
		cmocka_unit_test(test_azure),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_profile_text),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
