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

#include "workers/dialects/words_lines.h"

#define MAX_SEARCHED 8192
#define MAX_SHOWN 2048
#define MAX_TITLE 256

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

void
words_exception_of(struct buf *b, const struct target *t)
{
	const char *name = t->provider->name;

	if (strcmp(name, "openai") == 0 ||
	    (strcmp(name, "text-completion-openai") == 0 && t->mode == MODE_COMPLETION)) {
		buf_add_text(b, "OpenAIException");
		return;
	}
	/* Names that LiteLLM exchanges on the way. */
	if (strcmp(name, "ai21") == 0 && strncmp(t->model, "jamba", 5) == 0)
		name = "ai21_chat";
	else if (strcmp(name, "sagemaker_chat") == 0)
		name = "sagemaker";
	buf_add_char(b, (char)toupper((unsigned char)name[0]));
	buf_add_text(b, name + 1);
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
	words_exception_of(b, t);
	buf_add_text(b, " - ");
	buf_add_str(b, first_line(text, MAX_SHOWN));
}

/* "litellm.Class: PrefixName - text suffix" */
static void
add_named(struct buf *b, const struct target *t, const struct words_line *line, struct str text)
{
	buf_addf(b, "litellm.%s: %s", line->class, line->prefix);
	if (line->name == NULL)
		words_exception_of(b, t);
	else
		buf_add_text(b, line->name);
	if (line->after)
		buf_add_text(b, line->after);
	if (line->name == NULL || *line->name)
		buf_add_text(b, " - ");
	buf_add_str(b, first_line(text, MAX_SHOWN));
	if (line->suffix)
		buf_add_text(b, line->suffix);
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
	if (WORDS_ANY(lower, quota_texts))
		return REASON_QUOTA;
	if (WORDS_ANY(lower, key_texts))
		return REASON_AUTH;
	if (words_say_context(lower) || WORDS_ANY(lower, more_context_texts))
		return REASON_CONTEXT;
	if (WORDS_ANY(lower, policy_texts))
		return REASON_CONTENT_POLICY;
	if (WORDS_ANY(lower, model_texts) || (strstr(lower, "model") && strstr(lower, "not found")))
		return REASON_NOT_FOUND;
	if (words_say_rate_limit(lower))
		return REASON_RATE_LIMITED;
	return otherwise;
}

enum reason
words_reason(struct str said, enum reason otherwise)
{
	char lower[MAX_SEARCHED];

	lower_case(said, lower);
	return reason_of_text(lower, otherwise);
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
		return WORDS_ANY(lower, quota_texts) ? REASON_QUOTA : REASON_PERMISSION;
	case 404:
		return REASON_NOT_FOUND;
	case 408:
	case 504:
		return REASON_TIMEOUT;
	case 429:
		return WORDS_ANY(lower, quota_texts) ? REASON_QUOTA : REASON_RATE_LIMITED;
	}
	if (status >= 500)
		return REASON_SERVER_ERROR;
	if (status >= 400)
		return reason_of_text(lower, REASON_BAD_REQUEST);
	return REASON_BAD_RESPONSE;
}

/* The bytes of `s` from the first `c` on, none when there is none. */
static struct str
from_byte(struct str s, char c)
{
	const char *p = s.n ? memchr(s.p, c, s.n) : NULL;

	return p ? (struct str){ p, s.n - (size_t)(p - s.p) } : (struct str){ NULL, 0 };
}

static bool
starts_as(struct str s, const char *word)
{
	return s.n >= strlen(word) && strncasecmp(s.p, word, strlen(word)) == 0;
}

static bool
is_html(struct str s)
{
	while (s.n > 0 && isspace((unsigned char)*s.p)) {
		s.p++;
		s.n--;
	}
	return starts_as(s, "<!doctype html") || starts_as(s, "<html");
}

/* The title of a page, its blanks made one; empty when it has none. */
static void
add_title(struct buf *b, struct str page)
{
	size_t before = b->len;

	if (page.n > MAX_SEARCHED)
		page.n = MAX_SEARCHED;
	for (page = from_byte(page, '<'); page.n > 0 && !starts_as(page, "<title");
	     page = from_byte(page, '<')) {
		page.p++;
		page.n--;
	}
	page = from_byte(page, '>');
	for (size_t i = 1; i < page.n && page.p[i] != '<' && b->len - before < MAX_TITLE; i++) {
		if (!isspace((unsigned char)page.p[i]) && page.p[i] != '\0')
			buf_add_char(b, page.p[i]);
		else if (b->len > before && b->data[b->len - 1] != ' ')
			buf_add_char(b, ' ');
	}
	while (b->len > before && b->data[b->len - 1] == ' ')
		b->data[--b->len] = '\0';
}

/* "head: the provider's sentence (code …, type …)". Of a page its title. */
static void
add_detail(struct buf *b, const char *head, const struct words_reply *reply)
{
	struct buf title = BUF_INIT(MAX_TITLE + 8);

	buf_add_text(b, head);
	if (is_html(reply->message)) {
		add_title(&title, reply->message);
		buf_addf(b, ": %s", title.len > 0 ? "" : "an HTML page without a title");
		buf_add_str(b, first_line(buf_str(&title), MAX_TITLE - 4));
		buf_add_text(b, title.len > 0 ? " (an HTML page)" : "");
	} else if (reply->message.n > 0) {
		buf_add_text(b, ": ");
		buf_add_str(b, first_line(reply->message, MAX_SHOWN));
	}
	if (reply->code.n > 0) {
		buf_add_text(b, " (code ");
		buf_add_str(b, first_line(reply->code, 128));
	}
	if (reply->type.n > 0) {
		buf_add_text(b, reply->code.n > 0 ? ", type " : " (type ");
		buf_add_str(b, first_line(reply->type, 128));
	}
	if (reply->code.n > 0 || reply->type.n > 0)
		buf_add_char(b, ')');
	buf_clear(&title);
}

void
words_status(
    const struct target *t, int status, const struct words_reply *reply, struct result *res)
{
	char lower[MAX_SEARCHED], head[48];
	const struct words_own *own = words_own_of(t->provider);
	struct buf text = BUF_INIT(MAX_SHOWN + 256);
	struct words_line line;

	lower_case(reply->searched, lower);
	begin(res, reason_of(status, lower), status);
	snprintf(head, sizeof(head), "the provider answered with status %d", status);
	add_detail(&res->detail, head, reply);
	if (own && own->wraps)
		buf_addf(
		    &text, "HTTPStatusError - received status_code=%d, error_message=", status);
	if (words_family_of(t->provider) == FAMILY_SAGEMAKER)
		words_add_sagemaker(&text, t->api_base, t->model, status);
	else
		buf_add_str(&text, first_line(reply->shown, MAX_SHOWN));
	if (WORDS_ANY(lower, timeout_texts))
		line = (struct words_line){ .class = "Timeout",
			.prefix = "APITimeoutError - Request timed out. Error_str: ",
			.name = "" };
	else
		line = words_line_of(words_family_of(t->provider), status, lower);
	if (line.status)
		res->exception_status = line.status;
	add_named(&res->error, t, &line, buf_str(&text));
	buf_clear(&text);
}

/* What a success that is an error is said to be, in the words of its provider. */
static void
add_own_error(const struct target *t, const struct words_own *own, const struct words_reply *reply,
    struct result *res)
{
	struct buf text = BUF_INIT(MAX_SHOWN * 4);
	struct str key, value;
	size_t at = 0;

	if (own->before)
		buf_add_text(&text, own->before);
	switch (own->repeat) {
	case REPEAT_MESSAGE:
		buf_add_str(&text, reply->message.n > 0 ? reply->message : reply->shown);
		break;
	case REPEAT_ERROR:
		while (answer_member(reply->searched, &at, &key, &value))
			if (str_is(key, "error"))
				answer_python(&text, value, MAX_SHOWN);
		break;
	case REPEAT_BODY:
		answer_python(&text, reply->searched, MAX_SHOWN);
		break;
	case REPEAT_NOTHING:
		break;
	}
	add_named(&res->error, t, &own->error, buf_str(&text));
	buf_clear(&text);
}

void
words_error_body(const struct target *t, const struct words_reply *reply, struct result *res)
{
	const struct words_own *own = words_own_of(t->provider);
	char lower[MAX_SEARCHED];
	enum reason reason;

	lower_case(reply->searched, lower);
	reason = reason_of_text(lower, REASON_SERVER_ERROR);
	begin(res, reason, reason_status(reason));
	add_detail(&res->detail, "status 200, but the answer is an error", reply);
	if (own) {
		add_own_error(t, own, reply, res);
		return;
	}
	add_line(&res->error, t, "APIError",
	    words_family_of(t->provider) == FAMILY_PLAIN ||
		    words_family_of(t->provider) == FAMILY_LIKE
		? ""
		: "APIError: ",
	    reply->message.n > 0 ? reply->message : reply->shown);
}

/* Those that read the body without LiteLLM's usual wrapper around it. */
static bool
reads_json_itself(const struct provider *p)
{
	return strcmp(p->name, "groq") == 0 || strcmp(p->name, "mistral") == 0 ||
	       strcmp(p->name, "azure_ai") == 0;
}

static void
add_garbage(
    struct buf *b, enum words_garbage garbage, struct str body, const struct answer_fault *fault)
{
	switch (garbage) {
	case GARBAGE_FAULT:
		answer_fault_text(b, body, fault);
		break;
	case GARBAGE_WRAPPED:
		buf_add_text(b, "Unable to get json response - ");
		answer_fault_text(b, body, fault);
		buf_add_text(b, ", Original Response: ");
		buf_add_str(b, first_line(body, 1024));
		break;
	case GARBAGE_INVALID:
		buf_add_text(b, "Invalid JSON response: ");
		buf_add_str(b, first_line(body, 1024));
		break;
	case GARBAGE_BODY:
		buf_add_str(b, first_line(body, 1024));
		break;
	case GARBAGE_BLOCK:
		buf_add_text(b, "Error converting to valid response block=");
		answer_fault_text(b, body, fault);
		buf_add_text(b, WORDS_FILE_AN_ISSUE);
		break;
	}
}

void
words_not_json(const struct target *t, enum provider_client client, struct str body,
    const struct answer_fault *fault, struct result *res)
{
	enum words_family family = words_family_of(t->provider);
	const struct words_own *own = words_own_of(t->provider);
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

	if (own) {
		add_garbage(&text, own->garbage, body, fault);
		add_named(&res->error, t, &own->not_json, buf_str(&text));
		buf_clear(&text);
		return;
	}
	if (client == CLIENT_SDK || reads_json_itself(t->provider)) {
		add_garbage(&text, GARBAGE_FAULT, body, fault);
		class = client == CLIENT_SDK ? "InternalServerError" : "APIConnectionError";
		prefix = family == FAMILY_PLAIN || family == FAMILY_LIKE ? ""
			 : client == CLIENT_SDK				 ? "InternalServerError: "
									 : "APIConnectionError: ";
	} else {
		add_garbage(&text, GARBAGE_WRAPPED, body, fault);
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
	if (reason == REASON_CONNECT && WORDS_ANY(lower, cut_texts)) {
		buf_add_text(b, "Server disconnected");
		return;
	}
	buf_add_text(b, "Cannot connect to host ");
	add_host(b, t->api_base);
	buf_add_text(b, " ssl:default [");
	buf_add_str(b, what);
	buf_add_char(b, ']');
}

/* What the provider, or we before it, refused: said without an answer in HTTP, by a WebSocket's close. */
static bool
is_refusal(enum reason reason)
{
	switch (reason) {
	case REASON_CONFIG:
	case REASON_AUTH:
	case REASON_PERMISSION:
	case REASON_NOT_FOUND:
	case REASON_RATE_LIMITED:
	case REASON_QUOTA:
	case REASON_BAD_REQUEST:
	case REASON_CONTEXT:
	case REASON_CONTENT_POLICY:
		return true;
	default:
		return false;
	}
}

void
judge_transport(const struct target *t, enum reason reason, struct str what, struct result *res)
{
	const struct words_own *own = words_own_of(t->provider);
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
	if (is_refusal(reason)) {
		add_line(&res->error, t, reason_exception(reason), "", buf_str(&text));
	} else if (own) {
		add_named(&res->error, t, &own->transport, buf_str(&text));
	} else {
		switch (words_family_of(t->provider)) {
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
		default:
			add_line(&res->error, t, "InternalServerError",
			    "InternalServerError: ", buf_str(&text));
			break;
		}
	}
	buf_clear(&text);
}
