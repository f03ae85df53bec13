/* SPDX-License-Identifier: Apache-2.0 */
/* A table by the digest of the identity; each entry fetches for itself, at most once at a time. */
#include "workers/auth/tokens.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "shared/sha256.h"
#include "workers/mask.h"

#define BUCKETS 1024
#define MAX_IDENTITY ((size_t)1 << 20)
#define MARGIN_MAX_MS 300000 /* renewed so long before it expires, or a fifth of its life */
#define HARD_MARGIN_MS 10000 /* not used any more so long before, or a tenth */
#define LIFE_MAX_MS INT64_C(86400000)
#define METADATA_MS 5000
#define REFUSED_AGE_MS 60000 /* a younger one is not fetched anew for a 401 */

struct token {
	struct tokens *all;
	struct token *next;
	uint8_t id[SHA256_LEN];
	unsigned holders;
	const struct auth_scheme *scheme;

	struct credential *credential;
	uint64_t version;
	int64_t fetched_ms, renew_ms, useless_ms; /* monotonic */
	bool refused;

	bool failed;
	struct result failure;
	const struct provider *failed_provider; /* whose name is in its words */
	int64_t retry_ms;			/* monotonic: not before */
	int64_t backoff_ms;

	/* The fetch under way. */
	bool fetching;
	struct target *t;
	struct auth_exchange x;
	struct buf file;
	void *sent, *running;
	int64_t started_ms;
	struct token_wait *waiting;
};

struct tokens {
	struct event_base *base;
	struct tokens_world world;
	struct token *buckets[BUCKETS];
	struct request request; /* used by one step at a time */
	uint64_t versions;
};

static void answered(const struct token_answer *answer, void *arg);

struct tokens *
tokens_new(struct event_base *base, const struct tokens_world *world)
{
	struct tokens *all = xcalloc(1, sizeof(*all));

	all->base = base;
	all->world = *world;
	request_init(&all->request);
	return all;
}

/* Its headers and its body hold keys. */
static void
forget_request(struct tokens *all)
{
	if (all->request.body.data)
		secret_wipe(all->request.body.data, all->request.body.len);
	if (all->request.url.data)
		secret_wipe(all->request.url.data, all->request.url.len);
	request_reset(&all->request);
}

static void
end_fetch(struct token *k)
{
	if (!k->fetching)
		return;
	if (k->sent)
		k->all->world.cancel(k->sent);
	k->sent = NULL;
	if (k->running)
		k->all->world.stop(k->running);
	k->running = NULL;
	auth_exchange_clear(&k->x);
	if (k->file.data)
		secret_wipe(k->file.data, k->file.len);
	buf_clear(&k->file);
	target_free(k->t);
	k->t = NULL;
	k->fetching = false;
}

void
tokens_stop(struct tokens *all)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct token *k = all->buckets[i]; k; k = k->next)
			end_fetch(k);
}

void
tokens_free(struct tokens *all)
{
	if (all == NULL)
		return;
	forget_request(all);
	request_clear(&all->request);
	free(all);
}

/* ---- the table ---- */

static struct token **
bucket_of(struct tokens *all, const uint8_t id[SHA256_LEN])
{
	return &all->buckets[(id[0] | id[1] << 8) % BUCKETS];
}

int
token_get(struct tokens *all, struct target *t, const struct auth_scheme *scheme,
    struct token **out, struct result *why)
{
	struct buf key = BUF_INIT(MAX_IDENTITY);
	const char *const way[] = { t->proxy, t->no_proxy, t->ca_file, t->ssl_verify ? "v" : "-" };
	uint8_t id[SHA256_LEN];
	struct token **bucket, *k;
	int err;

	*out = NULL;
	buf_add(&key, scheme->name, strlen(scheme->name) + 1);
	for (size_t i = 0; i < ARRAY_LEN(way); i++)
		buf_add(&key, way[i], strlen(way[i]) + 1);
	err = scheme->identity(t, &key, why);
	if (err == 0 && !buf_ok(&key))
		err = auth_refuse(t, why, NULL, "the credentials are larger than any are");
	sha256(buf_str(&key), id);
	if (key.data)
		secret_wipe(key.data, key.len);
	buf_clear(&key);
	if (err < 0)
		return err;
	bucket = bucket_of(all, id);
	for (k = *bucket; k && memcmp(k->id, id, sizeof(id)) != 0; k = k->next)
		;
	if (k == NULL) {
		k = xcalloc(1, sizeof(*k));
		k->all = all;
		k->scheme = scheme;
		memcpy(k->id, id, sizeof(id));
		result_init(&k->failure);
		k->next = *bucket;
		*bucket = k;
	}
	k->holders++;
	*out = k;
	return 0;
}

void
token_release(struct token *k)
{
	struct token **link;

	if (k == NULL || --k->holders > 0)
		return;
	if (k->waiting)
		fatal("a token is released while somebody waits for it");
	end_fetch(k);
	for (link = bucket_of(k->all, k->id); *link != k; link = &(*link)->next)
		;
	*link = k->next;
	credential_free(k->credential);
	result_clear(&k->failure);
	free(k);
}

/* ---- who waits ---- */

static void
unlink_wait(struct token_wait *w)
{
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
	w->link = NULL;
	w->next = NULL;
	if (w->timer)
		event_free(w->timer);
	w->timer = NULL;
}

void
token_wait_cancel(struct token_wait *w)
{
	if (w->link)
		unlink_wait(w);
}

static void
tell(struct token_wait *w)
{
	unlink_wait(w);
	w->told = true;
	w->done(w);
}

/* Those who wait anew because of what they are told wait for the next fetch. */
static void
tell_all(struct token *k)
{
	struct token_wait *list = k->waiting;

	k->waiting = NULL;
	k->holders++;
	if (list)
		list->link = &list;
	while (list)
		tell(list);
	token_release(k);
}

static void
on_time_over(evutil_socket_t fd, short what, void *arg)
{
	struct token_wait *w = arg;

	w->late = true;
	tell(w);
}

static void
wait_for(struct token *k, struct token_wait *w)
{
	struct timeval tv = { w->timeout_ms / 1000, (w->timeout_ms % 1000) * 1000 };

	w->token = k;
	w->told = w->late = false;
	w->next = k->waiting;
	w->link = &k->waiting;
	if (w->next)
		w->next->link = &w->next;
	k->waiting = w;
	w->timer = NULL;
	if (k->all->base == NULL)
		return;
	w->timer = evtimer_new(k->all->base, on_time_over, w);
	if (w->timer == NULL)
		fatal("evtimer_new failed");
	evtimer_add(w->timer, &tv);
}

/* ---- a fetch ---- */

/* What was sent for it may come back in a service's words. */
static void
mask_failure(struct token *k)
{
	struct mask *m = mask_new(k->t);

	for (size_t i = 0; i < k->x.n_hidden; i++)
		mask_add(m, secret_reveal(k->x.hidden[i]));
	mask_add(m, secret_reveal(k->x.kept));
	mask_set_credential(m, k->x.credential);
	mask_buf(m, &k->failure.error);
	mask_buf(m, &k->failure.detail);
	mask_free(m);
}

/* k->failure says why. */
static void
fail(struct token *k)
{
	mask_failure(k);
	k->failed = true;
	k->failed_provider = k->t->provider;
	k->backoff_ms = k->backoff_ms ? k->backoff_ms * 2 : TOKENS_BACKOFF_MS;
	if (k->backoff_ms > TOKENS_BACKOFF_MAX_MS)
		k->backoff_ms = TOKENS_BACKOFF_MAX_MS;
	k->retry_ms = clock_mono_ms() + k->backoff_ms;
	log_event(LOG_LEVEL_WARNING, "token_failed", LS("scheme", k->scheme->name),
	    LV("why", buf_str(&k->failure.detail)), LI("again_in_ms", k->backoff_ms));
	end_fetch(k);
}

static void
succeed(struct token *k)
{
	int64_t life, now = clock_mono_ms();
	struct credential *c = k->x.credential;

	k->x.credential = NULL;
	credential_free(k->credential);
	k->credential = c;
	k->version = ++k->all->versions;
	k->fetched_ms = now;
	k->renew_ms = k->useless_ms = INT64_MAX;
	if (c->expires_ms > 0) {
		life = c->expires_ms - clock_wall_ms();
		if (life < 0)
			life = 0;
		if (life > LIFE_MAX_MS)
			life = LIFE_MAX_MS;
		k->renew_ms = now + life - (life / 5 < MARGIN_MAX_MS ? life / 5 : MARGIN_MAX_MS);
		k->useless_ms =
		    now + life - (life / 10 < HARD_MARGIN_MS ? life / 10 : HARD_MARGIN_MS);
	}
	k->failed = k->refused = false;
	k->backoff_ms = 0;
	if (k->x.step > 0)
		log_event(LOG_LEVEL_DEBUG, "token_fetched", LS("scheme", k->scheme->name),
		    LS("service", k->x.service ? k->x.service : ""),
		    LI("expires_in_s",
			c->expires_ms ? (c->expires_ms - clock_wall_ms()) / 1000 : 0));
	end_fetch(k);
}

static struct build_context
context(void)
{
	struct build_context ctx = { .now_ms = clock_wall_ms() };

	if (getrandom(ctx.random, sizeof(ctx.random), 0) != sizeof(ctx.random))
		fatal("no random bytes: %m");
	return ctx;
}

static int
read_file(struct token *k)
{
	const char *path = buf_text(&k->x.path);

	buf_init(&k->file, AUTH_MAX_FILE);
	if (k->all->world.read(k->all->world.arg, path, &k->file) < 0)
		return auth_refuse(k->t, &k->failure, NULL, "the file %.512s cannot be read: %s",
		    path, strerror(errno));
	k->x.file = buf_str(&k->file);
	return 0;
}

static int
send_step(struct token *k)
{
	struct tokens *all = k->all;
	int64_t left = TOKENS_FETCH_MS - (clock_mono_ms() - k->started_ms);

	if (++k->x.step > AUTH_MAX_STEPS)
		return auth_refuse(
		    k->t, &k->failure, k->x.service, "it takes more requests than it should");
	if (!buf_ok(&all->request.url) || !buf_ok(&all->request.body))
		return auth_refuse(k->t, &k->failure, k->x.service,
		    "the request for the token would be too large");
	if (left <= 0)
		return auth_refuse(k->t, &k->failure, k->x.service, "it takes longer than %d s",
		    TOKENS_FETCH_MS / 1000);
	/* It is at hand, or it is not there at all. */
	if (k->x.metadata && left > METADATA_MS)
		left = METADATA_MS;
	k->sent =
	    all->world.send(all->world.arg, k->t, k->x.metadata, &all->request, left, answered, k);
	return AUTH_SEND;
}

static void ran(const struct token_answer *answer, void *arg);

/* A program takes a descriptor and a process: a fetch runs one, once. */
static int
run_program(struct token *k)
{
	int64_t left = TOKENS_FETCH_MS - (clock_mono_ms() - k->started_ms);
	int64_t time = k->x.run_ms > 0 && k->x.run_ms < left ? k->x.run_ms : left;

	if (k->all->world.run == NULL)
		return auth_refuse(k->t, &k->failure, k->x.service, "no programs are run here");
	if (++k->x.step > AUTH_MAX_STEPS || !buf_ok(&k->x.words) || !buf_ok(&k->x.variables))
		return auth_refuse(k->t, &k->failure, k->x.service, "it cannot be run");
	k->running = k->all->world.run(k->all->world.arg, buf_str(&k->x.words),
	    buf_str(&k->x.variables), time > 0 ? time : 1, ran, k);
	return AUTH_RUN;
}

/* Asks until there is something to wait for, or the fetch is over. */
static void
go_on(struct token *k)
{
	struct build_context ctx = context();
	bool has_read = k->x.file.p != NULL, has_run = has_read;
	int rc;

	for (;;) {
		request_reset(&k->all->request);
		rc = k->scheme->ask(k->t, &k->x, &ctx, &k->all->request, &k->failure);
		if (rc != AUTH_READ || has_read)
			break;
		has_read = true;
		if ((rc = read_file(k)) < 0)
			break;
	}
	if (rc == AUTH_READ)
		rc = auth_refuse(
		    k->t, &k->failure, NULL, "the file %.512s is empty", buf_text(&k->x.path));
	if (rc == AUTH_RUN)
		rc = has_run ? auth_refuse(k->t, &k->failure, k->x.service, "it printed nothing")
			     : run_program(k);
	k->x.file = (struct str){ NULL, 0 };
	if (k->file.data)
		secret_wipe(k->file.data, k->file.len);
	buf_clear(&k->file);
	if (rc == AUTH_SEND)
		rc = send_step(k);
	forget_request(k->all);
	if (rc < 0)
		fail(k);
	else if (rc == AUTH_DONE)
		succeed(k);
}

static void
answered(const struct token_answer *answer, void *arg)
{
	struct token *k = arg;
	struct build_context ctx = context();
	int rc;

	k->sent = NULL;
	if (answer->whole)
		rc = k->scheme->judge(k->t, &k->x, &ctx, &answer->response, &k->failure);
	else
		rc = auth_refuse(
		    k->t, &k->failure, k->x.service, "%.*s", (int)answer->words.n, answer->words.p);
	if (rc == AUTH_MORE)
		go_on(k);
	else if (rc < 0)
		fail(k);
	else
		succeed(k);
	if (!k->fetching)
		tell_all(k);
}

/* What it printed is what the scheme reads. */
static void
ran(const struct token_answer *answer, void *arg)
{
	struct token *k = arg;

	k->running = NULL;
	if (answer->whole) {
		buf_init(&k->file, AUTH_MAX_FILE);
		buf_add_str(&k->file, answer->response.body);
		k->x.file = (struct str){ k->file.data ? k->file.data : "", k->file.len };
		go_on(k);
	} else {
		(void)auth_refuse(k->t, &k->failure, k->x.service, "%.*s", (int)answer->words.n,
		    answer->words.p);
		fail(k);
	}
	if (!k->fetching)
		tell_all(k);
}

static void
begin_fetch(struct token *k, struct target *t)
{
	k->fetching = true;
	k->t = target_hold(t);
	auth_exchange_init(&k->x);
	k->file = BUF_INIT(AUTH_MAX_FILE);
	k->started_ms = clock_mono_ms();
	go_on(k);
}

/* ---- the use ---- */

static bool
usable(const struct token *k)
{
	return k->credential && !k->refused && clock_mono_ms() < k->useless_ms &&
	       (k->credential->expires_ms == 0 || clock_wall_ms() < k->credential->expires_ms);
}

static int
say_failure(const struct token *k, const struct target *t, struct result *why)
{
	if (k->failed_provider != t->provider)
		return auth_refuse(t, why, NULL, "%s", buf_text(&k->failure.detail));
	result_reset(why);
	why->reason = k->failure.reason;
	why->exception_status = k->failure.exception_status;
	buf_add_str(&why->error, buf_str(&k->failure.error));
	buf_add_str(&why->detail, buf_str(&k->failure.detail));
	return ERR_DENIED;
}

static int
say_late(const struct token *k, const struct target *t, int64_t timeout_ms, struct result *why)
{
	return auth_refuse(t, why, k->fetching ? k->x.service : NULL, "no token in %lld ms",
	    (long long)timeout_ms);
}

int
token_take(struct token *k, struct target *t, struct token_wait *w, const struct credential **out,
    struct result *why)
{
	int64_t now = clock_mono_ms();
	bool may_ask = !k->fetching && !(k->failed && now < k->retry_ms), told = w->told;

	w->told = false;
	if (usable(k)) {
		if (now >= k->renew_ms && may_ask)
			begin_fetch(k, t);
		*out = k->credential;
		return 0;
	}
	if (told) {
		if (w->late)
			return say_late(k, t, w->timeout_ms, why);
		*out = k->credential;
		return k->failed ? say_failure(k, t, why) : 0;
	}
	if (may_ask)
		begin_fetch(k, t);
	if (k->fetching) {
		wait_for(k, w);
		return ERR_AGAIN;
	}
	if (k->failed)
		return say_failure(k, t, why);
	*out = k->credential;
	return 0;
}

uint64_t
token_version(const struct token *k)
{
	return k->version;
}

const struct credential *
token_credential(const struct token *k)
{
	return k->credential;
}

void
token_refused(struct token *k, uint64_t version)
{
	if (k->version == version && clock_mono_ms() - k->fetched_ms >= REFUSED_AGE_MS)
		k->refused = true;
}
