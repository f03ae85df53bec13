/* SPDX-License-Identifier: Apache-2.0 */
/* Made once: it says what this program is, not what is configured. */
#include "supervisor/front/http/openapi.h"

#include "shared/json.h"
#include "supervisor/front/http/server.h"

static const struct operation {
	const char *path;
	unsigned methods;
	enum access access;
	const char *query, *answer, *statuses, *text;
} operations[] = {
#define ROUTE(path, methods, access, handler, query, answer, statuses, text) \
	{ path, methods, ACCESS_##access, query, #answer, statuses, text },
#include "supervisor/front/http/routes.def"
#undef ROUTE
};

static const struct {
	const char *name, *schema;
} schemas[] = {
#define SCHEMA(name, ...) { #name, #__VA_ARGS__ },
#include "supervisor/front/http/schemas.def"
#undef SCHEMA
};

/* The next word of a text by blanks; false at its end. */
static bool
next_word(const char **at, struct str *word)
{
	*at += strspn(*at, " ");
	*word = (struct str){ *at, strcspn(*at, " ") };
	*at += word->n;
	return word->n > 0;
}

static void
add_parameters(struct buf *b, const char *path, const char *query)
{
	struct str word;

	buf_add_text(b, ",\"parameters\":[");
	if (strstr(path, "{model}"))
		buf_add_text(b, "{\"name\":\"model\",\"in\":\"path\",\"required\":true,"
				"\"schema\":{\"type\":\"string\"}}");
	while (next_word(&query, &word)) {
		struct str part[4]; /* name, type, least, most */
		bool text;

		for (size_t i = 0; i < ARRAY_LEN(part); i++) {
			const char *colon = memchr(word.p, ':', word.n);

			part[i].p = word.p;
			part[i].n = colon ? (size_t)(colon - word.p) : word.n;
			word.p += part[i].n + (colon ? 1 : 0);
			word.n -= part[i].n + (colon ? 1 : 0);
		}
		text = str_is(part[1], "string");
		json_add_comma(b);
		buf_addf(b,
		    "{\"name\":\"%.*s\",\"in\":\"query\",\"required\":false,\"schema\":{\"type\":"
		    "\"%.*s\"",
		    (int)part[0].n, part[0].p, (int)part[1].n, part[1].p);
		if (part[2].n > 0)
			buf_addf(b, ",\"%s\":%.*s", text ? "minLength" : "minimum", (int)part[2].n,
			    part[2].p);
		if (part[3].n > 0)
			buf_addf(b, ",\"%s\":%.*s", text ? "maxLength" : "maximum", (int)part[3].n,
			    part[3].p);
		buf_add_text(b, "}}");
	}
	buf_add_char(b, ']');
}

static const char *
media_of(const char *schema)
{
	if (strcmp(schema, "Metrics") == 0)
		return "text/plain";
	return strcmp(schema, "Events") == 0 ? "text/event-stream" : "application/json";
}

static void
add_form(struct buf *b, const char *media, const char *schema)
{
	json_add_comma(b);
	buf_addf(b, "\"%s\":{\"schema\":{\"$ref\":\"#/components/schemas/%s\"}}", media, schema);
}

static void
add_response(struct buf *b, struct str status, const char *schema, bool ietf)
{
	json_add_comma(b);
	buf_add_char(b, '"');
	buf_add_str(b, status);
	buf_addf(b, "\":{\"description\":\"%s\"", schema ? schema : "Not Modified");
	if (schema) {
		buf_add_text(b, ",\"content\":{");
		add_form(b, media_of(schema), schema);
		if (strcmp(schema, "Metrics") == 0)
			add_form(b, "application/openmetrics-text", schema);
		if (strcmp(schema, "Error") == 0)
			add_form(b, "application/problem+json", "Problem");
		if (strcmp(schema, "Chat") == 0)
			add_form(b, "text/event-stream", "Events");
		if (ietf)
			add_form(b, "application/health+json", "Ietf");
		buf_add_char(b, '}');
	}
	buf_add_char(b, '}');
}

static void
add_responses(struct buf *b, const struct operation *o)
{
	bool ietf = strcmp(o->answer, "Health") == 0 || strcmp(o->answer, "Ready") == 0;
	const char *rest = o->statuses;
	struct str status;

	buf_add_text(b, ",\"responses\":{");
	add_response(b, STR("200"), o->answer, ietf);
	if (o->access != ACCESS_ANY) {
		add_response(b, STR("400"), "Error", false);
		add_response(b, STR("401"), "Error", false);
		add_response(b, STR("403"), "Error", false);
	}
	while (next_word(&rest, &status))
		add_response(b, status,
		    str_is(status, "304") ? NULL
		    : str_is(status, "default") ? "Any"
						: "Error",
		    ietf && str_is(status, "503"));
	buf_add_char(b, '}');
}

static void
add_operation(struct buf *b, const struct operation *o)
{
	bool post = (o->methods & HTTP_POST) != 0;

	json_add_comma(b);
	buf_addf(b, "\"%s\":{\"%s\":{\"summary\":", o->path, post ? "post" : "get");
	json_add_string(b, str_of(o->text));
	buf_addf(b, ",\"security\":%s", o->access == ACCESS_ANY ? "[]" : "[{\"key\":[]}]");
	add_parameters(b, o->path, o->query);
	if (post && o->access == ACCESS_ADMIN)
		buf_addf(b,
		    ",\"requestBody\":{\"content\":{\"application/json\":{\"schema\":"
		    "{\"$ref\":\"#/components/schemas/%s\"}}}}",
		    strcmp(o->answer, "Chat") == 0 ? "Chat_request" : "Test_request");
	add_responses(b, o);
	buf_add_char(b, '}');
	if (o->methods & HTTP_OPTIONS)
		buf_add_text(b, ",\"options\":{\"summary\":\"the methods\",\"security\":[],"
				"\"responses\":{\"200\":{\"description\":\"Empty\"}}}");
	buf_add_char(b, '}');
}

static struct blob *
make_document(void)
{
	struct buf b = BUF_INIT(1u << 20);
	struct blob *blob;

	buf_add_text(&b, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"llmhealth\",\"version\":"
			 "\"" PACKAGE_VERSION "\"},\"paths\":{");
	for (size_t i = 0; i < ARRAY_LEN(operations); i++)
		add_operation(&b, &operations[i]);
	buf_add_text(&b, "},\"components\":{\"securitySchemes\":{\"key\":{\"type\":\"http\","
			 "\"scheme\":\"bearer\"}},\"schemas\":{");
	for (size_t i = 0; i < ARRAY_LEN(schemas); i++) {
		json_add_key(&b, schemas[i].name);
		buf_add_text(&b, schemas[i].schema);
	}
	buf_add_text(&b, "}}}");
	blob = blob_copy(buf_str(&b));
	buf_clear(&b);
	return blob;
}

void
openapi_handle(struct conn *c, const struct http_request *r, enum caller caller)
{
	static struct blob *document;
	struct reply reply = { .status = 200, .type = REPLY_JSON };

	if (document == NULL)
		document = make_document();
	reply.body = document;
	conn_reply(c, &reply);
}
