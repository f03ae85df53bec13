/* SPDX-License-Identifier: Apache-2.0 */
/* LiteLLM's rules for Amazon, Google and NLP Cloud, in their order; see words_lines.h. */
#include "workers/dialects/words_lines.h"

#include <string.h>

#define NAMED(c, n) ((struct words_line){ .class = (c), .prefix = "", .name = (n) })

static struct words_line
bedrock_line(int status, const char *lower, struct words_line plain)
{
	static const char *const context[] = { "too many tokens",
		"expected maxlength:", "input is too long", "prompt is too long",
		"too many input tokens" };
	static const char *const key[] = { "unable to locate credentials",
		"the security token included in the request is invalid" };
	static const char *const timeout[] = { "connect timeout on endpoint url", "timed out" };

	if (WORDS_ANY(lower, context))
		return (struct words_line){ .class = "ContextWindowExceededError",
			.prefix = "litellm.BadRequestError: ",
			.name = "BedrockException: Context Window Error" };
	if (strstr(lower, "malformed input request"))
		return NAMED("BadRequestError", "BedrockException");
	if (WORDS_ANY(lower, key))
		return NAMED("AuthenticationError", "BedrockException Invalid Authentication");
	if (strstr(lower, "accessdeniedexception"))
		return NAMED("PermissionDeniedError", "BedrockException PermissionDeniedError");
	if (strstr(lower, "throttlingexception"))
		return NAMED("RateLimitError", "BedrockException: Rate Limit Error");
	if (WORDS_ANY(lower, timeout))
		return NAMED("Timeout", "BedrockException: Timeout Error");
	switch (status) {
	case 500:
		return (struct words_line){ .class = "ServiceUnavailableError",
			.prefix = "",
			.status = 503,
			.name = "BedrockException" };
	case 422:
	case 400:
	case 401:
	case 404:
	case 408:
	case 429:
	case 503:
	case 504:
		plain.name = "BedrockException";
		break;
	}
	return plain;
}

static struct words_line
google_line(int status, const char *lower, struct words_line plain)
{
	static const char *const project[] = { "vertex ai api has not been used in project",
		"unable to find your project" };
	static const char *const empty[] = { "none unknown error.", "content has no parts." };
	static const char *const quota[] = { "429 quota exceeded", "quota exceeded for",
		"resource exhausted" };
	static const char *const busy[] = { "500 internal server error",
		"the model is overloaded." };

	if (WORDS_ANY(lower, project))
		return (struct words_line){
			.class = "BadRequestError", .prefix = "", .after = " BadRequestError"
		};
	if (words_say_context(lower))
		return (struct words_line){ .class = "ContextWindowExceededError",
			.prefix = "litellm.BadRequestError: ContextWindowExceededError: " };
	if (WORDS_ANY(lower, empty) || WORDS_ANY(lower, busy))
		return (struct words_line){ .class = "InternalServerError",
			.prefix = "",
			.after = " InternalServerError" };
	if (strstr(lower, "api key not valid."))
		return NAMED("AuthenticationError", NULL);
	if (strstr(lower, "403"))
		return (struct words_line){ .class = "BadRequestError",
			.prefix = "",
			.status = 403,
			.after = " BadRequestError" };
	if (strstr(lower, "the response was blocked."))
		return (struct words_line){ .class = "BadRequestError",
			.prefix = "litellm.ContentPolicyViolationError: " };
	if (WORDS_ANY(lower, quota) || status == 429)
		return (struct words_line){ .class = "RateLimitError",
			.prefix = "litellm.RateLimitError: " };
	switch (status) {
	case 400:
		plain.after = " BadRequestError";
		break;
	case 500:
		plain.after = " InternalServerError";
		break;
	case 502:
		plain.class = "APIConnectionError";
		plain.status = 500;
		break;
	}
	return plain;
}

static struct words_line
nlp_cloud_line(int status, const char *lower, struct words_line plain)
{
	const char *class = "APIError";

	(void)lower;
	plain.name = "NLPCloudException";
	switch (status) {
	case 400:
	case 401:
	case 413:
	case 422:
	case 429:
		return plain;
	case 402:
		return (struct words_line){ .class = "RateLimitError",
			.prefix = "",
			.status = 429,
			.name = "NLPCloudException" };
	case 403:
		class = "AuthenticationError";
		break;
	case 504:
		return (struct words_line){ .class = "ServiceUnavailableError",
			.prefix = "",
			.status = 503,
			.name = "NLPCloudException" };
	}
	plain.class = class;
	return plain;
}

struct words_line
words_cloud_line(enum words_family family, int status, const char *lower, struct words_line plain)
{
	switch (family) {
	case FAMILY_BEDROCK:
		return bedrock_line(status, lower, plain);
	case FAMILY_GOOGLE:
		return google_line(status, lower, plain);
	case FAMILY_NLP_CLOUD:
		return nlp_cloud_line(status, lower, plain);
	case FAMILY_SAGEMAKER:
		plain.class = "ServiceUnavailableError";
		break;
	default:
		break;
	}
	return plain;
}

/* Python's http.HTTPStatus. */
static const char *
phrase(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} phrases[] = { { 400, "Bad Request" }, { 401, "Unauthorized" },
		{ 402, "Payment Required" }, { 403, "Forbidden" }, { 404, "Not Found" },
		{ 405, "Method Not Allowed" }, { 408, "Request Timeout" }, { 409, "Conflict" },
		{ 413, "Request Entity Too Large" }, { 422, "Unprocessable Entity" },
		{ 424, "Failed Dependency" }, { 429, "Too Many Requests" },
		{ 500, "Internal Server Error" }, { 502, "Bad Gateway" },
		{ 503, "Service Unavailable" }, { 504, "Gateway Timeout" } };

	for (size_t i = 0; i < ARRAY_LEN(phrases); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "";
}

void
words_add_sagemaker(struct buf *b, const char *base, const char *model, int status)
{
	size_t n = strlen(base);

	while (n > 0 && base[n - 1] == '/')
		n--;
	buf_addf(b, "%s error '%d %s' for url '%.*s/endpoints/%s/invocations'",
	    status < 500 ? "Client" : "Server", status, phrase(status), (int)n, base, model);
}
