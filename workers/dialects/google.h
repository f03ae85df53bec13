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

#endif
