/* SPDX-License-Identifier: Apache-2.0 */
/* One transfer a request: tokens are rarely fetched, so nothing is kept. */
#include "workers/auth/token_sender.h"

#include <stdlib.h>
#include <string.h>

#include "shared/file.h"
#include "workers/plan.h"
#include "workers/program.h"
#include "workers/transfer.h"

#define MAX_ANSWER ((size_t)1 << 20)

struct sent {
	struct transfer *transfer;
	struct plan *plan;
	struct target way; /* texts are the target's; see make_way() */
	tokens_answered done;
	void *arg;
};

/*
 * As the target says, but its client certificate is for the provider; instance metadata is at hand,
 * without proxy, and nowhere else.
 */
static void
make_way(struct target *way, const struct target *t, bool metadata)
{
	*way = (struct target){ .id = t->id,
		.provider = t->provider,
		.dialect = t->dialect,
		.mode = t->mode,
		.model = t->model,
		.api_base = t->api_base,
		.extra_body = t->extra_body,
		.timeout_ms = t->timeout_ms,
		.ssl_verify = t->ssl_verify,
		.ca_file = t->ca_file,
		.proxy = t->proxy,
		.no_proxy = t->no_proxy,
		.allow_link_local = t->allow_link_local };
	way->client_cert = way->client_key = (char *)(uintptr_t) "";
	if (metadata) {
		way->proxy = way->no_proxy = (char *)(uintptr_t) "";
		way->allow_link_local = true;
	}
}

static void
forget(struct sent *s)
{
	transfer_free(s->transfer);
	plan_free(s->plan);
	free(s);
}

static struct str
header_of(const struct response *r, const char *name)
{
	return transfer_header(r->arg, name);
}

static void
on_outcome(struct transfer *x, const struct transfer_outcome *o, void *arg)
{
	struct sent *s = arg;
	struct token_answer answer = { .whole = o->whole,
		.words = o->words,
		.response = { o->status, o->body, header_of, x } };

	if (o->whole && o->body.n > MAX_ANSWER) {
		answer.whole = false;
		answer.words = STR("its answer is larger than any is");
	} else if (o->whole && o->redirect.n > 0) {
		answer.whole = false;
		answer.words = STR("it redirects to another host, which is not followed");
	}
	s->done(&answer, s->arg);
	forget(s);
}

static void *
send_request(void *arg, const struct target *t, bool metadata, const struct request *r,
    int64_t timeout_ms, tokens_answered done, void *done_arg)
{
	struct sent *s = xcalloc(1, sizeof(*s));
	struct transfer_request request;

	s->done = done;
	s->arg = done_arg;
	make_way(&s->way, t, metadata);
	s->plan = plan_new(r);
	s->transfer = transfer_new(arg, &s->way);
	request = plan_request(s->plan, 0);
	transfer_start(s->transfer, &request, timeout_ms, 0, on_outcome, s);
	return s;
}

static void
cancel_request(void *sent)
{
	forget(sent);
}

static int
read_whole(void *arg, const char *path, struct buf *out)
{
	return file_read(path, out);
}

struct running {
	struct program *program;
	tokens_answered done;
	void *arg;
};

static void
on_program(const struct program_outcome *o, void *arg)
{
	struct running *r = arg;
	struct token_answer answer = { .whole = o->words.n == 0,
		.words = o->words,
		.response = { .body = o->out } };

	r->done(&answer, r->arg);
	free(r);
}

/* The list of texts, its end marked by NULL. False when there are too many. */
static bool
list_of(struct str texts, const char *list[PROGRAM_MAX_WORDS + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < texts.n; i += strlen(texts.p + i) + 1) {
		if (n == PROGRAM_MAX_WORDS)
			return false;
		list[n++] = texts.p + i;
	}
	list[n] = NULL;
	return true;
}

static void *
run_program(void *arg, struct str words, struct str variables, int64_t timeout_ms,
    tokens_answered done, void *done_arg)
{
	const char *argv[PROGRAM_MAX_WORDS + 1], *env[PROGRAM_MAX_WORDS + 1];
	struct running *r = xcalloc(1, sizeof(*r));

	r->done = done;
	r->arg = done_arg;
	/* An empty list says of itself that there is no program. */
	if (!list_of(words, argv) || !list_of(variables, env))
		argv[0] = env[0] = NULL;
	r->program = program_start(
	    transfers_base(arg), argv, env, timeout_ms, AUTH_MAX_FILE, on_program, r);
	return r;
}

static void
stop_program(void *running)
{
	struct running *r = running;

	program_cancel(r->program);
	free(r);
}

struct tokens_world
token_sender(struct transfers *transfers)
{
	return (struct tokens_world){ send_request, cancel_request, read_whole, run_program,
		stop_program, transfers };
}
