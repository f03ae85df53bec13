/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/dialects/forms.h"

#define FILLED_LIST (JUDGE_LIST | JUDGE_FILLED)
#define FILLED_TEXT (JUDGE_TEXT | JUDGE_FILLED)

const struct judge_form form_chat = {
	.wants = { { "choices", FILLED_LIST },
	    { "choices[0].message|choices[0].text", JUDGE_OBJECT | JUDGE_TEXT } },
	.tokens_in = "usage.prompt_tokens",
	.tokens_out = "usage.completion_tokens",
};

const struct judge_form form_images = { .wants = { { "data", FILLED_LIST },
					    { "data[0].url|data[0].b64_json", FILLED_TEXT } } };

const struct judge_form form_responses = {
	.wants = { { "output", JUDGE_LIST }, { "status|output[0]", JUDGE_TEXT | JUDGE_OBJECT } },
	.tokens_in = "usage.input_tokens",
	.tokens_out = "usage.output_tokens",
};

const struct judge_form form_messages = {
	.wants = { { "content", JUDGE_LIST }, { "role|stop_reason", JUDGE_TEXT } },
	.tokens_in = "usage.input_tokens",
	.tokens_out = "usage.output_tokens",
	.theirs = "APIConnectionError: 'content'",
};

/* With few tokens a model that thinks first gives no parts, but a reason why it has stopped. */
const struct judge_form form_generate = {
	.wants = { { "candidates", FILLED_LIST },
	    { "candidates[0].content.parts|candidates[0].finishReason", JUDGE_LIST | JUDGE_TEXT } },
	.tokens_in = "usageMetadata.promptTokenCount",
	.tokens_out = "usageMetadata.candidatesTokenCount",
};

const struct judge_form form_embed_contents = { .wants = { { "embeddings", FILLED_LIST },
						    { "embeddings[0].values", FILLED_LIST },
						    { "embeddings[0].values[0]", JUDGE_NUMBER } } };

/* Of Google's own models, of multimodalembedding, of deployed ones. */
const struct judge_form form_predict_embedding = {
	.wants = { { "predictions", FILLED_LIST },
	    { "predictions[0].embeddings.values[0]|predictions[0].textEmbedding[0]|"
	      "predictions[0].values[0]|predictions[0][0]|predictions[0][0][0]",
		JUDGE_NUMBER | FILLED_LIST } },
	.tokens_in = "predictions[0].embeddings.statistics.token_count",
};

const struct judge_form form_predict_image = {
	.wants = { { "predictions|generatedImages", FILLED_LIST },
	    { "predictions[0].bytesBase64Encoded|predictions[0].gcsUri|predictions[0]."
	      "raiFilteredReason|"
	      "generatedImages[0].image.imageBytes",
		FILLED_TEXT } }
};

/* A model's entry, or an operation that was begun. */
const struct judge_form form_model = { .wants = { { "name", FILLED_TEXT } } };

const struct judge_form form_rank = {
	.wants = { { "records", FILLED_LIST },
	    { "records[0].score|records[0].id", JUDGE_NUMBER | JUDGE_TEXT } }
};

const struct judge_form form_scores = {
	.wants = { { "results", FILLED_LIST },
	    { "results[0].relevance_score|results[0].score", JUDGE_NUMBER } }
};
