/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the judge: a body of any bytes, of any status, in each mode, for one provider of each
 * client and family. The first byte chooses; the rest is the body. What must hold: it ends, healthy
 * has no words and unhealthy has, the words are one line of UTF-8 within their limits.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "shared/json.h"
#include "shared/provider.h"
#include "workers/dialects/answer.h"
#include "workers/dialects/dialect.h"

static const char *const providers[] = { "openai", "hosted_vllm", "groq", "openrouter",
	"databricks", "cloudflare", "text-completion-openai", "mistral" };
static const enum mode modes[] = { MODE_CHAT, MODE_COMPLETION, MODE_EMBEDDING, MODE_RESPONSES };
static const int statuses[] = { 200, 200, 200, 400, 401, 429, 500, 302 };

/* A status of 200 has two more tables: the rarer shapes, and lists of models. */
static const struct {
	const char *provider;
	enum mode mode;
} shapes[16] = {
	{ "openai", MODE_IMAGE_GENERATION },
	{ "openai", MODE_IMAGE_EDIT },
	{ "openai", MODE_AUDIO_SPEECH },
	{ "openai", MODE_AUDIO_TRANSCRIPTION },
	{ "openai", MODE_VIDEO_GENERATION },
	{ "openai", MODE_BATCH },
	{ "openai", MODE_ANTHROPIC_MESSAGES },
	{ "together_ai", MODE_RERANK },
	{ "nvidia_nim", MODE_RERANK },
	{ "deepinfra", MODE_RERANK },
	{ "mistral", MODE_OCR },
	{ "mistral", MODE_AUDIO_SPEECH },
	{ "minimax", MODE_AUDIO_SPEECH },
	{ "minimax", MODE_ANTHROPIC_MESSAGES },
	{ "openrouter", MODE_DECISIONS },
	{ "dashscope", MODE_IMAGE_GENERATION },
};
static struct target *shape_targets[ARRAY_LEN(shapes)];

static struct target *targets[ARRAY_LEN(providers)][ARRAY_LEN(modes)];

static void
must(int truth)
{
	if (!truth)
		abort();
}

static struct str
no_header(const struct response *r, const char *name)
{
	return (struct str){ NULL, 0 };
}

static const struct target *
make(struct target **kept, const char *provider, enum mode mode)
{
	if (*kept == NULL) {
		struct msg_conf_target msg = { .id = STR("i"),
			.provider = str_of(provider),
			.dialect = STR("openai"),
			.mode = mode,
			.model = STR("m"),
			.api_base = STR("http://a/v1"),
			.max_tokens = 16,
			.timeout_ms = 1000 };

		must(target_new(&msg, kept) == 0);
	}
	return *kept;
}

static const struct target *
target_of(unsigned choice)
{
	if (choice >> 5 == 1)
		return make(&shape_targets[choice & 15], shapes[choice & 15].provider,
		    shapes[choice & 15].mode);
	return make(
	    &targets[choice >> 2 & 7][choice & 3], providers[choice >> 2 & 7], modes[choice & 3]);
}

static void
count_model(void *arg, struct str name)
{
	must(name.n > 0 && memchr(name.p, '\0', name.n) == NULL);
	++*(size_t *)arg;
}

/* The same bytes as a list of models. */
static void
list(const struct target *t, const struct response *resp)
{
	struct result res;
	size_t n = 0;

	result_init(&res);
	if (t->dialect->listed(t, resp, count_model, &n, &res) < 0)
		must(!res.healthy && res.error.len > 0 && res.detail.len > 0 && n == 0);
	result_clear(&res);
}

/* What the reader accepts can be walked and shown, whatever it is. */
static void
walk(struct str body)
{
	static const struct answer_place whole[] = { { -1, NULL } };
	struct buf text = BUF_INIT(4096);
	struct answer_value value;
	struct answer_fault fault;
	struct str key, member;
	size_t at = 0, n = 0;

	if (answer_read(body, whole, 1, &value, &fault) < 0) {
		must(fault.at <= body.n && fault.what != NULL);
		answer_fault_text(&text, body, &fault);
		must(text.len > 0);
	} else {
		if (value.kind == ANSWER_OBJECT) {
			while (answer_member(body, &at, &key, &member))
				n++;
			must(n == value.count);
		}
		answer_python(&text, body, 512);
		must(body.n > 256 || buf_ok(&text));
	}
	buf_clear(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct response resp = { .header = no_header };
	struct result res;
	const struct target *t;
	unsigned choice = size > 0 ? data[0] : 0;

	resp.body =
	    size > 1 ? (struct str){ (const char *)data + 1, size - 1 } : (struct str){ NULL, 0 };
	resp.status = statuses[choice >> 5];
	t = target_of(choice);
	result_init(&res);
	t->dialect->judge(t, &resp, &res);
	must(res.healthy == (res.reason == REASON_OK));
	must(res.healthy == (res.error.len == 0));
	must(res.healthy == (res.detail.len == 0));
	must(res.healthy == (res.exception_status == 0));
	must(!res.healthy || resp.status == 200);
	must(buf_ok(&res.error) && buf_ok(&res.detail));
	must(memchr(buf_text(&res.error), '\n', res.error.len) == NULL);
	result_clear(&res);
	if (choice >> 5 == 2)
		list(t, &resp);
	walk(resp.body);
	return 0;
}
