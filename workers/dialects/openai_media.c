/* SPDX-License-Identifier: Apache-2.0 */
/* The bodies of the routes that make or take images, sound and video. */
#include "workers/dialects/openai.h"

#include <string.h>

#include "shared/json.h"
#include "workers/dialects/body.h"
#include "workers/dialects/multipart.h"
#include "workers/dialects/samples.h"

static void
add_edit_chat(struct buf *b, const struct target *t)
{
	if (!body_member(b, t, "messages"))
		return;
	buf_add_text(b, "[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{"
			"\"url\":\"data:image/png;base64,");
	sample_add_base64(b, sample_png());
	buf_add_text(b, "\"}},{\"type\":\"text\",\"text\":");
	json_add_string(b, STR(SAMPLE_EDIT_PROMPT));
	buf_add_text(b, "}]}]");
}

static struct str
voice(const struct target *t)
{
	const char *configured = target_param(t, "voice");

	return configured ? str_of(configured) : STR("alloy");
}

void
openai_media_body(struct buf *b, const struct target *t, const struct provider_call *call)
{
	struct str prompt = str_of(body_prompt(t));

	buf_add_char(b, '{');
	if (!(call->flags & CALL_NO_MODEL) && body_member(b, t, "model"))
		openai_add_model(b, t, call);
	switch (call->shape) {
	case SHAPE_IMAGE_EDIT_CHAT:
		add_edit_chat(b, t);
		break;
	case SHAPE_IMAGE_INPUT:
		if (body_member(b, t, "input")) {
			buf_add_text(
			    b, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":");
			json_add_string(b, prompt);
			buf_add_text(b, "}]}]}");
		}
		break;
	case SHAPE_SPEECH:
		body_text(b, t, "input", prompt);
		body_text(b, t, "voice", voice(t));
		break;
	case SHAPE_SPEECH_VOICE_ID:
		/* Its voices are its own: OpenAI's usual one means none of them. */
		body_text(b, t, "input", prompt);
		body_text(b, t, "voice_id",
		    str_is(voice(t), "alloy") ? STR("en_paul_neutral") : voice(t));
		break;
	case SHAPE_SPEECH_TEXT:
		body_text(b, t, "text", prompt);
		break;
	default:
		body_text(b, t, "prompt", prompt);
		break;
	}
	body_add_row(b, t, call->extra);
	body_add_config(b, t);
	buf_add_char(b, '}');
}

/* One field of the form, and as it is shown. */
static void
add_field(struct multipart *form, struct buf *shown, const char *name, struct str value)
{
	multipart_text(form, name, value);
	json_add_key(shown, name);
	json_add_string(shown, value);
}

static void
add_model_field(struct multipart *form, struct buf *shown, const struct target *t,
    const struct provider_call *call)
{
	struct buf json = BUF_INIT(REQUEST_MAX_URL * 2), name = BUF_INIT(REQUEST_MAX_URL * 2);

	openai_add_model(&json, t, call);
	if (json.len > 2)
		answer_text(&name, (struct str){ json.data + 1, json.len - 2 });
	add_field(form, shown, "model", buf_str(&name));
	buf_clear(&json);
	buf_clear(&name);
}

/* Members of an object as fields: a text is its own value, all else is JSON. */
static void
add_members(struct multipart *form, struct buf *shown, const char *object)
{
	struct str key, value;
	size_t at = 0;

	while (*object && answer_member(str_of(object), &at, &key, &value)) {
		struct buf text = BUF_INIT(REQUEST_MAX_BODY), name = BUF_INIT(1024);

		answer_text(&name, key);
		if (value.n >= 2 && value.p[0] == '"')
			answer_text(&text, (struct str){ value.p + 1, value.n - 2 });
		else
			buf_add_str(&text, value);
		if (strpbrk(buf_text(&name), "\"\r\n\\") == NULL)
			add_field(form, shown, buf_text(&name), buf_str(&text));
		buf_clear(&text);
		buf_clear(&name);
	}
}

static void
add_file(struct multipart *form, struct buf *shown, const char *name, const char *filename,
    const char *type, struct str bytes)
{
	multipart_file(form, name, filename, type, bytes);
	json_add_key(shown, name);
	json_add_string(shown, str_of(filename));
}

int
openai_media_form(
    struct buf *body, struct buf *shown, const struct target *t, const struct provider_call *call)
{
	struct multipart form = { .body = body };

	buf_add_char(shown, '{');
	if (!(call->flags & CALL_NO_MODEL))
		add_model_field(&form, shown, t, call);
	if (call->shape == SHAPE_IMAGE_EDIT)
		add_field(&form, shown, "prompt", STR(SAMPLE_EDIT_PROMPT));
	if (call->shape == SHAPE_VIDEO)
		add_field(&form, shown, "prompt", str_of(body_prompt(t)));
	/* As LiteLLM asks OpenAI's first model, whose answer then has the length too. */
	if (call->shape == SHAPE_TRANSCRIPTION && strcmp(t->provider->name, "openai") == 0 &&
	    strcmp(t->model, "whisper-1") == 0 && strstr(t->extra_body, "response_format") == NULL)
		add_field(&form, shown, "response_format", STR("verbose_json"));
	add_members(&form, shown, t->extra_body);
	if (call->shape == SHAPE_IMAGE_EDIT)
		add_file(&form, shown, "image[]", SAMPLE_PNG_NAME, "image/png", sample_png());
	else if (call->shape == SHAPE_TRANSCRIPTION)
		add_file(&form, shown, "file", SAMPLE_WAV_NAME,
		    call->client == CLIENT_SDK ? "audio/x-wav" : "audio/wav", sample_wav());
	buf_add_char(shown, '}');
	return multipart_end(&form);
}
