/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the OpenAI dialect: openai.c makes requests, of which the bodies are made by family
 * of routes; openai_judge.c judges answers, with the shapes of the rarer routes in openai_shapes.c.
 * The contract of build and judge is in dialect.h.
 */
#ifndef WORKERS_DIALECTS_OPENAI_H
#define WORKERS_DIALECTS_OPENAI_H

#include "workers/dialects/answer.h"
#include "workers/dialects/ask.h"

/* Chat, text completion, embedding, responses, messages. `shown`: in the order LiteLLM shows it. */
void openai_text_body(struct buf *b, const struct target *t, const struct provider_call *call,
    uint32_t variant, bool shown);
/* Images, speech, video. */
void openai_media_body(struct buf *b, const struct target *t, const struct provider_call *call);
/* Transcription, image edit: fills the form and how it is shown. Errors as of multipart_end(). */
int openai_media_form(struct buf *form, struct buf *shown, const struct target *t,
    const struct provider_call *call) MUST_CHECK;
/* Rerank, OCR, decisions. */
void openai_document_body(struct buf *b, const struct target *t, const struct provider_call *call);

/* Adds the model's name as a JSON text, as the provider wants it. */
void openai_add_model(struct buf *b, const struct target *t, const struct provider_call *call);

/* ask_headers() with the credential's token, where a scheme has fetched one. */
int openai_add_headers(struct asking *a, struct str type) MUST_CHECK;
/* The list of models, for a wildcard. */
int openai_list(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why) MUST_CHECK;
int openai_listed(const struct target *t, const struct response *resp,
    void (*each)(void *arg, struct str name), void *arg, struct result *res) MUST_CHECK;

/*
 * What another dialect takes of this one: the bodies of a call, sent and shown, and the judge of
 * its answer. The call need not be the one in the table.
 */
int openai_add_bodies(const struct target *t, const struct provider_call *call, uint32_t variant,
    struct request *req, struct result *why) MUST_CHECK;
void openai_judge_as(const struct target *t, const struct provider_call *call,
    const struct response *resp, struct result *res);
/* Whether the call's body is a form; then its Content-Type is MULTIPART_TYPE. */
bool openai_is_form(const struct provider_call *call);

void openai_judge(const struct target *t, const struct response *resp, struct result *res);

/*
 * The rarer shapes. Each returns true when the answer is one, else fills res. The body is JSON
 * whose syntax has been checked, an object without `error`.
 */
bool openai_shape(
    const struct target *t, const struct provider_call *call, struct str body, struct result *res);
/* Whether the answer is what was asked for as sound: bytes that say so, by type or by themselves.
 */
bool openai_is_sound(const struct provider_call *call, const struct response *resp);

#endif
