/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reasons and LiteLLM's words. The reason is ours and follows from status and text; the first line
 * follows LiteLLM's rules, which look at the text first and at the status last, so both are kept
 * apart.
 */
#include "workers/dialects/words.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MAX_SEARCHED 8192
#define MAX_SHOWN 2048

/* Which of LiteLLM's blocks of rules maps a provider's errors. */
enum family {
	FAMILY_OPENAI,
	FAMILY_OPENROUTER, /* by status alone */
	FAMILY_LIKE,	   /* its openai_like block */
	FAMILY_PLAIN,	   /* none of its own: by status, without a word in front */
};

static const struct {
	const char *provider;
	enum family family;
} families[] = {
	{ "openrouter", FAMILY_OPENROUTER },
	{ "databricks", FAMILY_LIKE },
	{ "openai_like", FAMILY_LIKE },
	{ "cloudflare", FAMILY_PLAIN },
	{ "snowflake", FAMILY_PLAIN },
};

static const char *const context_texts[] = { "exceed context limit",
	"this model's maximum context length is",
	"string too long. expected a string with maximum length", "model's maximum context limit",
	"is longer than the model's context length", "input tokens exceed the configured limit",
	"`inputs` tokens + `max_new_tokens` must be", "exceeds the available context size",
	"exceeds the maximum number of tokens allowed" };
/* What other servers say of the same; for our reason only. */
static const char *const more_context_texts[] = { "context_length_exceeded", "prompt is too long",
	"maximum context length", "context window" };
static const char *const policy_texts[] = { "content_policy_violation",
	"responsibleaipolicyviolation", "rejected as a result of our safety system",
	"rejected as a result of the safety system", "violating our usage policy", "content_filter",
	"content management policy" };
static const char *const quota_texts[] = { "insufficient_quota", "exceeded your current quota",
	"credit balance is too low", "insufficient balance", "insufficient_balance",
	"insufficient credits", "insufficient_credits", "billing_hard_limit", "billing_not_active",
	"token_quota_reached", "payment required" };
static const char *const key_texts[] = { "incorrect api key", "invalid_api_key", "invalid api key",
	"api key not valid", "invalid authentication", "authentication_error", "api key is invalid",
	"no api key", "expired api key", "api key expired" };
static const char *const model_texts[] = { "model_not_found",
	"does not exist or you do not have access", "unknown model", "no such model",
	"model not found" };
static const char *const timeout_texts[] = { "request timeout error", "request timed out",
	"timed out generating response", "the read operation timed out" };

/* How the transfer says that a connection there was is gone, not that there was none. */
static const char *const cut_texts[] = { "cut off", "broken off", "reset by", "closed" };

static bool
any_of(const char *lower, const char *const *texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strstr(lower, texts[i]))
			return true;
	return false;
}
#define ANY_OF(lower, texts) any_of(lower, texts, ARRAY_LEN(texts))

/* The first part of a text in lower case, NUL-terminated. */
static void
lower_case(struct str s, char *out)
{
	size_t n = s.n < MAX_SEARCHED - 1 ? s.n : MAX_SEARCHED - 1;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		out[i] = c == '\0' ? ' ' : c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : (char)c;
	}
	out[n] = '\0';
}

/* `rate limit`, `rate_limit`, `ratelimit`, `rate - limit`: /rate[\s_-]*limit/i. */
static bool
says_rate_limit(const char *lower)
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

static bool
says_context(const char *lower)
{
	if (strstr(lower, "string_above_max_length"))
		return false;
	return ANY_OF(lower, context_texts) ||
	       (strstr(lower, "current length is") && strstr(lower, "while limit is")) ||
	       (strstr(lower, "maximum input length is") && strstr(lower, "tokens"));
}

static enum family
family_of(const struct provider *p)
{
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (strcmp(p->name, families[i].provider) == 0)
			return families[i].family;
	return FAMILY_OPENAI;
}

void
words_exception_of(struct buf *b, const struct provider *p)
{
	if (strcmp(p->name, "openai") == 0 || strcmp(p->name, "text-completion-openai") == 0) {
		buf_add_text(b, "OpenAIException");
		return;
	}
	buf_add_char(b, (char)toupper((unsigned char)p->name[0]));
	buf_add_text(b, p->name + 1);
	buf_add_text(b, "Exception");
}

/* The first line of a text, cut to a limit at a character's border. */
static struct str
first_line(struct str s, size_t max)
{
	const char *end = s.n ? memchr(s.p, '\n', s.n) : NULL;

	if (end)
		s.n = (size_t)(end - s.p);
	if (s.n > max) {
		s.n = max;
		while (s.n > 0 && ((unsigned char)s.p[s.n] & 0xc0) == 0x80)
			s.n--;
	}
	while (s.n > 0 && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

/* "litellm.Class: Prefix: GroqException - text" */
static void
add_line(
    struct buf *b, const struct target *t, const char *class, const char *prefix, struct str text)
{
	buf_addf(b, "litellm.%s: %s", class, prefix);
	words_exception_of(b, t->provider);
	buf_add_text(b, " - ");
	buf_add_str(b, first_line(text, MAX_SHOWN));
}

static void
begin(struct result *res, enum reason reason, int64_t status)
{
	res->healthy = false;
	res->reason = reason;
	res->exception_status = status;
	buf_reset(&res->error);
	buf_reset(&res->detail);
}

static enum reason
reason_of_text(const char *lower, enum reason otherwise)
{
	if (ANY_OF(lower, quota_texts))
		return REASON_QUOTA;
	if (ANY_OF(lower, key_texts))
		return REASON_AUTH;
	if (says_context(lower) || ANY_OF(lower, more_context_texts))
		return REASON_CONTEXT;
	if (ANY_OF(lower, policy_texts))
		return REASON_CONTENT_POLICY;
	if (ANY_OF(lower, model_texts))
		return REASON_NOT_FOUND;
	if (says_rate_limit(lower))
		return REASON_RATE_LIMITED;
	return otherwise;
}

static enum reason
reason_of(int status, const char *lower)
{
	switch (status) {
	case 401:
		return REASON_AUTH;
	case 402:
		return REASON_QUOTA;
	case 403:
		return ANY_OF(lower, quota_texts) ? REASON_QUOTA : REASON_PERMISSION;
	case 404:
		return REASON_NOT_FOUND;
	case 408:
	case 504:
		return REASON_TIMEOUT;
	case 429:
		return ANY_OF(lower, quota_texts) ? REASON_QUOTA : REASON_RATE_LIMITED;
	}
	if (status >= 500)
		return REASON_SERVER_ERROR;
	if (status >= 400)
		return reason_of_text(lower, REASON_BAD_REQUEST);
	return REASON_BAD_RESPONSE;
}

struct line {
	const char *class;
	const char *prefix;
	int status; /* 0: the answer's own */
};

static struct line
openai_line_by_status(int status)
{
	switch (status) {
	case 400:
	case 422:
		return (struct line){ "BadRequestError", "", 0 };
	case 401:
		return (struct line){ "AuthenticationError", "AuthenticationError: ", 0 };
	case 404:
		return (struct line){ "NotFoundError", "NotFoundError: ", 0 };
	case 408:
	case 504:
		return (struct line){ "Timeout", "Timeout Error: ", 0 };
	case 429:
		return (struct line){ "RateLimitError", "RateLimitError: ", 0 };
	case 500:
		return (struct line){ "InternalServerError", "InternalServerError: ", 0 };
	case 502:
		return (struct line){ "BadGatewayError", "BadGatewayError: ", 0 };
	case 503:
		return (struct line){ "ServiceUnavailableError", "ServiceUnavailableError: ", 0 };
	}
	return (struct line){ "APIError", "APIError: ", 0 };
}

static struct line
openrouter_line(int status)
{
	switch (status) {
	case 422:
		return (struct line){ "BadRequestError", "BadRequestError: ", 0 };
	case 500:
	case 502:
		return (struct line){ "APIError", "APIError: ", 0 };
	}
	return openai_line_by_status(status);
}

static struct line
plain_line(int status)
{
	switch (status) {
	case 401:
		return (struct line){ "AuthenticationError", "", 0 };
	case 402:
		return (struct line){ "PaymentRequiredError", "", 0 };
	case 403:
		return (struct line){ "PermissionDeniedError", "", 0 };
	case 404:
		return (struct line){ "NotFoundError", "", 0 };
	case 408:
	case 504:
		return (struct line){ "Timeout", "", 0 };
	case 429:
		return (struct line){ "RateLimitError", "", 0 };
	case 500:
		return (struct line){ "InternalServerError", "", 0 };
	case 502:
		return (struct line){ "BadGatewayError", "", 0 };
	case 503:
		return (struct line){ "ServiceUnavailableError", "", 0 };
	}
	return (
	    struct line){ status >= 400 && status < 500 ? "BadRequestError" : "APIError", "", 0 };
}

/* The order of LiteLLM's rules for the OpenAI family; `lower` is the body. */
static struct line
openai_line(int status, const char *lower)
{
	bool invalid_request = strstr(lower, "invalid_request_error") != NULL;

	if ((status == 429 && says_429(lower)) || says_rate_limit(lower) ||
	    strstr(lower, "service tier capacity exceeded"))
		return (struct line){ "RateLimitError", "RateLimitError: ", 0 };
	if (says_context(lower))
		return (struct line){ "ContextWindowExceededError",
			"litellm.BadRequestError: ContextWindowExceededError: ", 0 };
	if (invalid_request && strstr(lower, "model_not_found"))
		return (struct line){ "NotFoundError", "", 0 };
	if (strstr(lower, "a timeout occurred"))
		return (struct line){ "Timeout", "", 408 };
	if ((invalid_request && strstr(lower, "content_policy_violation")) ||
	    (strstr(lower, "invalid prompt") && strstr(lower, "violating our usage policy")) ||
	    strstr(lower, "request was rejected as a result of the safety system"))
		return (struct line){ "BadRequestError",
			"litellm.ContentPolicyViolationError: ContentPolicyViolationError: ", 0 };
	if (invalid_request && strstr(lower, "incorrect api key provided") == NULL)
		return (struct line){ "BadRequestError", "", 0 };
	if (strstr(lower, "web server is returning an unknown error") ||
	    strstr(lower, "the server had an error processing your request."))
		return (struct line){ "InternalServerError", "", 0 };
	if (strstr(lower, "request too large"))
		return (struct line){ "RateLimitError", "RateLimitError: ", 0 };
	return openai_line_by_status(status);
}

static void
add_detail(struct buf *b, const char *head, const struct words_reply *reply)
{
	buf_add_text(b, head);
	if (reply->code.n > 0) {
		buf_add_text(b, ", code ");
		buf_add_str(b, first_line(reply->code, 128));
	}
	if (reply->type.n > 0) {
		buf_add_text(b, ", type ");
		buf_add_str(b, first_line(reply->type, 128));
	}
	if (reply->message.n > 0) {
		buf_add_text(b, ": ");
		buf_add_str(b, first_line(reply->message, MAX_SHOWN));
	}
}

void
words_status(
    const struct target *t, int status, const struct words_reply *reply, struct result *res)
{
	char lower[MAX_SEARCHED], head[48];
	enum family family = family_of(t->provider);
	struct line line;

	lower_case(reply->searched, lower);
	begin(res, reason_of(status, lower), status);
	snprintf(head, sizeof(head), "the provider answered with status %d", status);
	add_detail(&res->detail, head, reply);
	if (ANY_OF(lower, timeout_texts)) {
		buf_add_text(&res->error,
		    "litellm.Timeout: APITimeoutError - Request timed out. Error_str: ");
		buf_add_str(&res->error, first_line(reply->shown, MAX_SHOWN));
		return;
	}
	switch (family) {
	case FAMILY_OPENAI:
		line = openai_line(status, lower);
		break;
	case FAMILY_OPENROUTER:
		line = openrouter_line(status);
		break;
	case FAMILY_LIKE:
		line = plain_line(status);
		if (says_context(lower)) {
			buf_add_text(&res->error,
			    "litellm.ContextWindowExceededError: litellm.BadRequestError: ");
			words_exception_of(&res->error, t->provider);
			buf_add_text(&res->error, ": Context Window Error - ");
			buf_add_str(&res->error, first_line(reply->shown, MAX_SHOWN));
			return;
		}
		if (strstr(lower, "authorization denied for"))
			line = (struct line){ "AuthenticationError", "", 0 };
		else if (strstr(lower, "token_quota_reached"))
			line = (struct line){ "RateLimitError", "", 0 };
		else if (status == 422 || status == 424)
			line.status = 400;
		break;
	default:
		line = plain_line(status);
		break;
	}
	if (line.status)
		res->exception_status = line.status;
	add_line(&res->error, t, line.class, line.prefix, reply->shown);
}

void
words_error_body(const struct target *t, const struct words_reply *reply, struct result *res)
{
	char lower[MAX_SEARCHED];
	enum reason reason;

	lower_case(reply->searched, lower);
	reason = reason_of_text(lower, REASON_SERVER_ERROR);
	begin(res, reason, reason_status(reason));
	add_detail(&res->detail, "status 200, but the answer is an error", reply);
	add_line(&res->error, t, "APIError",
	    family_of(t->provider) == FAMILY_PLAIN || family_of(t->provider) == FAMILY_LIKE
		? ""
		: "APIError: ",
	    reply->message.n > 0 ? reply->message : reply->shown);
}

/* Two that read the body without LiteLLM's usual wrapper around it. */
static bool
reads_json_itself(const struct provider *p)
{
	return strcmp(p->name, "groq") == 0 || strcmp(p->name, "mistral") == 0;
}

void
words_not_json(const struct target *t, enum provider_client client, struct str body,
    const struct answer_fault *fault, struct result *res)
{
	enum family family = family_of(t->provider);
	struct buf text = BUF_INIT(MAX_SHOWN + 1024);
	const char *class = "APIError", *prefix = "APIError: ";

	begin(res, REASON_BAD_RESPONSE, 500);
	if (body.n == 0)
		buf_add_text(&res->detail, "status 200, but the body is empty");
	else if (fault->err == ERR_INVALID)
		buf_addf(
		    &res->detail, "status 200, but the body is not UTF-8 at byte %zu", fault->at);
	else if (fault->err == ERR_LIMIT)
		buf_addf(&res->detail, "status 200, but the body is nested deeper than %d levels",
		    ANSWER_MAX_DEPTH);
	else
		buf_addf(&res->detail, "status 200, but the body is not JSON at byte %zu of %zu",
		    fault->at, body.n);

	if (client == CLIENT_SDK || reads_json_itself(t->provider)) {
		answer_fault_text(&text, body, fault);
		class = client == CLIENT_SDK ? "InternalServerError" : "APIConnectionError";
		prefix = client == CLIENT_SDK ? "InternalServerError: " : "APIConnectionError: ";
	} else {
		buf_add_text(&text, "Unable to get json response - ");
		answer_fault_text(&text, body, fault);
		buf_add_text(&text, ", Original Response: ");
		buf_add_str(&text, first_line(body, 1024));
		if (family == FAMILY_PLAIN || family == FAMILY_LIKE) {
			class = "APIConnectionError";
			prefix = "";
		}
	}
	add_line(&res->error, t, class, prefix, buf_str(&text));
	buf_clear(&text);
}

void
words_shape(const struct target *t, const char *class, struct str theirs, struct str ours,
    struct result *res)
{
	begin(res, REASON_BAD_RESPONSE, 500);
	buf_add_str(&res->detail, ours);
	if (class) {
		buf_addf(&res->error, "litellm.%s: ", class);
		buf_add_str(&res->error, first_line(theirs, MAX_SHOWN));
	} else {
		add_line(&res->error, t, "InternalServerError",
		    "InternalServerError: ", theirs.n > 0 ? theirs : ours);
	}
}

void
words_config(
    const struct target *t, int status, const char *theirs, struct str ours, struct result *res)
{
	begin(res, REASON_CONFIG, status);
	buf_add_str(&res->detail, ours);
	if (theirs)
		buf_add_text(&res->error, theirs);
	else
		add_line(&res->error, t, "BadRequestError", "", ours);
}

/* The host and port of a URL, as LiteLLM's HTTP client names them. */
static void
add_host(struct buf *b, const char *url)
{
	const char *p = strstr(url, "://"), *at;
	bool tls = strncasecmp(url, "https", 5) == 0;
	size_t n;

	p = p ? p + 3 : url;
	n = strcspn(p, "/?#");
	at = memrchr(p, '@', n);
	if (at) {
		n -= (size_t)(at + 1 - p);
		p = at + 1;
	}
	buf_add(b, p, n);
	if (memchr(p, ':', n) == NULL)
		buf_add_text(b, tls ? ":443" : ":80");
}

static void
add_transport_text(struct buf *b, const struct target *t, enum reason reason, struct str what)
{
	const struct provider_call *call = provider_call(t->provider, t->mode);
	char lower[MAX_SEARCHED];

	if (reason != REASON_DNS && reason != REASON_CONNECT && reason != REASON_TLS) {
		buf_add_str(b, what);
		return;
	}
	if (call == NULL || call->client == CLIENT_SDK) {
		buf_add_text(b, "Connection error.");
		return;
	}
	lower_case(what, lower);
	if (reason == REASON_CONNECT && ANY_OF(lower, cut_texts)) {
		buf_add_text(b, "Server disconnected");
		return;
	}
	buf_add_text(b, "Cannot connect to host ");
	add_host(b, t->api_base);
	buf_add_text(b, " ssl:default [");
	buf_add_str(b, what);
	buf_add_char(b, ']');
}

void
judge_transport(const struct target *t, enum reason reason, struct str what, struct result *res)
{
	struct buf text = BUF_INIT(MAX_SHOWN);

	begin(res, reason, reason_status(reason));
	buf_add_str(&res->detail, what);
	if (reason == REASON_TIMEOUT) {
		/* The shorter of the two timeouts is the one that has passed. */
		if (t->attempt_timeout_ms > 0 && t->attempt_timeout_ms < t->timeout_ms) {
			buf_addf(&res->error,
			    "litellm.Timeout: APITimeoutError - Request timed out. Error_str: "
			    "Request timed out. - timeout value=%g%s",
			    (double)t->attempt_timeout_ms / 1000,
			    t->attempt_timeout_ms % 1000 == 0 ? ".0" : "");
		} else {
			buf_add_text(&res->error, "Timeout exceeded");
		}
		return;
	}
	add_transport_text(&text, t, reason, what);
	if (reason == REASON_CONFIG) {
		add_line(&res->error, t, "BadRequestError", "", buf_str(&text));
	} else {
		switch (family_of(t->provider)) {
		case FAMILY_OPENAI:
			add_line(&res->error, t, "InternalServerError",
			    "InternalServerError: ", buf_str(&text));
			break;
		case FAMILY_OPENROUTER:
			add_line(&res->error, t, "APIConnectionError",
			    "APIConnectionError: ", buf_str(&text));
			break;
		case FAMILY_LIKE:
			add_line(&res->error, t, "InternalServerError", "", buf_str(&text));
			break;
		case FAMILY_PLAIN:
			add_line(&res->error, t, "APIConnectionError", "", buf_str(&text));
			break;
		}
	}
	buf_clear(&text);
}
