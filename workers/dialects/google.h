/* SPDX-License-Identifier: Apache-2.0 */
/* What Gemini is asked, at Google AI Studio (gemini.c) and at Vertex AI (vertex.c). */
#ifndef WORKERS_DIALECTS_GOOGLE_H
#define WORKERS_DIALECTS_GOOGLE_H

#include "workers/dialects/ask.h"

/* Gemini 3 and later: at AI Studio another version of the interface, and LiteLLM sets the
 * temperature. */
bool google_is_new(const char *model);
/* The bodies: a chat, speech, and a picture drawn from words or changed. */
void google_chat_body(struct asking *a);
void google_speech_body(struct asking *a);
void google_edit_body(struct asking *a, bool vertex);
/* Appends the recorded sound as a JSON text in base64; the same for the picture. */
void google_add_sound(struct buf *b);

/* Dialect's listed() for a list whose names begin with `start`, which is left out. */
int google_listed(const struct target *t, const struct response *resp, const char *start,
    void (*each)(void *arg, struct str name), void *arg, struct result *res) MUST_CHECK;
/* The first message of a live session, and what its answer means. */
void google_live_body(struct asking *a, const char *model);
void google_live_judge(const struct target *t, const struct response *resp, struct result *res);

#endif
