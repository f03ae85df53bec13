/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A form as multipart/form-data (RFC 7578). The boundary is always the same, so that a request is;
 * that it stands in no part is checked at the end.
 */
#ifndef WORKERS_DIALECTS_MULTIPART_H
#define WORKERS_DIALECTS_MULTIPART_H

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/str.h"

#define MULTIPART_BOUNDARY "llmhealth-5f1c7a90b3d24e68"
#define MULTIPART_TYPE "multipart/form-data; boundary=" MULTIPART_BOUNDARY

/* One form in `body`, which is empty at the start. */
struct multipart {
	struct buf *body;
	unsigned parts;
};

/* `name` and `filename` are the caller's own: no quote, no line break. */
void multipart_text(struct multipart *m, const char *name, struct str value);
void multipart_file(struct multipart *m, const char *name, const char *filename, const char *type,
    struct str bytes);
/* Ends the form. ERR_INVALID when a part holds the boundary, ERR_LIMIT when it is too large. */
int multipart_end(struct multipart *m) MUST_CHECK;

#endif
