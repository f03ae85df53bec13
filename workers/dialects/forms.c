/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/dialects/forms.h"

#define FILLED_LIST (REPLY_LIST | REPLY_FILLED)
#define FILLED_TEXT (REPLY_TEXT | REPLY_FILLED)

const struct reply_form form_chat = {
	{ { "choices", FILLED_LIST },
	    { "choices[0].message|choices[0].text", REPLY_OBJECT | REPLY_TEXT } },
	"usage.prompt_tokens",
	"usage.completion_tokens",
	NULL,
};

const struct reply_form form_text = {
	{ { "choices", FILLED_LIST },
	    { "choices[0].text|choices[0].message", REPLY_OBJECT | REPLY_TEXT } },
	"usage.prompt_tokens",
	"usage.completion_tokens",
	NULL,
};

const struct reply_form form_embedding = {
	{ { "data", FILLED_LIST }, { "data[0].embedding", FILLED_LIST | REPLY_TEXT },
	    { "data[0].embedding[0]|data[0].embedding", REPLY_NUMBER | FILLED_TEXT } },
	"usage.prompt_tokens",
	NULL,
	NULL,
};

const struct reply_form form_images = {
	{ { "data", FILLED_LIST }, { "data[0].url|data[0].b64_json", FILLED_TEXT } },
	NULL,
	NULL,
	NULL,
};

const struct reply_form form_responses = {
	{ { "output", REPLY_LIST }, { "status|output[0]", REPLY_TEXT | REPLY_OBJECT } },
	"usage.input_tokens",
	"usage.output_tokens",
	NULL,
};

const struct reply_form form_messages = {
	{ { "content", REPLY_LIST }, { "role|stop_reason", REPLY_TEXT } },
	"usage.input_tokens",
	"usage.output_tokens",
	"litellm.APIConnectionError: 'content'",
};

/* With few tokens a model that thinks first gives no parts, but a reason why it has stopped. */
const struct reply_form form_generate = {
	{ { "candidates", FILLED_LIST },
	    { "candidates[0].content.parts|candidates[0].finishReason", REPLY_LIST | REPLY_TEXT } },
	"usageMetadata.promptTokenCount",
	"usageMetadata.candidatesTokenCount",
	NULL,
};

const struct reply_form form_embed_contents = {
	{ { "embeddings", FILLED_LIST }, { "embeddings[0].values", FILLED_LIST },
	    { "embeddings[0].values[0]", REPLY_NUMBER } },
	NULL,
	NULL,
	NULL,
};

/* Of Google's own models, of multimodalembedding, of deployed ones. */
const struct reply_form form_predict_embedding = {
	{ { "predictions", FILLED_LIST },
	    { "predictions[0].embeddings.values[0]|predictions[0].textEmbedding[0]|"
	      "predictions[0].values[0]|predictions[0][0]|predictions[0][0][0]",
		REPLY_NUMBER | FILLED_LIST } },
	"predictions[0].embeddings.statistics.token_count",
	NULL,
	NULL,
};

const struct reply_form form_predict_image = {
	{ { "predictions|generatedImages", FILLED_LIST },
	    { "predictions[0].bytesBase64Encoded|predictions[0].gcsUri|predictions[0]."
	      "raiFilteredReason|"
	      "generatedImages[0].image.imageBytes",
		FILLED_TEXT } },
	NULL,
	NULL,
	NULL,
};

/* A model's entry, or an operation that was begun. */
const struct reply_form form_model = {
	{ { "name", FILLED_TEXT } },
	NULL,
	NULL,
	NULL,
};

const struct reply_form form_rank = {
	{ { "records", FILLED_LIST },
	    { "records[0].score|records[0].id", REPLY_NUMBER | REPLY_TEXT } },
	NULL,
	NULL,
	NULL,
};

const struct reply_form form_scores = {
	{ { "results", FILLED_LIST },
	    { "results[0].relevance_score|results[0].score", REPLY_NUMBER } },
	NULL,
	NULL,
	NULL,
};
