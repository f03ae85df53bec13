/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes what a realtime provider sends behind the handshake: the first byte chooses who is asked and
 * in what pieces the rest comes. What must hold: it ends, an event is no longer than is allowed,
 * there are words where there is none, what is sent are masked frames, and the event is judged.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "shared/provider.h"
#include "workers/dialects/dialect.h"
#include "workers/websocket.h"

#ifdef HAVE_WSLAY

static const char *const providers[] = { "openai", "azure", "vertex_ai", "xai" };
static struct target *targets[ARRAY_LEN(providers)];

static void
must(int truth)
{
	if (!truth)
		abort();
}

static struct str
no_header(const struct response *r, const char *name)
{
	(void)r;
	(void)name;
	return (struct str){ NULL, 0 };
}

static const struct target *
target_of(size_t i)
{
	const struct provider *p = provider_find(str_of(providers[i]));

	if (targets[i] == NULL) {
		struct msg_conf_target msg = { .id = STR("i"),
			.provider = str_of(p->name),
			.dialect = str_of(p->dialect),
			.mode = MODE_REALTIME,
			.model = STR("m"),
			.api_base = STR("http://a"),
			.max_tokens = 16,
			.timeout_ms = 1000 };

		must(target_new(&msg, &targets[i]) == 0);
	}
	return targets[i];
}

static void
judge(const struct target *t, struct str event)
{
	struct response resp = { .status = 101, .body = event, .header = no_header };
	struct result res;

	result_init(&res);
	t->dialect->judge(t, &resp, &res);
	must(res.healthy == (res.error.len == 0) && res.healthy == (res.detail.len == 0));
	must(res.healthy == (res.reason == REASON_OK));
	must(strchr(buf_text(&res.error), '\n') == NULL);
	must(!res.healthy || (event.n > 2 && event.p[0] != '['));
	result_clear(&res);
}

/* What goes to the provider, in pieces of 7: whole frames, all masked. */
static void
take(struct websocket *w)
{
	struct buf sent = BUF_INIT((size_t)4 << 20);
	char piece[7];
	size_t n, at = 0;

	while ((n = websocket_take(w, piece, sizeof(piece))) > 0)
		buf_add(&sent, piece, n);
	while (at + 2 <= sent.len) {
		unsigned char length = (unsigned char)sent.data[at + 1];

		must(length & 0x80);
		must((length & 127) <= 125);
		at += 6 + (length & 127);
	}
	must(at == sent.len);
	buf_clear(&sent);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum websocket_state state = WEBSOCKET_WAITS;
	struct buf words = BUF_INIT(4096);
	struct websocket *w;
	unsigned choice = size > 0 ? data[0] : 0;
	size_t piece = 1 + (choice >> 3) * 3;

	w = websocket_new(choice & 4 ? STR("{\"setup\":{}}") : STR(""));
	for (size_t at = 1; at < size && state != WEBSOCKET_OVER; at += piece) {
		size_t n = size - at < piece ? size - at : piece;
		char *exact = malloc(n);

		must(exact != NULL);
		memcpy(exact, data + at, n);
		state = websocket_feed(w, exact, n);
		free(exact);
		take(w);
		must((state == WEBSOCKET_CLOSING) <= websocket_has_event(w));
		must(state != WEBSOCKET_WAITS || !websocket_has_event(w));
	}
	must(websocket_why_not(w, &words) != REASON_OK);
	must(words.len > 0 && buf_ok(&words));
	if (websocket_has_event(w)) {
		must(websocket_event(w).n <= WEBSOCKET_MAX_EVENT);
		judge(target_of(choice & 3), websocket_event(w));
	}
	websocket_free(w);
	buf_clear(&words);
	return 0;
}

#else

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	(void)data;
	(void)size;
	return 0;
}

#endif
