/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/probe_build.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>
#include <unistd.h>

#include "shared/provider.h"
#include "shared/wire.h"
#include "tests/unit/fixture.h"
#include "tests/unit/loaded.h"
#include "workers/auth/auth.h"
#include "workers/wildcard.h"

#define ENV_MAX 16

/* A key of this run; which one it is shows in no comparison. */
static const char *
private_key(void)
{
	static char pem[4096];
	EVP_PKEY *key;
	BIO *bio;

	if (pem[0])
		return pem;
	key = EVP_RSA_gen(2048);
	bio = BIO_new(BIO_s_mem());
	assert_non_null(key);
	assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	assert_true(BIO_read(bio, pem, sizeof(pem) - 1) > 0);
	BIO_free(bio);
	EVP_PKEY_free(key);
	return pem;
}

/* What the recording left out of a deployment: it was a credential in full. */
static json_t *
with_credentials(json_t *params)
{
	json_t *copy = json_deep_copy(params), *value;
	const char *key;
	void *next;

	json_object_foreach_safe(copy, next, key, value)
	{
		const char *text = json_string_value(value);
		json_t *account;
		char *dumped;

		if (text && strcmp(text, "<PEM>") == 0) {
			json_object_set_new(copy, key, json_string(private_key()));
			continue;
		}
		if (text == NULL || strcmp(text, "<service account JSON>") != 0)
			continue;
		account = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "type", "service_account",
		    "project_id", "my-proj", "private_key_id", "k1", "private_key", private_key(),
		    "client_email", "sa@my-proj.iam.gserviceaccount.com", "token_uri",
		    "https://oauth2.googleapis.com/token");
		dumped = json_dumps(account, JSON_COMPACT);
		json_object_set_new(copy, key, json_string(dumped));
		free(dumped);
		json_decref(account);
	}
	return copy;
}

static char *
config_text(const json_t *c)
{
	json_t *deployment = json_object_get(c, "deployment");
	json_t *info = json_object_get(deployment, "model_info");
	json_t *root = json_pack("{s:[{s:s,s:o,s:O}]}", "model_list", "model_name", "m",
	    "litellm_params", with_credentials(json_object_get(deployment, "litellm_params")),
	    "model_info", info ? info : json_null());
	char *text;

	if (info == NULL)
		json_object_del(
		    json_array_get(json_object_get(root, "model_list"), 0), "model_info");
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return text;
}

const json_t *
probe_recorded(const json_t *c, bool *follows)
{
	const json_t *probe = NULL;
	json_t *r;
	size_t i;

	*follows = false;
	json_array_foreach(json_object_get(c, "requests"), i, r)
	{
		if (strcmp(fixture_text(r, "role"), "probe") == 0)
			probe = r;
		*follows = *follows || strcmp(fixture_text(r, "role"), "follow-up") == 0;
	}
	return probe;
}

/* What a token service gave when it was recorded, as far as the request shows it. */
static struct credential *
recorded_credential(const json_t *c)
{
	struct credential *credential = credential_new();
	bool follows;
	const json_t *probe = probe_recorded(c, &follows),
		     *headers = json_object_get(probe, "headers");
	const char *auth = fixture_text(headers, "authorization"),
		   *url = fixture_text(probe, "url");
	const char *session = fixture_text(headers, "x-amz-security-token"), *mark, *tail;
	const char *account = fixture_text(headers, "chatgpt-account-id");

	credential->token =
	    secret_new(str_starts(str_of(auth), "Bearer ") ? str_of(auth + 7) : STR("T"));
	if ((mark = strstr(auth, "Credential=")) != NULL)
		credential->access_key =
		    secret_new((struct str){ mark + 11, strcspn(mark + 11, "/") });
	credential->secret_key = secret_new(STR("SECRETTEST"));
	if (*session)
		credential->session_token = secret_new(str_of(session));
	if ((tail = strstr(url, "/v2/completion")) != NULL)
		credential->base = str_dup((struct str){ url, (size_t)(tail - url) });
	if (*account == '\0')
		account = fixture_text(headers, "x-goog-user-project");
	if (*account)
		credential->account = xstrdup(account);
	return credential;
}

/* The recording had files that a person's login leaves behind. */
static bool
has_login(const struct target *t)
{
	return strcmp(t->provider->name, "chatgpt") == 0;
}

/* The target's credential: what the config itself gives, else the recorded one. */
static int
credential_for(const json_t *c, const struct target *t, const struct auth_scheme *scheme,
    struct build_context *ctx, struct credential **out, struct probe_built *b, struct result *why)
{
	struct auth_exchange x;
	int rc;

	auth_exchange_init(&x);
	rc = scheme->ask(t, &x, ctx, &b->first, why);
	b->fetches = rc == AUTH_SEND;
	if (rc < 0 && has_login(t))
		rc = AUTH_READ;
	*out = NULL;
	if (rc == AUTH_DONE) {
		*out = x.credential;
		x.credential = NULL;
	} else if (rc > 0) {
		*out = recorded_credential(c);
	}
	auth_exchange_clear(&x);
	return rc < 0 ? rc : 0;
}

/* The list of models can be asked for; then the model is the one that LiteLLM took. */
static int
build_wildcard(const json_t *c, const struct target *t, const struct build_context *ctx,
    struct request *req, struct result *why)
{
	bool follows;
	const json_t *probe = probe_recorded(c, &follows);
	const char *url = fixture_text(probe, "url"), *at = strstr(url, "/models/");
	struct target asked = *t;
	int rc = t->dialect->list(t, ctx, req, why);

	if (rc < 0 || probe == NULL)
		return rc;
	request_reset(req);
	/* Google has the model in the path. */
	asked.model = str_dup(at ? (struct str){ at + 8, strcspn(at + 8, ":") }
				 : fixture_str(json_object_get(probe, "body"), "model"));
	rc = t->dialect->build(&asked, ctx, req, why);
	free(asked.model);
	return rc;
}

static int
build_signed(const json_t *c, const struct target *t, struct build_context *ctx,
    struct request *req, struct probe_built *b, struct result *why)
{
	const struct auth_scheme *scheme = t->dialect->scheme ? t->dialect->scheme(t) : NULL;
	struct credential *credential = NULL;
	int rc = 0;

	if (t->dialect->list && wildcard_is(t))
		return build_wildcard(c, t, ctx, req, why);
	if (scheme)
		rc = credential_for(c, t, scheme, ctx, &credential, b, why);
	ctx->credential = credential;
	if (rc == 0)
		rc = t->dialect->build(t, ctx, req, why);
	if (rc == 0 && scheme && scheme->sign)
		rc = scheme->sign(t, credential, ctx, req, why);
	credential_free(credential);
	return rc;
}

static void
build_target(const json_t *c, const struct msg_conf_target *m, struct probe_built *b)
{
	struct build_context ctx = { .variant = 0, .now_ms = INT64_C(1767225600000) };
	struct result why;
	struct target *t;
	char *requests = json_dumps(json_object_get(c, "requests"), JSON_COMPACT);

	if (strstr(requests, "What's 1 + 1?"))
		ctx.variant = 1;
	free(requests);
	if (target_new(m, &t) < 0) {
		buf_addf(&b->problem, "no target: dialect %.*s is " PROBE_NOT_YET,
		    (int)m->dialect.n, m->dialect.p);
		return;
	}
	result_init(&why);
	b->searched = t->dialect->list && wildcard_is(t);
	if (build_signed(c, t, &ctx, &b->request, b, &why) == 0)
		b->asked = true;
	else
		buf_addf(&b->problem, "build: %s", buf_text(&why.detail));
	result_clear(&why);
	target_free(t);
}

static void
send_target(const json_t *c, const struct msg_conf_target *m, struct probe_built *b)
{
	struct wire_decoder *decoder = wire_decoder_new();
	struct buf frame = BUF_INIT(1 << 21);
	struct wire_header head;
	const void *received;

	assert_int_equal(wire_encode(&frame, MSG_CONF_TARGET, 1, m), 0);
	wire_header_read((const unsigned char *)frame.data, &head);
	assert_int_equal(wire_header_check(&head, ROLE_S, ROLE_W), 0);
	assert_int_equal(wire_decode(decoder, MSG_CONF_TARGET,
			     (const unsigned char *)frame.data + WIRE_HEADER_BYTES,
			     frame.len - WIRE_HEADER_BYTES, &received),
	    0);
	build_target(c, received, b);
	wire_decoder_free(decoder);
	buf_clear(&frame);
}

/* What a person's login leaves behind; the recording had it too. */
static void
make_login(char folder[])
{
	char path[128];
	FILE *f;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/access-token", folder);
	assert_non_null(f = fopen(path, "w"));
	fputs("ghu-test", f);
	fclose(f);
}

static void
remove_login(const char *folder)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/access-token", folder);
	unlink(path);
	rmdir(folder);
}

void
probe_build(const json_t *c, struct probe_built *b)
{
	json_t *deployment = json_object_get(c, "deployment"), *value;
	bool logged_in = strcmp(fixture_text(c, "provider"), "github_copilot") == 0;
	char folder[] = "/tmp/llmhealth-login-XXXXXX";
	char env_text[ENV_MAX][512], *text = config_text(c);
	const char *env[ENV_MAX + 1];
	const struct deployment *d;
	struct loaded l;
	const char *key;
	size_t n = 0;

	json_object_foreach(json_object_get(deployment, "env"), key, value)
	{
		assert_true(n < ENV_MAX - 1);
		snprintf(env_text[n], sizeof(env_text[n]), "%s=%s", key, json_string_value(value));
		env[n] = env_text[n];
		n++;
	}
	if (logged_in) {
		make_login(folder);
		snprintf(env_text[n], sizeof(env_text[n]), "GITHUB_COPILOT_TOKEN_DIR=%s", folder);
		env[n] = env_text[n];
		n++;
	}
	env[n] = NULL;
	request_init(&b->request);
	request_init(&b->first);
	b->fetches = false;
	b->problem = BUF_INIT(1 << 16);
	b->asked = b->searched = false;
	load_text(&l, text, env);
	if (l.rc != 0) {
		buf_addf(&b->problem, "config: %s", buf_text(&l.told));
	} else {
		assert_int_equal(l.config->n_deployments, 1);
		d = &l.config->deployments[0];
		if (d->askable)
			send_target(c, &d->target, b);
		else
			buf_addf(&b->problem, "config: %s", buf_text(&l.told));
	}
	loaded_clear(&l);
	if (logged_in)
		remove_login(folder);
	free(text);
}

void
probe_build_clear(struct probe_built *b)
{
	request_clear(&b->request);
	request_clear(&b->first);
	buf_clear(&b->problem);
}
