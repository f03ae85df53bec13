/* SPDX-License-Identifier: Apache-2.0 */
/* The order of LiteLLM's rules, block by block, as they were recorded. */
#include "workers/dialects/words_lines.h"

#include <ctype.h>
#include <string.h>

#define LINE(c, p) ((struct words_line){ .class = (c), .prefix = (p) })
#define NAMED(c, n) ((struct words_line){ .class = (c), .prefix = "", .name = (n) })

static const struct {
	const char *provider;
	enum words_family family;
} families[] = {
	{ "openrouter", FAMILY_OPENROUTER },
	{ "databricks", FAMILY_LIKE },
	{ "openai_like", FAMILY_LIKE },
	{ "predibase", FAMILY_LIKE },
	{ "cloudflare", FAMILY_PLAIN },
	{ "snowflake", FAMILY_PLAIN },
	{ "ollama", FAMILY_PLAIN },
	{ "ollama_chat", FAMILY_PLAIN },
	{ "triton", FAMILY_PLAIN },
	{ "voyage", FAMILY_PLAIN },
	{ "jina_ai", FAMILY_PLAIN },
	{ "gigachat", FAMILY_PLAIN },
	{ "infinity", FAMILY_PLAIN },
	{ "deepgram", FAMILY_PLAIN },
	{ "elevenlabs", FAMILY_PLAIN },
	{ "soniox", FAMILY_PLAIN },
	{ "bytez", FAMILY_PLAIN },
	{ "custom", FAMILY_PLAIN },
	{ "gdc", FAMILY_PLAIN },
	{ "anthropic", FAMILY_ANTHROPIC },
	{ "anthropic_text", FAMILY_ANTHROPIC },
	{ "azure", FAMILY_AZURE },
	{ "azure_text", FAMILY_AZURE },
	{ "cohere", FAMILY_COHERE },
	{ "cohere_chat", FAMILY_COHERE },
	{ "huggingface", FAMILY_HUGGINGFACE },
	{ "replicate", FAMILY_REPLICATE },
	{ "bedrock", FAMILY_BEDROCK },
	{ "bedrock_mantle", FAMILY_BEDROCK },
	{ "vertex_ai", FAMILY_GOOGLE },
	{ "vertex_ai_beta", FAMILY_GOOGLE },
	{ "gemini", FAMILY_GOOGLE },
	{ "nlp_cloud", FAMILY_NLP_CLOUD },
	{ "sagemaker", FAMILY_SAGEMAKER },
	{ "watsonx", FAMILY_LIKE },
	{ "watsonx_text", FAMILY_LIKE },
	{ "sagemaker_chat", FAMILY_PLAIN },
	{ "sagemaker_nova", FAMILY_PLAIN },
	{ "aws_polly", FAMILY_PLAIN },
	{ "oci", FAMILY_PLAIN },
	{ "sap", FAMILY_PLAIN },
	{ "langgraph", FAMILY_PLAIN },
	{ "langflow", FAMILY_PLAIN },
	{ "a2a", FAMILY_PLAIN },
	{ "stability", FAMILY_PLAIN },
	{ "black_forest_labs", FAMILY_PLAIN },
	{ "fal_ai", FAMILY_PLAIN },
	{ "recraft", FAMILY_PLAIN },
	{ "reducto", FAMILY_PLAIN },
	{ "manus", FAMILY_PLAIN },
	/* They speak OpenAI's dialect, but are in none of LiteLLM's lists. */
	{ "datarobot", FAMILY_PLAIN },
	{ "oobabooga", FAMILY_PLAIN },
	{ "typesafe", FAMILY_PLAIN },
	{ "strands_decider", FAMILY_PLAIN },
	{ "nadir", FAMILY_PLAIN },
	{ "text-completion-codestral", FAMILY_PLAIN },
	{ "text-completion-inception", FAMILY_PLAIN },
	{ "maritalk", FAMILY_PLAIN },
	{ "compactifai", FAMILY_PLAIN },
	{ "aiohttp_openai", FAMILY_PLAIN },
	{ "assemblyai", FAMILY_PLAIN },
	{ "charity_engine", FAMILY_PLAIN },
	{ "gradient_ai", FAMILY_PLAIN },
	{ "heroku", FAMILY_PLAIN },
	{ "ovhcloud", FAMILY_PLAIN },
	{ "scaleway", FAMILY_PLAIN },
	{ "amazon_nova", FAMILY_PLAIN },
	{ "minimax", FAMILY_PLAIN },
	{ "neosantara", FAMILY_PLAIN },
	{ "xiaomi_mimo", FAMILY_PLAIN },
	{ "veniceai", FAMILY_PLAIN },
	{ "abliteration", FAMILY_PLAIN },
	{ "llamagate", FAMILY_PLAIN },
	{ "gmi", FAMILY_PLAIN },
	{ "sarvam", FAMILY_PLAIN },
	{ "aihubmix", FAMILY_PLAIN },
	{ "crusoe", FAMILY_PLAIN },
	{ "empiriolabs", FAMILY_PLAIN },
	{ "lemonade", FAMILY_LIKE },
};

#define HANDLE(class) ". Handle with `litellm." class "`."
#define ANTHROPIC_TRANSPORT \
	{ \
		.class = "InternalServerError", .prefix = "", .name = "AnthropicException", \
		.suffix = HANDLE("InternalServerError") \
	}
#define OWN(c, n) \
	{ \
		.class = (c), .prefix = "", .name = (n) \
	}

#define GOOGLE_NO_USAGE \
	"Error converting to valid response block=usageMetadata not found in completion_response. Got="

static const struct words_own own[] = {
	{ "gemini",
	    { .class = "BadRequestError", .prefix = "" }, GARBAGE_BLOCK,
	    { .class = "BadRequestError", .prefix = "", .suffix = WORDS_FILE_AN_ISSUE }, REPEAT_BODY,
	    GOOGLE_NO_USAGE, OWN("APIConnectionError", NULL), false },
	{ "vertex_ai",
	    { .class = "BadRequestError", .prefix = "" }, GARBAGE_BLOCK,
	    { .class = "BadRequestError", .prefix = "", .suffix = WORDS_FILE_AN_ISSUE }, REPEAT_BODY,
	    GOOGLE_NO_USAGE, OWN("APIConnectionError", NULL), false },
	{ "vertex_ai_beta",
	    { .class = "BadRequestError", .prefix = "" }, GARBAGE_BLOCK,
	    { .class = "BadRequestError", .prefix = "", .suffix = WORDS_FILE_AN_ISSUE }, REPEAT_BODY,
	    GOOGLE_NO_USAGE, OWN("APIConnectionError", NULL), false },
	{ "bedrock", OWN("BadRequestError", NULL), GARBAGE_BLOCK, OWN("APIConnectionError", ""),
	    REPEAT_NOTHING, "'output'", OWN("APIConnectionError", NULL), false },
	{ "bedrock_mantle", OWN("APIConnectionError", ""), GARBAGE_FAULT,
	    OWN("APIConnectionError", "BedrockException"), REPEAT_MESSAGE, NULL,
	    OWN("ServiceUnavailableError", "BedrockException"), false },
	{ "sagemaker", OWN("APIConnectionError", ""), GARBAGE_FAULT, OWN("APIConnectionError", NULL),
	    REPEAT_MESSAGE, NULL, OWN("ServiceUnavailableError", NULL), false },
	{ "watsonx", OWN("APIConnectionError", ""), GARBAGE_FAULT, OWN("APIConnectionError", NULL),
	    REPEAT_MESSAGE, NULL, OWN("InternalServerError", NULL), false },
	{ "watsonx_text", OWN("APIConnectionError", ""), GARBAGE_FAULT,
	    OWN("APIConnectionError", NULL), REPEAT_MESSAGE, NULL, OWN("InternalServerError", NULL),
	    false },
	{ "oci", OWN("APIConnectionError", ""), GARBAGE_FAULT, OWN("APIConnectionError", NULL),
	    REPEAT_MESSAGE, NULL, OWN("APIConnectionError", NULL), false },
	{ "nlp_cloud", OWN("APIError", "NLPCloudException"), GARBAGE_BODY,
	    OWN("APIError", "NLPCloudException"), REPEAT_ERROR, NULL, OWN("APIConnectionError", NULL),
	    false },
	{ "anthropic", OWN("APIConnectionError", "AnthropicException"), GARBAGE_WRAPPED,
	    OWN("APIConnectionError", "AnthropicException"), REPEAT_ERROR, NULL,
	    ANTHROPIC_TRANSPORT, false },
	{ "anthropic_text", OWN("APIConnectionError", "AnthropicException"), GARBAGE_WRAPPED,
	    OWN("APIConnectionError", "AnthropicException"), REPEAT_ERROR, NULL,
	    ANTHROPIC_TRANSPORT, false },
	{ "azure", OWN("APIError", "AzureException APIError"), GARBAGE_FAULT,
	    OWN("APIError", "AzureException APIError"), REPEAT_MESSAGE, NULL,
	    OWN("APIConnectionError", "AzureException APIConnectionError"), false },
	{ "azure_text", OWN("APIError", "AzureException APIError"), GARBAGE_FAULT,
	    OWN("APIError", "AzureException APIError"), REPEAT_MESSAGE, NULL,
	    OWN("APIConnectionError", "AzureException APIConnectionError"), false },
	{ "cohere", OWN("APIConnectionError", NULL), GARBAGE_BODY, OWN("APIConnectionError", NULL),
	    REPEAT_MESSAGE, NULL, OWN("InternalServerError", "CohereException"), false },
	{ "cohere_chat", OWN("APIConnectionError", NULL), GARBAGE_BODY,
	    OWN("APIConnectionError", NULL), REPEAT_MESSAGE, NULL,
	    OWN("InternalServerError", "CohereException"), false },
	{ "huggingface", OWN("APIError", NULL), GARBAGE_WRAPPED, OWN("APIError", NULL),
	    REPEAT_MESSAGE, NULL, OWN("APIError", NULL), false },
	{ "replicate", OWN("APIError", NULL), GARBAGE_FAULT, OWN("BadRequestError", NULL),
	    REPEAT_BODY, "LiteLLM Error - prediction url is None - ", OWN("APIError", NULL),
	    false },
	{ "predibase", OWN("BadRequestError", NULL), GARBAGE_BODY, OWN("APIConnectionError", NULL),
	    REPEAT_ERROR, NULL, OWN("InternalServerError", NULL), true },
	{ "triton", OWN("APIConnectionError", NULL), GARBAGE_BODY, OWN("APIConnectionError", ""),
	    REPEAT_NOTHING, "'text_output'", OWN("APIConnectionError", NULL), false },
	{ "voyage", OWN("APIConnectionError", NULL), GARBAGE_BODY, OWN("APIConnectionError", NULL),
	    REPEAT_MESSAGE, NULL, OWN("APIConnectionError", NULL), false },
	{ "infinity", OWN("APIConnectionError", NULL), GARBAGE_BODY,
	    OWN("APIConnectionError", NULL), REPEAT_MESSAGE, NULL, OWN("APIConnectionError", NULL),
	    false },
	{ "gigachat", OWN("APIConnectionError", NULL), GARBAGE_INVALID,
	    OWN("APIConnectionError", NULL), REPEAT_MESSAGE, NULL, OWN("APIConnectionError", NULL),
	    false },
	{ "jina_ai", OWN("APIConnectionError", ""), GARBAGE_FAULT, OWN("APIConnectionError", NULL),
	    REPEAT_MESSAGE, NULL, OWN("APIConnectionError", NULL), false },
	{ "ollama", OWN("APIConnectionError", ""), GARBAGE_FAULT, OWN("APIConnectionError", NULL),
	    REPEAT_MESSAGE, NULL, OWN("APIConnectionError", NULL), false },
	{ "ollama_chat", OWN("APIConnectionError", ""), GARBAGE_FAULT,
	    OWN("APIConnectionError", NULL), REPEAT_MESSAGE, NULL, OWN("APIConnectionError", NULL),
	    false },
};

static const char *const context_texts[] = { "exceed context limit",
	"this model's maximum context length is",
	"string too long. expected a string with maximum length", "model's maximum context limit",
	"is longer than the model's context length", "input tokens exceed the configured limit",
	"`inputs` tokens + `max_new_tokens` must be", "exceeds the available context size",
	"exceeds the maximum number of tokens allowed" };
bool
words_any(const char *lower, const char *const *texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strstr(lower, texts[i]))
			return true;
	return false;
}
/* `rate limit`, `rate_limit`, `ratelimit`, `rate - limit`: /rate[\s_-]*limit/i. */
bool
words_say_rate_limit(const char *lower)
{
	for (const char *p = strstr(lower, "rate"); p; p = strstr(p + 1, "rate")) {
		const char *q = p + 4;

		q += strspn(q, " \t\r\n\f\v_-");
		if (strncmp(q, "limit", 5) == 0)
			return true;
	}
	return false;
}

static bool
word_character(unsigned char c)
{
	return isalnum(c) || c == '_' || c >= 0x80;
}

/* /\b429\b/ */
static bool
says_429(const char *lower)
{
	for (const char *p = strstr(lower, "429"); p; p = strstr(p + 1, "429"))
		if ((p == lower || !word_character((unsigned char)p[-1])) &&
		    !word_character((unsigned char)p[3]))
			return true;
	return false;
}

bool
words_say_context(const char *lower)
{
	if (strstr(lower, "string_above_max_length"))
		return false;
	return WORDS_ANY(lower, context_texts) ||
	       (strstr(lower, "current length is") && strstr(lower, "while limit is")) ||
	       (strstr(lower, "maximum input length is") && strstr(lower, "tokens"));
}

enum words_family
words_family_of(const struct provider *p)
{
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (strcmp(p->name, families[i].provider) == 0)
			return families[i].family;
	return FAMILY_OPENAI;
}

const struct words_own *
words_own_of(const struct provider *p)
{
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (strcmp(p->name, own[i].provider) == 0)
			return &own[i];
	return NULL;
}

static struct words_line
openai_line_by_status(int status)
{
	switch (status) {
	case 400:
	case 422:
		return LINE("BadRequestError", "");
	case 401:
		return LINE("AuthenticationError", "AuthenticationError: ");
	case 404:
		return LINE("NotFoundError", "NotFoundError: ");
	case 408:
	case 504:
		return LINE("Timeout", "Timeout Error: ");
	case 429:
		return LINE("RateLimitError", "RateLimitError: ");
	case 500:
		return LINE("InternalServerError", "InternalServerError: ");
	case 502:
		return LINE("BadGatewayError", "BadGatewayError: ");
	case 503:
		return LINE("ServiceUnavailableError", "ServiceUnavailableError: ");
	}
	return LINE("APIError", "APIError: ");
}

static struct words_line
openrouter_line(int status)
{
	switch (status) {
	case 422:
		return LINE("BadRequestError", "BadRequestError: ");
	case 500:
	case 502:
		return LINE("APIError", "APIError: ");
	}
	return openai_line_by_status(status);
}

static struct words_line
plain_line(int status)
{
	switch (status) {
	case 401:
		return LINE("AuthenticationError", "");
	case 402:
		return LINE("PaymentRequiredError", "");
	case 403:
		return LINE("PermissionDeniedError", "");
	case 404:
		return LINE("NotFoundError", "");
	case 408:
	case 504:
		return LINE("Timeout", "");
	case 429:
		return LINE("RateLimitError", "");
	case 500:
		return LINE("InternalServerError", "");
	case 502:
		return LINE("BadGatewayError", "");
	case 503:
		return LINE("ServiceUnavailableError", "");
	}
	return LINE(status >= 400 && status < 500 ? "BadRequestError" : "APIError", "");
}

/* The order of LiteLLM's rules for the OpenAI family; `lower` is the body. */
static struct words_line
openai_line(int status, const char *lower)
{
	bool invalid_request = strstr(lower, "invalid_request_error") != NULL;

	if ((status == 429 && says_429(lower)) || words_say_rate_limit(lower) ||
	    strstr(lower, "service tier capacity exceeded"))
		return LINE("RateLimitError", "RateLimitError: ");
	if (words_say_context(lower))
		return LINE("ContextWindowExceededError",
		    "litellm.BadRequestError: ContextWindowExceededError: ");
	if (invalid_request && strstr(lower, "model_not_found"))
		return LINE("NotFoundError", "");
	if (strstr(lower, "a timeout occurred"))
		return (struct words_line){ .class = "Timeout", .prefix = "", .status = 408 };
	if ((invalid_request && strstr(lower, "content_policy_violation")) ||
	    (strstr(lower, "invalid prompt") && strstr(lower, "violating our usage policy")) ||
	    strstr(lower, "request was rejected as a result of the safety system"))
		return LINE("BadRequestError",
		    "litellm.ContentPolicyViolationError: ContentPolicyViolationError: ");
	if (invalid_request && strstr(lower, "incorrect api key provided") == NULL)
		return LINE("BadRequestError", "");
	if (strstr(lower, "web server is returning an unknown error") ||
	    strstr(lower, "the server had an error processing your request."))
		return LINE("InternalServerError", "");
	if (strstr(lower, "request too large"))
		return LINE("RateLimitError", "RateLimitError: ");
	return openai_line_by_status(status);
}

static struct words_line
like_line(int status, const char *lower)
{
	struct words_line line = plain_line(status);

	if (words_say_context(lower))
		return (struct words_line){ .class = "ContextWindowExceededError",
			.prefix = "litellm.BadRequestError: ",
			.after = ": Context Window Error" };
	if (strstr(lower, "authorization denied for"))
		line = LINE("AuthenticationError", "");
	else if (strstr(lower, "token_quota_reached"))
		line = LINE("RateLimitError", "");
	else if (status == 422 || status == 424)
		line.status = 400;
	return line;
}

static struct words_line
anthropic_line(int status, const char *lower)
{
	struct words_line line = plain_line(status);

	line.name = "AnthropicException";
	if (words_say_context(lower) || strstr(lower, "prompt is too long") ||
	    strstr(lower, "prompt: length"))
		return (struct words_line){ .class = "ContextWindowExceededError",
			.prefix = "litellm.BadRequestError: ",
			.name = "AnthropicError" };
	if (strstr(lower, "overloaded"))
		return (struct words_line){ .class = "InternalServerError",
			.prefix = "",
			.status = 500,
			.name = "AnthropicError" };
	if (strstr(lower, "invalid api key"))
		return NAMED("AuthenticationError", "AnthropicError");
	if (strstr(lower, "content filtering policy"))
		return (struct words_line){ .class = "BadRequestError",
			.prefix = "litellm.ContentPolicyViolationError: ",
			.name = "AnthropicError" };
	switch (status) {
	case 413:
		line.status = 400;
		break;
	case 500:
	case 529:
		line.class = "InternalServerError";
		line.status = 500;
		line.suffix = HANDLE("InternalServerError");
		break;
	case 502:
		line.name = "AnthropicException BadGatewayError";
		break;
	case 503:
		line.suffix = HANDLE("ServiceUnavailableError");
		break;
	case 504:
		line.name = "AnthropicException Timeout";
		break;
	}
	return line;
}

static struct words_line
azure_line(int status, const char *lower)
{
	if (strstr(lower, "internal server error"))
		return NAMED("InternalServerError", "AzureException Internal server error");
	if (strstr(lower, "this model's maximum context length is"))
		return (struct words_line){ .class = "ContextWindowExceededError",
			.prefix = "litellm.BadRequestError: ",
			.name = "AzureException ContextWindowExceededError" };
	if (strstr(lower, "deploymentnotfound"))
		return NAMED("NotFoundError", "AzureException NotFoundError");
	if (strstr(lower, "content_policy_violation") ||
	    strstr(lower, "responsibleaipolicyviolation") ||
	    strstr(lower, "content_filter_policy") ||
	    strstr(lower, "your request was rejected as a result of our safety system"))
		return (struct words_line){ .class = "BadRequestError",
			.prefix = "litellm.ContentPolicyViolationError: ",
			.name = "" };
	if (status == 400 && strstr(lower, "invalid_request_error"))
		return NAMED("BadRequestError", "AzureException BadRequestError");
	switch (status) {
	case 400:
		return NAMED("BadRequestError", "AzureException");
	case 401:
		return NAMED("AuthenticationError", "AzureException AuthenticationError");
	case 404:
		return NAMED("NotFoundError", "AzureException NotFoundError");
	case 408:
	case 504:
		return NAMED("Timeout", "AzureException Timeout");
	case 422:
		return NAMED("BadRequestError", "AzureException BadRequestError");
	case 429:
		return NAMED("RateLimitError", "AzureException RateLimitError");
	case 502:
		return NAMED("BadGatewayError", "AzureException BadGatewayError");
	case 503:
		return NAMED("ServiceUnavailableError", "AzureException ServiceUnavailableError");
	}
	return NAMED("APIError", "AzureException APIError");
}

static struct words_line
cohere_line(int status, const char *lower)
{
	struct words_line line = plain_line(status);

	if (strstr(lower, "invalid api token") || strstr(lower, "no api key provided."))
		return NAMED("AuthenticationError", "CohereException");
	if (strstr(lower, "too many tokens"))
		return (struct words_line){ .class = "ContextWindowExceededError",
			.prefix = "litellm.BadRequestError: ",
			.name = "CohereException" };
	if (status == 400 || status == 408 || status == 498 || status == 500)
		line.name = "CohereException";
	return line;
}

static struct words_line
huggingface_line(int status, const char *lower)
{
	if (strstr(lower, "length limit exceeded"))
		return (struct words_line){ .class = "ContextWindowExceededError",
			.prefix = "litellm.BadRequestError: ",
			.name = "" };
	if (strstr(lower, "a valid user token is required"))
		return NAMED("BadRequestError", "");
	if (strstr(lower, "rate limit reached"))
		return NAMED("RateLimitError", "");
	switch (status) {
	case 400:
	case 401:
	case 408:
	case 429:
	case 503:
		return plain_line(status);
	}
	return LINE("APIError", "");
}

/* What LiteLLM's own client raises for the rest says the URL; ours repeats the answer. */
static struct words_line
replicate_line(int status)
{
	switch (status) {
	case 400:
	case 401:
	case 408:
	case 413:
	case 429:
		return plain_line(status);
	case 422:
		return LINE("UnprocessableEntityError", "");
	case 500:
		return (struct words_line){
			.class = "ServiceUnavailableError", .prefix = "", .status = 503
		};
	}
	return LINE("APIError", "");
}

struct words_line
words_line_of(enum words_family family, int status, const char *lower)
{
	switch (family) {
	case FAMILY_OPENAI:
		return openai_line(status, lower);
	case FAMILY_OPENROUTER:
		return openrouter_line(status);
	case FAMILY_LIKE:
		return like_line(status, lower);
	case FAMILY_PLAIN:
		break;
	case FAMILY_ANTHROPIC:
		return anthropic_line(status, lower);
	case FAMILY_AZURE:
		return azure_line(status, lower);
	case FAMILY_COHERE:
		return cohere_line(status, lower);
	case FAMILY_HUGGINGFACE:
		return huggingface_line(status, lower);
	case FAMILY_REPLICATE:
		return replicate_line(status);
	case FAMILY_BEDROCK:
	case FAMILY_GOOGLE:
	case FAMILY_NLP_CLOUD:
	case FAMILY_SAGEMAKER:
		return words_cloud_line(family, status, lower, plain_line(status));
	}
	return plain_line(status);
}
