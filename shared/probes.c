/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/probes.h"

#include <string.h>

#include "shared/err.h"

#define MAX_ELEMENT 1000000
#define MAX_STEPS 32

static const struct probe_kind kinds[] = {
#define PROBE(name, join, path, proves) { name, JOIN_##join, path, proves },
#include "shared/probes.def"
#undef PROBE
};

const struct probe_kind *
probe_kind_find(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (str_is(name, kinds[i].name))
			return &kinds[i];
	return NULL;
}

const struct probe_kind *
probe_kind_at(size_t i)
{
	return i < ARRAY_LEN(kinds) ? &kinds[i] : NULL;
}

enum probe_stream
probe_stream_of(const struct provider *p, enum mode mode)
{
	const struct provider_call *call = provider_call(p, mode);

	if (p->dialect == NULL || call == NULL ||
	    (mode != MODE_CHAT && mode != MODE_COMPLETION && mode != MODE_RESPONSES &&
		mode != MODE_ANTHROPIC_MESSAGES))
		return PROBE_STREAM_NONE;
	if (strcmp(p->dialect, "anthropic") == 0)
		return PROBE_STREAM_MESSAGES;
	if (strcmp(p->dialect, "gemini") == 0)
		return PROBE_STREAM_GEMINI;
	if (strcmp(p->dialect, "openai") != 0 && strcmp(p->dialect, "azure") != 0)
		return PROBE_STREAM_NONE;
	switch (call->shape) {
	case SHAPE_CHAT:
		return PROBE_STREAM_CHAT;
	case SHAPE_TEXT:
		return PROBE_STREAM_TEXT;
	case SHAPE_RESPONSES:
		return PROBE_STREAM_RESPONSES;
	case SHAPE_MESSAGES:
		return PROBE_STREAM_MESSAGES;
	default:
		return PROBE_STREAM_NONE;
	}
}

/* One step; its length in *n, 0 when there is none. */
static bool
step(struct str path, struct str *member, size_t *element, size_t *n)
{
	size_t i = 0;

	*member = (struct str){ NULL, 0 };
	*element = 0;
	*n = 0;
	if (path.n > 0 && path.p[0] == '[') {
		for (i = 1; i < path.n && path.p[i] >= '0' && path.p[i] <= '9'; i++) {
			*element = *element * 10 + (size_t)(path.p[i] - '0');
			if (*element > MAX_ELEMENT)
				return false;
		}
		if (i == 1 || i == path.n || path.p[i] != ']')
			return false;
		i++;
	} else {
		while (i < path.n && path.p[i] != '.' && path.p[i] != '[')
			i++;
		if (i == 0)
			return false;
		*member = (struct str){ path.p, i };
	}
	if (i < path.n && path.p[i] == '.') {
		i++;
		if (i == path.n || path.p[i] == '[' || path.p[i] == '.')
			return false;
	}
	*n = i;
	return true;
}

bool
probe_path_step(struct str *path, struct str *member, size_t *element)
{
	size_t n;

	if (path->n == 0 || !step(*path, member, element, &n))
		return false;
	*path = (struct str){ path->p + n, path->n - n };
	return true;
}

bool
probe_path_ok(struct str path)
{
	struct str member;
	size_t element, steps = 0, n;

	if (path.n == 0 || memchr(path.p, '\0', path.n))
		return false;
	while (path.n > 0) {
		if (++steps > MAX_STEPS || !step(path, &member, &element, &n))
			return false;
		path = (struct str){ path.p + n, path.n - n };
		/* "a]b" and "[0]b" are no paths. */
		if (path.n > 0 && n > 0 && path.p[-1] == ']' && path.p[0] != '[')
			return false;
	}
	return true;
}
