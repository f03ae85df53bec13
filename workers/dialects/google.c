/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/dialects/google.h"

#include <string.h>

#include "workers/dialects/forms.h"
#include "workers/dialects/openai.h"
#include "workers/dialects/realtime.h"
#include "workers/dialects/samples.h"

bool
google_is_new(const char *model)
{
	const char *p = strstr(model, "gemini-");

	/* gemini-3, gemini-3.5, gemini-10; not gemini-2.5, gemini-exp */
	if (p && ((p[7] >= '3' && p[7] <= '9') ||
		     (p[7] >= '1' && p[7] <= '9' && p[8] >= '0' && p[8] <= '9')))
		return true;
	p = strstr(model, "gemini-robotics-er-");
	return (p && p[19] >= '2') || strstr(model, "learnlm") != NULL;
}

void
google_chat_body(struct asking *a)
{
	struct buf *b = &a->req->body;
	bool new = google_is_new(a->t->model);

	ask_json(b, "{'contents':[{'role':'user','parts':[{'text':%s}]}]", ask_text(a));
	if (a->t->max_tokens >= 0 || new) {
		ask_json(b, ",'generationConfig':{");
		if (a->t->max_tokens >= 0)
			ask_json(b, "'max_output_tokens':%d%r", a->t->max_tokens, new ? "," : "");
		if (new)
			ask_json(b, "'temperature':1.0");
		buf_add_char(b, '}');
	}
	buf_add_char(b, '}');
}

void
google_speech_body(struct asking *a)
{
	ask_json(&a->req->body,
	    "{'contents':[{'role':'user','parts':[{'text':%s}]}],'generationConfig':"
	    "{'responseModalities':['AUDIO'],'speechConfig':{'voiceConfig':{'prebuiltVoiceConfig':"
	    "{'voiceName':%s}}}}}",
	    ask_text(a), ask_param(a, "voice", "alloy"));
}

void
google_add_sound(struct buf *b)
{
	buf_add_char(b, '"');
	sample_add_base64(b, sample_wav());
	buf_add_char(b, '"');
}

static void
google_add_picture(struct buf *b)
{
	buf_add_char(b, '"');
	sample_add_base64(b, sample_png());
	buf_add_char(b, '"');
}

void
google_edit_body(struct asking *a, bool vertex)
{
	struct buf *b = &a->req->body;

	ask_json(b, vertex
			? "{'contents':{'role':'USER','parts':[{'inlineData':{'mimeType':'image/"
			  "png','data':"
			: "{'contents':[{'parts':[{'inlineData':{'mimeType':'image/png','data':");
	google_add_picture(b);
	ask_json(b, "}},{'text':%s}]}%r,'generationConfig':{'response_modalities':[%r]}}",
	    SAMPLE_EDIT_PROMPT, vertex ? "" : "]", vertex ? "\"IMAGE\"" : "\"IMAGE\",\"TEXT\"");
}

/* Live models speak: a session for text alone is refused by most. */
void
google_live_body(struct asking *a, const char *model)
{
	ask_json(&a->req->body,
	    "{'setup':{'model':%s,'generationConfig':{'responseModalities':['AUDIO']}}}", model);
}

void
google_live_judge(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form ready = { .wants = { { "setupComplete", JUDGE_OBJECT } } };
	struct response event = *resp;

	if (resp->status >= 200 && resp->status < 300) {
		realtime_judge(t, resp, res);
		return;
	}
	if (resp->status == 101)
		event.status = 200;
	(void)judge_form(t, &event, &ready, res);
}

struct telling {
	const char *start;
	void (*each)(void *arg, struct str name);
	void *arg;
};

static void
tell(void *arg, struct str name)
{
	const struct telling *telling = arg;
	size_t n = strlen(telling->start);

	if (str_starts(name, telling->start))
		name = (struct str){ name.p + n, name.n - n };
	if (name.n > 0)
		telling->each(telling->arg, name);
}

int
google_listed(const struct target *t, const struct response *resp, const char *start,
    void (*each)(void *arg, struct str name), void *arg, struct result *res)
{
	struct telling telling = { start, each, arg };

	if (resp->status < 200 || resp->status >= 300) {
		(void)judge_form(t, resp, &form_generate, res);
		return ERR_INVALID;
	}
	return openai_listed(t, resp, tell, &telling, res);
}
