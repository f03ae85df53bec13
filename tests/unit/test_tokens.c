/* SPDX-License-Identifier: Apache-2.0 */
/* The token cache on a clock and in a world of the test's own. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#include "shared/clock.h"
#include "workers/auth/steps.h"
#include "workers/auth/tokens.h"

#define WAITERS 100
#define START_MS INT64_C(1790000000000)

/* ---- a scheme: one request, the answer's body is the token ---- */

static int64_t life_ms;
static bool without_request, wants_file, never_ends, wants_program;
static unsigned asked;

static int
identity(const struct target *t, struct buf *key, struct result *why)
{
	buf_add_text(key, target_param(t, "who") ? target_param(t, "who") : "");
	return 0;
}

static int
ask(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    struct request *req, struct result *why)
{
	x->service = "the test's service";
	if (wants_file && x->file.p == NULL) {
		buf_reset(&x->path);
		buf_add_text(&x->path, "/the/file");
		return AUTH_READ;
	}
	if (wants_program && x->file.p == NULL)
		return step_run(t, x, x->service, STR("/bin/p\nx"), STR(""));
	if (wants_program) {
		x->credential->token = secret_new(x->file);
		x->credential->expires_ms = ctx->now_ms + life_ms;
		return AUTH_DONE;
	}
	if (without_request) {
		x->credential->token = secret_new(wants_file ? x->file : STR("STATIC-TOKEN"));
		x->credential->expires_ms = life_ms ? ctx->now_ms + life_ms : 0;
		return AUTH_DONE;
	}
	auth_hide(x, STR("HIDDEN-ASSERTION"));
	buf_add_text(&req->url, "http://t/");
	return AUTH_SEND;
}

static int
judge(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    const struct response *resp, struct result *why)
{
	if (never_ends) {
		/* one place for a hidden text is used a step */
		secret_free(x->hidden[--x->n_hidden]);
		return AUTH_MORE;
	}
	if (resp->status != 200)
		return auth_refuse(t, why, x->service, "status %d, %.*s", resp->status,
		    (int)resp->body.n, resp->body.p);
	x->credential->token = secret_new(resp->body);
	x->credential->expires_ms = life_ms ? ctx->now_ms + life_ms : 0;
	return AUTH_DONE;
}

static const struct auth_scheme scheme = { "test", identity, ask, judge, NULL };

/* ---- a world: requests are answered when the test says so ---- */

static struct {
	tokens_answered done;
	void *arg;
	int64_t timeout_ms;
	bool under_way;
	const char *file;
} world;

static void *
send_it(void *arg, const struct target *t, bool metadata, const struct request *r,
    int64_t timeout_ms, tokens_answered done, void *done_arg)
{
	assert_false(world.under_way);
	world.done = done;
	world.arg = done_arg;
	world.timeout_ms = timeout_ms;
	world.under_way = true;
	asked++;
	return &world;
}

static void
cancel_it(void *sent)
{
	assert_ptr_equal(sent, &world);
	assert_true(world.under_way);
	world.under_way = false;
}

static int
read_it(void *arg, const char *path, struct buf *out)
{
	assert_string_equal(path, "/the/file");
	if (world.file == NULL) {
		errno = ENOENT;
		return ERR_IO;
	}
	buf_add_text(out, world.file);
	return 0;
}

static void *
run_it(void *arg, struct str words, struct str variables, int64_t timeout_ms, tokens_answered done,
    void *done_arg)
{
	assert_memory_equal(words.p, "/bin/p\0x", 9);
	return send_it(arg, NULL, false, NULL, timeout_ms, done, done_arg);
}

static void
stop_it(void *running)
{
	cancel_it(running);
}

static struct str
no_header(const struct response *r, const char *name)
{
	return STR("");
}

static void
answer(int status, const char *body)
{
	struct token_answer a = { .whole = status > 0,
		.response = { status, str_of(body), no_header, NULL },
		.words = str_of(body) };

	assert_true(world.under_way);
	world.under_way = false;
	world.done(&a, world.arg);
}

/* ---- ---- */

static struct tokens *tokens;
static struct result why;

static struct target *
target_of(const char *who)
{
	struct kv param = { STR("who"), str_of(who) },
		  secret = { STR("api_key"), STR("sk-CANARY-1234") };
	struct msg_conf_target m = { .id = STR("i"),
		.provider = STR("openai"),
		.dialect = STR("openai"),
		.mode = MODE_CHAT,
		.model = STR("m"),
		.api_base = STR("http://a"),
		.timeout_ms = 1000,
		.params = { &param, 1 },
		.secrets = { &secret, 1 } };
	struct target *t;

	assert_int_equal(target_new(&m, &t), 0);
	return t;
}

static int
set_up(void **state)
{
	struct tokens_world w = { send_it, cancel_it, read_it, run_it, stop_it, NULL };

	clock_fake_set(INT64_C(1000000000), START_MS);
	memset(&world, 0, sizeof(world));
	asked = 0;
	life_ms = 3600000;
	without_request = wants_file = never_ends = wants_program = false;
	result_init(&why);
	tokens = tokens_new(NULL, &w);
	return 0;
}

static int
tear_down(void **state)
{
	tokens_free(tokens);
	result_clear(&why);
	clock_fake_off();
	return 0;
}

static void
advance(int64_t ms)
{
	clock_fake_advance_us(ms * 1000);
}

static struct token *
get(struct target *t)
{
	struct token *k;

	assert_int_equal(token_get(tokens, t, &scheme, &k, &why), 0);
	return k;
}

static size_t told;

static void
on_done(struct token_wait *w)
{
	told++;
}

static int
take(struct token *k, struct target *t, struct token_wait *w, const char *wanted)
{
	const struct credential *c = NULL;
	int rc;

	w->done = on_done;
	w->timeout_ms = 1000;
	rc = token_take(k, t, w, &c, &why);
	if (rc == 0)
		assert_true(str_is(secret_reveal(c->token), wanted));
	return rc;
}

/* Nothing is there yet: it is fetched, and is FIRST. */
static void
take_first(struct token *k, struct target *t, struct token_wait *w)
{
	assert_int_equal(take(k, t, w, ""), ERR_AGAIN);
	answer(200, "FIRST");
	assert_int_equal(take(k, t, w, "FIRST"), 0);
}

static void
test_one_fetch_for_all(void **state)
{
	struct token_wait w[WAITERS] = { { .next = NULL } };
	struct target *t = target_of("a");
	struct token *k = get(t);

	told = 0;
	for (size_t i = 0; i < WAITERS; i++)
		assert_int_equal(take(k, t, &w[i], ""), ERR_AGAIN);
	assert_int_equal(asked, 1);
	token_wait_cancel(&w[50]);
	answer(200, "FIRST");
	assert_int_equal(told, WAITERS - 1);
	for (size_t i = 0; i < WAITERS; i++)
		assert_int_equal(take(k, t, &w[i], "FIRST"), 0);
	assert_int_equal(asked, 1);
	token_release(k);
	target_free(t);
}

static void
test_shared_by_identity(void **state)
{
	struct target *a = target_of("a"), *b = target_of("b"), *a2 = target_of("a");
	struct token *ka = get(a), *kb = get(b), *ka2 = get(a2);

	assert_ptr_equal(ka, ka2);
	assert_ptr_not_equal(ka, kb);
	token_release(ka);
	token_release(ka2);
	token_release(kb);
	target_free(a);
	target_free(b);
	target_free(a2);
}

static void
test_renewed_before_it_expires(void **state)
{
	struct token_wait w = { .next = NULL };
	struct target *t = target_of("a");
	struct token *k = get(t);
	uint64_t version;

	take_first(k, t, &w);
	version = token_version(k);
	advance(3600000 - 300000 - 1);
	assert_int_equal(take(k, t, &w, "FIRST"), 0);
	assert_int_equal(asked, 1);
	/* From here on it is renewed, and used all the same. */
	advance(1);
	assert_int_equal(take(k, t, &w, "FIRST"), 0);
	assert_int_equal(asked, 2);
	assert_int_equal(take(k, t, &w, "FIRST"), 0);
	assert_int_equal(asked, 2);
	answer(200, "SECOND");
	assert_int_equal(take(k, t, &w, "SECOND"), 0);
	assert_true(token_version(k) > version);
	token_release(k);
	target_free(t);
}

static void
test_renewal_fails(void **state)
{
	struct token_wait w = { .next = NULL };
	struct target *t = target_of("a");
	struct token *k = get(t);

	assert_int_equal(take(k, t, &w, ""), ERR_AGAIN);
	answer(200, "FIRST");
	advance(3400000);
	assert_int_equal(take(k, t, &w, "FIRST"), 0);
	assert_int_equal(asked, 2);
	answer(500, "out of order");
	/* It holds still; the service is left alone for a while. */
	assert_int_equal(take(k, t, &w, "FIRST"), 0);
	assert_int_equal(asked, 2);
	advance(TOKENS_BACKOFF_MS);
	assert_int_equal(take(k, t, &w, "FIRST"), 0);
	assert_int_equal(asked, 3);
	/* Ten seconds before its end it is used no more. */
	advance(3600000 - 3400000 - TOKENS_BACKOFF_MS - 10000);
	assert_int_equal(take(k, t, &w, ""), ERR_AGAIN);
	assert_int_equal(asked, 3);
	answer(0, "connection refused by 127.0.0.1:9");
	assert_int_equal(take(k, t, &w, ""), ERR_DENIED);
	assert_int_equal(why.reason, REASON_AUTH);
	assert_string_equal(
	    buf_text(&why.detail), "the test's service: connection refused by 127.0.0.1:9");
	token_release(k);
	target_free(t);
}

static void
test_failure_is_kept(void **state)
{
	struct token_wait w[2] = { { .next = NULL } };
	struct target *t = target_of("a");
	struct token *k = get(t);
	int64_t backoff = TOKENS_BACKOFF_MS;

	assert_int_equal(take(k, t, &w[0], ""), ERR_AGAIN);
	assert_int_equal(take(k, t, &w[1], ""), ERR_AGAIN);
	answer(401, "no such client sk-CANARY-1234, nor HIDDEN-ASSERTION");
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(take(k, t, &w[0], ""), ERR_DENIED);
		assert_int_equal(why.exception_status, 401);
		assert_null(strstr(buf_text(&why.detail), "CANARY"));
		assert_null(strstr(buf_text(&why.detail), "HIDDEN"));
		assert_null(strstr(buf_text(&why.error), "CANARY"));
		assert_non_null(strstr(
		    buf_text(&why.error), "litellm.AuthenticationError: OpenAIException - "));
		assert_int_equal(asked, i + 1);
		advance(backoff - 1);
		assert_int_equal(take(k, t, &w[1], ""), ERR_DENIED);
		assert_int_equal(asked, i + 1);
		advance(1);
		assert_int_equal(take(k, t, &w[0], ""), ERR_AGAIN);
		answer(401, "no");
		backoff = backoff * 2 < TOKENS_BACKOFF_MAX_MS ? backoff * 2 : TOKENS_BACKOFF_MAX_MS;
	}
	assert_int_equal(backoff, TOKENS_BACKOFF_MAX_MS);
	assert_int_equal(take(k, t, &w[0], ""), ERR_DENIED);
	advance(backoff);
	assert_int_equal(take(k, t, &w[0], ""), ERR_AGAIN);
	answer(200, "AT LAST");
	assert_int_equal(take(k, t, &w[0], "AT LAST"), 0);
	token_release(k);
	target_free(t);
}

/* Clocks that jump: a token is not used past its wall-clock end, and a far end is not believed. */
static void
test_clocks(void **state)
{
	struct token_wait w = { .next = NULL };
	struct target *t = target_of("a");
	struct token *k = get(t);

	take_first(k, t, &w);
	clock_fake_set(INT64_C(1000000000), START_MS + 7200000);
	assert_int_equal(take(k, t, &w, ""), ERR_AGAIN);
	life_ms = INT64_C(100) * 365 * 86400000;
	answer(200, "FOR A HUNDRED YEARS");
	assert_int_equal(take(k, t, &w, "FOR A HUNDRED YEARS"), 0);
	assert_int_equal(asked, 2);
	advance(86400000);
	assert_int_equal(take(k, t, &w, ""), ERR_AGAIN);
	assert_int_equal(asked, 3);
	life_ms = 0;
	answer(200, "FOR EVER");
	advance(INT64_C(1000) * 86400000);
	assert_int_equal(take(k, t, &w, "FOR EVER"), 0);
	assert_int_equal(asked, 3);
	token_release(k);
	target_free(t);
}

static void
test_without_request(void **state)
{
	struct token_wait w = { .next = NULL };
	struct target *t = target_of("a");
	struct token *k = get(t);

	without_request = true;
	life_ms = 0;
	assert_int_equal(take(k, t, &w, "STATIC-TOKEN"), 0);
	assert_int_equal(take(k, t, &w, "STATIC-TOKEN"), 0);
	token_release(k);
	without_request = wants_file = true;
	k = get(t);
	assert_int_equal(take(k, t, &w, ""), ERR_DENIED);
	assert_string_equal(
	    buf_text(&why.detail), "the file /the/file cannot be read: No such file or directory");
	world.file = "FROM-THE-FILE";
	advance(TOKENS_BACKOFF_MS);
	assert_int_equal(take(k, t, &w, "FROM-THE-FILE"), 0);
	assert_int_equal(asked, 0);
	token_release(k);
	target_free(t);
}

/* A 401 of the provider: a token that is not young is fetched anew. */
static void
test_refused(void **state)
{
	struct token_wait w = { .next = NULL };
	struct target *t = target_of("a");
	struct token *k = get(t);
	uint64_t version;

	take_first(k, t, &w);
	version = token_version(k);
	token_refused(k, version);
	assert_int_equal(take(k, t, &w, "FIRST"), 0);
	advance(60000);
	token_refused(k, version - 1);
	assert_int_equal(take(k, t, &w, "FIRST"), 0);
	token_refused(k, version);
	assert_int_equal(take(k, t, &w, ""), ERR_AGAIN);
	answer(200, "SECOND");
	assert_int_equal(take(k, t, &w, "SECOND"), 0);
	token_release(k);
	target_free(t);
}

static void
test_ends(void **state)
{
	struct token_wait w = { .next = NULL };
	struct target *t = target_of("a");
	struct token *k = get(t);

	/* A service that wants ever more requests */
	never_ends = true;
	assert_int_equal(take(k, t, &w, ""), ERR_AGAIN);
	for (unsigned i = 0; i < AUTH_MAX_STEPS; i++)
		answer(200, "more");
	assert_false(world.under_way);
	assert_int_equal(take(k, t, &w, ""), ERR_DENIED);
	assert_string_equal(
	    buf_text(&why.detail), "the test's service: it takes more requests than it should");
	/* or takes its time over each */
	advance(TOKENS_BACKOFF_MS);
	assert_int_equal(take(k, t, &w, ""), ERR_AGAIN);
	assert_int_equal(world.timeout_ms, TOKENS_FETCH_MS);
	advance(TOKENS_FETCH_MS - 1);
	answer(200, "more");
	assert_int_equal(world.timeout_ms, 1);
	advance(1);
	answer(200, "more");
	assert_false(world.under_way);
	assert_int_equal(take(k, t, &w, ""), ERR_DENIED);
	/* Whoever goes while it is under way leaves nothing behind. */
	advance(TOKENS_BACKOFF_MAX_MS);
	assert_int_equal(take(k, t, &w, ""), ERR_AGAIN);
	token_wait_cancel(&w);
	token_release(k);
	assert_false(world.under_way);
	k = get(t);
	assert_int_equal(take(k, t, &w, ""), ERR_AGAIN);
	tokens_stop(tokens);
	assert_false(world.under_way);
	token_wait_cancel(&w);
	token_release(k);
	target_free(t);
}

/* A program is run once for all who wait; what is wrong with it is said, and kept for a while. */
static void
test_program(void **state)
{
	struct token_wait w[2] = { { .next = NULL } };
	struct target *t = target_of("a");
	struct token *k = get(t);

	wants_program = true;
	assert_int_equal(take(k, t, &w[0], ""), ERR_AGAIN);
	assert_int_equal(take(k, t, &w[1], ""), ERR_AGAIN);
	assert_int_equal(asked, 1);
	assert_int_equal(world.timeout_ms, TOKENS_FETCH_MS);
	answer(200, "PRINTED");
	assert_int_equal(take(k, t, &w[0], "PRINTED"), 0);
	assert_int_equal(take(k, t, &w[1], "PRINTED"), 0);
	/* Anew before it is over. */
	advance(3599000);
	assert_int_equal(take(k, t, &w[0], ""), ERR_AGAIN);
	answer(0, "the program ended with status 3");
	assert_int_equal(take(k, t, &w[0], ""), ERR_DENIED);
	assert_string_equal(
	    buf_text(&why.detail), "the test's service: the program ended with status 3");
	assert_int_equal(asked, 2);
	/* Whoever goes while it runs ends it. */
	advance(TOKENS_BACKOFF_MAX_MS);
	assert_int_equal(take(k, t, &w[0], ""), ERR_AGAIN);
	assert_true(world.under_way);
	token_wait_cancel(&w[0]);
	token_release(k);
	assert_false(world.under_way);
	target_free(t);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_program),
		TEST(test_one_fetch_for_all),
		TEST(test_shared_by_identity),
		TEST(test_renewed_before_it_expires),
		TEST(test_renewal_fails),
		TEST(test_failure_is_kept),
		TEST(test_clocks),
		TEST(test_without_request),
		TEST(test_refused),
		TEST(test_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
