/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/dialects/lists.h"

#include <string.h>

#include "shared/provider.h"
#include "workers/dialects/headers.h"
#include "workers/dialects/openai.h"

/* Where the list stands, of as many models as the provider gives at once. */
static const struct {
	const char *dialect;
	enum provider_join join;
	const char *path;
} lists[] = {
	{ "anthropic", JOIN_DROP_V1, "/v1/models?limit=1000" },
	{ "cohere_v2", JOIN_REPLACE, "/v1/models?page_size=1000" },
	{ "gemini", JOIN_STRIP, "/models?pageSize=1000" },
	{ "ollama_chat", JOIN_STRIP, "/api/tags" },
	{ "ollama_generate", JOIN_STRIP, "/api/tags" },
};

/* The provider's; the target's may be that of a probe that the config chose. */
static const struct dialect *
own_dialect(const struct target *t)
{
	return dialect_find(str_of(t->provider->dialect));
}

int
lists_ask(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	const struct provider_call *own = provider_call(t->provider, t->mode);
	struct provider_call call;
	const struct dialect *dialect = own_dialect(t);
	size_t i = 0;
	int err = dialect->build(t, ctx, req, why);

	if (err < 0)
		return err;
	while (i < ARRAY_LEN(lists) && strcmp(lists[i].dialect, dialect->name) != 0)
		i++;
	if (own == NULL || i == ARRAY_LEN(lists))
		return headers_refuse(t, why,
		    "a wildcard names no model to ask, expected model_info.health_check_model");
	call = *own;
	call.join = lists[i].join;
	call.path = lists[i].path;
	call.base = NULL;
	req->method = "GET";
	buf_reset(&req->url);
	buf_reset(&req->body);
	buf_reset(&req->shown_base);
	buf_reset(&req->shown_body);
	if (provider_url(&call, str_of(t->api_base), STR(""), &req->url) < 0)
		return headers_refuse(t, why, "api_base is no URL that can be asked");
	buf_add_str(&req->shown_base, buf_str(&req->url));
	buf_add(&req->shown_body, "{}", 2);
	return 0;
}

struct telling {
	void (*each)(void *arg, struct str name);
	void *arg;
};

/* Google says "models/gemini-…" of what is asked as "gemini-…". */
static void
tell(void *arg, struct str name)
{
	const struct telling *telling = arg;

	if (str_starts(name, "models/"))
		name = (struct str){ name.p + 7, name.n - 7 };
	if (name.n > 0)
		telling->each(telling->arg, name);
}

int
lists_read(const struct target *t, const struct response *resp,
    void (*each)(void *arg, struct str name), void *arg, struct result *res)
{
	struct telling telling = { each, arg };

	if (resp->status < 200 || resp->status >= 300) {
		own_dialect(t)->judge(t, resp, res);
		return ERR_INVALID;
	}
	return openai_listed(t, resp, tell, &telling, res);
}
