/* SPDX-License-Identifier: Apache-2.0 */
/* The bodies of the routes that rank, read and decide. */
#include "workers/dialects/openai.h"

#include "shared/json.h"
#include "workers/dialects/body.h"
#include "workers/dialects/samples.h"

#define SAMPLE_TEXT "my sample text" /* what is ranked */

static void
add_object(struct buf *b, const struct target *t, const char *key, const char *head,
    struct str text, const char *tail)
{
	if (!body_member(b, t, key))
		return;
	buf_add_text(b, head);
	json_add_string(b, text);
	buf_add_text(b, tail);
}

static void
add_document(struct buf *b, const struct target *t)
{
	if (!body_member(b, t, "document"))
		return;
	buf_add_text(
	    b, "{\"type\":\"document_url\",\"document_url\":\"data:application/pdf;base64,");
	sample_add_base64(b, sample_pdf());
	buf_add_text(b, "\"}");
}

void
openai_document_body(struct buf *b, const struct target *t, const struct provider_call *call)
{
	struct str prompt = str_of(body_prompt(t));

	buf_add_char(b, '{');
	/* Where many queries are ranked at once the model is in the path. */
	if (call->shape != SHAPE_RERANK_QUERIES && body_member(b, t, "model"))
		openai_add_model(b, t, call);
	switch (call->shape) {
	case SHAPE_RERANK_PASSAGES:
		add_object(b, t, "query", "{\"text\":", prompt, "}");
		add_object(b, t, "passages", "[{\"text\":", STR(SAMPLE_TEXT), "}]");
		break;
	case SHAPE_RERANK_QUERIES:
		add_object(b, t, "queries", "[", prompt, "]");
		add_object(b, t, "documents", "[", STR(SAMPLE_TEXT), "]");
		break;
	case SHAPE_OCR:
		add_document(b, t);
		break;
	case SHAPE_DECISIONS:
		body_text(b, t, "state", prompt);
		break;
	case SHAPE_DECISIONS_INPUT:
		body_text(b, t, "input", prompt);
		break;
	default:
		body_text(b, t, "query", prompt);
		add_object(b, t, "documents", "[", STR(SAMPLE_TEXT), "]");
		break;
	}
	body_add_row(b, t, call->extra);
	body_add_config(b, t);
	buf_add_char(b, '}');
}
