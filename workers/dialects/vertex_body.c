/* SPDX-License-Identifier: Apache-2.0 */
/* What each family of Vertex AI's models is sent. */
#include "workers/dialects/vertex.h"

#include <string.h>

#include "workers/dialects/google.h"
#include "workers/dialects/samples.h"

static void
add_limit(struct asking *a, const char *pattern)
{
	if (a->t->max_tokens >= 0)
		ask_json(&a->req->body, pattern, a->t->max_tokens);
}

static void
add_ocr_body(struct asking *a, enum family family)
{
	struct buf *b = &a->req->body;

	if (family == DEEPSEEK_OCR)
		ask_json(b,
		    "{'model':%s,'messages':[{'role':'user','content':[{'type':'image_url',"
		    "'image_url':'data:application/pdf;base64,",
		    a->t->model);
	else
		ask_json(b,
		    "{'model':%s,'document':{'type':'document_url',"
		    "'document_url':'data:application/pdf;base64,",
		    a->t->model);
	sample_add_base64(b, sample_pdf());
	ask_json(b,
	    family == DEEPSEEK_OCR ? "'}]}],'temperature':0.0,'repetition_penalty':1.05}" : "'}}");
}

static void
add_endpoint_body(struct asking *a)
{
	const struct target *t = a->t;
	struct buf *b = &a->req->body;

	if (strncmp(t->model, "openai/", 7) == 0) {
		ask_json(b, "{'messages':[{'role':'user','content':%s}]", ask_text(a));
		add_limit(a, ",'max_tokens':%d");
		buf_add_char(b, '}');
	} else if (t->mode == MODE_EMBEDDING) {
		ask_json(b,
		    strncmp(t->model, "bge/", 4) == 0
			? "{'instances':[{'prompt':%s}],'parameters':{}}"
			: "{'instances':[{'inputs':%s}],'parameters':{}}",
		    ask_text(a));
	} else {
		ask_json(b, "{'instances':[{'prompt':%s", ask_text(a));
		add_limit(a, ",'max_tokens':%d");
		buf_add_text(b, "}]}");
	}
}

void
vertex_add_body(struct asking *a, enum family family)
{
	const struct target *t = a->t;
	struct buf *b = &a->req->body;
	const char *text = ask_text(a);

	switch (family) {
	case CLAUDE:
		ask_json(
		    b, "{'messages':[{'role':'user','content':[{'type':'text','text':%s}]}]", text);
		ask_json(b, ",'max_tokens':%d,'anthropic_version':'vertex-2023-10-16'}",
		    t->max_tokens >= 0 ? t->max_tokens : INT64_C(16));
		break;
	case MISTRAL:
	case AI21:
	case OPENAPI:
	case OPENAPI_GLOBAL:
		ask_json(
		    b, "{'model':%s,'messages':[{'role':'user','content':%s}]", t->model, text);
		add_limit(a, ",'max_tokens':%d");
		ask_json(b, ",'stream':false}");
		break;
	case ENDPOINT:
		add_endpoint_body(a);
		break;
	case ENGINE: {
		struct buf user = BUF_INIT(64);

		buf_add_text(&user, "llmhealth-");
		request_add_uuid(&user, a->ctx, 0);
		ask_json(b, "{'class_method':'stream_query','input':{'message':%s,'user_id':%s}}",
		    text, buf_text(&user));
		buf_clear(&user);
		break;
	}
	case EMBEDDING:
		ask_json(b, "{'instances':[{'content':%s}],'parameters':{}}", text);
		break;
	case MULTIMODAL:
		ask_json(b, "{'instances':[{'text':%s}]}", text);
		break;
	case IMAGEN:
		ask_json(b, "{'instances':[{'prompt':%s}],'parameters':{'sampleCount':1}}", text);
		break;
	case GEMINI_IMAGE:
		ask_json(b,
		    "{'contents':[{'role':'user','parts':[{'text':%s}]}],'generationConfig':"
		    "{'responseModalities':['IMAGE']}}",
		    text);
		break;
	case EDIT:
		google_edit_body(a, true);
		break;
	case VIDEO_MADE:
		ask_json(b, "{'instances':[{'prompt':%s}]}", text);
		break;
	case VIDEO:
	case BATCHES:
		break;
	case RANK:
		ask_json(b,
		    "{'model':%s,'query':%s,'records':[{'id':'0','title':'my sample text',"
		    "'content':'my sample text'}],'ignoreRecordDetailsInResponse':true}",
		    t->model, text);
		break;
	case TTS:
		ask_json(b,
		    "{'input':{'text':%s},'voice':{'languageCode':'en-US','name':'en-US-Studio-O'},"
		    "'audioConfig':{'audioEncoding':'LINEAR16','speakingRate':'1'}}",
		    text);
		break;
	case GEMINI_TTS:
		google_speech_body(a);
		break;
	case SPEECH:
		ask_json(b,
		    "{'config':{'model':%s,'languageCodes':['auto'],'features':"
		    "{'enableAutomaticPunctuation':true},'autoDecodingConfig':{}},'content':",
		    t->model);
		google_add_sound(b);
		buf_add_char(b, '}');
		break;
	case MISTRAL_OCR:
	case DEEPSEEK_OCR:
		add_ocr_body(a, family);
		break;
	case LIVE: /* its own: vertex.c */
		break;
	case GEMINI:
	case GEMINI_ENDPOINT:
		google_chat_body(a);
		break;
	}
}
