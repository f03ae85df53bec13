/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interface follows from a prefix in the name (converse/, invoke/, llama/, …), else from the
 * vendor, which stands in front of the name, behind the area of a cross-region profile:
 * us.anthropic.claude-….
 */
#include "workers/dialects/bedrock.h"

#include <string.h>

/* In front of a name or an ARN. `kept` NULL: the vendor decides. */
static const struct {
	const char *prefix;
	enum bedrock_family family;
	const char *kept;
} prefixes[] = {
	{ "converse/", BEDROCK_CONVERSE, "" },
	{ "agentcore/", BEDROCK_AGENTCORE, "" },
	{ "agent/", BEDROCK_AGENT, "" },
	{ "llama/", BEDROCK_LLAMA, "" },
	{ "deepseek_r1/", BEDROCK_DEEPSEEK, "" },
	{ "openai/", BEDROCK_OPENAI, ":" },
	{ "qwen2/", BEDROCK_LLAMA, "" },
	{ "qwen3/", BEDROCK_LLAMA, "" },
	{ "nova-2/", BEDROCK_CONVERSE, "" },
	{ "nova/", BEDROCK_CONVERSE, "" },
	{ "invoke/", BEDROCK_UNKNOWN, NULL },
};

static const char *const areas[] = { "us", "eu", "apac", "jp", "au", "ca", "sa", "me", "af",
	"global", "us-gov" };

/* How a chat of that vendor is asked; the first row that fits counts. */
static const struct {
	const char *start;
	enum bedrock_family usual, invoked; /* without a prefix; with invoke/ */
} chats[] = {
	{ "anthropic.", BEDROCK_CONVERSE, BEDROCK_ANTHROPIC },
	{ "amazon.titan-", BEDROCK_TITAN, BEDROCK_TITAN },
	{ "amazon.nova-", BEDROCK_CONVERSE, BEDROCK_CONVERSE },
	{ "amazon.", BEDROCK_CONVERSE, BEDROCK_TITAN },
	{ "meta.llama2", BEDROCK_LLAMA, BEDROCK_LLAMA },
	{ "meta.", BEDROCK_CONVERSE, BEDROCK_LLAMA },
	{ "mistral.mistral-7b", BEDROCK_MISTRAL, BEDROCK_MISTRAL },
	{ "mistral.mixtral-8x7b", BEDROCK_MISTRAL, BEDROCK_MISTRAL },
	{ "mistral.", BEDROCK_CONVERSE, BEDROCK_MISTRAL },
	{ "cohere.command-r", BEDROCK_COMMAND_R, BEDROCK_COMMAND_R },
	{ "cohere.", BEDROCK_COMMAND, BEDROCK_COMMAND },
	{ "ai21.jamba", BEDROCK_CONVERSE, BEDROCK_OPENAI },
	{ "ai21.", BEDROCK_J2, BEDROCK_J2 },
	{ "twelvelabs.", BEDROCK_PEGASUS, BEDROCK_PEGASUS },
	{ "deepseek.", BEDROCK_CONVERSE, BEDROCK_DEEPSEEK },
	{ "openai.", BEDROCK_CONVERSE, BEDROCK_OPENAI },
	{ "qwen.", BEDROCK_CONVERSE, BEDROCK_OPENAI },
	{ "moonshot.", BEDROCK_CONVERSE, BEDROCK_OPENAI },
	{ "moonshotai.", BEDROCK_CONVERSE, BEDROCK_OPENAI },
	{ "minimax.", BEDROCK_CONVERSE, BEDROCK_OPENAI },
	{ "google.", BEDROCK_CONVERSE, BEDROCK_OPENAI },
	{ "nvidia.", BEDROCK_CONVERSE, BEDROCK_OPENAI },
	{ "writer.", BEDROCK_CONVERSE, BEDROCK_CONVERSE },
	{ "zai.", BEDROCK_CONVERSE, BEDROCK_OPENAI },
};

static const struct {
	const char *start;
	enum bedrock_family family;
} embeddings[] = {
	{ "amazon.nova-", BEDROCK_NOVA_EMBED },
	{ "amazon.", BEDROCK_TITAN_EMBED },
	{ "cohere.", BEDROCK_COHERE_EMBED },
	{ "twelvelabs.", BEDROCK_MARENGO },
}, images[] = {
	{ "amazon.", BEDROCK_AMAZON_IMAGE },
	{ "stability.stable-diffusion-xl", BEDROCK_SDXL },
	{ "stability.", BEDROCK_STABILITY },
};

static struct str
without_area(struct str id)
{
	for (size_t i = 0; i < ARRAY_LEN(areas); i++) {
		size_t n = strlen(areas[i]);

		if (str_starts(id, areas[i]) && id.n > n && id.p[n] == '.')
			return (struct str){ id.p + n + 1, id.n - n - 1 };
	}
	return id;
}

bool
bedrock_is_profile(const char *model, bool *own)
{
	const char *slash = strrchr(model, '/');
	struct str name = str_of(slash ? slash + 1 : model);

	*own = strstr(model, ":application-inference-profile/") != NULL;
	return *own || strstr(model, ":inference-profile/") || without_area(name).n < name.n;
}

/* The name in an ARN of a foundation model or a profile of Amazon's own, else the ARN. */
static struct str
named(struct str id)
{
	const char *slash = id.n ? memrchr(id.p, '/', id.n) : NULL;

	if (slash && str_starts(id, "arn:"))
		id = (struct str){ slash + 1, id.n - (size_t)(slash + 1 - id.p) };
	return without_area(id);
}

static struct bedrock_route
chat_route(const struct target *t, struct str id)
{
	bool invoked = t->mode == MODE_ANTHROPIC_MESSAGES;
	struct str name;

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		size_t n = strlen(prefixes[i].prefix);

		if (!str_starts(id, prefixes[i].prefix))
			continue;
		id = (struct str){ id.p + n, id.n - n };
		if (prefixes[i].kept)
			return (struct bedrock_route){ prefixes[i].family, id, prefixes[i].kept };
		invoked = true;
		break;
	}
	if (str_starts(id, "arn:") && !invoked)
		return (struct bedrock_route){ BEDROCK_CONVERSE, id, "" };
	name = named(id);
	for (size_t i = 0; i < ARRAY_LEN(chats); i++)
		if (str_starts(name, chats[i].start)) {
			enum bedrock_family family = invoked ? chats[i].invoked : chats[i].usual;

			return (struct bedrock_route){ family, id,
				family == BEDROCK_CONVERSE || str_starts(id, "arn:") ? "" : ":" };
		}
	return (struct bedrock_route){ BEDROCK_UNKNOWN, id, "" };
}

struct bedrock_route
bedrock_route(const struct target *t)
{
	struct str id = str_of(t->model), name;

	if (t->mode != MODE_EMBEDDING && t->mode != MODE_IMAGE_GENERATION &&
	    t->mode != MODE_IMAGE_EDIT && t->mode != MODE_RERANK &&
	    t->mode != MODE_AUDIO_TRANSCRIPTION)
		return chat_route(t, id);
	if (str_starts(id, "converse/") || str_starts(id, "invoke/")) {
		size_t n = (size_t)((const char *)memchr(id.p, '/', id.n) - id.p) + 1;

		id = (struct str){ id.p + n, id.n - n };
	}
	name = named(id);
	switch (t->mode) {
	case MODE_RERANK:
		return (struct bedrock_route){ BEDROCK_RERANK, id, "" };
	case MODE_AUDIO_TRANSCRIPTION:
		return (struct bedrock_route){ BEDROCK_LISTEN, id, ":" };
	case MODE_EMBEDDING:
		for (size_t i = 0; i < ARRAY_LEN(embeddings); i++)
			if (str_starts(name, embeddings[i].start))
				return (struct bedrock_route){ embeddings[i].family, id, "" };
		break;
	default:
		for (size_t i = 0; i < ARRAY_LEN(images); i++)
			if (str_starts(name, images[i].start))
				return (struct bedrock_route){ images[i].family, id,
					str_starts(id, "arn:") ? "" : ":" };
		break;
	}
	return (struct bedrock_route){ BEDROCK_UNKNOWN, id, "" };
}
