/* SPDX-License-Identifier: Apache-2.0 */
/* Writing text into XML 1.0. */
#ifndef SHARED_XML_H
#define SHARED_XML_H

#include "shared/buf.h"
#include "shared/str.h"

/*
 * Appends the text for an element's content or a quoted attribute. What XML cannot hold at all
 * (control characters, U+FFFE, U+FFFF) becomes U+FFFD; the text must be UTF-8.
 */
void xml_add_text(struct buf *b, struct str s);

#endif
