/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Amazon Bedrock: Converse, the vendors' own bodies behind /invoke, embeddings, pictures, rerank,
 * agents. Keys are never in a body, where LiteLLM puts them for agents.
 */
#include "workers/dialects/bedrock.h"

#include <string.h>

#include "workers/dialects/answer.h"
#include "workers/dialects/aws.h"
#include "workers/dialects/judge.h"
#include "workers/dialects/openai.h"
#include "workers/dialects/samples.h"
#include "workers/dialects/words.h"

#define IS_TEXT JUDGE_TEXT
#define IS_LIST (JUDGE_LIST | JUDGE_FILLED)
#define OUTPUT_MISSING "APIConnectionError: 'output'"

static const struct judge_form forms[] = {
	[BEDROCK_CONVERSE] = { .wants = { { "output.message", JUDGE_OBJECT },
				   { "output.message.content", JUDGE_LIST } },
	    .tokens_in = "usage.inputTokens",
	    .tokens_out = "usage.outputTokens",
	    .theirs = OUTPUT_MISSING, },
	[BEDROCK_ANTHROPIC] = { .wants = { { "content", JUDGE_LIST },
				    { "role|stop_reason", IS_TEXT } },
	    .tokens_in = "usage.input_tokens",
	    .tokens_out = "usage.output_tokens", },
	[BEDROCK_TITAN] = { .wants = { { "results[0].outputText", IS_TEXT } },
	    .tokens_in = "inputTextTokenCount",
	    .tokens_out = "results[0].tokenCount", },
	[BEDROCK_MISTRAL] = { .wants = { { "outputs[0].text|choices[0].message.content",
				  IS_TEXT } } },
	[BEDROCK_COMMAND_R] = { .wants = { { "text", IS_TEXT } } },
	[BEDROCK_COMMAND] = { .wants = { { "generations[0].text", IS_TEXT } } },
	[BEDROCK_J2] = { .wants = { { "completions[0].data.text", IS_TEXT } } },
	[BEDROCK_PEGASUS] = { .wants = { { "message", IS_TEXT } } },
	[BEDROCK_LLAMA] = { .wants = { { "generation|choices[0].text", IS_TEXT } },
	    .tokens_in = "prompt_token_count",
	    .tokens_out = "generation_token_count", },
	[BEDROCK_DEEPSEEK] = { .wants = { { "choices[0].text|generation|choices[0].message.content",
				   IS_TEXT } } },
	[BEDROCK_OPENAI] = { .wants = { { "choices", IS_LIST },
				 { "choices[0].message", JUDGE_OBJECT } },
	    .tokens_in = "usage.prompt_tokens",
	    .tokens_out = "usage.completion_tokens", },
	[BEDROCK_TITAN_EMBED] = { .wants = { { "embedding", IS_LIST },
				      { "embedding[0]", JUDGE_NUMBER } },
	    .tokens_in = "inputTextTokenCount", },
	[BEDROCK_NOVA_EMBED] = { .wants = { { "embeddings[0].embedding", IS_LIST },
				     { "embeddings[0].embedding[0]", JUDGE_NUMBER } },
	    .tokens_in = "inputTextTokenCount", },
	[BEDROCK_COHERE_EMBED] = { .wants = { { "embeddings.float|embeddings", IS_LIST },
				       { "embeddings.float[0][0]|embeddings[0][0]",
					   JUDGE_NUMBER } } },
	[BEDROCK_MARENGO] = { .wants = { { "data[0].embedding|embedding", IS_LIST },
				  { "data[0].embedding[0]|embedding[0]", JUDGE_NUMBER } } },
	[BEDROCK_AMAZON_IMAGE] = { .wants = { { "images", IS_LIST },
				       { "images[0]", IS_TEXT | JUDGE_FILLED } } },
	[BEDROCK_STABILITY] = { .wants = { { "images|artifacts", IS_LIST },
				    { "images[0]|artifacts[0].base64", IS_TEXT | JUDGE_FILLED } } },
	[BEDROCK_SDXL] = { .wants = { { "artifacts[0].base64|images[0]",
			       IS_TEXT | JUDGE_FILLED } } },
	[BEDROCK_LISTEN] = { .wants = { { "output.message.content", JUDGE_LIST } },
	    .tokens_in = "usage.inputTokens",
	    .tokens_out = "usage.outputTokens",
	    .theirs = OUTPUT_MISSING, },
	[BEDROCK_RERANK] = { .wants = { { "results", IS_LIST },
				 { "results[0].relevanceScore", JUDGE_NUMBER } } },
	[BEDROCK_AGENT] = { .wants = { { "completion", IS_TEXT } } },
	[BEDROCK_AGENTCORE] = { .wants = { { "result|response|output|message|messages|content|"
					     "completion",
				    JUDGE_OBJECT | JUDGE_LIST | JUDGE_TEXT | JUDGE_FILLED } } },
	[BEDROCK_UNKNOWN] = { .wants = { { "", JUDGE_OBJECT | JUDGE_FILLED } } }
};

/* ---- the bodies ---- */

/* `,"name":16`, or nothing where no limit is sent. */
static void
add_limit(struct asking *a, const char *key)
{
	if (a->t->max_tokens >= 0)
		buf_addf(&a->req->body, "%s\"%s\":%lld",
		    a->req->body.data[a->req->body.len - 1] == '{' ? "" : ",", key,
		    (long long)a->t->max_tokens);
}

static void
add_base64(struct buf *b, struct str bytes)
{
	buf_add_char(b, '"');
	sample_add_base64(b, bytes);
	buf_add_char(b, '"');
}

static void
chat_body(struct asking *a, enum bedrock_family family, const char *model)
{
	const char *text = ask_text(a);
	struct buf *b = &a->req->body, words = BUF_INIT((size_t)64 << 10);

	switch (family) {
	case BEDROCK_ANTHROPIC:
		ask_json(
		    b, "{'messages':[{'role':'user','content':[{'type':'text','text':%s}]}]", text);
		/* Anthropic's interface takes no question without a limit. */
		if (a->t->max_tokens < 0)
			buf_add_text(b, ",\"max_tokens\":16");
		add_limit(a, "max_tokens");
		ask_json(b, ",'anthropic_version':'bedrock-2023-05-31'}");
		break;
	case BEDROCK_TITAN:
		buf_addf(&words, "\n\nUser: %s\n\nBot: ", text);
		ask_json(b, "{'inputText':%s,'textGenerationConfig':{", buf_text(&words));
		add_limit(a, "maxTokenCount");
		buf_add_text(b, "}}");
		break;
	case BEDROCK_MISTRAL:
		buf_addf(&words, "<s>[INST] %s [/INST]\n", text);
		ask_json(b, "{'prompt':%s", buf_text(&words));
		add_limit(a, "max_tokens");
		buf_add_char(b, '}');
		break;
	case BEDROCK_COMMAND_R:
		ask_json(b, "{'message':%s", text);
		add_limit(a, "max_tokens");
		ask_json(b, ",'chat_history':[]}");
		break;
	case BEDROCK_COMMAND:
	case BEDROCK_J2:
		ask_json(b, "{'prompt':%s", text);
		add_limit(a, family == BEDROCK_J2 ? "maxTokens" : "max_tokens");
		buf_add_char(b, '}');
		break;
	case BEDROCK_PEGASUS:
		buf_addf(&words, "user: %s", text);
		ask_json(b, "{'inputPrompt':%s", buf_text(&words));
		add_limit(a, "maxOutputTokens");
		buf_add_char(b, '}');
		break;
	case BEDROCK_DEEPSEEK:
		buf_addf(&words,
		    "<\xef\xbd\x9c"
		    "begin\xe2\x96\x81of\xe2\x96\x81sentence\xef\xbd\x9c><"
		    "\xef\xbd\x9cUser\xef\xbd\x9c>"
		    "%s<\xef\xbd\x9c"
		    "Assistant\xef\xbd\x9c><think>\n",
		    text);
		text = buf_text(&words);
		/* fall through */
	case BEDROCK_LLAMA:
		ask_json(b, "{'prompt':%s", text);
		add_limit(a, "max_gen_len");
		buf_add_char(b, '}');
		break;
	case BEDROCK_OPENAI:
		ask_json(b, "{'model':%s,'messages':[{'role':'user','content':%s}]", model, text);
		add_limit(a, "max_tokens");
		buf_add_char(b, '}');
		break;
	default:
		ask_json(b,
		    "{'messages':[{'role':'user','content':[{'text':%s}]}],'inferenceConfig':{",
		    text);
		add_limit(a, "maxTokens");
		buf_add_text(b, "}}");
		break;
	}
	buf_clear(&words);
}

static void
add_rerank_body(struct asking *a, const char *id)
{
	struct buf arn = BUF_INIT(2048);

	if (strncmp(id, "arn:", 4) != 0)
		buf_addf(&arn, "arn:aws:bedrock:%s::foundation-model/", aws_region(a->t));
	buf_add_text(&arn, id);
	ask_json(&a->req->body,
	    "{'queries':[{'textQuery':{'text':%s},'type':'TEXT'}],'rerankingConfiguration':"
	    "{'bedrockRerankingConfiguration':{'modelConfiguration':{'modelArn':%s},"
	    "'numberOfResults':1},'type':'BEDROCK_RERANKING_MODEL'},'sources':[{"
	    "'inlineDocumentSource':{'textDocument':{'text':'my sample text'},'type':'TEXT'},"
	    "'type':'INLINE'}]}",
	    ask_text(a), buf_text(&arn));
	buf_clear(&arn);
}

static void
add_image_body(struct asking *a, enum bedrock_family family)
{
	struct buf *b = &a->req->body;

	if (a->t->mode == MODE_IMAGE_GENERATION) {
		ask_json(b,
		    family == BEDROCK_AMAZON_IMAGE
			? "{'taskType':'TEXT_IMAGE','textToImageParams':{'text':%s},"
			  "'imageGenerationConfig':{}}"
		    : family == BEDROCK_SDXL ? "{'text_prompts':[{'text':%s}]}"
					     : "{'prompt':%s}",
		    ask_text(a));
	} else if (family == BEDROCK_AMAZON_IMAGE) {
		ask_json(b,
		    "{'taskType':'IMAGE_VARIATION','imageVariationParams':{'text':%s,'images':[",
		    SAMPLE_EDIT_PROMPT);
		add_base64(b, sample_png());
		ask_json(b, "]},'imageGenerationConfig':{}}");
	} else {
		ask_json(b, "{'output_format':'png','prompt':%s,'image':", SAMPLE_EDIT_PROMPT);
		add_base64(b, sample_png());
		buf_add_char(b, '}');
	}
}

static void
add_body(struct asking *a, const struct bedrock_route *route, const char *id)
{
	struct buf *b = &a->req->body;
	const char *text = ask_text(a);

	switch (route->family) {
	case BEDROCK_TITAN_EMBED:
		ask_json(b, "{'inputText':%s}", text);
		break;
	case BEDROCK_NOVA_EMBED:
		ask_json(b,
		    "{'schemaVersion':'nova-multimodal-embed-v1','taskType':'SINGLE_EMBEDDING',"
		    "'singleEmbeddingParams':{'embeddingPurpose':'GENERIC_INDEX',"
		    "'embeddingDimension':3072,'text':{'value':%s,'truncationMode':'END'}}}",
		    text);
		break;
	case BEDROCK_COHERE_EMBED:
		ask_json(b, "{'input_type':'search_document','texts':[%s]}", text);
		break;
	case BEDROCK_MARENGO:
		ask_json(b, "{'inputType':'text','inputText':%s,'textTruncate':'end'}", text);
		break;
	case BEDROCK_AMAZON_IMAGE:
	case BEDROCK_STABILITY:
	case BEDROCK_SDXL:
		add_image_body(a, route->family);
		break;
	case BEDROCK_LISTEN:
		ask_json(b, "{'messages':[{'role':'user','content':[{'audio':{'format':'wav',"
			    "'source':{'bytes':");
		add_base64(b, sample_wav());
		ask_json(b,
		    "}}},{'text':'Transcribe the audio. Respond with only the transcript.'}]}],"
		    "'system':[{'text':'You are a transcription assistant.'}],"
		    "'inferenceConfig':{'maxTokens':%d}}",
		    a->t->max_tokens >= 0 ? a->t->max_tokens : INT64_C(16));
		break;
	case BEDROCK_RERANK:
		add_rerank_body(a, id);
		break;
	case BEDROCK_AGENT:
		ask_json(b, "{'inputText':%s,'enableTrace':true}", text);
		break;
	case BEDROCK_AGENTCORE:
		ask_json(b, "{'prompt':%s}", text);
		break;
	default:
		chat_body(a, route->family, id);
		break;
	}
}

/* ---- where to ---- */

/* The base of another of Bedrock's services, which differs in the first word of the host. */
static void
add_base(struct asking *a, const char *service, struct buf *base)
{
	static const char usual[] = "https://bedrock-runtime.";
	const char *given = a->t->api_base;

	if (strncmp(given, usual, sizeof(usual) - 1) == 0)
		buf_addf(base, "https://%s.%s", service, given + sizeof(usual) - 1);
	else
		buf_add_text(base, given);
}

static int
add_url(struct asking *a, const struct bedrock_route *route, const char *id)
{
	struct buf path = BUF_INIT(4096), base = BUF_INIT(REQUEST_MAX_URL);
	const char *service = "bedrock-runtime";
	int err;

	switch (route->family) {
	case BEDROCK_RERANK:
		service = "bedrock-agent-runtime";
		buf_add_text(&path, "/rerank");
		break;
	case BEDROCK_AGENT: {
		const char *slash = strchr(id, '/');

		service = "bedrock-agent-runtime";
		buf_add_text(&path, "/agents/");
		ask_encode(
		    &path, (struct str){ id, slash ? (size_t)(slash - id) : strlen(id) }, "");
		buf_add_text(&path, "/agentAliases/");
		ask_encode(&path, str_of(slash ? slash + 1 : ""), "");
		buf_add_text(&path, "/sessions/");
		request_add_uuid(&path, a->ctx, 0);
		buf_add_text(&path, "/text");
		break;
	}
	case BEDROCK_AGENTCORE:
		service = "bedrock-agentcore";
		buf_add_text(&path, "/runtimes/");
		ask_encode(&path, str_of(id), "");
		buf_add_text(&path, "/invocations");
		break;
	default:
		buf_add_text(&path, "/model/");
		ask_encode(&path, str_of(id), route->kept);
		buf_add_text(
		    &path, route->family == BEDROCK_CONVERSE || route->family == BEDROCK_LISTEN
			       ? "/converse"
			       : "/invoke");
		break;
	}
	add_base(a, service, &base);
	err = buf_ok(&path) ? ask_path(a, buf_text(&base),
			  route->family == BEDROCK_LISTEN ? JOIN_STRIP : JOIN_APPEND, buf_text(&path))
			    : ask_refuse(a, "the model's name is too long");
	buf_clear(&path);
	buf_clear(&base);
	return err;
}

static int
add_headers(struct asking *a, enum bedrock_family family)
{
	struct buf session = BUF_INIT(128);
	int err = 0;

	if (family == BEDROCK_COHERE_EMBED) {
		if ((err = ask_header(a, "Accept", "application/json")) == 0)
			err = ask_header(a, "Request-Source", "unspecified:litellm");
	} else if (family == BEDROCK_AGENTCORE) {
		buf_add_text(&session, "llmhealth-session-");
		request_add_uuid(&session, a->ctx, 0);
		err = ask_header(
		    a, "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id", buf_text(&session));
		if (err == 0)
			err = ask_header(a, "Accept", "application/json, text/event-stream");
	}
	buf_clear(&session);
	if (err < 0)
		return err;
	return aws_headers(a, family == BEDROCK_AGENTCORE ? "bedrock-agentcore" : "bedrock");
}

static int
refuse_unknown(struct asking *a)
{
	struct buf theirs = BUF_INIT(1024), ours = BUF_INIT(1024);

	buf_addf(&theirs,
	    "litellm.NotFoundError: BedrockException - Bedrock Invoke HTTPX: Unknown "
	    "provider=None, "
	    "model=%.300s. Try calling via converse route - `bedrock/converse/<model>`.",
	    a->t->model);
	buf_addf(&ours,
	    "the vendor of `%.300s` is not known: write bedrock/converse/… or bedrock/invoke/…",
	    a->t->model);
	words_config(a->t, 404, buf_text(&theirs), buf_str(&ours), a->why);
	buf_clear(&theirs);
	buf_clear(&ours);
	return ERR_INVALID;
}

static int
bedrock_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct bedrock_route route = bedrock_route(t);
	struct buf id = BUF_INIT(2048);
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	if (route.family == BEDROCK_UNKNOWN)
		return refuse_unknown(&a);
	/* An inference profile's ARN in model_id takes the place of the name. */
	if (*ask_param(&a, "model_id", "") && t->mode != MODE_RERANK) {
		buf_add_text(&id, ask_param(&a, "model_id", ""));
		route.kept = "";
	} else {
		buf_add_str(&id, route.id);
	}
	if ((err = add_url(&a, &route, buf_text(&id))) == 0 &&
	    (err = add_headers(&a, route.family)) == 0) {
		add_body(&a, &route, buf_text(&id));
		ask_add_params(&a, route.family == BEDROCK_OPENAI);
		err = ask_end(&a);
	}
	buf_clear(&id);
	return err;
}

/* ---- the answers ---- */

/*
 * Amazon's event stream: frames of total length, length of the headers, a checksum, headers,
 * payload, a checksum. The first frame says whether it is an event or an exception.
 */
static void
judge_events(const struct target *t, const struct response *resp, struct result *res)
{
	const unsigned char *p = (const unsigned char *)resp->body.p;
	size_t total, headers;
	struct words_reply reply = { .shown = resp->body, .searched = resp->body };

	result_reset(res);
	if (resp->body.n < 16)
		goto bad;
	total = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
	headers = (size_t)p[4] << 24 | (size_t)p[5] << 16 | (size_t)p[6] << 8 | p[7];
	if (total < 16 || total > resp->body.n || headers > total - 16)
		goto bad;
	if (memmem(p + 12, headers, "exception", 9)) {
		reply.message = (struct str){ resp->body.p + 12 + headers, total - 16 - headers };
		reply.shown = reply.searched = reply.message;
		words_error_body(t, &reply, res);
		return;
	}
	if (memmem(p + 12, headers, ":event-type", 11) == NULL)
		goto bad;
	judge_healthy(res);
	return;
bad:
	words_shape(t, NULL, (struct str){ NULL, 0 },
	    STR("status 200, but the body is no event stream of Amazon's"), res);
}

static bool
is_type(const struct response *resp, const char *part)
{
	struct str type = resp->header ? resp->header(resp, "content-type") : STR("");
	size_t n = strlen(part);

	return type.n >= n && memmem(type.p, type.n, part, n) != NULL;
}

static void
bedrock_judge(const struct target *t, const struct response *resp, struct result *res)
{
	struct bedrock_route route = bedrock_route(t);
	bool good = resp->status >= 200 && resp->status < 300;

	if (good && route.family == BEDROCK_AGENT && !is_type(resp, "json"))
		judge_events(t, resp, res);
	else if (good && route.family == BEDROCK_AGENTCORE && is_type(resp, "event-stream"))
		(void)judge_stream(t, resp, res);
	else
		(void)judge_form(t, resp, &forms[route.family], res);
}

/*
 * ---- the list of models: ListFoundationModels, those that are asked without a throughput; for an
 * inference profile ListInferenceProfiles, where alone it is listed:
 * docs.aws.amazon.com/bedrock/latest/APIReference/API_ListInferenceProfiles.html ----
 */

static int
bedrock_list(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	const char *output = t->mode == MODE_EMBEDDING	     ? "EMBEDDING"
			     : t->mode == MODE_IMAGE_GENERATION ? "IMAGE"
								: "TEXT";
	struct buf base = BUF_INIT(REQUEST_MAX_URL), path = BUF_INIT(256);
	struct asking a;
	bool own;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	req->method = "GET";
	add_base(&a, "bedrock", &base);
	if (strcmp(buf_text(&base), t->api_base) == 0)
		err = ask_refuse(&a, "the endpoint of a wildcard has no list of models, expected "
				     "model_info.health_check_model");
	if (strchr(t->model, '*'))
		buf_addf(&path, "/foundation-models?byInferenceType=ON_DEMAND&byOutputModality=%s", output);
	else if (bedrock_is_profile(t->model, &own))
		buf_addf(&path, "/inference-profiles?maxResults=1000&type=%s",
		    own ? "APPLICATION" : "SYSTEM_DEFINED");
	else
		buf_add_text(&path, "/foundation-models");
	if (err == 0 &&
	    (err = ask_path(&a, buf_text(&base), JOIN_STRIP, buf_text(&path))) == 0 &&
	    (err = add_headers(&a, BEDROCK_CONVERSE)) == 0)
		err = ask_end(&a);
	buf_clear(&base);
	buf_clear(&path);
	return err;
}

/* What stands before the wildcard ("converse/", "eu-west-3/") stands before each name. */
struct prefixed {
	struct str prefix;
	void (*each)(void *arg, struct str name);
	void *arg;
};

static void
tell_prefixed(void *arg, struct str name)
{
	const struct prefixed *p = arg;
	struct buf whole = BUF_INIT(REQUEST_MAX_URL);

	buf_add_str(&whole, p->prefix);
	buf_add_str(&whole, name);
	if (buf_ok(&whole))
		p->each(p->arg, (struct str){ buf_text(&whole), whole.len });
	buf_clear(&whole);
}

static int
bedrock_listed(const struct target *t, const struct response *resp,
    void (*each)(void *arg, struct str name), void *arg, struct result *res)
{
	struct prefixed p = { { t->model, 0 }, each, arg };

	for (size_t i = 0; t->model[i] && t->model[i] != '*'; i++)
		if (t->model[i] == '/')
			p.prefix.n = i + 1;
	if (resp->status < 200 || resp->status >= 300) {
		(void)judge_form(t, resp, &forms[BEDROCK_CONVERSE], res);
		return ERR_INVALID;
	}
	return openai_listed(t, resp, tell_prefixed, &p, res);
}

const struct dialect dialect_bedrock = {
	.name = "bedrock",
	.scheme = auth_aws,
	.build = bedrock_build,
	.judge = bedrock_judge,
	.list = bedrock_list,
	.listed = bedrock_listed,
	.stable = false,
	.variants = 2,
};
