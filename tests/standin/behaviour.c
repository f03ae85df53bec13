/* SPDX-License-Identifier: Apache-2.0 */
/* The table of words and its reader. */
#include "tests/standin/behaviour.h"

#include <stddef.h>

#include "shared/err.h"

#define DEFAULT_RETRY_AFTER_S 20

static const struct fault faults[] = {
#define FAULT(word, status, type, code, param, message) \
	{ word, status, type, code, param, message },
#include "tests/standin/faults.def"
#undef FAULT
};

enum kind {
	WORD_NOTHING,
	WORD_BODY,   /* body = value */
	WORD_END,    /* end = value */
	WORD_FLAG,   /* flags |= value */
	WORD_NUMBER, /* the uint64_t at `at` = the number */
	WORD_TEXT,   /* the text at `at`, `value` bytes with its NUL */
	WORD_DRIP,   /* BYTES/MS */
	WORD_STATUS,
	WORD_LATENCY, /* the number, or `value` */
	WORD_RETRY,
	WORD_CUT,
	WORD_WHEN,	  /* when = value, when_n = the number */
	WORD_BODY_NUMBER, /* body = value, amount = the number, or `at` */
};

static const struct word {
	const char *word;
	enum kind kind;
	unsigned value;
	size_t at;
} words[] = {
	{ "ok", WORD_NOTHING, 0, 0 },
	{ "badaccept", WORD_FLAG, FLAG_BADACCEPT, 0 },
	{ "badframe", WORD_FLAG, FLAG_BADFRAME, 0 },
	{ "badjson", WORD_BODY, BODY_BADJSON, 0 },
	{ "badlength", WORD_FLAG, FLAG_BADLENGTH, 0 },
	{ "badutf8", WORD_BODY, BODY_BADUTF8, 0 },
	{ "binary", WORD_FLAG, FLAG_BINARY, 0 },
	{ "chunked", WORD_FLAG, FLAG_CHUNKED, 0 },
	{ "close", WORD_END, END_CLOSE, 0 },
	{ "cut", WORD_CUT, 0, 0 },
	{ "cutheaders", WORD_END, END_CUTHEADERS, 0 },
	{ "deep", WORD_BODY_NUMBER, BODY_DEEP, 100000 },
	{ "drip", WORD_DRIP, 0, 0 },
	{ "empty", WORD_BODY, BODY_EMPTY, 0 },
	{ "emptychoices", WORD_BODY, BODY_EMPTYCHOICES, 0 },
	{ "emptyobj", WORD_BODY, BODY_EMPTYOBJ, 0 },
	{ "endless", WORD_BODY, BODY_ENDLESS, 0 },
	{ "failfirst", WORD_WHEN, WHEN_FAILFIRST, 0 },
	{ "flap", WORD_WHEN, WHEN_FLAP, 0 },
	{ "fragments", WORD_FLAG, FLAG_FRAGMENTS, 0 },
	{ "garbage", WORD_BODY, BODY_GARBAGE, 0 },
	{ "goodbye", WORD_FLAG, FLAG_GOODBYE, 0 },
	{ "gzip", WORD_FLAG, FLAG_GZIP, 0 },
	{ "half", WORD_END, END_HALF, 0 },
	{ "hang", WORD_END, END_HANG, 0 },
	{ "hangbody", WORD_END, END_HANGBODY, 0 },
	{ "html502", WORD_BODY, BODY_HTML502, 0 },
	{ "huge", WORD_BODY_NUMBER, BODY_HUGE, 100000000 },
	{ "hugeheaders", WORD_NUMBER, 0, offsetof(struct behaviour, fill_header) },
	{ "key", WORD_TEXT, sizeof(((struct behaviour *)0)->key), offsetof(struct behaviour, key) },
	{ "latency", WORD_LATENCY, 0, 0 },
	{ "manyheaders", WORD_NUMBER, 0, offsetof(struct behaviour, many_headers) },
	{ "masked", WORD_FLAG, FLAG_MASKED, 0 },
	{ "nochoices", WORD_BODY, BODY_NOCHOICES, 0 },
	{ "norates", WORD_FLAG, FLAG_NORATES, 0 },
	{ "noretry", WORD_FLAG, FLAG_NORETRY, 0 },
	{ "nothttp", WORD_BODY, BODY_NOTHTTP, 0 },
	{ "notokens", WORD_FLAG, FLAG_NOTOKENS, 0 },
	{ "nullchoices", WORD_BODY, BODY_NULLCHOICES, 0 },
	{ "okafter", WORD_WHEN, WHEN_OKAFTER, 0 },
	{ "redirect", WORD_TEXT, sizeof(((struct behaviour *)0)->location),
	    offsetof(struct behaviour, location) },
	{ "reset", WORD_END, END_RESET, 0 },
	{ "retry", WORD_RETRY, 0, 0 },
	{ "slow", WORD_LATENCY, 10000, 0 },
	{ "stall100", WORD_FLAG, FLAG_STALL100, 0 },
	{ "status", WORD_STATUS, 0, 0 },
	{ "twolengths", WORD_FLAG, FLAG_TWOLENGTHS, 0 },
	{ "wsclose", WORD_NUMBER, 0, offsetof(struct behaviour, close_code) },
	{ "wrongshape", WORD_BODY, BODY_WRONGSHAPE, 0 },
};

/* The number at the start of s, at most 2^40; false when there is none. */
static bool
number(struct str s, uint64_t *value)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
		if (n < (uint64_t)1 << 36)
			n = n * 10 + (uint64_t)(s.p[i] - '0');
	*value = n;
	return i > 0;
}

static void
set_status(struct behaviour *b, uint64_t status)
{
	if (status >= 200 && status <= 999) {
		b->body = BODY_STATUS;
		b->status = (int)status;
	}
}

static void
apply_word(struct behaviour *b, const struct word *w, struct str value)
{
	uint64_t n = 0;
	bool has_number = number(value, &n);
	const char *slash;
	char *text;

	switch (w->kind) {
	case WORD_NOTHING:
		break;
	case WORD_BODY:
		b->body = w->value;
		break;
	case WORD_BODY_NUMBER:
		b->body = w->value;
		b->amount = has_number ? n : w->at;
		break;
	case WORD_END:
		b->end = w->value;
		break;
	case WORD_CUT:
		b->end = END_CUT;
		b->cut_at = n;
		break;
	case WORD_FLAG:
		b->flags |= w->value;
		break;
	case WORD_NUMBER:
		memcpy((char *)b + w->at, &n, sizeof(n));
		break;
	case WORD_TEXT:
		text = (char *)b + w->at;
		n = value.n < w->value ? value.n : w->value - 1;
		memcpy(text, value.p, n);
		text[n] = '\0';
		if (w->at == offsetof(struct behaviour, location))
			b->body = BODY_REDIRECT;
		break;
	case WORD_DRIP:
		slash = value.n ? memchr(value.p, '/', value.n) : NULL;
		b->drip_bytes = n ? n : 1;
		b->drip_ms = 1;
		if (slash != NULL) {
			value.n -= (size_t)(slash + 1 - value.p);
			value.p = slash + 1;
			if (number(value, &n) && n > 0)
				b->drip_ms = n;
		}
		break;
	case WORD_STATUS:
		set_status(b, n);
		break;
	case WORD_LATENCY:
		b->latency_ms = has_number ? (int64_t)n : w->value;
		break;
	case WORD_RETRY:
		b->retry_after_s = (int64_t)n;
		break;
	case WORD_WHEN:
		b->when = w->value;
		b->when_n = n ? n : 1;
		break;
	}
}

const struct fault *
behaviour_fault(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		if (strcmp(faults[i].word, word) == 0)
			return &faults[i];
	return NULL;
}

static void
read_word(struct behaviour *b, struct str text)
{
	const char *equals = memchr(text.p, '=', text.n);
	struct str name = { text.p, equals ? (size_t)(equals - text.p) : text.n };
	struct str value = { name.p + name.n, text.n - name.n };
	uint64_t status;

	if (equals != NULL)
		value.p++, value.n--;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_is(name, words[i].word)) {
			apply_word(b, &words[i], value);
			return;
		}
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		if (str_is(name, faults[i].word)) {
			b->body = BODY_FAULT;
			b->fault = &faults[i];
			return;
		}
	if (name.n == 4 && name.p[0] == 'e') { /* e418: a status that has no fault of its own */
		struct str digits = { name.p + 1, 3 };
		bool all = true;

		for (size_t i = 0; i < 3; i++)
			all = all && digits.p[i] >= '0' && digits.p[i] <= '9';
		if (all && number(digits, &status))
			set_status(b, status);
	}
}

/* Whether anything of it makes a probe fail. */
static bool
fails(const struct behaviour *b)
{
	return b->body != BODY_OK || b->end != END_WHOLE || b->key[0] != '\0' ||
	       b->close_code != 0 || b->latency_ms > 0 ||
	       (b->flags & (FLAG_BADLENGTH | FLAG_TWOLENGTHS | FLAG_BADACCEPT | FLAG_MASKED |
			       FLAG_BADFRAME)) != 0;
}

void
behaviour_parse(struct behaviour *b, struct str text)
{
	*b = (struct behaviour){ .latency_ms = -1, .retry_after_s = -1, .first_ms = -1 };
	while (text.n > 0) {
		size_t n = 0, gap = 0;

		for (n = 0; n < text.n; n++) {
			if (text.p[n] == ',' || text.p[n] == ';')
				gap = 1;
			else if (text.p[n] == '-' && n + 1 < text.n && text.p[n + 1] == '-')
				gap = 2;
			if (gap > 0)
				break;
		}
		while (n > 0 && *text.p == ' ')
			text.p++, text.n--, n--;
		if (n > 0)
			read_word(b, (struct str){ text.p, n });
		text.p += n + gap;
		text.n -= n + gap;
	}
	if (b->retry_after_s < 0 && b->body == BODY_FAULT && strcmp(b->fault->word, "e429") == 0)
		b->retry_after_s = DEFAULT_RETRY_AFTER_S;
	if (b->flags & FLAG_NORETRY)
		b->retry_after_s = -1;
	if (b->when != WHEN_ALWAYS && !fails(b)) {
		b->body = BODY_FAULT;
		b->fault = behaviour_fault("e500");
	}
}

bool
behaviour_is_plain(const struct behaviour *b)
{
	return b->body == BODY_OK && b->end == END_WHOLE && b->when == WHEN_ALWAYS &&
	       b->flags == 0 && b->drip_bytes == 0 && b->fill_header == 0 && b->many_headers == 0 &&
	       b->close_code == 0 && b->key[0] == '\0' && b->retry_after_s < 0;
}

bool
behaviour_applies(struct behaviour *b, int64_t now_ms)
{
	uint64_t asked = b->asked++;

	if (b->first_ms < 0)
		b->first_ms = now_ms;
	switch (b->when) {
	case WHEN_ALWAYS:
		return true;
	case WHEN_FLAP:
		return asked / b->when_n % 2 == 1;
	case WHEN_FAILFIRST:
		return asked < b->when_n;
	case WHEN_OKAFTER:
		return now_ms - b->first_ms < (int64_t)b->when_n;
	}
	return true;
}
