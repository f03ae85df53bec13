/* SPDX-License-Identifier: Apache-2.0 */
/* wslay's event context over two pieces of memory: what has come, and where to put what goes. */
#include "workers/websocket.h"

#include "shared/log.h"
#include "workers/dialects/words.h"

#ifdef HAVE_WSLAY

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <wslay/wslay.h>

#define ACCEPT_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define MAX_SHOWN_REASON 123

struct websocket {
	wslay_event_context_ptr ctx;
	const char *in; /* during a call */
	size_t in_n;
	char *out;
	size_t out_n;
	bool has_event, failed, closed, in_close;
	unsigned code;
	struct buf event, reason;
	struct buf close; /* the close frame's payload as it came */
};

void
websocket_accept(char out[WEBSOCKET_ACCEPT_SIZE], struct str key)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct buf text = BUF_INIT(4096);
	unsigned n = 0;

	buf_add_str(&text, key);
	buf_add_text(&text, ACCEPT_GUID);
	if (EVP_Digest(text.data, text.len, digest, &n, EVP_sha1(), NULL) != 1 || n != 20)
		fatal("SHA-1 failed");
	(void)EVP_EncodeBlock((unsigned char *)out, digest, (int)n);
	buf_clear(&text);
}

static ssize_t
on_recv(wslay_event_context_ptr ctx, uint8_t *data, size_t n, int flags, void *arg)
{
	struct websocket *w = arg;

	if (w->in_n == 0) {
		wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	if (n > w->in_n)
		n = w->in_n;
	memcpy(data, w->in, n);
	w->in += n;
	w->in_n -= n;
	return (ssize_t)n;
}

static ssize_t
on_send(wslay_event_context_ptr ctx, const uint8_t *data, size_t n, int flags, void *arg)
{
	struct websocket *w = arg;

	if (w->out_n == 0) {
		wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	if (n > w->out_n)
		n = w->out_n;
	memcpy(w->out, data, n);
	w->out += n;
	w->out_n -= n;
	return (ssize_t)n;
}

static int
on_mask(wslay_event_context_ptr ctx, uint8_t *data, size_t n, void *arg)
{
	return RAND_bytes(data, (int)n) == 1 ? 0 : -1;
}

static void
on_message(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *msg, void *arg)
{
	struct websocket *w = arg;

	if (msg->opcode == WSLAY_CONNECTION_CLOSE) {
		w->closed = true;
		w->code = msg->status_code;
		if (msg->msg_length > 2)
			buf_add(&w->reason, (const char *)msg->msg + 2, msg->msg_length - 2);
	} else if (!wslay_is_ctrl_frame(msg->opcode) && !w->has_event) {
		w->has_event = true;
		buf_add(&w->event, (const char *)msg->msg, msg->msg_length);
		if (wslay_event_queue_close(ctx, WSLAY_CODE_NORMAL_CLOSURE, NULL, 0) != 0)
			w->failed = true;
	}
}

static void
on_frame(
    wslay_event_context_ptr ctx, const struct wslay_event_on_frame_recv_start_arg *frame, void *arg)
{
	struct websocket *w = arg;

	w->in_close = frame->opcode == WSLAY_CONNECTION_CLOSE;
}

static void
on_chunk(
    wslay_event_context_ptr ctx, const struct wslay_event_on_frame_recv_chunk_arg *chunk, void *arg)
{
	struct websocket *w = arg;

	if (w->in_close)
		buf_add(&w->close, (const char *)chunk->data, chunk->data_length);
}

/* wslay takes no code for valid that was registered after RFC 6455: 1012 to 1014. */
static bool
has_later_code(struct websocket *w)
{
	unsigned char *p = (unsigned char *)w->close.data;

	if (w->closed || w->close.len < 2 || p[0] != 1012 >> 8 || p[1] < (1012 & 0xff) ||
	    p[1] > (1014 & 0xff))
		return false;
	w->closed = true;
	w->code = (unsigned)p[0] << 8 | p[1];
	buf_add(&w->reason, w->close.data + 2, w->close.len - 2);
	return true;
}

struct websocket *
websocket_new(struct str first)
{
	const struct wslay_event_msg message = { WSLAY_TEXT_FRAME, (const uint8_t *)first.p, first.n };
	static const struct wslay_event_callbacks callbacks = { .recv_callback = on_recv,
		.send_callback = on_send,
		.genmask_callback = on_mask,
		.on_frame_recv_start_callback = on_frame,
		.on_frame_recv_chunk_callback = on_chunk,
		.on_msg_recv_callback = on_message };
	struct websocket *w = xcalloc(1, sizeof(*w));

	w->event = BUF_INIT(WEBSOCKET_MAX_EVENT);
	w->reason = BUF_INIT(MAX_SHOWN_REASON);
	w->close = BUF_INIT(MAX_SHOWN_REASON + 2);
	if (wslay_event_context_client_init(&w->ctx, &callbacks, w) != 0)
		fatal("wslay_event_context_client_init failed");
	wslay_event_config_set_max_recv_msg_length(w->ctx, WEBSOCKET_MAX_EVENT);
	if (first.n > 0 && wslay_event_queue_msg(w->ctx, &message) != 0)
		w->failed = true;
	return w;
}

void
websocket_free(struct websocket *w)
{
	if (w == NULL)
		return;
	wslay_event_context_free(w->ctx);
	buf_clear(&w->event);
	buf_clear(&w->reason);
	buf_clear(&w->close);
	free(w);
}

enum websocket_state
websocket_feed(struct websocket *w, const char *data, size_t n)
{
	w->in = data;
	w->in_n = n;
	if (wslay_event_recv(w->ctx) != 0 ||
	    (!wslay_event_get_read_enabled(w->ctx) && !w->closed && !has_later_code(w)))
		w->failed = true;
	w->in = NULL;
	w->in_n = 0;
	if (w->failed || w->closed)
		return WEBSOCKET_OVER;
	return w->has_event ? WEBSOCKET_CLOSING : WEBSOCKET_WAITS;
}

size_t
websocket_take(struct websocket *w, char *data, size_t size)
{
	w->out = data;
	w->out_n = size;
	if (wslay_event_want_write(w->ctx) && wslay_event_send(w->ctx) != 0)
		w->failed = true;
	size -= w->out_n;
	w->out = NULL;
	w->out_n = 0;
	return size;
}

bool
websocket_has_event(const struct websocket *w)
{
	return w->has_event;
}

struct str
websocket_event(const struct websocket *w)
{
	return buf_str(&w->event);
}

/*
 * RFC 6455, 7.4.1, and what is registered beside it: iana.org/assignments/websocket, WebSocket Close
 * Code Numbers. 4000 to 4999 are private: each provider means what it likes by them.
 */
static enum reason
reason_of_code(unsigned code)
{
	switch (code) {
	case 3000: /* unauthorized */
		return REASON_AUTH;
	case 1008: /* policy violation */
	case 3003: /* forbidden */
		return REASON_PERMISSION;
	case 3008: /* timeout */
		return REASON_TIMEOUT;
	case 1003: /* unsupported data */
	case 1007: /* invalid payload */
	case 1009: /* message too big */
		return REASON_BAD_REQUEST;
	case 1001: /* going away */
	case 1011: /* internal error */
	case 1012: /* service restart */
	case 1013: /* try again later: as status 503 */
	case 1014: /* bad gateway */
		return REASON_SERVER_ERROR;
	default:
		return REASON_BAD_RESPONSE;
	}
}

enum reason
websocket_why_not(const struct websocket *w, struct buf *words)
{
	if (w->closed) {
		buf_addf(words, "the provider closed the WebSocket with code %u before any event",
		    w->code);
		if (w->reason.len > 0)
			buf_addf(words, ": %s", buf_text(&w->reason));
		return words_reason(buf_str(&w->reason), reason_of_code(w->code));
	}
	if (w->failed)
		buf_add_text(words,
		    "the provider sent what is no WebSocket frame, or a message that "
		    "is too large");
	else
		buf_add_text(words, "the connection ended before the WebSocket's first event");
	return REASON_BAD_RESPONSE;
}

#else /* no dialect asks for one then */

void
websocket_accept(char out[WEBSOCKET_ACCEPT_SIZE], struct str key)
{
	out[0] = '\0';
}

struct websocket *
websocket_new(struct str first)
{
	fatal("a WebSocket without libwslay");
}

void
websocket_free(struct websocket *w)
{
}

enum websocket_state
websocket_feed(struct websocket *w, const char *data, size_t n)
{
	return WEBSOCKET_OVER;
}

size_t
websocket_take(struct websocket *w, char *data, size_t size)
{
	return 0;
}

bool
websocket_has_event(const struct websocket *w)
{
	return false;
}

struct str
websocket_event(const struct websocket *w)
{
	return STR("");
}

enum reason
websocket_why_not(const struct websocket *w, struct buf *words)
{
	return REASON_BAD_RESPONSE;
}

#endif
