/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a probe shows or plays to a model that takes more than text: a moment of sound, a picture, a
 * page. Small, because each costs its provider and us the transfer.
 */
#ifndef WORKERS_DIALECTS_SAMPLES_H
#define WORKERS_DIALECTS_SAMPLES_H

#include "shared/buf.h"
#include "shared/str.h"

#define SAMPLE_WAV_NAME "audio_health_check.wav" /* as LiteLLM names its own */
#define SAMPLE_PNG_NAME "image.png"
/* What is asked of the picture. */
#define SAMPLE_EDIT_PROMPT \
	"Add a small yellow star in the top right corner of this simple drawing of a blue circle " \
	"on " \
	"a white background"

/* RIFF/WAVE, one channel, 16 bits, 16 kHz: a fifth of a second of a quiet tone. */
struct str sample_wav(void);
/* A blue circle on white, 512 x 512: the size that every editor of images takes. */
struct str sample_png(void);
/* One white point. */
struct str sample_dot_png(void);
/* A page that says "test". */
struct str sample_pdf(void);

/* Appends base64 (RFC 4648 section 4). */
void sample_add_base64(struct buf *b, struct str bytes);

#endif
