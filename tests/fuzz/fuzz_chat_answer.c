/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes answers that are translated: the first byte chooses the family, the second how many bytes
 * come at a time (even: a stream; odd: whole). What must hold: it ends; what comes out is JSON in
 * events; by which pieces a stream comes changes nothing.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "shared/json.h"
#include "shared/json_read.h"
#include "workers/dialects/chat_family.h"

static const struct chat_family *const families[] = { &chat_anthropic, &chat_gemini, &chat_converse,
	&chat_anthropic_bedrock, &chat_ollama, &chat_cohere };

static void
must(int truth)
{
	if (!truth)
		abort();
}

static void
check_events(struct str chunks)
{
	struct sse sse = { .max = 64 * CHAT_MAX_EVENT };
	struct buf data = BUF_INIT(SIZE_MAX / 2), json = BUF_INIT(SIZE_MAX / 2);

	while (sse_next(&sse, chunks, false, &data) > 0) {
		must(str_is(buf_str(&data), "[DONE]") ||
		     json_read(buf_str(&data), &json, NULL) == 0);
		buf_reset(&data);
		buf_reset(&json);
	}
	must(sse.event == chunks.n);
	buf_clear(&data);
	buf_clear(&json);
}

static int
run(const struct chat_family *f, struct str text, size_t step, struct buf *out)
{
	struct buf why = BUF_INIT(8192);
	struct chat c;
	int rc = 0;

	chat_init(&c);
	c.family = f;
	c.stream = c.usage_wanted = true;
	buf_add_text(&c.model, "\"m\"");
	for (size_t at = 0; at < text.n && rc == 0; at += step)
		rc = chat_piece(&c,
		    (struct str){ text.p + at, text.n - at < step ? text.n - at : step }, out, &why);
	if (rc == 0)
		rc = chat_end(&c, out, &why);
	must((rc < 0) == (why.len > 0));
	chat_clear(&c);
	buf_clear(&why);
	return rc;
}

static void
run_whole(const struct chat_family *f, struct str text)
{
	struct buf out = BUF_INIT(SIZE_MAX / 2), json = BUF_INIT(SIZE_MAX / 2), why = BUF_INIT(8192);
	struct chat c;

	chat_init(&c);
	c.family = f;
	buf_add_text(&c.model, "\"m\"");
	if (chat_whole(&c, text, &out, &why) == 0)
		must(json_read(buf_str(&out), &json, NULL) == 0);
	else
		must(why.len > 0 && out.len == 0);
	chat_clear(&c);
	buf_clear(&out);
	buf_clear(&json);
	buf_clear(&why);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf one = BUF_INIT(SIZE_MAX / 2), all = BUF_INIT(SIZE_MAX / 2);
	const struct chat_family *f;
	struct str text;
	int rc;

	if (size < 2)
		return 0;
	f = families[data[0] % ARRAY_LEN(families)];
	text = (struct str){ (const char *)data + 2, size - 2 };
	if (data[1] % 2) {
		run_whole(f, text);
		return 0;
	}
	rc = run(f, text, size > 65536 ? 4096u : 1u + data[1] / 2, &one);
	must(run(f, text, text.n + 1, &all) == rc);
	check_events(buf_str(&one));
	check_events(buf_str(&all));
	must(str_eq(buf_str(&one), buf_str(&all)));
	buf_clear(&one);
	buf_clear(&all);
	return 0;
}
