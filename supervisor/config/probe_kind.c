/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_info.llmhealth: which other question than LiteLLM's is asked of a deployment, and what its
 * answer must say. Both are parameters of the target; the worker knows what they mean.
 */
#include "shared/err.h"
#include "shared/probes.h"
#include "supervisor/config/pytext.h"
#include "supervisor/config/reading.h"

static void
read_kind(struct reading *r, const struct node *kind)
{
	struct buf known = BUF_INIT(512);

	if (node_is_str(kind) && probe_kind_find(kind->text)) {
		if (!str_is(kind->text, "default"))
			kv_set(&r->params, STR("probe"), kind->text);
		return;
	}
	for (size_t i = 0; probe_kind_at(i); i++)
		buf_addf(&known, "%s%s", i ? ", " : "", probe_kind_at(i)->name);
	reading_refuse(r, kind, 400, NULL, "llmhealth.probe is %s, expected one of %s",
	    node_is_str(kind) ? "none that is known" : node_type_name(kind), buf_text(&known));
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
