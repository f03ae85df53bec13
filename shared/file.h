/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a small file whole: a key, a token, a profile. */
#ifndef SHARED_FILE_H
#define SHARED_FILE_H

#include "shared/buf.h"
#include "shared/err.h"

/*
 * Appends the bytes of a regular file, up to what the buffer takes. Never waits: not for a pipe
 * that nobody writes to, nor for a device. ERR_IO with errno (EINVAL: no regular file; EFBIG: it is
 * too large).
 */
int file_read(const char *path, struct buf *out) MUST_CHECK;

#endif
