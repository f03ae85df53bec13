/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Google: an access token for a service account (a JWT of its key), an authorized user, a workload
 * of another cloud (RFC 8693), an impersonated account, or the machine's own account.
 */
#include "workers/auth/schemes.h"

#include <stdlib.h>

#include "shared/json.h"
#include "workers/auth/google_aws.h"
#include "workers/auth/rsa.h"
#include "workers/auth/steps.h"
#include "workers/dialects/answer.h"

#define SERVICE "Google's token service"
#define METADATA "Google's metadata server"
#define IMPERSONATION "Google's IAM credentials service"
#define PROGRAM "the program of credential_source.executable"
#define TOKEN_URI "https://oauth2.googleapis.com/token"
#define METADATA_BASE "http://169.254.169.254"
#define SCOPE "https://www.googleapis.com/auth/cloud-platform"
#define LIFETIME_S 3600

enum state { STATE_START, STATE_SUBJECT, STATE_TOKEN, STATE_IMPERSONATE };

enum member {
	M_TYPE,
	M_CLIENT_EMAIL,
	M_PRIVATE_KEY,
	M_KEY_ID,
	M_TOKEN_URI,
	M_CLIENT_ID,
	M_CLIENT_SECRET,
	M_REFRESH,
	M_QUOTA,
	M_AUDIENCE,
	M_SUBJECT_TYPE,
	M_TOKEN_URL,
	M_IMPERSONATE_URL,
	M_FILE,
	M_URL,
	M_ENVIRONMENT,
	M_UNIVERSE,
	M_COUNT,
};

static const char *const names[M_COUNT] = { "type", "client_email", "private_key", "private_key_id",
	"token_uri", "client_id", "client_secret", "refresh_token", "quota_project_id", "audience",
	"subject_token_type", "token_url", "service_account_impersonation_url",
	"credential_source.file", "credential_source.url", "credential_source.environment_id",
	"universe_domain" };

static int
identity(const struct target *t, struct buf *key, struct result *why)
{
	identity_add_named(key, t, "vertex_credentials");
	identity_add_named(key, t, "google_metadata");
	identity_add_named(key, t, "google_metadata_host");
	identity_add_named(key, t, "google_executables");
	for (size_t i = 0; google_aws_parts[i]; i++)
		identity_add_named(key, t, google_aws_parts[i]);
	identity_add_named(key, t, "program_env");
	return 0;
}

static int
refuse_none(const struct target *t, struct result *why)
{
	auth_refuse(t, why, NULL,
	    "no Google credentials: set vertex_credentials or GOOGLE_APPLICATION_CREDENTIALS");
	why->exception_status = 500;
	buf_reset(&why->error);
	buf_add_text(&why->error,
	    "litellm.APIConnectionError: Your default credentials were not found. To set up "
	    "Application Default Credentials, see "
	    "https://cloud.google.com/docs/authentication/external/set-up-adc "
	    "for more information.");
	return ERR_DENIED;
}

static struct str
or_else(const struct buf *b, const char *otherwise)
{
	return b->len > 0 ? buf_str(b) : str_of(otherwise);
}

static int
ask_service_account(const struct target *t, struct auth_exchange *x,
    const struct build_context *ctx, const struct buf *m, struct request *req, struct result *why)
{
	struct buf header = BUF_INIT(4096), claims = BUF_INIT(8192),
		   jwt = BUF_INIT(STEPS_MAX_TOKEN);
	struct str uri = or_else(&m[M_TOKEN_URI], TOKEN_URI);
	const char *what = "it is too long";
	int err;

	if (m[M_CLIENT_EMAIL].len == 0 || m[M_PRIVATE_KEY].len == 0)
		return auth_refuse(t, why, NULL, "the service account has no %s",
		    m[M_CLIENT_EMAIL].len == 0 ? "client_email" : "private_key");
	buf_add_text(&header, "{\"typ\":\"JWT\",\"alg\":\"RS256\"");
	if (m[M_KEY_ID].len > 0) {
		buf_add_text(&header, ",\"kid\":");
		json_add_string(&header, buf_str(&m[M_KEY_ID]));
	}
	buf_add_char(&header, '}');
	buf_addf(&claims, "{\"iat\":%lld,\"exp\":%lld,\"iss\":", (long long)(ctx->now_ms / 1000),
	    (long long)(ctx->now_ms / 1000 + LIFETIME_S));
	json_add_string(&claims, buf_str(&m[M_CLIENT_EMAIL]));
	buf_add_text(&claims, ",\"aud\":");
	json_add_string(&claims, uri);
	buf_add_text(&claims, ",\"scope\":\"" SCOPE "\"}");
	err = jwt_sign(buf_str(&m[M_PRIVATE_KEY]), buf_str(&header), buf_str(&claims), &jwt, &what);
	if (err == 0 && (!buf_ok(&header) || !buf_ok(&claims) || !buf_ok(&jwt)))
		err = ERR_LIMIT;
	if (err < 0) {
		err = auth_refuse(t, why, NULL, "the service account cannot sign: %s", what);
	} else if ((err = step_form(t, x, SERVICE, uri, "", req, why)) == 0) {
		auth_hide(x, buf_str(&jwt));
		form_add(&req->body, "assertion", buf_str(&jwt));
		form_add(
		    &req->body, "grant_type", STR("urn:ietf:params:oauth:grant-type:jwt-bearer"));
	}
	buf_clear(&header);
	buf_clear(&claims);
	buf_clear(&jwt);
	return err;
}

static int
ask_user(const struct target *t, struct auth_exchange *x, const struct buf *m, struct request *req,
    struct result *why)
{
	int err;

	if (m[M_REFRESH].len == 0 || m[M_CLIENT_ID].len == 0 || m[M_CLIENT_SECRET].len == 0)
		return auth_refuse(t, why, NULL, "the authorized user has no %s",
		    m[M_REFRESH].len == 0     ? "refresh_token"
		    : m[M_CLIENT_ID].len == 0 ? "client_id"
					      : "client_secret");
	err = step_form(t, x, SERVICE, or_else(&m[M_TOKEN_URI], TOKEN_URI), "", req, why);
	if (err < 0)
		return err;
	auth_hide(x, buf_str(&m[M_REFRESH]));
	auth_hide(x, buf_str(&m[M_CLIENT_SECRET]));
	form_add(&req->body, "grant_type", STR("refresh_token"));
	form_add(&req->body, "client_id", buf_str(&m[M_CLIENT_ID]));
	form_add(&req->body, "client_secret", buf_str(&m[M_CLIENT_SECRET]));
	form_add(&req->body, "refresh_token", buf_str(&m[M_REFRESH]));
	return 0;
}

/* ---- a workload of another cloud ---- */

/* Appends the JSON of a member that is nested: credential_source.headers. Empty when there is none.
 */
static struct str
object_at(struct str json, const char *outer, const char *inner)
{
	struct answer_place places[] = { { -1, NULL }, { 0, outer }, { 1, inner } };
	struct answer_value values[ARRAY_LEN(places)];
	struct answer_fault fault;

	if (answer_read(json, places, ARRAY_LEN(places), values, &fault) < 0 ||
	    values[2].kind != ANSWER_OBJECT)
		return STR("");
	return values[2].raw;
}

static int
add_source_headers(const struct target *t, struct auth_exchange *x, struct str json,
    struct request *req, struct result *why)
{
	struct str object = object_at(json, "credential_source", "headers"), key, value;
	struct buf name = BUF_INIT(256), text = BUF_INIT(4096);
	size_t at = 0;
	int err = 0;

	while (err == 0 && object.n > 0 && answer_member(object, &at, &key, &value)) {
		if (value.n < 2 || *value.p != '"')
			continue;
		buf_reset(&name);
		buf_reset(&text);
		answer_text(&name, key);
		answer_text(&text, (struct str){ value.p + 1, value.n - 2 });
		err = step_header(t, x, req, buf_text(&name), buf_str(&text), why);
	}
	buf_clear(&name);
	buf_clear(&text);
	return err;
}

/* A subject token is the text itself, or a member of a JSON object. */
static int
take_subject(const struct target *t, struct auth_exchange *x, struct str json, struct str text,
    struct result *why)
{
	struct str format = object_at(json, "credential_source", "format");
	static const char *const format_names[] = { "type", "subject_token_field_name" };
	struct buf said[2], found;
	const char *field;
	int err;

	err = json_texts(format.n > 0 ? format : STR("{}"), format_names, 2, said);
	while (text.n > 0 && strchr(" \t\r\n", text.p[text.n - 1]))
		text.n--;
	if (err < 0) {
		err = auth_refuse(
		    t, why, x->service, "credential_source.format is not as it should be");
	} else if (str_is(buf_str(&said[0]), "json")) {
		field = said[1].len > 0 ? buf_text(&said[1]) : "access_token";
		if (strchr(field, '.') || json_texts(text, &field, 1, &found) < 0) {
			err = auth_refuse(
			    t, why, x->service, "the subject token's JSON cannot be read");
		} else {
			err = step_keep(t, x, "subject token", buf_str(&found), &x->kept, why);
			json_texts_clear(&found, 1);
		}
	} else {
		err = step_keep(t, x, "subject token", text, &x->kept, why);
	}
	json_texts_clear(said, 2);
	return err;
}

static int
exchange_subject(const struct target *t, struct auth_exchange *x, const struct buf *m,
    struct request *req, struct result *why)
{
	int err = step_form(t, x, SERVICE,
	    or_else(&m[M_TOKEN_URL], "https://sts.googleapis.com/v1/token"), "", req, why);

	if (err == 0 && m[M_CLIENT_ID].len > 0)
		err = step_basic(
		    t, x, req, buf_str(&m[M_CLIENT_ID]), buf_str(&m[M_CLIENT_SECRET]), why);
	if (err < 0)
		return err;
	form_add(&req->body, "grant_type", STR("urn:ietf:params:oauth:grant-type:token-exchange"));
	form_add(&req->body, "audience", buf_str(&m[M_AUDIENCE]));
	form_add(&req->body, "scope", STR(SCOPE));
	form_add(&req->body, "requested_token_type",
	    STR("urn:ietf:params:oauth:token-type:access_token"));
	form_add(&req->body, "subject_token", secret_reveal(x->kept));
	form_add(&req->body, "subject_token_type",
	    or_else(&m[M_SUBJECT_TYPE], "urn:ietf:params:oauth:token-type:jwt"));
	auth_hide(x, secret_reveal(x->kept));
	x->state = STATE_TOKEN;
	return AUTH_SEND;
}

/*
 * A program of the config's own gives the subject token (google.aip.dev/auth/4117, "Executable
 * sourced credentials"): only where the environment allows it, as Google's libraries have it.
 */
static int
ask_program(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    struct str executable, const struct buf *m, struct result *why)
{
	static const char *const asked[] = { "command", "timeout_millis" };
	static const char *const said[] = { "success", "token_type", "id_token", "saml_response",
		"expiration_time", "code", "message" };
	struct buf texts[ARRAY_LEN(said)], words = BUF_INIT(8192), variables = BUF_INIT(8192);
	int64_t ms;
	int err;

	x->service = PROGRAM;
	if (!str_is(param_of(t, "google_executables"), "1"))
		return auth_refuse(t, why, PROGRAM,
		    "programs are run only with GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1");
	if (x->file.p == NULL) {
		err = json_texts(executable, asked, ARRAY_LEN(asked), texts);
		if (err < 0 || texts[0].len == 0) {
			json_texts_clear(texts, ARRAY_LEN(asked));
			return auth_refuse(t, why, PROGRAM, "credential_source.executable has no command");
		}
		/* As Google's library has it: split at blanks. */
		for (char *p = texts[0].data; p < texts[0].data + texts[0].len; p++)
			buf_add_char(&words, *p == ' ' || *p == '\t' ? '\n' : *p);
		ms = atoll(buf_text(&texts[1]));
		x->run_ms = ms >= 5000 && ms <= 120000 ? ms : 30000;
		buf_addf(&variables,
		    "GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE=%s\nGOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE=%s\n"
		    "GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE=0\n",
		    buf_text(&m[M_AUDIENCE]), buf_text(&m[M_SUBJECT_TYPE]));
		err = step_run(t, x, PROGRAM, buf_str(&words), buf_str(&variables));
		json_texts_clear(texts, ARRAY_LEN(asked));
		buf_clear(&words);
		buf_clear(&variables);
		return err;
	}
	err = json_texts(x->file, said, ARRAY_LEN(said), texts);
	ms = time_seconds(buf_str(&texts[4]));
	if (err < 0)
		err = auth_refuse(t, why, PROGRAM, "what it printed is no JSON object");
	else if (!str_is(buf_str(&texts[0]), "true"))
		err = auth_refuse(t, why, PROGRAM, "it says no success: %.80s %.200s",
		    buf_text(&texts[5]), buf_text(&texts[6]));
	else if (texts[4].len > 0 && ms >= 0 && ms <= ctx->now_ms)
		err = auth_refuse(t, why, PROGRAM, "the subject token that it printed is over");
	else
		err = step_keep(t, x, "subject token", buf_str(&texts[texts[2].len > 0 ? 2 : 3]),
		    &x->kept, why);
	json_texts_clear(texts, ARRAY_LEN(said));
	return err;
}

static int
ask_workload(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    struct str json, const struct buf *m, struct request *req, struct result *why)
{
	struct str executable = object_at(json, "credential_source", "executable");
	int err;

	x->service = "the source of the workload identity";
	if (m[M_ENVIRONMENT].len > 0) {
		err = google_aws_ask(t, x, ctx, json, buf_str(&m[M_AUDIENCE]), req, why);
		return err != 0 ? err : exchange_subject(t, x, m, req, why);
	}
	if (x->kept)
		return exchange_subject(t, x, m, req, why);
	if (m[M_FILE].len > 0 && x->file.p == NULL) {
		buf_reset(&x->path);
		buf_add_str(&x->path, buf_str(&m[M_FILE]));
		return AUTH_READ;
	}
	if (executable.n > 0) {
		err = ask_program(t, x, ctx, executable, m, why);
		return err != 0 ? err : exchange_subject(t, x, m, req, why);
	}
	if (x->file.p) {
		err = take_subject(t, x, json, x->file, why);
		return err < 0 ? err : exchange_subject(t, x, m, req, why);
	}
	if (m[M_URL].len == 0)
		return auth_refuse(t, why, NULL,
		    "the external account has neither credential_source.file, .url nor .executable");
	err = step_get(t, x, x->service, buf_str(&m[M_URL]), "", req, why);
	if (err == 0)
		err = add_source_headers(t, x, json, req, why);
	if (err < 0)
		return err;
	/* Azure's workloads ask their machine for it: the config's author named the address. */
	x->metadata = str_starts(buf_str(&m[M_URL]), METADATA_BASE "/");
	x->state = STATE_SUBJECT;
	return AUTH_SEND;
}

static int
ask_impersonation(const struct target *t, struct auth_exchange *x, const struct buf *m,
    struct request *req, struct result *why)
{
	struct buf bearer = BUF_INIT(STEPS_MAX_TOKEN + 16);
	int err = step_get(t, x, IMPERSONATION, buf_str(&m[M_IMPERSONATE_URL]), "", req, why);

	req->method = "POST";
	if (err == 0) {
		buf_add_text(&bearer, "Bearer ");
		buf_add_str(&bearer, secret_reveal(x->credential->token));
		auth_hide(x, secret_reveal(x->credential->token));
		err = step_header(t, x, req, "Authorization", buf_str(&bearer), why);
		secret_wipe(bearer.data, bearer.len);
	}
	buf_clear(&bearer);
	if (err == 0)
		err = step_header(t, x, req, "Content-Type", STR("application/json"), why);
	if (err < 0)
		return err;
	buf_add_text(
	    &req->body, "{\"delegates\":[],\"scope\":[\"" SCOPE "\"],\"lifetime\":\"3600s\"}");
	return AUTH_SEND;
}

/* ---- the machine ---- */

static int
ask_metadata(
    const struct target *t, struct auth_exchange *x, struct request *req, struct result *why)
{
	struct str host = param_of(t, "google_metadata_host");
	struct buf base = BUF_INIT(512);
	int err;

	buf_addf(&base, "http://%.*s", (int)host.n, host.p);
	err = step_get(t, x, METADATA, host.n > 0 ? buf_str(&base) : STR(METADATA_BASE),
	    "/computeMetadata/v1/instance/service-accounts/default/token?scopes=" SCOPE, req, why);
	buf_clear(&base);
	if (err == 0)
		err = step_header(t, x, req, "Metadata-Flavor", STR("Google"), why);
	if (err < 0)
		return err;
	x->metadata = true;
	x->state = STATE_TOKEN;
	return AUTH_SEND;
}

/* ---- the steps ---- */

static int
ask_by_type(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    struct str json, const struct buf *m, struct request *req, struct result *why)
{
	struct str type = buf_str(&m[M_TYPE]);
	int err;

	if (m[M_UNIVERSE].len > 0 && strcmp(buf_text(&m[M_UNIVERSE]), "googleapis.com") != 0 &&
	    m[M_TOKEN_URI].len == 0 && m[M_TOKEN_URL].len == 0)
		return auth_refuse(
		    t, why, NULL, "credentials of another universe need their own token_uri");
	if (x->state == STATE_IMPERSONATE)
		return ask_impersonation(t, x, m, req, why);
	if (str_is(type, "external_account"))
		return ask_workload(t, x, ctx, json, m, req, why);
	if (str_is(type, "service_account"))
		err = ask_service_account(t, x, ctx, m, req, why);
	else if (str_is(type, "authorized_user"))
		err = ask_user(t, x, m, req, why);
	else
		return auth_refuse(t, why, NULL,
		    "Google credentials of the type `%.40s` are not known, expected "
		    "service_account, authorized_user, external_account or "
		    "impersonated_service_account",
		    buf_text(&m[M_TYPE]));
	if (err < 0)
		return err;
	x->state = STATE_TOKEN;
	return AUTH_SEND;
}

/* Of an impersonated account the source's members count, but for the URL. */
static int
read_members(struct str json, struct buf *m, struct str *source)
{
	static const char *const source_places[] = { "source_credentials" };
	struct answer_place places[] = { { -1, NULL }, { 0, source_places[0] } };
	struct answer_value values[ARRAY_LEN(places)];
	struct answer_fault fault;
	struct buf url;
	int err = json_texts(json, names, M_COUNT, m);

	*source = json;
	if (err < 0 || !str_is(buf_str(&m[M_TYPE]), "impersonated_service_account"))
		return err;
	if (answer_read(json, places, ARRAY_LEN(places), values, &fault) < 0 ||
	    values[1].kind != ANSWER_OBJECT)
		return ERR_SYNTAX;
	url = m[M_IMPERSONATE_URL];
	m[M_IMPERSONATE_URL] = BUF_INIT(STEPS_MAX_TOKEN);
	json_texts_clear(m, M_COUNT);
	err = json_texts(values[1].raw, names, M_COUNT, m);
	json_texts_clear(&m[M_IMPERSONATE_URL], 1);
	m[M_IMPERSONATE_URL] = url;
	*source = values[1].raw;
	return err;
}

static int
ask(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    struct request *req, struct result *why)
{
	struct str json = secret_of(t, "vertex_credentials"), source;
	struct buf m[M_COUNT];
	int err;

	x->metadata = false;
	if (json.n == 0)
		return str_is(param_of(t, "google_metadata"), "true") ? ask_metadata(t, x, req, why)
								      : refuse_none(t, why);
	err = read_members(json, m, &source);
	if (err < 0)
		err = auth_refuse(
		    t, why, NULL, "vertex_credentials is no JSON object that can be read");
	else
		err = ask_by_type(t, x, ctx, source, m, req, why);
	if (err >= 0 && m[M_QUOTA].len > 0 && x->credential->account == NULL)
		x->credential->account = xstrdup(buf_text(&m[M_QUOTA]));
	json_texts_clear(m, M_COUNT);
	return err;
}

static bool
impersonates(struct str json)
{
	static const char *const name[] = { "service_account_impersonation_url" };
	struct buf text;
	bool does = json_texts(json.n > 0 ? json : STR("{}"), name, 1, &text) == 0 && text.len > 0;

	json_texts_clear(&text, 1);
	return does;
}

static int
judge(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    const struct response *resp, struct result *why)
{
	struct str json = secret_of(t, "vertex_credentials"), source;
	struct buf m[M_COUNT];
	int err;

	if (x->state >= GOOGLE_AWS_STATES)
		return google_aws_judge(t, x, resp, why);
	switch ((enum state)x->state) {
	case STATE_SUBJECT:
		if (resp->status != 200)
			return step_refused(t, x, resp, why);
		err = read_members(json, m, &source);
		json_texts_clear(m, M_COUNT);
		if (err == 0)
			err = take_subject(t, x, source, resp->body, why);
		return err < 0 ? err : AUTH_MORE;
	case STATE_IMPERSONATE:
		return step_token(t, x, ctx, resp, "accessToken", "expireTime", why);
	case STATE_START:
	case STATE_TOKEN:
	default:
		err = step_token(t, x, ctx, resp, "access_token", NULL, why);
		if (err < 0 || !impersonates(json))
			return err;
		x->state = STATE_IMPERSONATE;
		return AUTH_MORE;
	}
}

static const struct auth_scheme google = { "google", identity, ask, judge, NULL };

const struct auth_scheme *
auth_google(const struct target *t)
{
	return &google;
}
