/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words that say how a request is answered, and what they mean together. README.md lists them;
 * here and in faults.def are the tables. Pure: who applies them is reply.c.
 */
#ifndef TESTS_STANDIN_BEHAVIOUR_H
#define TESTS_STANDIN_BEHAVIOUR_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/str.h"

struct fault {
	const char *word;
	int status;
	const char *type, *code, *param, *message;
};

/* What the body holds. */
enum body {
	BODY_OK,
	BODY_FAULT,  /* an error object, with the fault's status */
	BODY_STATUS, /* what `status=` says */
	BODY_BADJSON,
	BODY_EMPTY,
	BODY_EMPTYOBJ,
	BODY_BADUTF8,
	BODY_DEEP,
	BODY_HUGE,
	BODY_ENDLESS,
	BODY_WRONGSHAPE,
	BODY_NOCHOICES,
	BODY_NULLCHOICES,
	BODY_EMPTYCHOICES,
	BODY_HTML502,
	BODY_REDIRECT,
	BODY_GARBAGE, /* from here on the answer is not HTTP */
	BODY_NOTHTTP,
};

/* How the sending ends. */
enum end {
	END_WHOLE,
	END_CUT,	/* after `cut_at` bytes of the body */
	END_HALF,	/* after half of the body */
	END_CUTHEADERS, /* after half of the head */
	END_CLOSE,	/* before the first byte */
	END_RESET,	/* the same, with a reset */
	END_HANG,	/* before the first byte, the connection stays */
	END_HANGBODY,	/* after the head, the connection stays */
};

enum flag {
	FLAG_CHUNKED = 1 << 0,
	FLAG_GZIP = 1 << 1,
	FLAG_NOTOKENS = 1 << 2,
	FLAG_NORATES = 1 << 3,
	FLAG_BADLENGTH = 1 << 4,
	FLAG_TWOLENGTHS = 1 << 5,
	FLAG_STALL100 = 1 << 6,
	FLAG_NORETRY = 1 << 7,
	FLAG_GOODBYE = 1 << 8, /* the connection ends with the answer */
	/* Of a WebSocket: */
	FLAG_BADACCEPT = 1 << 9,  /* the handshake's key is wrong */
	FLAG_FRAGMENTS = 1 << 10, /* the event comes in pieces, with a ping between them */
	FLAG_MASKED = 1 << 11,	  /* it is masked, as a server must not */
	FLAG_BADFRAME = 1 << 12,  /* bytes that are no frame */
	FLAG_BINARY = 1 << 13,	  /* it is binary */
};

/* When the words apply; at other times the answer is a healthy one. */
enum when {
	WHEN_ALWAYS,
	WHEN_FLAP,	/* healthy for `when_n` requests, failing for as many, again */
	WHEN_FAILFIRST, /* failing for the first `when_n` requests */
	WHEN_OKAFTER,	/* failing for `when_n` milliseconds from the first request on */
};

struct behaviour {
	enum body body;
	enum end end;
	enum when when;
	unsigned flags;
	const struct fault *fault;
	int status;	 /* 0: the body's own */
	uint64_t amount; /* of BODY_DEEP and BODY_HUGE */
	uint64_t cut_at;
	uint64_t when_n;
	int64_t latency_ms;    /* -1: the program's */
	int64_t retry_after_s; /* -1: no header (e429 has 20 unless told) */
	uint64_t drip_bytes, drip_ms;
	uint64_t close_code;  /* of a WebSocket that is closed at once; 0: none */
	uint64_t fill_header; /* bytes of one huge header */
	uint64_t many_headers;
	char location[512];
	char key[128];

	/* What has happened so far, for `when`. */
	uint64_t asked;
	int64_t first_ms;
};

/* Reads the words, split at `,`, `;` and `--`. Unknown words mean nothing. */
void behaviour_parse(struct behaviour *b, struct str words);
/* Whether nothing but the time of the answer differs from a healthy one. */
bool behaviour_is_plain(const struct behaviour *b);
/* Counts a request and says whether the words apply to it (see enum when). */
bool behaviour_applies(struct behaviour *b, int64_t now_ms);
/* The error of that word; NULL when there is none. */
const struct fault *behaviour_fault(const char *word);

#endif
