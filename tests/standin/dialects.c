/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of dialects.def: found by globs, written with the model's name in them. */
#include "tests/standin/route.h"

#include <fnmatch.h>
#include <stdlib.h>

#include "shared/json.h"

#define GLOB_MAX 2048

#define ROUTE(method_, host_, path_, needs_, auth_, errors_, type_, text_) \
	{ .method = method_, \
		.suffix = path_, \
		.host = host_, \
		.needs = needs_, \
		.auth = auth_, \
		.errors = ERRORS_##errors_, \
		.content_type = type_, \
		.object = "answer", \
		.member = "choices", \
		.text = text_ },
static const struct route table[] = {
#include "tests/standin/dialects.def"
};
#undef ROUTE

static bool
fits(const char *glob, struct str s)
{
	char text[GLOB_MAX];

	if (s.n >= sizeof(text))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return fnmatch(glob, text, FNM_NOESCAPE) == 0;
}

bool
route_is_websocket(const struct route *r)
{
	return strcmp(r->content_type, ROUTE_EVENT) == 0;
}

const struct route *
route_find_dialect(struct str path, struct str host, struct str body, const char *method)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const struct route *r = &table[i];

		if ((method != NULL && strcmp(method, r->method) != 0) || !fits(r->suffix, path))
			continue;
		if (*r->host && !fits(r->host, host))
			continue;
		if (!*r->needs || route_is_websocket(r) ||
		    (body.n > 0 && memmem(body.p, body.n, r->needs, strlen(r->needs)) != NULL))
			return r;
	}
	return NULL;
}

bool
route_varies(struct str path)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (fits(table[i].suffix, path))
			return true;
	return false;
}

struct str
route_dialect_model(struct str path)
{
	static const char *const marks[] = { "/models/", "/model/", "/endpoints/",
		"/deployments/" };

	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		size_t n = strlen(marks[i]);
		const char *at = path.n ? memmem(path.p, path.n, marks[i], n) : NULL, *end;
		struct str rest;

		if (at == NULL)
			continue;
		rest = (struct str){ at + n, path.n - (size_t)(at + n - path.p) };
		/* "gemini-2.5-pro:generateContent", "NAME/invoke" */
		end = i == 0 ? memrchr(rest.p, ':', rest.n) : memchr(rest.p, '/', rest.n);
		if (end != NULL)
			rest.n = (size_t)(end - rest.p);
		return rest;
	}
	return STR("");
}

void
route_write(const struct route *r, struct buf *b, struct str model, bool usage)
{
	struct buf quoted = BUF_INIT(1 << 16);

	if (r->text == NULL) {
		r->body(b, model, usage);
		return;
	}
	json_add_string(&quoted, model);
	for (const char *p = r->text, *mark; *p; p = mark + 2) {
		mark = strchr(p, '%');
		while (mark && mark[1] != 'm' && mark[1] != 'z')
			mark = strchr(mark + 1, '%');
		if (mark == NULL) {
			buf_add_text(b, p);
			break;
		}
		buf_add(b, p, (size_t)(mark - p));
		if (mark[1] == 'z') { /* %zHH; */
			buf_add_char(b, (char)strtol(mark + 2, NULL, 16));
			mark += 3;
		} else if (quoted.len > 2)
			buf_add(b, buf_text(&quoted) + 1, quoted.len - 2);
	}
	buf_clear(&quoted);
}
