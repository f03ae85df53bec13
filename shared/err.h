/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one error enum and the attributes that every header uses. A function that can fail returns
 * 0 or one of these negative values; results come through pointers.
 */
#ifndef SHARED_ERR_H
#define SHARED_ERR_H

enum err {
	ERR_OK = 0,
	ERR_INVALID = -1,   /* an argument or a value is not what it must be */
	ERR_SYNTAX = -2,    /* bytes do not follow their format */
	ERR_LIMIT = -3,	    /* a stated maximum would be exceeded */
	ERR_IO = -4,	    /* a system call failed; errno says which way */
	ERR_NOT_FOUND = -5, /* no such thing */
	ERR_CLOSED = -6,    /* the other side is gone */
	ERR_AGAIN = -7,	    /* not now; more input or time is needed */
	ERR_DENIED = -8,    /* not allowed */
	ERR_EXISTS = -9,    /* it is there already */
};

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN __attribute__((noreturn))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* A short English phrase for an error; never NULL. Static storage. */
const char *err_text(int err);

#endif
