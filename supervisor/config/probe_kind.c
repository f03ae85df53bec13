/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_info.llmhealth and llmhealth.probes: which other question than LiteLLM's is asked of a
 * deployment, or of all of a provider, and what its answer must say. Both are parameters of the
 * target; the worker knows what they mean.
 */
#include "shared/err.h"
#include "shared/probes.h"
#include "supervisor/config/pytext.h"
#include "supervisor/config/reading.h"

/* Appends what a probe's name may be. */
static void
add_known(struct buf *b)
{
	for (size_t i = 0; probe_kind_at(i); i++)
		buf_addf(b, "%s%s", i ? ", " : "", probe_kind_at(i)->name);
}

/* Whether the deployment's provider streams, where that is what is asked of it. */
static bool
can_be(const struct reading *r, struct str name)
{
	return !str_is(name, "stream") || r->mode < 0 ||
	       probe_stream_of(r->provider, (enum mode)r->mode) != PROBE_STREAM_NONE;
}

static void
set_kind(struct reading *r, struct str name)
{
	if (!str_is(name, "default"))
		kv_set(&r->params, STR("probe"), name);
}

static void
read_kind(struct reading *r, const struct node *kind)
{
	struct buf known = BUF_INIT(512);

	if (node_is_str(kind) && probe_kind_find(kind->text)) {
		set_kind(r, kind->text);
		if (!can_be(r, kind->text))
			reading_refuse(r, kind, 400, NULL,
			    "the probe `stream` is not known of provider %s in mode %s",
			    r->provider->name, mode_name((enum mode)r->mode));
		return;
	}
	add_known(&known);
	reading_refuse(r, kind, 400, NULL, "llmhealth.probe is %s, expected one of %s",
	    node_is_str(kind) ? "none that is known" : node_type_name(kind), buf_text(&known));
	buf_clear(&known);
}

/* What the config chooses for all deployments of the provider. Mistakes are said once, by
 * probe_kinds_check(). */
static void
read_provider_kind(struct reading *r)
{
	const struct node *kinds = node_get_set(node_get_set(r->ctx->root, "llmhealth"), "probes");
	const struct node *kind = r->provider && kinds && kinds->type == NODE_MAP
				      ? node_get_set(kinds, r->provider->name)
				      : NULL;

	/* A provider's models that make no text are asked as ever. */
	if (kind && node_is_str(kind) && probe_kind_find(kind->text) && can_be(r, kind->text))
		set_kind(r, kind->text);
}

void
probe_kinds_check(const struct node *kinds, struct problems *problems)
{
	struct buf known = BUF_INIT(512);

	if (kinds->type != NODE_MAP) {
		problem_error(problems, kinds->mark,
		    "llmhealth.probes is %s, expected a mapping of providers to probes",
		    node_type_name(kinds));
		return;
	}
	add_known(&known);
	for (size_t i = 0; i < kinds->n; i++) {
		const struct node *key = kinds->pairs[i].key, *kind = kinds->pairs[i].value;

		if (!node_is_str(key))
			problem_error(problems, key->mark,
			    "a key of llmhealth.probes is %s, expected a provider's name",
			    node_type_name(key));
		else if (provider_find(key->text) == NULL)
			problem_error(problems, key->mark,
			    "llmhealth.probes has \"%.*s\", expected a provider's name as in "
			    "`model: PROVIDER/NAME`",
			    key->text.n > 64 ? 64 : (int)key->text.n, key->text.p);
		else if (kind->type != NODE_NULL &&
			 !(node_is_str(kind) && probe_kind_find(kind->text)))
			problem_error(problems, kind->mark,
			    "llmhealth.probes.%.*s is %s, expected one of %s", (int)key->text.n,
			    key->text.p,
			    node_is_str(kind) ? "none that is known" : node_type_name(kind),
			    buf_text(&known));
	}
	buf_clear(&known);
}

static void
read_expected(struct reading *r, const struct node *expect)
{
	for (size_t i = 0; i < expect->n; i++) {
		const struct node *key = expect->pairs[i].key, *value = expect->pairs[i].value;
		struct buf text = BUF_INIT(READING_TEXT_MAX);
		int64_t status;

		if (node_is_str(key) && str_is(key->text, "status") &&
		    node_whole(value, &status) == 0 && status >= 100 && status <= 599) {
			buf_add_int(&text, status);
			kv_set(&r->params, STR("expect_status"), reading_keep(r, &text));
		} else if (node_is_str(key) && str_is(key->text, "path") && node_is_str(value) &&
			   probe_path_ok(value->text)) {
			kv_set(&r->params, STR("expect_path"), value->text);
		} else if (node_is_str(key) && str_is(key->text, "text") && node_is_str(value)) {
			kv_set(&r->params, STR("expect_text"), value->text);
		} else {
			reading_refuse(r, value, 400, NULL,
			    "llmhealth.expect takes status (100 to 599), path (like "
			    "choices[0].message.content) and text");
		}
	}
}

void
probe_kind_read(struct reading *r)
{
	const struct node *ours = reading_info(r, "llmhealth");

	if (ours == NULL || ours->type != NODE_MAP || node_get_set(ours, "probe") == NULL)
		read_provider_kind(r);
	if (ours == NULL)
		return;
	if (ours->type != NODE_MAP) {
		reading_refuse(r, ours, 400, NULL, "model_info.llmhealth is %s, expected a mapping",
		    node_type_name(ours));
		return;
	}
	for (size_t i = 0; i < ours->n; i++) {
		const struct node *key = ours->pairs[i].key, *value = ours->pairs[i].value;

		if (value->type == NODE_NULL)
			continue;
		if (node_is_str(key) && str_is(key->text, "probe"))
			read_kind(r, value);
		else if (node_is_str(key) && str_is(key->text, "expect") && value->type == NODE_MAP)
			read_expected(r, value);
		else
			reading_refuse(r, key, 400, NULL,
			    "model_info.llmhealth takes probe (a name) and expect (a mapping)");
	}
}
