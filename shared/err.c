/* SPDX-License-Identifier: Apache-2.0 */
/* The text of each error. */
#include "shared/err.h"

const char *
err_text(int err)
{
	switch (err) {
	case ERR_OK:
		return "no error";
	case ERR_INVALID:
		return "invalid value";
	case ERR_SYNTAX:
		return "malformed input";
	case ERR_LIMIT:
		return "limit exceeded";
	case ERR_IO:
		return "input/output error";
	case ERR_NOT_FOUND:
		return "not found";
	case ERR_CLOSED:
		return "closed by the other side";
	case ERR_AGAIN:
		return "not ready";
	case ERR_DENIED:
		return "not allowed";
	case ERR_EXISTS:
		return "exists already";
	}
	return "unknown error";
}
