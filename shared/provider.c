/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Look-ups in the table of providers. What a model name means follows LiteLLM's get_llm_provider;
 * how a base and a path are joined was recorded for three forms of the base.
 */
#include "shared/provider.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_NAME 128 /* of a variable */

enum provider_id {
#define PROVIDER(id, ...) PROVIDER_##id,
#include "shared/providers.def"
	PROVIDER_COUNT
};

static const struct provider providers[] = {
#define PROVIDER(id, name, dialect, why_not, base, keys, bases, without_key, placeholder, header, \
    scheme, tokens, headers, params) \
	{ name, dialect, why_not, base, keys, bases, without_key, placeholder, header, scheme, \
		tokens, headers, params },
#include "shared/providers.def"
};

#define METHOD_GET "GET"
#define METHOD_POST "POST"
static const struct provider_call calls[] = {
#define CALL(id, mode, method, shape, client, accept, join, path, base, extra, flags) \
	{ &providers[PROVIDER_##id], MODE_##mode, METHOD_##method, SHAPE_##shape, CLIENT_##client, \
		ACCEPT_##accept, JOIN_##join, path, base, extra, flags },
#include "shared/providers.def"
};

struct hint {
	const char *text; /* of an api_base, or a pattern of a model's name */
	const char *provider;
};

static const struct hint endpoints[] = {
#define ENDPOINT(text, provider) { text, provider },
#include "shared/endpoints.def"
};

static const struct hint models[] = {
#define MODEL(pattern, provider) { pattern, provider },
#include "shared/endpoints.def"
};

/* Rows in order of name, and where the calls of each row begin; made at the first use. */
static unsigned short by_name[PROVIDER_COUNT];
static short call_of[PROVIDER_COUNT][MODE_COUNT];
static bool indexed;

static int
compare_rows(const void *a, const void *b)
{
	return strcmp(
	    providers[*(const unsigned short *)a].name, providers[*(const unsigned short *)b].name);
}

static void
make_index(void)
{
	for (size_t i = 0; i < PROVIDER_COUNT; i++) {
		by_name[i] = (unsigned short)i;
		for (size_t m = 0; m < MODE_COUNT; m++)
			call_of[i][m] = -1;
	}
	qsort(by_name, PROVIDER_COUNT, sizeof(by_name[0]), compare_rows);
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		call_of[calls[i].provider - providers][calls[i].mode] = (short)i;
	indexed = true;
}

static int
compare_name(const void *key, const void *row)
{
	const struct str *name = key;
	const char *other = providers[*(const unsigned short *)row].name;
	size_t n = strlen(other);
	int order = memcmp(name->p, other, name->n < n ? name->n : n);

	return order != 0 ? order : (name->n > n) - (name->n < n);
}

const struct provider *
provider_find(struct str name)
{
	const unsigned short *row;

	if (!indexed)
		make_index();
	if (name.n == 0)
		return NULL;
	row = bsearch(&name, by_name, PROVIDER_COUNT, sizeof(by_name[0]), compare_name);
	return row ? &providers[*row] : NULL;
}

const struct provider *
provider_at(size_t i)
{
	return i < PROVIDER_COUNT ? &providers[i] : NULL;
}

const struct provider_call *
provider_call(const struct provider *p, enum mode mode)
{
	short i;

	if (!indexed)
		make_index();
	if ((unsigned)mode >= MODE_COUNT)
		return NULL;
	i = call_of[p - providers][mode];
	return i < 0 ? NULL : &calls[i];
}

static bool
matches(struct str name, const char *pattern)
{
	size_t n = strlen(pattern);

	if (n > 1 && pattern[n - 1] == '*')
		return name.n >= n - 1 && memcmp(name.p, pattern, n - 1) == 0;
	return str_is(name, pattern);
}

static const char *
model_provider(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(models); i++)
		if (matches(name, models[i].text))
			return models[i].provider;
	return NULL;
}

/* Names that LiteLLM sends by another client than their prefix says. */
static const struct provider *
other_client(const struct provider *p, struct str bare)
{
	const char *of_model;

	if (strcmp(p->name, "cohere") != 0 && strcmp(p->name, "anthropic") != 0)
		return p;
	of_model = model_provider(bare);
	if (of_model == NULL)
		return p;
	if (strcmp(p->name, "cohere") == 0 ? strcmp(of_model, "cohere_chat") == 0
					   : strcmp(of_model, "anthropic_text") == 0)
		return provider_find(str_of(of_model));
	return p;
}

/* Scheme, one trailing slash and `www.` do not matter, upper and lower case of the host neither. */
static struct str
endpoint_of(struct str base)
{
	if (base.n >= 8 && strncasecmp(base.p, "https://", 8) == 0)
		base = (struct str){ base.p + 8, base.n - 8 };
	else if (base.n >= 7 && strncasecmp(base.p, "http://", 7) == 0)
		base = (struct str){ base.p + 7, base.n - 7 };
	while (base.n > 0 && base.p[base.n - 1] == '/')
		base.n--;
	return base;
}

static const struct provider *
by_endpoint(struct str api_base)
{
	struct str base = endpoint_of(api_base);

	for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
		size_t n = strlen(endpoints[i].text);

		if (base.n >= n && strncasecmp(base.p, endpoints[i].text, n) == 0 &&
		    (base.n == n || base.p[n] == '/'))
			return provider_find(str_of(endpoints[i].provider));
	}
	return NULL;
}

int
provider_resolve(struct str model, struct str custom, struct str api_base,
    const struct provider **p, struct str *bare, struct buf *why)
{
	const char *slash = model.n ? memchr(model.p, '/', model.n) : NULL;
	struct str prefix = { model.p, slash ? (size_t)(slash - model.p) : 0 };
	struct str rest = slash ? (struct str){ slash + 1, model.n - prefix.n - 1 } : model;
	const char *name;

	*bare = model;
	if (custom.n > 0) {
		*p = provider_find(custom);
		if (*p) {
			if (str_eq(prefix, custom))
				*bare = rest;
			*p = other_client(*p, *bare);
			return 0;
		}
	}
	if ((*p = provider_find(prefix)) != NULL) {
		*bare = rest;
		*p = other_client(*p, *bare);
		return 0;
	}
	if (api_base.n > 0 && (*p = by_endpoint(api_base)) != NULL)
		return 0;
	name = model_provider(model);
	if (name && (*p = provider_find(str_of(name))) != NULL)
		return 0;
	if (why) {
		buf_add_text(why, "litellm.BadRequestError: LLM Provider NOT provided. Pass in the "
				  "LLM provider you "
				  "are trying to call. You passed model=");
		buf_add_str(why, model);
	}
	return ERR_NOT_FOUND;
}

/* Entry i of a list of names by blanks that is meant for the mode. */
static bool
list_entry(const char *list, enum mode mode, size_t i, char *name, size_t n)
{
	while (*list) {
		size_t len = strcspn(list, " "), own = strcspn(list, " @");
		bool ours = own == len;

		for (const char *m = list + own; !ours && m < list + len;) {
			size_t word;

			m++;
			word = strcspn(m, ", ");
			ours = str_is((struct str){ m, word }, mode_name(mode));
			m += word;
		}
		if (ours && i-- == 0) {
			if (own >= n)
				return false;
			memcpy(name, list, own);
			name[own] = '\0';
			return true;
		}
		list += len;
		list += strspn(list, " ");
	}
	return false;
}

bool
provider_key_name(const struct provider *p, enum mode mode, size_t i, char *name, size_t n)
{
	return list_entry(p->keys, mode, i, name, n);
}

/* The value of "A", or of "A+B+C" that of A when all are set. */
static const char *
value_of(const char *entry, provider_lookup *env, void *arg)
{
	const char *first = NULL;

	for (;;) {
		char one[MAX_NAME];
		size_t n = strcspn(entry, "+");
		const char *value;

		if (n >= sizeof(one))
			return NULL;
		memcpy(one, entry, n);
		one[n] = '\0';
		value = env(arg, one);
		if (value == NULL || *value == '\0')
			return NULL;
		if (first == NULL)
			first = value;
		if (entry[n] == '\0')
			return first;
		entry += n + 1;
	}
}

const char *
provider_key(
    const struct provider *p, enum mode mode, provider_lookup *env, void *arg, char *name, size_t n)
{
	char entry[MAX_NAME * 4];

	for (size_t i = 0; env && provider_key_name(p, mode, i, entry, sizeof(entry)); i++) {
		const char *value = value_of(entry, env, arg);

		if (value && strlen(entry) < n) {
			strcpy(name, entry);
			return value;
		}
	}
	if (n > 0 && !provider_key_name(p, mode, 0, name, n))
		name[0] = '\0';
	return NULL;
}

/* A default base with its {VARIABLE} and {parameter|otherwise} filled in. */
static int
fill(const struct provider *p, const char *base, provider_lookup *env, provider_lookup *param,
    void *arg, struct buf *out, struct buf *why)
{
	size_t before = out->len;

	while (*base) {
		size_t n = strcspn(base, "{");
		char name[MAX_NAME];
		const char *value = NULL;
		char *otherwise;
		bool variable;

		buf_add(out, base, n);
		base += n;
		if (*base == '\0')
			break;
		n = strcspn(++base, "}");
		if (base[n] == '\0' || n >= sizeof(name))
			return ERR_INVALID;
		memcpy(name, base, n);
		name[n] = '\0';
		base += n + 1;
		variable = name[0] >= 'A' && name[0] <= 'Z';
		otherwise = strchr(name, '|');
		if (otherwise)
			name[otherwise++ - name] = '\0';
		if (variable ? env != NULL : param != NULL)
			value = variable ? env(arg, name) : param(arg, name);
		if (value == NULL || *value == '\0')
			value = otherwise;
		if (value == NULL || *value == '\0') {
			out->len = before;
			if (out->data)
				out->data[before] = '\0';
			if (why)
				buf_addf(why, "%s needs an api_base, or %s `%s` for its own",
				    p->name,
				    variable ? "the environment variable" : "the parameter", name);
			return ERR_NOT_FOUND;
		}
		buf_add_text(out, value);
	}
	return 0;
}

int
provider_base(const struct provider *p, enum mode mode, struct str api_base, provider_lookup *env,
    provider_lookup *param, void *arg, struct buf *out, struct buf *why)
{
	const struct provider_call *call = provider_call(p, mode);
	const char *base = call && call->base ? call->base : p->base;
	char name[MAX_NAME];

	if (api_base.n > 0 && !(call && call->flags & CALL_FIXED_BASE)) {
		buf_add_str(out, api_base);
		return 0;
	}
	for (size_t i = 0; env && list_entry(p->bases, mode, i, name, sizeof(name)); i++) {
		const char *value = env(arg, name);

		if (value && *value) {
			buf_add_text(out, value);
			return 0;
		}
	}
	if (base)
		return fill(p, base, env, param, arg, out, why);
	if (why) {
		buf_addf(why, "%s has no base of its own: set api_base", p->name);
		if (list_entry(p->bases, mode, 0, name, sizeof(name)))
			buf_addf(why, " or the environment variable %s", name);
	}
	return ERR_NOT_FOUND;
}

static bool
ends(struct str s, const char *tail)
{
	size_t n = strlen(tail);

	return s.n >= n && memcmp(s.p + s.n - n, tail, n) == 0;
}

static struct str
without(struct str s, const char *tail)
{
	return ends(s, tail) ? (struct str){ s.p, s.n - strlen(tail) } : s;
}

/* Where the base's own path begins, or 0 when it is no URL. */
static size_t
origin_length(struct str base)
{
	size_t i, start;

	if (base.n > 8 && strncasecmp(base.p, "https://", 8) == 0)
		start = 8;
	else if (base.n > 7 && strncasecmp(base.p, "http://", 7) == 0)
		start = 7;
	else
		return 0;
	for (i = 0; i < base.n; i++)
		if ((unsigned char)base.p[i] <= 0x20 || (unsigned char)base.p[i] >= 0x7f ||
		    strchr("#\\\"<>", base.p[i]))
			return 0;
	for (i = start; i < base.n && base.p[i] != '/' && base.p[i] != '?'; i++)
		;
	return i > start ? i : 0;
}

static void
add_encoded(struct buf *out, struct str s)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		    (c != '\0' && strchr("-._~@:/", c))) {
			buf_add_char(out, (char)c);
		} else {
			buf_add_char(out, '%');
			buf_add_char(out, hex[c >> 4]);
			buf_add_char(out, hex[c & 15]);
		}
	}
}

/* {model} is the model's name; {chat} its second part, of `chat/ID/name`. */
static void
add_path(struct buf *out, const char *path, struct str model)
{
	while (*path) {
		size_t n = strcspn(path, "{");

		buf_add(out, path, n);
		path += n;
		if (strncmp(path, "{model}", 7) == 0) {
			add_encoded(out, model);
			path += 7;
		} else if (strncmp(path, "{chat}", 6) == 0) {
			const char *slash = model.n ? memchr(model.p, '/', model.n) : NULL;
			struct str id = { slash ? slash + 1 : model.p,
				slash ? model.n - (size_t)(slash + 1 - model.p) : model.n };
			const char *end = id.n ? memchr(id.p, '/', id.n) : NULL;

			if (end)
				id.n = (size_t)(end - id.p);
			add_encoded(out, id);
			path += 6;
		} else if (*path) {
			buf_add_char(out, *path++);
		}
	}
}

int
provider_url(const struct provider_call *call, struct str base, struct str model, struct buf *out)
{
	size_t origin = origin_length(base);
	const char *mark = base.n ? memchr(base.p, '?', base.n) : NULL;
	struct str query = { NULL, 0 }, stripped;
	const char *between = "";

	if (call->join == JOIN_OTHER)
		return ERR_NOT_FOUND;
	if (origin == 0)
		return ERR_INVALID;
	if (call->flags & CALL_BASE_IS_URL && call->base && str_is(base, call->base)) {
		buf_add_str(out, base);
		return buf_ok(out) ? 0 : ERR_LIMIT;
	}
	if (mark) {
		query = (struct str){ mark, base.n - (size_t)(mark - base.p) };
		base.n = (size_t)(mark - base.p);
	}
	stripped = without(base, "/");
	switch (call->join) {
	case JOIN_STRIP:
		base = stripped;
		break;
	case JOIN_APPEND:
	case JOIN_VERBATIM:
	case JOIN_OTHER:
		break;
	case JOIN_ADD_V1:
		between = ends(base, "/v1") ? "" : "/v1";
		break;
	case JOIN_DROP_V1:
		base = without(stripped, "/v1");
		break;
	case JOIN_ADD_INFERENCE_V1:
		base = stripped;
		between = ends(base, "/v1") ? "" : "/inference/v1";
		break;
	case JOIN_DROP_API_V2:
		base = without(stripped, "/api/v2");
		break;
	case JOIN_REPLACE:
		base.n = origin;
		break;
	}
	buf_add_str(out, base);
	buf_add_text(out, between);
	add_path(out, call->path, model);
	buf_add_str(out, query);
	return buf_ok(out) ? 0 : ERR_LIMIT;
}

static bool
dialect_has(const struct provider *p, enum provider_shape shape)
{
	static const struct {
		const char *name;
		uint32_t shapes;
	} dialects[] = {
#define SHAPE_BIT(shape) ((uint32_t)1 << SHAPE_##shape)
#define DIALECT(name, shapes) { #name, shapes },
#include "shared/dialects.def"
#undef DIALECT
	};

	for (size_t i = 0; p->dialect && i < ARRAY_LEN(dialects); i++)
		if (strcmp(p->dialect, dialects[i].name) == 0)
			return (dialects[i].shapes & (uint32_t)1 << shape) != 0;
	return false;
}

bool
provider_call_supported(const struct provider_call *call)
{
	return dialect_has(call->provider, call->shape);
}

bool
provider_lists_models(const struct provider *p)
{
	return dialect_has(p, SHAPE_MODELS);
}

static bool
dialect_built_in(const char *name)
{
	static const char *const names[] = {
#define DIALECT(name, shapes) #name,
#include "shared/dialects.def"
#undef DIALECT
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

bool
provider_refuses(const struct provider *p, enum mode mode, struct buf *why)
{
	const struct provider_call *call;

	if (p->dialect == NULL) {
		if (why)
			buf_addf(why, "provider %s cannot be asked: %s", p->name,
			    p->why_not ? p->why_not : "it has no HTTP interface");
		return true;
	}
	call = provider_call(p, mode);
	if (call == NULL) {
		if (why)
			buf_addf(why, "provider %s has no mode %s", p->name, mode_name(mode));
		return true;
	}
	if (provider_call_supported(call))
		return false;
	if (why == NULL)
		return true;
	if (dialect_built_in(p->dialect))
		buf_addf(why, "mode %s of provider %s is not supported yet by this version",
		    mode_name(mode), p->name);
	else
		buf_addf(why, "dialect %s of provider %s is not supported yet by this version",
		    p->dialect, p->name);
	return true;
}
