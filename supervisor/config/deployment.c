/* SPDX-License-Identifier: Apache-2.0 */
/* One entry of model_list: its id, its provider and its mode; what follows from them is read
 * elsewhere. */
#include "supervisor/config/deployment.h"

#include <stdio.h>
#include <string.h>

#include "shared/model_facts.h"
#include "shared/provider.h"
#include "supervisor/config/credentials.h"
#include "supervisor/config/ids.h"
#include "supervisor/config/reading.h"

#define MODES_PAGE "https://docs.litellm.ai/docs/proxy/health"

/* `os.environ/NAME` of a variable that is not set. */
static bool
unset(const struct node *node)
{
	return node->type == NODE_NULL && node->from_env && node->env_name;
}

/* LiteLLM's own check of the parameters; what fails it is dropped there with a log line. */
static void
check_types(struct reading *r)
{
	for (size_t i = 0; i < r->litellm_params->n; i++)
		if (r->litellm_params->pairs[i].key->type != NODE_STR)
			reading_refuse(r, r->litellm_params->pairs[i].key, 400, NULL,
			    "a key of litellm_params is %s, expected a text",
			    node_type_name(r->litellm_params->pairs[i].key));
	for (size_t i = 0; i < r->asked.n; i++) {
		const struct param *p = &r->asked.v[i];
		const struct param_row *row = param_find(p->name);
		const char *expected = NULL;
		int64_t unused;

		if (row == NULL)
			continue;
		if (row->type == PARAM_TEXT && !node_is_str(p->value))
			expected = p->value->type == NODE_DATE || p->value->type == NODE_INT
				       ? "a text; put it in quotes"
				       : "a text";
		else if (row->type == PARAM_WHOLE && node_whole(p->value, &unused) < 0)
			expected = "a whole number";
		else if (row->type == PARAM_SECONDS && node_milliseconds(p->value, &unused) < 0)
			expected = "a number of seconds";
		if (expected)
			reading_refuse(r, p->value, 400, NULL, "%s is %s, expected %s", row->name,
			    node_type_name(p->value), expected);
	}
	if (r->asked.full)
		reading_refuse(
		    r, r->litellm_params, 400, NULL, "more than %d parameters", PARAMS_MAX);
}

static void
read_tags(struct reading *r)
{
	const struct node *tags = params_get(&r->configured, "tags");

	if (tags && tags->type != NODE_LIST)
		reading_refuse(r, tags, 400, NULL, "tags is %s, expected a list of texts",
		    node_type_name(tags));
	for (size_t i = 0; tags && tags->type == NODE_LIST && i < tags->n; i++)
		if (!node_is_str(tags->items[i])) {
			reading_refuse(r, tags->items[i], 400, NULL,
			    "tags holds %s, expected texts only", node_type_name(tags->items[i]));
			return;
		}
}

static void
read_credential(struct reading *r)
{
	const struct node *name = params_get(&r->configured, "litellm_credential_name");

	if (name && node_is_str(name) && credentials_apply(r->ctx->root, name->text, &r->asked) < 0)
		reading_refuse(r, name, 400, NULL,
		    "no credential named \"%.*s\" is in credential_list", (int)name->text.n,
		    name->text.p);
}

static void
read_id(struct reading *r)
{
	struct buf id = BUF_INIT(READING_TEXT_MAX);
	const struct node *bad = NULL;

	if (deployment_id(r->element, &id, &bad) < 0)
		reading_refuse(r, bad, 400, NULL,
		    bad == reading_info(r, "id")
			? "model_info.id is %s, expected a text or a whole number"
			: "no id can be made: %s has a key that JSON does not allow",
		    bad ? node_type_name(bad) : "litellm_params");
	if (id.len == 0)
		problem_warning(r->ctx->problems,
		    (r->model_info ? r->model_info : r->element)->mark,
		    "model_info.id is an empty text; LiteLLM leaves this deployment out of "
		    "/health");
	r->d->front.id = reading_keep(r, &id);
}

/* What model_info puts over the parameters, in LiteLLM's order. */
static void
edit_params(struct reading *r)
{
	const struct node *extra = reading_info(r, "health_check_params");
	const struct node *model = reading_info(r, "health_check_model");
	const struct node *configured = params_get(&r->configured, "model");

	if (extra && extra->type != NODE_MAP)
		problem_warning(r->ctx->problems, extra->mark,
		    "health_check_params is %s and is passed over, expected a mapping",
		    node_type_name(extra));
	for (size_t i = 0; extra && extra->type == NODE_MAP && i < extra->n; i++)
		if (node_is_str(extra->pairs[i].key) && extra->pairs[i].value->type != NODE_NULL)
			params_set(&r->asked, extra->pairs[i].key->text, extra->pairs[i].value);
	if (configured && node_is_str(configured))
		r->wildcard = memchr(configured->text.p, '*', configured->text.n) != NULL;
	if (model && !node_is_str(model))
		reading_refuse(r, model, 400, NULL, "health_check_model is %s, expected a text",
		    node_type_name(model));
	else if (model && model->text.n > 0)
		params_set(&r->asked, STR("model"), model);
	model = params_get(&r->asked, "model");
	r->model = model && node_is_str(model) ? model->text : STR("");
}

static bool
is_region(struct str segment)
{
	static const char *const starts[] = { "us-", "eu-", "ap-", "sa-", "ca-", "me-", "af-",
		"il-", "mx-", "cn-" };
	size_t dashes = 0;

	for (size_t i = 0; i < segment.n; i++)
		dashes += segment.p[i] == '-';
	if (dashes < 2 || segment.n > 24 || segment.p[segment.n - 1] < '0' ||
	    segment.p[segment.n - 1] > '9')
		return false;
	for (size_t i = 0; i < ARRAY_LEN(starts); i++)
		if (str_starts(segment, starts[i]))
			return true;
	return false;
}

/* "bedrock/eu-west-3/m" is shown and asked as "m" of bedrock; its region counts where none is
 * given. */
static void
edit_bedrock(struct reading *r)
{
	struct str rest = { r->model.p + 8, r->model.n - 8 };
	struct buf model = BUF_INIT(READING_TEXT_MAX);

	while (rest.n > 0) {
		const char *slash = memchr(rest.p, '/', rest.n);
		struct str segment = { rest.p, slash ? (size_t)(slash - rest.p) : rest.n };

		if (is_region(segment)) {
			if (params_get(&r->asked, "aws_region_name") == NULL)
				kv_set(&r->params, STR("aws_region_name"),
				    arena_copy(r->ctx->arena, segment));
		} else {
			if (model.len > 0)
				buf_add_char(&model, '/');
			buf_add_str(&model, segment);
		}
		rest.p += segment.n + (slash != NULL);
		rest.n -= segment.n + (slash != NULL);
	}
	r->model = reading_keep(r, &model);
	params_set(&r->asked, STR("model"), node_str(r->ctx->arena, r->model, r->element->mark));
	if (params_get(&r->asked, "custom_llm_provider") == NULL)
		params_set(&r->asked, STR("custom_llm_provider"),
		    node_str(r->ctx->arena, STR("bedrock"), r->element->mark));
}

static struct str
text_of(const struct node *node)
{
	return node && node_is_str(node) ? node->text : STR("");
}

/* LiteLLM then asks the provider's own host, with the key: seldom what was meant. */
static void
warn_unset_base(struct reading *r)
{
	static const char *const names[] = { "api_base", "base_url" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct node *node = node_get(r->litellm_params, names[i]);

		if (node && unset(node))
			problem_warning(r->ctx->problems, node->mark,
			    "%s is os.environ/%s, which is not set; the provider's own address is "
			    "asked",
			    names[i], node->env_name);
	}
}

static void
read_provider(struct reading *r)
{
	const struct node *base = params_get(&r->asked, "api_base");
	struct buf why = BUF_INIT(READING_TEXT_MAX);

	if (base == NULL)
		base = params_get(&r->asked, "base_url");
	if (str_starts(r->model, "bedrock/"))
		edit_bedrock(r);
	if (r->model.n == 0) {
		reading_refuse(r, r->litellm_params, 400, NULL,
		    "litellm_params has no model, expected "
		    "`model: PROVIDER/NAME`");
	} else if (provider_resolve(r->model, text_of(params_get(&r->asked, "custom_llm_provider")),
		       text_of(base), &r->provider, &r->bare, &why) < 0) {
		const char *line = buf_text(&why);

		r->provider = NULL;
		reading_refuse(r, params_get(&r->configured, "model"), 400, *line ? line : NULL,
		    "no provider for model \"%.*s\", expected PROVIDER/NAME or custom_llm_provider",
		    (int)r->model.n, r->model.p);
	}
	buf_clear(&why);
}

static void
read_mode(struct reading *r)
{
	const struct node *given = reading_info(r, "mode");
	struct str shown;
	char error[256];

	if (given && node_is_str(given)) {
		r->d->configured_mode = arena_copy(r->ctx->arena, given->text);
		r->mode = mode_parse(given->text);
		shown = given->text;
	} else if (r->provider && str_is(str_of(r->provider->name), "bedrock_mantle") &&
		   memmem(r->bare.p, r->bare.n, "claude", 6)) {
		r->mode = MODE_ANTHROPIC_MESSAGES;
		shown = str_of(mode_name(MODE_ANTHROPIC_MESSAGES));
	} else {
		r->mode = model_mode(str_of(r->provider ? r->provider->name : ""), r->bare);
		shown = r->mode < 0 ? STR("moderation") : str_of(mode_name((enum mode)r->mode));
	}
	r->d->front.mode = arena_copy(r->ctx->arena, shown);
	if (r->mode < 0) {
		snprintf(error, sizeof(error),
		    "Mode %.*s not supported. See modes here: " MODES_PAGE,
		    shown.n > 64 ? 64 : (int)shown.n, shown.p);
		reading_refuse(r, given, 500, error,
		    "mode \"%.*s\" is none that a health check has, expected chat, "
		    "completion, embedding, rerank, …",
		    (int)shown.n, shown.p);
	} else if (r->mode == MODE_CHAT && r->provider && str_starts(r->bare, "responses/")) {
		/* "openai/responses/m": chat that LiteLLM carries over /responses. */
		kv_set(&r->params, STR("bridged"), STR("chat"));
		r->mode = MODE_RESPONSES;
		r->bare = (struct str){ r->bare.p + 10, r->bare.n - 10 };
	}
}

static void
read_flags(struct reading *r)
{
	const struct settings *s = r->ctx->settings;
	struct str item, name = r->d->front.model_name;
	bool inside = false;

	if (node_says_true(reading_info(r, "disable_background_health_check")))
		r->d->front.flags |= DEPLOYMENT_DISABLED;
	if (!s->given[SETTING_HC_GROUPS])
		return;
	for (size_t i = 0; !inside && settings_list_item(s, SETTING_HC_GROUPS, i, &item); i++)
		inside = str_eq(item, name);
	if (!inside)
		r->d->front.flags |= DEPLOYMENT_OUTSIDE;
}

/* A wildcard with no model to ask, and what LiteLLM answers itself. */
static void
read_unaskable(struct reading *r)
{
	const struct node *mock = params_get(&r->asked, "mock_response");
	struct buf shown = BUF_INIT(1024);

	if (mock)
		reading_refuse(r, mock, 400, NULL,
		    "mock_response is answered by LiteLLM itself, no provider is asked");
	if (r->provider && memchr(r->bare.p, '*', r->bare.n) &&
	    !provider_lists_models(r->provider)) {
		buf_addf(&shown,
		    "litellm.BadRequestError: Unable to health check wildcard model for provider "
		    "%s. Set "
		    "model_info.health_check_model to a model that the provider has.",
		    r->provider->name);
		reading_refuse(r, params_get(&r->configured, "model"), 400, buf_text(&shown),
		    "a wildcard names no model to ask, expected model_info.health_check_model");
	}
	buf_clear(&shown);
}

/* All texts empty rather than NULL. */
static void
set_empty(struct deployment *d)
{
#define EMPTY_U32(place)
#define EMPTY_U64(place)
#define EMPTY_I64(place)
#define EMPTY_BOOL(place)
#define EMPTY_KVS(place)
#define EMPTY_STR(place) place = STR("");
#define EMPTY_FRONT(message, type, field) EMPTY_##type(d->front.field)
#define EMPTY_TARGET(message, type, field) EMPTY_##type(d->target.field)
	memset(d, 0, sizeof(*d));
	MSG_FIELDS_conf_deployment(EMPTY_FRONT, unused) MSG_FIELDS_conf_target(EMPTY_TARGET, unused)
	    d->configured_mode = d->key_variable = d->file = STR("");
}

static bool
is_deployment(const struct deployment_context *ctx, const struct node *element)
{
	const struct node *name = node_get(element, "model_name"),
			  *params = node_get(element, "litellm_params");
	bool named = name && (node_is_str(name) || unset(name));

	if (element->type != NODE_MAP) {
		problem_error(ctx->problems, element->mark,
		    "an entry of model_list is %s, expected a mapping with model_name and "
		    "litellm_params",
		    node_type_name(element));
		return false;
	}
	if (!named)
		problem_error(ctx->problems, (name ? name : element)->mark,
		    "model_name is %s, expected a text", name ? node_type_name(name) : "missing");
	if (params == NULL || params->type != NODE_MAP)
		problem_error(ctx->problems, (params ? params : element)->mark,
		    "litellm_params is %s, expected a mapping with `model: PROVIDER/NAME`",
		    params ? node_type_name(params) : "missing");
	return named && params && params->type == NODE_MAP;
}

static void
read_name(struct reading *r)
{
	const struct node *name = node_get(r->element, "model_name");
	struct buf unnamed = BUF_INIT(1024);

	if (node_is_str(name)) {
		r->d->front.model_name = arena_copy(r->ctx->arena, name->text);
		return;
	}
	buf_addf(&unnamed, "os.environ/%.256s", name->env_name);
	r->d->front.model_name = reading_keep(r, &unnamed);
	reading_refuse(
	    r, name, 400, NULL, "model_name is os.environ/%s, which is not set", name->env_name);
}

bool
deployment_read(const struct deployment_context *ctx, const struct node *element, uint32_t position,
    struct deployment *d)
{
	struct reading r = { .ctx = ctx, .d = d, .element = element, .mode = -1 };
	const struct node *info = node_get_set(element, "model_info"), *model;

	set_empty(d);
	if (!is_deployment(ctx, element))
		return false;
	r.litellm_params = node_get(element, "litellm_params");
	d->front.position = position;
	d->front.problem_reason = REASON_OK;
	read_name(&r);
	d->file = arena_copy(ctx->arena, str_of(element->mark.file));
	d->line = element->mark.line;
	d->column = element->mark.column;
	if (info && info->type != NODE_MAP)
		reading_refuse(&r, info, 400, NULL, "model_info is %s, expected a mapping",
		    node_type_name(info));
	else
		r.model_info = info;
	params_read(&r.configured, r.litellm_params);
	r.asked = r.configured;
	model = params_get(&r.configured, "model");
	d->front.model = arena_copy(ctx->arena, text_of(model));
	read_id(&r);
	read_credential(&r);
	edit_params(&r);
	check_types(&r);
	read_tags(&r);
	warn_unset_base(&r);
	read_provider(&r);
	read_mode(&r);
	read_unaskable(&r);
	read_flags(&r);
	if (r.provider)
		d->front.provider = str_of(r.provider->name);
	target_read(&r);
	display_read(&r);
	d->askable = d->front.problem_reason == REASON_OK && d->front.depends.n == 0;
	price_read(&r);
	return true;
}
