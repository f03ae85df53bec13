/* SPDX-License-Identifier: Apache-2.0 */
/* Handshakes and frames. */
#include "tests/standin/websocket.h"

#include <openssl/evp.h>
#include <strings.h>

#include "tests/standin/strict.h"

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define KEY_LENGTH 24 /* 16 bytes in base64 */
#define MESSAGE_MAX ((uint64_t)1 << 20)
#define CONTROL_MAX 125

/* Whether a header's list has the word, in any case. */
static bool
has_word(struct str list, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= list.n; i++)
		if (strncasecmp(list.p + i, word, n) == 0 && (i == 0 || strchr(" ,", list.p[i - 1])) &&
		    (i + n == list.n || strchr(" ,", list.p[i + n])))
			return true;
	return false;
}

const char *
websocket_refuses(const struct request *r)
{
	struct str key = strict_header(r, "sec-websocket-key");
	unsigned char bytes[KEY_LENGTH];

	if (!has_word(strict_header(r, "upgrade"), "websocket") ||
	    !has_word(strict_header(r, "connection"), "upgrade"))
		return "An upgrade to a WebSocket is needed here.";
	if (!str_is(r->method, "GET") || r->minor != 1 || r->chunked || r->content_length > 0)
		return "A WebSocket's handshake is a GET of HTTP/1.1 without a body.";
	if (!str_is(strict_header(r, "sec-websocket-version"), "13"))
		return "Sec-WebSocket-Version must be 13.";
	if (key.n != KEY_LENGTH || memcmp(key.p + KEY_LENGTH - 2, "==", 2) != 0 ||
	    EVP_DecodeBlock(bytes, (const unsigned char *)key.p, KEY_LENGTH) < 0)
		return "Sec-WebSocket-Key must be 16 bytes in base64.";
	return NULL;
}

void
websocket_add_head(struct buf *out, const struct request *r, bool wrong)
{
	struct buf text = BUF_INIT(256);
	unsigned char digest[EVP_MAX_MD_SIZE], accept[32];

	buf_add_str(&text, strict_header(r, "sec-websocket-key"));
	buf_add_text(&text, wrong ? "another" : GUID);
	EVP_Digest(buf_text(&text), text.len, digest, NULL, EVP_sha1(), NULL);
	(void)EVP_EncodeBlock(accept, digest, 20);
	buf_addf(out,
	    "HTTP/1.1 101 Switching Protocols\r\nServer: llmhealth-standin\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
	    (const char *)accept);
	buf_clear(&text);
}

void
websocket_add_frame(struct buf *out, enum opcode opcode, bool whole, uint64_t n, bool masked)
{
	int bytes = n <= CONTROL_MAX ? 0 : n < 65536 ? 2 : 8;

	buf_add_char(out, (char)((whole ? 0x80 : 0) | opcode));
	buf_add_char(
	    out, (char)((masked ? 0x80 : 0) | (bytes == 0 ? (int)n : bytes == 2 ? 126 : 127)));
	while (bytes-- > 0)
		buf_add_char(out, (char)(n >> 8 * bytes));
	if (masked)
		buf_add(out, "\0\0\0\0", 4);
}

void
websocket_add_close(struct buf *out, unsigned code, const char *reason)
{
	size_t n = code ? 2 + strlen(reason) : 0;

	websocket_add_frame(out, OPCODE_CLOSE, true, n, false);
	if (code) {
		buf_add_char(out, (char)(code >> 8));
		buf_add_char(out, (char)code);
		buf_add_text(out, reason);
	}
}

int
websocket_read(struct frame *f, char *p, size_t n)
{
	const unsigned char *u = (const unsigned char *)p;
	uint64_t length;
	size_t at = 2;
	bool control;

	if (n < 2)
		return ERR_AGAIN;
	f->opcode = u[0] & 15;
	f->whole = u[0] & 0x80;
	control = u[0] & 8;
	length = u[1] & 127;
	if ((u[0] & 0x70) || !(u[1] & 0x80) || (u[0] & 15) > OPCODE_PONG ||
	    ((u[0] & 15) > OPCODE_BINARY && !control) ||
	    (control && (!f->whole || length > CONTROL_MAX)))
		return ERR_SYNTAX;
	if (length > CONTROL_MAX) {
		size_t bytes = length == 126 ? 2 : 8;

		if (n < at + bytes)
			return ERR_AGAIN;
		for (length = 0; bytes-- > 0; at++)
			length = length << 8 | u[at];
	}
	if (length > MESSAGE_MAX)
		return ERR_LIMIT;
	if (n < at + 4 + length)
		return ERR_AGAIN;
	f->data = (struct str){ p + at + 4, (size_t)length };
	f->len = at + 4 + (size_t)length;
	for (size_t i = 0; i < length; i++)
		p[at + 4 + i] ^= p[at + i % 4];
	return 0;
}
