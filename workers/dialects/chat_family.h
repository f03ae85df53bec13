/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A family: one wire format that a chat in OpenAI's form is put into, and its answers back, whole
 * or as a stream. Pure functions; both the caller's chat and the provider's answer are a stranger's.
 * All JSON that comes in here is as json_read() writes it. What stands in a chat and has no
 * counterpart is refused by its name, as LiteLLM does, never left out.
 */
#ifndef WORKERS_DIALECTS_CHAT_FAMILY_H
#define WORKERS_DIALECTS_CHAT_FAMILY_H

#include "workers/dialects/chat.h"

/* ---- the caller's chat ---- */

struct chat_ask {
	const struct target *t;
	const struct chat_family *family;
	struct str chat;      /* the caller's members, then the deployment's */
	struct str caller;    /* the caller's alone */
	bool stream;
	int64_t max_tokens;   /* -1: none said */
	struct buf *body;     /* what is made */
	struct buf *why;      /* not empty: refused, and why */
};

enum chat_part_kind {
	CHAT_PART_TEXT,
	CHAT_PART_IMAGE,
	CHAT_PART_CALL,
	CHAT_PART_RESULT,
};

/* Texts are JSON strings with their quotes, unless said otherwise. */
struct chat_part {
	enum chat_part_kind kind;
	struct str text;	/* of a text, of a result */
	struct str media, data; /* of an image, without quotes; no media: `data` is a URL */
	struct str id, name;	/* of a call, of a result */
	struct str args;	/* of a call: an object */
};

/* How a family writes turns of a talk in which none follows one of the same side. */
struct chat_turns {
	const char *user, *assistant; /* beginning of a turn, up to the list of its parts */
	/* Appends one part. */
	void (*part)(struct chat_ask *a, struct buf *b, const struct chat_part *p);
};

/* Refuses, unless that has been done: ours is the first reason. */
void chat_refuse(struct chat_ask *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A member's JSON; empty where there is none or null. */
struct str chat_member(const struct chat_ask *a, const char *key);
/* A member under the name that the family has for it, where there is one. */
void chat_copy(struct chat_ask *a, const char *key, const char *own);
/* The limit of tokens, where there is one. */
void chat_copy_limit(struct chat_ask *a, const char *own);
/* `stop` as a list. */
void chat_copy_stop(struct chat_ask *a, const char *own);
/* What is not OpenAI's: as it is, as LiteLLM passes it on. */
void chat_add_others(struct chat_ask *a);
bool chat_has_others(struct chat_ask *a);
/* The list of turns; the parts of what the system says, with commas, go to `system`. */
void chat_add_turns(struct chat_ask *a, struct buf *system, const struct chat_turns *how);
/*
 * The next function of `tools` (*rest is the list at first): its description and parameters are
 * empty where there are none. False at the end, and after a refusal.
 */
bool chat_next_tool(struct chat_ask *a, struct str *rest, struct str *name,
    struct str *description, struct str *parameters);
/* `tools` as they are, for a family that has them as OpenAI has. */
void chat_copy_tools(struct chat_ask *a);
/* A function's name and, where there is one, its description: the values of open members. */
void chat_add_function(struct buf *b, struct str name, struct str description);
/* "auto", "none", "required", or "function" with its name; "" where nothing is said. */
const char *chat_tool_choice(struct chat_ask *a, struct str *name);
/*
 * "text" (also where nothing is said), "json_object", or "json_schema" with its schema: what
 * `response_format` wants. "" where it is refused.
 */
const char *chat_format(struct chat_ask *a, struct str *schema);
/* A message's role, a developer being the system; empty: refused. */
struct str chat_role(struct chat_ask *a, struct str message);
/* An image by its URL would have to be fetched first, as LiteLLM does. */
void chat_refuse_url(struct chat_ask *a);
/* The text of a message's content, as one JSON string; parts that are no text are refused. */
void chat_add_words(struct chat_ask *a, struct buf *b, struct str content);
/* An image part of a message; false: refused. */
bool chat_read_image(struct chat_ask *a, struct str part, struct chat_part *p);
/* A call's `arguments`, a text that holds JSON, appended as the object that it is. */
void chat_add_arguments(struct chat_ask *a, struct buf *b, struct str arguments);
/* Whether all members of an object are among those, null or empty; else refuses, as `where`.NAME. */
bool chat_only(struct chat_ask *a, struct str object, const char *where, const char *names);
/* Whether the space-separated names hold this one. */
bool chat_among(const char *names, struct str name);

/* ---- the provider's answer ---- */

/* Text without its quotes, still escaped; of a JSON string value. Anything else: empty. */
struct str chat_inner(struct str value);
struct str chat_at(struct str json, const char *key);
/* A whole number from 0 on; 0 for anything else. */
int64_t chat_number(struct str value);
/* What the answer says; each is in the next chunk at once where it is a stream. */
void chat_say(struct chat *c, struct str inner);
void chat_think(struct chat *c, struct str inner);
void chat_call(struct chat *c, struct str id, struct str name, struct str args);
/* The arguments as an object. */
void chat_call_object(struct chat *c, struct str id, struct str name, struct str object);
/* More of the last call's arguments. */
void chat_call_more(struct chat *c, struct str args);
void chat_finish(struct chat *c, const char *reason);
/* The first of the names that is the reason, in pairs "theirs=ours"; "stop" where none is. */
void chat_finish_as(struct chat *c, struct str theirs, const char *pairs);
void chat_usage(struct chat *c, int64_t in, int64_t out);
/* The answer cannot be read, or is an error: ends it. */
void chat_fail(struct chat *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

enum chat_framing {
	CHAT_EVENTS, /* server-sent events */
	CHAT_LINES,  /* a JSON object a line */
	CHAT_AMAZON, /* application/vnd.amazon.eventstream */
};

struct chat_family {
	const char *name;
	enum chat_framing framing;
	/* Members of a chat that it knows; with ! in front: its own, which a caller cannot bring. */
	const char *takes;
	const char *version; /* Anthropic's, in the body of who hosts it; NULL: none */
	/* How the URL of a stream ends in place of the first of them; NULL: the same. */
	const char *tail, *stream_tail;
	void (*ask)(struct chat_ask *a);
	/* A whole answer, one event of a stream (of Amazon's with the event's type). */
	void (*whole)(struct chat *c, struct str json);
	void (*event)(struct chat *c, struct str type, struct str json);
};

extern const struct chat_family chat_anthropic, chat_anthropic_vertex, chat_anthropic_bedrock,
    chat_gemini, chat_converse, chat_ollama, chat_cohere;

#endif
