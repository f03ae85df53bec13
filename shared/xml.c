/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/xml.h"

#define REPLACEMENT "\xef\xbf\xbd"

void
xml_add_text(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		switch (c) {
		case '&':
			buf_add_text(b, "&amp;");
			break;
		case '<':
			buf_add_text(b, "&lt;");
			break;
		case '>':
			buf_add_text(b, "&gt;");
			break;
		case '"':
			buf_add_text(b, "&quot;");
			break;
		case '\'':
			buf_add_text(b, "&apos;");
			break;
		case 0xef: /* U+FFFE and U+FFFF */
			if (i + 2 < s.n && (unsigned char)s.p[i + 1] == 0xbf &&
			    (unsigned char)s.p[i + 2] >= 0xbe) {
				buf_add_text(b, REPLACEMENT);
				i += 2;
				break;
			}
			/* fall through */
		default:
			if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
				buf_add_text(b, REPLACEMENT);
			else
				buf_add_char(b, (char)c);
			break;
		}
	}
}
