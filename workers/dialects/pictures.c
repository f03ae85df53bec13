/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services that draw: Stability AI (a form), Black Forest Labs, fal.ai and Runway (jobs). A job
 * that is accepted proves the key and the model, so it is not waited for. A video is not begun
 * unless the deployment wants it: fal's price of the model and Runway's own account say the same for
 * nothing.
 */
#include <string.h>

#include "workers/dialects/answer.h"
#include "workers/dialects/ask.h"
#include "workers/dialects/forms.h"
#include "workers/dialects/multipart.h"
#include "workers/dialects/samples.h"
#include "workers/dialects/words.h"

/* The text that is drawn from, or by which the sample is changed. */
static const char *
prompt_of(const struct asking *a)
{
	return a->t->mode == MODE_IMAGE_EDIT ? SAMPLE_EDIT_PROMPT : ask_text(a);
}

static int
add_path(
    struct asking *a, const char *base, const char *before, const char *model, const char *after)
{
	struct buf path = BUF_INIT(2048);
	int err;

	buf_add_text(&path, before);
	ask_encode(&path, str_of(model), "/");
	buf_add_text(&path, after);
	err = ask_path(a, base, JOIN_STRIP, buf_text(&path));
	buf_clear(&path);
	return err;
}

/* ---- Stability AI ---- */

/* Names that are one interface; `sd3.5-large` is asked of sd3. */
static const char *
stability_engine(const struct target *t)
{
	return t->mode == MODE_IMAGE_GENERATION && strncmp(t->model, "sd3", 3) == 0 ? "sd3"
										    : t->model;
}

static int
stability_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	bool edits = t->mode == MODE_IMAGE_EDIT;
	struct multipart form = { &req->body, 0 };
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0 ||
	    (err = add_path(&a, NULL,
		 edits ? "/v2beta/stable-image/edit/" : "/v2beta/stable-image/generate/",
		 stability_engine(t), "")) < 0 ||
	    (err = ask_headers(&a, ASK_KEY, STR(MULTIPART_TYPE))) < 0)
		return err;
	if (edits)
		multipart_text(&form, "output_format", STR("png"));
	multipart_text(&form, "prompt", str_of(prompt_of(&a)));
	if (!edits)
		multipart_text(&form, "output_format", STR("png"));
	if (strcmp(stability_engine(t), t->model) != 0)
		multipart_text(&form, "model", str_of(t->model));
	if (edits)
		multipart_file(&form, "image", "upload", "application/octet-stream", sample_png());
	if (multipart_end(&form) < 0)
		return ask_refuse(&a, "the form cannot be sent");
	return ask_end(&a);
}

static void
stability_judge(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form form = {
		.wants = { { "image|images[0]", JUDGE_TEXT | JUDGE_FILLED } }
	};

	(void)judge_form(t, resp, &form, res);
}

const struct dialect dialect_stability = {
	.name = "stability",
	.build = stability_build,
	.judge = stability_judge,
	.stable = true,
	.variants = 1,
};

/* ---- Black Forest Labs ---- */

static void
add_picture(struct buf *b, const char *head)
{
	buf_add_char(b, '"');
	buf_add_text(b, head);
	sample_add_base64(b, sample_png());
	buf_add_char(b, '"');
}

static int
bfl_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct buf *b = &req->body;
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0 || (err = add_path(&a, NULL, "/v1/", t->model, "")) < 0 ||
	    (err = ask_headers(&a, ASK_KEY, STR("application/json"))) < 0)
		return err;
	ask_json(b, "{'prompt':%s", prompt_of(&a));
	if (t->mode == MODE_IMAGE_EDIT) {
		ask_json(b, ",'input_image':");
		add_picture(b, "");
	}
	ask_json(b, ",'output_format':'png'}");
	ask_add_params(&a, false);
	return ask_end(&a);
}

static const struct judge_form job = { .wants = { { "id", JUDGE_TEXT | JUDGE_FILLED } } };

static void
bfl_judge(const struct target *t, const struct response *resp, struct result *res)
{
	(void)judge_form(t, resp, &job, res);
}

const struct dialect dialect_bfl = {
	.name = "bfl",
	.build = bfl_build,
	.judge = bfl_judge,
	.stable = true,
	.variants = 1,
};

/* ---- Recraft ---- */

static int
recraft_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	bool edits = t->mode == MODE_IMAGE_EDIT;
	struct multipart form = { &req->body, 0 };
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0 ||
	    (err = ask_path(&a, NULL, JOIN_STRIP,
		 edits ? "/v1/images/imageToImage" : "/v1/images/generations")) < 0 ||
	    (err = ask_headers(
		 &a, ASK_KEY, edits ? STR(MULTIPART_TYPE) : STR("application/json"))) < 0)
		return err;
	if (edits) {
		multipart_text(&form, "model", str_of(t->model));
		multipart_text(&form, "strength", STR("0.2"));
		multipart_text(&form, "prompt", str_of(prompt_of(&a)));
		multipart_file(&form, "image", SAMPLE_PNG_NAME, "image/png", sample_png());
		if (multipart_end(&form) < 0)
			return ask_refuse(&a, "the form cannot be sent");
	} else {
		ask_json(&req->body, "{'prompt':%s,'model':%s}", ask_text(&a), t->model);
		ask_add_params(&a, true);
	}
	return ask_end(&a);
}

static void
recraft_judge(const struct target *t, const struct response *resp, struct result *res)
{
	(void)judge_form(t, resp, &form_images, res);
}

const struct dialect dialect_openai_images = {
	.name = "openai_images",
	.build = recraft_build,
	.judge = recraft_judge,
	.stable = true,
	.variants = 1,
};

/* ---- fal.ai ---- */

/* A name without an owner is OpenAI's. */
static const char *
fal_owner(const struct target *t)
{
	return strchr(t->model, '/') ? "/" : "/openai/";
}

static int
fal_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	bool edits = t->mode == MODE_IMAGE_EDIT, made = ask_generates(t);
	bool video = t->mode == MODE_VIDEO_GENERATION && !made;
	bool own = t->provider->base && strcmp(t->api_base, t->provider->base) == 0;
	struct buf *b = &req->body;
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	if (video) {
		/* Its price: the list of models itself is for anybody, with or without a key
		 * (fal.ai/docs/platform-apis/v1/models/pricing). */
		req->method = "GET";
		err = add_path(
		    &a, own ? "https://api.fal.ai" : NULL, "/v1/models/pricing?endpoint_id=", t->model, "");
	} else {
		err = add_path(&a,
		    own && t->mode == MODE_VIDEO_GENERATION ? "https://queue.fal.run" : NULL,
		    fal_owner(t), t->model, edits ? "/edit" : "");
	}
	if (err < 0 ||
	    (err = ask_headers(&a, ASK_KEY, video ? STR("") : STR("application/json"))) < 0)
		return err;
	if (video)
		return ask_end(&a);
	ask_json(b, "{'prompt':%s", prompt_of(&a));
	if (edits) {
		ask_json(b, ",'image_urls':[");
		add_picture(b, "data:image/png;base64,");
		buf_add_char(b, ']');
	}
	buf_add_char(b, '}');
	ask_add_params(&a, false);
	return ask_end(&a);
}

static void
fal_judge(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form drawn = {
		.wants = { { "images[0]|image|data[0]|output|text", JUDGE_OBJECT | JUDGE_TEXT } }
	};
	static const struct judge_form listed = { .wants = {
						      { "prices", JUDGE_LIST | JUDGE_FILLED },
						      { "prices[0].endpoint_id", JUDGE_TEXT } } };

	static const struct judge_form queued = {
		.wants = { { "request_id", JUDGE_TEXT | JUDGE_FILLED } }
	};
	const struct judge_form *form = &drawn;

	if (t->mode == MODE_VIDEO_GENERATION)
		form = ask_generates(t) ? &queued : &listed;
	(void)judge_form(t, resp, form, res);
}

const struct dialect dialect_fal = {
	.name = "fal",
	.build = fal_build,
	.judge = fal_judge,
	.stable = true,
	.variants = 1,
};

/* ---- Runway ---- */

static int
runwayml_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	bool made = t->mode == MODE_VIDEO_GENERATION && ask_generates(t);
	bool video = t->mode == MODE_VIDEO_GENERATION && !made;
	struct buf *b = &req->body;
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	if (video)
		req->method = "GET";
	if ((err = ask_path(&a, NULL, JOIN_STRIP,
		 video				? "/v1/organization"
		 : made				? "/v1/text_to_video"
		 : t->mode == MODE_AUDIO_SPEECH ? "/v1/text_to_speech"
						: "/v1/text_to_image")) < 0 ||
	    (err = ask_headers(&a, ASK_KEY, video ? STR("") : STR("application/json"))) < 0)
		return err;
	if (t->mode == MODE_AUDIO_SPEECH)
		ask_json(b,
		    "{'model':%s,'promptText':%s,'voice':{'type':'runway-preset','presetId':'Maya'}"
		    "}",
		    t->model, ask_text(&a));
	else if (made)
		ask_json(b, "{'model':%s,'promptText':%s}", t->model, ask_text(&a));
	else if (!video)
		ask_json(
		    b, "{'model':%s,'promptText':%s,'ratio':'1920:1080'}", t->model, ask_text(&a));
	ask_add_params(&a, false);
	return ask_end(&a);
}

/* The account lists the models that it may use. */
static void
judge_account(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form account = { .wants = { { "tier", JUDGE_OBJECT },
						       { "tier.models", JUDGE_OBJECT } } };
	static const struct answer_place places[] = { { -1, NULL }, { 0, "tier" },
		{ 1, "models" } };
	struct answer_value v[ARRAY_LEN(places)];
	struct answer_fault fault;
	struct buf ours = BUF_INIT(512);
	struct str key, value;
	size_t at = 0;

	if (!judge_form(t, resp, &account, res) ||
	    answer_read(resp->body, places, ARRAY_LEN(places), v, &fault) < 0)
		return;
	while (answer_member(v[2].raw, &at, &key, &value))
		if (str_is(key, t->model))
			return;
	buf_addf(&ours, "the account has no model `%.200s`", t->model);
	words_shape(t, NULL, (struct str){ NULL, 0 }, buf_str(&ours), res);
	res->reason = REASON_NOT_FOUND;
	res->exception_status = reason_status(REASON_NOT_FOUND);
	buf_clear(&ours);
}

static void
runwayml_judge(const struct target *t, const struct response *resp, struct result *res)
{
	if (t->mode == MODE_VIDEO_GENERATION && !ask_generates(t))
		judge_account(t, resp, res);
	else
		(void)judge_form(t, resp, &job, res);
}

const struct dialect dialect_runwayml = {
	.name = "runwayml",
	.build = runwayml_build,
	.judge = runwayml_judge,
	.stable = true,
	.variants = 1,
};
