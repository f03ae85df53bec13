/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the judges of the clouds' dialects, which judge by tables (reply.c), streams of events, and
 * Amazon's frames. The first byte chooses provider and mode, the second the status and whether the
 * answer says that it is a stream; the rest is the body. What must hold is that of fuzz_judge.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "shared/provider.h"
#include "workers/dialects/dialect.h"

static const struct {
	const char *provider, *model;
	enum mode mode;
} asked[] = {
	{ "bedrock", "anthropic.claude-v2", MODE_CHAT },
	{ "bedrock", "agent/A/B", MODE_CHAT },
	{ "bedrock", "agentcore/x", MODE_CHAT },
	{ "bedrock", "cohere.embed-english-v3", MODE_EMBEDDING },
	{ "bedrock", "amazon.nova-canvas-v1:0", MODE_IMAGE_GENERATION },
	{ "bedrock", "amazon.rerank-v1:0", MODE_RERANK },
	{ "bedrock_mantle", "openai.x", MODE_RESPONSES },
	{ "gemini", "gemini-2.5-flash", MODE_CHAT },
	{ "gemini", "gemini-embedding-001", MODE_EMBEDDING },
	{ "gemini", "imagen-4", MODE_IMAGE_GENERATION },
	{ "vertex_ai", "claude-x", MODE_CHAT },
	{ "vertex_ai", "text-embedding-005", MODE_EMBEDDING },
	{ "vertex_ai", "agent_engine/1", MODE_CHAT },
	{ "vertex_ai", "gemini-2.5-flash", MODE_BATCH },
	{ "sagemaker", "ep", MODE_CHAT },
	{ "sagemaker", "ep", MODE_EMBEDDING },
	{ "aws_polly", "neural", MODE_AUDIO_SPEECH },
	{ "watsonx", "m", MODE_RERANK },
	{ "watsonx_text", "m", MODE_CHAT },
	{ "oci", "cohere.x", MODE_CHAT },
	{ "sap", "m", MODE_CHAT },
	{ "langgraph", "m", MODE_CHAT },
	{ "langflow", "m", MODE_CHAT },
	{ "a2a", "m", MODE_CHAT },
	{ "nlp_cloud", "m", MODE_CHAT },
	{ "stability", "sd3", MODE_IMAGE_GENERATION },
	{ "black_forest_labs", "m", MODE_IMAGE_EDIT },
	{ "fal_ai", "a/b", MODE_VIDEO_GENERATION },
	{ "runwayml", "m", MODE_VIDEO_GENERATION },
	{ "reducto", "m", MODE_OCR },
	{ "chatgpt", "m", MODE_CHAT },
	{ "recraft", "m", MODE_IMAGE_GENERATION },
};
static struct target *targets[ARRAY_LEN(asked)];
static const int statuses[] = { 200, 200, 200, 201, 400, 403, 429, 500 };

static void
must(int truth)
{
	if (!truth)
		abort();
}

static struct str
header(const struct response *r, const char *name)
{
	bool *streams = r->arg;

	return *streams && strcmp(name, "content-type") == 0 ? STR("text/event-stream") : STR("");
}

static const struct target *
target_of(size_t i)
{
	const struct provider *p = provider_find(str_of(asked[i].provider));

	if (targets[i] == NULL) {
		struct msg_conf_target msg = { .id = STR("i"),
			.provider = str_of(p->name),
			.dialect = str_of(p->dialect),
			.mode = asked[i].mode,
			.model = str_of(asked[i].model),
			.api_base = STR("http://a/v1"),
			.max_tokens = 16,
			.timeout_ms = 1000 };

		must(target_new(&msg, &targets[i]) == 0);
	}
	return targets[i];
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool streams = size > 1 && data[1] & 8;
	struct response resp = { .header = header, .arg = &streams };
	const struct target *t;
	struct result res;

	if (size < 2)
		return 0;
	t = target_of(data[0] % ARRAY_LEN(asked));
	resp.status = statuses[data[1] & 7];
	resp.body = (struct str){ (const char *)data + 2, size - 2 };
	result_init(&res);
	t->dialect->judge(t, &resp, &res);
	must(res.healthy == (res.reason == REASON_OK));
	must(res.healthy == (res.error.len == 0));
	must(res.healthy == (res.detail.len == 0));
	must(res.healthy == (res.exception_status == 0));
	/* A picture that is refused for its content is a working deployment. */
	must(!res.healthy || resp.status < 300 ||
	     (resp.status == 400 &&
		 (t->mode == MODE_IMAGE_GENERATION || t->mode == MODE_IMAGE_EDIT)));
	must(buf_ok(&res.error) && buf_ok(&res.detail));
	must(memchr(buf_text(&res.error), '\n', res.error.len) == NULL);
	result_clear(&res);
	return 0;
}
