/* SPDX-License-Identifier: Apache-2.0 */
/* Label sets. Those of health checks have the values that LiteLLM gives its own. */
#include "supervisor/front/http/series.h"

#include <stdlib.h>

#include "shared/buf.h"
#include "shared/json.h"
#include "supervisor/front/deployment.h"
#include "supervisor/front/fleet.h"
#include "supervisor/front/http/exposition.h"

#define HEALTH_CHECK "\"litellm-internal-health-check\""

/* A JSON string of our own making as its text; false for anything else. */
static bool
json_text(struct str json, struct buf *out)
{
	if (json.n < 2 || json.p[0] != '"')
		return false;
	for (size_t i = 1; i < json.n - 1; i++) {
		/* Of the escapes only those that can be in an address. */
		if (json.p[i] == '\\' && i + 1 < json.n - 1)
			i++;
		buf_add_char(out, json.p[i]);
	}
	return true;
}

/* What is configured as api_base, else the host that is asked. */
static void
add_base(struct buf *b, const struct deployment *d)
{
	struct buf base = BUF_INIT(SIZE_MAX);
	bool found = false;

	for (size_t i = 0; i < d->display.n && !found; i++)
		if (str_is(d->display.v[i].key, "api_base"))
			found = json_text(d->display.v[i].value, &base);
	exposition_value(b, found ? buf_str(&base) : str_of(d->host));
	buf_clear(&base);
}

static void
add_label(struct buf *b, const char *before, struct str value)
{
	buf_add_text(b, before);
	exposition_value(b, value);
	buf_add_char(b, '"');
}

static void
render(struct deployment *d)
{
	struct str id = str_of(d->id), group = str_of(d->model_name),
		   provider = str_of(d->provider), model = deployment_bare_model(d, str_of(d->model));
	struct buf b = BUF_INIT(SIZE_MAX);
	size_t state, probe, base_end, remaining_end;
	struct series *s;

	add_label(&b, "{model_id=\"", id);
	add_label(&b, ",model_name=\"", group);
	add_label(&b, ",provider=\"", provider);

	state = b.len;
	buf_add_text(&b, "{api_base=\"");
	add_base(&b, d);
	base_end = b.len - state;
	add_label(&b, "\",api_provider=\"", provider);
	add_label(&b, ",litellm_model_name=\"", model);
	add_label(&b, ",model_id=\"", id);

	probe = b.len;
	buf_add_text(&b, "{api_base=\"");
	add_base(&b, d);
	add_label(&b, "\",api_key_alias=" HEALTH_CHECK ",api_provider=\"", provider);
	add_label(&b, ",hashed_api_key=" HEALTH_CHECK ",litellm_model_name=\"", model);
	add_label(&b, ",model_group=\"", group);
	add_label(&b, ",model_id=\"", id);
	remaining_end = b.len - probe;
	add_label(&b, ",client_ip=\"None\",requested_model=\"", group);
	buf_add_text(&b, ",team=" HEALTH_CHECK ",team_alias=" HEALTH_CHECK ",user_agent=\"None\"");

	s = xmalloc(sizeof(*s) + b.len);
	memcpy(s->text, buf_text(&b), b.len);
	s->generation = d->generation;
	s->ours = (struct str){ s->text, state };
	s->state = (struct str){ s->text + state, probe - state };
	s->probe = (struct str){ s->text + probe, b.len - probe };
	s->base_end = base_end;
	s->remaining_end = remaining_end;
	buf_clear(&b);
	d->series = s;
}

bool
series_update(struct deployment *d)
{
	struct str id = str_of(d->id);

	if (d->series && d->series->generation == d->generation)
		return true;
	series_free(d);
	if (id.n > EXPOSITION_LABEL_MAX || !utf8_valid(id))
		return false;
	render(d);
	return true;
}

void
series_free(struct deployment *d)
{
	free(d->series);
	d->series = NULL;
}
