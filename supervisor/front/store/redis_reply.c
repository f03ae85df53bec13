/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what a server sent. hiredis's own functions make the objects; ours refuse the large. */
#include "supervisor/front/store/redis_reply.h"

#include <stdlib.h>
#include <string.h>

#include "shared/log.h"

#define WORD_MAX 32

static const struct {
	const char *word;
	enum redis_action action;
	const char *means;
} errors[] = {
	[REDIS_ERROR_NONE] = { "", REDIS_KEEP, "" },
#define REDIS_ERROR(id, word, action, means) [REDIS_ERROR_##id] = { word, REDIS_##action, means },
#include "supervisor/front/store/redis_errors.def"
#undef REDIS_ERROR
	[REDIS_ERROR_OTHER] = { "error", REDIS_KEEP, "" },
};

static enum redis_error
error_named(struct str word)
{
	for (int i = REDIS_ERROR_NONE + 1; i < REDIS_ERROR_OTHER; i++)
		if (str_is(word, errors[i].word))
			return (enum redis_error)i;
	return REDIS_ERROR_OTHER;
}

enum redis_error
redis_error_of(const struct redisReply *r)
{
	enum redis_error e = REDIS_ERROR_OTHER;
	const char *p, *end;

	if (r == NULL || r->type != REDIS_REPLY_ERROR)
		return REDIS_ERROR_NONE;
	/* "ERR Error running script (…): @user_script:1: OOM command not allowed": older servers.
	 */
	end = r->str + r->len;
	for (p = r->str; p < end && e == REDIS_ERROR_OTHER;) {
		size_t n = 0;

		while (p + n < end && p[n] != ' ')
			n++;
		if (p == r->str || (n > 2 && n < WORD_MAX && p > r->str && p[-1] == ' '))
			e = error_named(
			    (struct str){ *p == '-' ? p + 1 : p, *p == '-' ? n - 1 : n });
		p += n + 1;
	}
	return e;
}

enum redis_action
redis_error_action(enum redis_error e)
{
	return errors[e].action;
}

const char *
redis_error_name(enum redis_error e)
{
	return errors[e].word;
}

const char *
redis_error_means(enum redis_error e)
{
	return errors[e].means;
}

bool
redis_error_node(const struct redisReply *r, char *host, size_t size, uint16_t *port)
{
	enum redis_error e = redis_error_of(r);
	const char *at, *colon;
	long number = 0;

	if (e != REDIS_ERROR_MOVED && e != REDIS_ERROR_ASK)
		return false;
	/* "MOVED 3999 127.0.0.1:6381" */
	at = strrchr(r->str, ' ');
	colon = at ? strrchr(at, ':') : NULL;
	if (colon == NULL || colon == at + 1 || (size_t)(colon - at - 1) >= size)
		return false;
	for (const char *p = colon + 1; *p >= '0' && *p <= '9' && number <= 65535; p++)
		number = number * 10 + (*p - '0');
	if (number < 1 || number > 65535)
		return false;
	memcpy(host, at + 1, (size_t)(colon - at - 1));
	host[colon - at - 1] = '\0';
	*port = (uint16_t)number;
	return true;
}

struct str
redis_reply_text(const struct redisReply *r)
{
	if (r == NULL || (r->type != REDIS_REPLY_STRING && r->type != REDIS_REPLY_STATUS))
		return (struct str){ "", 0 };
	return (struct str){ r->str, (size_t)r->len };
}

bool
redis_reply_int(const struct redisReply *r, int64_t *value)
{
	struct str s = redis_reply_text(r);
	char digits[24], *end;

	if (r && r->type == REDIS_REPLY_INTEGER) {
		*value = r->integer;
		return true;
	}
	if (s.n == 0 || s.n >= sizeof(digits))
		return false;
	memcpy(digits, s.p, s.n);
	digits[s.n] = '\0';
	*value = strtoll(digits, &end, 10);
	return *end == '\0' && end != digits;
}

const struct redisReply *
redis_reply_at(const struct redisReply *r, size_t i)
{
	return i < redis_reply_len(r) ? r->element[i] : NULL;
}

size_t
redis_reply_len(const struct redisReply *r)
{
	return r && r->type == REDIS_REPLY_ARRAY ? r->elements : 0;
}

/* hiredis's own, which ours call. */
static redisReplyObjectFunctions theirs, ours;

#if HIREDIS_MAJOR < 1
#define COUNT int
#else
#define COUNT size_t
#endif

static void *
make_array(const redisReadTask *task, COUNT elements)
{
	/* NULL is "out of memory" to the reader: an error, and the connection ends. */
	return elements > REDIS_ELEMENTS_MAX ? NULL : theirs.createArray(task, elements);
}

struct redisReader *
redis_reader_new(void)
{
	struct redisReader *r = redisReaderCreate();

	if (r == NULL)
		fatal("out of memory");
	if (theirs.createArray == NULL) {
		theirs = *r->fn;
		ours = theirs;
		ours.createArray = make_array;
	}
	r->fn = &ours;
	return r;
}
