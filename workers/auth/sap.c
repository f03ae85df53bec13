/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SAP AI Core: a token for the service key, then the URL of the newest running orchestration
 * deployment, which is found out by asking for the deployments and for their configurations. Both
 * are kept together.
 */
#include "workers/auth/schemes.h"

#include <stdlib.h>

#include "shared/json.h"
#include "workers/auth/steps.h"
#include "workers/dialects/answer.h"

#define SERVICE "SAP's token service"
#define LOOKUP "SAP AI Core's list of deployments"
#define MAX_CANDIDATES 10

enum state { STATE_START, STATE_TOKEN, STATE_DEPLOYMENTS, STATE_CONFIGURATION };

enum member { M_ID, M_SECRET, M_URL, M_API, M_ID_2, M_SECRET_2, M_URL_2, M_COUNT };

static const char *const names[M_COUNT] = { "clientid", "clientsecret", "url",
	"serviceurls.AI_API_URL", "credentials.clientid", "credentials.clientsecret",
	"credentials.url" };

static int
identity(const struct target *t, struct buf *key, struct result *why)
{
	static const char *const parts[] = { "api_key", "aicore_client_id", "aicore_client_secret",
		"aicore_auth_url", "aicore_base_url", "aicore_resource_group" };

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		identity_add_named(key, t, parts[i]);
	return 0;
}

/* AICORE_CLIENT_ID and its like, which are the endpoints themselves and not what they begin with.
 */
static void
read_variables(const struct target *t, struct buf *m)
{
	static const char *const secrets[] = { "aicore_client_id", "aicore_client_secret",
		"aicore_auth_url", "aicore_base_url" };
	static const char *const ends[] = { "", "", "/oauth/token", "/v2" };

	for (int i = M_ID; i <= M_API; i++) {
		struct str s = secret_of(t, secrets[i]);
		size_t n = strlen(ends[i]);

		while (i >= M_URL && s.n > 0 && s.p[s.n - 1] == '/')
			s.n--;
		if (n > 0 && s.n > n && memcmp(s.p + s.n - n, ends[i], n) == 0)
			s.n -= n;
		buf_add_str(&m[i], s);
	}
}

static int
read_key(const struct target *t, struct buf *m, struct result *why)
{
	struct str json = secret_of(t, "api_key");

	if (json.n == 0) {
		for (size_t i = 0; i < M_COUNT; i++)
			buf_init(&m[i], STEPS_MAX_TOKEN);
		read_variables(t, m);
		if (m[M_ID].len == 0)
			return auth_refuse(t, why, NULL,
			    "no service key for SAP AI Core: set api_key or AICORE_SERVICE_KEY");
	} else if (json_texts(json, names, M_COUNT, m) < 0)
		return auth_refuse(
		    t, why, NULL, "the SAP service key is no JSON object that can be read");
	for (int i = M_ID; i <= M_URL; i++)
		if (m[i].len == 0)
			buf_add_str(&m[i], buf_str(&m[M_ID_2 + i]));
	for (int i = M_ID; i <= M_API; i++)
		if (m[i].len == 0)
			return auth_refuse(t, why, NULL, "the SAP service key has no %s", names[i]);
	return 0;
}

static int
ask_lookup(const struct target *t, struct auth_exchange *x, struct str api, const char *path,
    struct request *req, struct result *why)
{
	struct str group = param_of(t, "aicore_resource_group");
	struct buf bearer = BUF_INIT(STEPS_MAX_TOKEN + 16);
	int err = step_get(t, x, LOOKUP, api, path, req, why);

	buf_add_text(&bearer, "Bearer ");
	buf_add_str(&bearer, secret_reveal(x->credential->token));
	if (err == 0)
		err = step_header(t, x, req, "Authorization", buf_str(&bearer), why);
	if (err == 0)
		err = step_header(
		    t, x, req, "AI-Resource-Group", group.n > 0 ? group : STR("default"), why);
	if (err == 0)
		err = step_header(t, x, req, "Content-Type", STR("application/json"), why);
	if (err == 0)
		err = step_header(t, x, req, "AI-Client-Type", STR("llmhealth"), why);
	secret_wipe(bearer.data, bearer.len);
	buf_clear(&bearer);
	return err < 0 ? err : AUTH_SEND;
}

/* The first line of the note: "configuration URL". */
static struct str
first_candidate(const struct auth_exchange *x, struct str *url)
{
	const char *line = buf_text(&x->note);
	size_t n = strcspn(line, " ");

	*url = line[n] ? (struct str){ line + n + 1, strcspn(line + n + 1, "\n") } : STR("");
	return (struct str){ line, n };
}

static int
ask(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    struct request *req, struct result *why)
{
	struct buf m[M_COUNT], path = BUF_INIT(1024);
	struct str url, id;
	int err = read_key(t, m, why);

	if (err < 0)
		goto out;
	switch ((enum state)x->state) {
	case STATE_DEPLOYMENTS:
		err = ask_lookup(t, x, buf_str(&m[M_API]), "/v2/lm/deployments", req, why);
		break;
	case STATE_CONFIGURATION:
		id = first_candidate(x, &url);
		buf_addf(&path, "/v2/lm/configurations/%.*s", (int)id.n, id.p);
		err = ask_lookup(t, x, buf_str(&m[M_API]), buf_text(&path), req, why);
		break;
	case STATE_START:
	case STATE_TOKEN:
	default:
		err = step_form(t, x, SERVICE, buf_str(&m[M_URL]), "/oauth/token", req, why);
		if (err < 0)
			break;
		auth_hide(x, buf_str(&m[M_SECRET]));
		form_add(&req->body, "grant_type", STR("client_credentials"));
		form_add(&req->body, "client_id", buf_str(&m[M_ID]));
		form_add(&req->body, "client_secret", buf_str(&m[M_SECRET]));
		x->state = STATE_TOKEN;
		err = AUTH_SEND;
	}
out:
	json_texts_clear(m, M_COUNT);
	buf_clear(&path);
	return err;
}

/* ---- which deployment ---- */

struct candidate {
	struct buf m[5]; /* configurationId, deploymentUrl, createdAt, status, scenarioId */
};

static bool
is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || strchr("\"<>\\^`{|}", s.p[i]))
			return false;
	return s.n > 0;
}

/* The token goes to no other host than the service key's. */
static bool
is_of(struct str url, struct str api)
{
	return url.n > api.n && memcmp(url.p, api.p, api.n) == 0 &&
	       (api.p[api.n - 1] == '/' || url.p[api.n] == '/');
}

static bool
is_wanted(const struct candidate *c, struct str api)
{
	return is_plain(buf_str(&c->m[0])) && !memchr(c->m[0].data, '/', c->m[0].len) &&
	       is_plain(buf_str(&c->m[1])) && is_of(buf_str(&c->m[1]), api) &&
	       (c->m[3].len == 0 || str_is(buf_str(&c->m[3]), "RUNNING")) &&
	       (c->m[4].len == 0 || str_is(buf_str(&c->m[4]), "orchestration"));
}

static int
newest_first(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return strcmp(buf_text(&y->m[2]), buf_text(&x->m[2]));
}

static int
take_candidates(const struct target *t, struct auth_exchange *x, struct str body, struct str api,
    struct result *why)
{
	static const char *const members[] = { "configurationId", "deploymentUrl", "createdAt",
		"status", "scenarioId" };
	struct answer_place places[] = { { -1, NULL }, { 0, "resources" } };
	struct answer_value values[ARRAY_LEN(places)];
	struct candidate list[MAX_CANDIDATES];
	struct answer_fault fault;
	struct str rest, element;
	size_t n = 0;
	int err = 0;

	if (answer_read(body, places, ARRAY_LEN(places), values, &fault) < 0 ||
	    values[1].kind != ANSWER_ARRAY)
		return auth_refuse(t, why, LOOKUP, "its answer has no list `resources`");
	rest = values[1].raw;
	while (n < MAX_CANDIDATES && json_next_element(&rest, &element)) {
		if (json_texts(element, members, ARRAY_LEN(members), list[n].m) == 0 &&
		    is_wanted(&list[n], api))
			n++;
		else
			json_texts_clear(list[n].m, ARRAY_LEN(members));
	}
	qsort(list, n, sizeof(list[0]), newest_first);
	buf_reset(&x->note);
	for (size_t i = 0; i < n; i++) {
		buf_addf(&x->note, "%s %s\n", buf_text(&list[i].m[0]), buf_text(&list[i].m[1]));
		json_texts_clear(list[i].m, ARRAY_LEN(members));
	}
	if (n == 0 || !buf_ok(&x->note))
		err = auth_refuse(t, why, LOOKUP, "no orchestration deployment runs there");
	return err;
}

static int
judge_configuration(const struct target *t, struct auth_exchange *x, const struct response *resp,
    struct result *why)
{
	static const char *const members[] = { "scenarioId", "executableId" };
	struct buf said[2];
	struct str url;
	bool right;

	if (resp->status != 200)
		return step_refused(t, x, resp, why);
	(void)first_candidate(x, &url);
	right = json_texts(resp->body, members, 2, said) == 0 &&
		str_is(buf_str(&said[0]), "orchestration") &&
		str_is(buf_str(&said[1]), "orchestration");
	json_texts_clear(said, 2);
	if (right) {
		x->credential->base = str_dup(url);
		return AUTH_DONE;
	}
	buf_drain(&x->note, (size_t)(url.p + url.n + 1 - x->note.data));
	return x->note.len > 0
		   ? AUTH_MORE
		   : auth_refuse(t, why, LOOKUP, "no orchestration deployment runs there");
}

static int
judge(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    const struct response *resp, struct result *why)
{
	struct buf m[M_COUNT];
	int err;

	switch ((enum state)x->state) {
	case STATE_DEPLOYMENTS:
		if (resp->status != 200)
			return step_refused(t, x, resp, why);
		err = read_key(t, m, why);
		if (err == 0)
			err = take_candidates(t, x, resp->body, buf_str(&m[M_API]), why);
		json_texts_clear(m, M_COUNT);
		x->state = STATE_CONFIGURATION;
		return err < 0 ? err : AUTH_MORE;
	case STATE_CONFIGURATION:
		return judge_configuration(t, x, resp, why);
	case STATE_START:
	case STATE_TOKEN:
	default:
		err = step_token(t, x, ctx, resp, "access_token", NULL, why);
		x->state = STATE_DEPLOYMENTS;
		return err < 0 ? err : AUTH_MORE;
	}
}

static const struct auth_scheme sap = { "sap", identity, ask, judge, NULL };

const struct auth_scheme *
auth_sap(const struct target *t)
{
	return &sap;
}
