/* SPDX-License-Identifier: Apache-2.0 */
/* Lines end in LF, CR LF or CR; an empty one ends an event. */
#include "workers/dialects/sse.h"

#include <string.h>

/* The line's end, and in *next where the one after it begins; false: it is not complete. */
static bool
line_end(struct sse *s, struct str body, bool ended, size_t *end, size_t *next)
{
	size_t i = s->seen > s->line ? s->seen : s->line;

	while (i < body.n && body.p[i] != '\n' && body.p[i] != '\r')
		i++;
	s->seen = i;
	*end = i;
	*next = i + 1;
	if (i == body.n) {
		*next = i;
		return ended && i > s->line;
	}
	if (body.p[i] == '\n')
		return true;
	/* An LF may be the first byte of what is still to come. */
	if (i + 1 == body.n)
		return ended;
	if (body.p[i + 1] == '\n')
		*next = i + 2;
	return true;
}

static void
take_line(struct str line, bool *any, struct buf *data)
{
	if (!str_starts(line, "data"))
		return;
	line.p += 4;
	line.n -= 4;
	if (line.n > 0 && *line.p != ':')
		return;
	if (line.n > 0) {
		line.p++;
		line.n--;
	}
	if (line.n > 0 && *line.p == ' ') {
		line.p++;
		line.n--;
	}
	if (*any)
		buf_add_char(data, '\n');
	*any = true;
	buf_add_str(data, line);
}

/* The data of the lines from `from` to `to`, which are complete. */
static bool
take_event(struct str body, bool start, size_t from, size_t to, struct buf *data)
{
	bool any = false;

	if (start && to >= 3 && memcmp(body.p, "\xef\xbb\xbf", 3) == 0)
		from = 3;
	while (from < to) {
		size_t end = from;

		while (end < to && body.p[end] != '\n' && body.p[end] != '\r')
			end++;
		take_line((struct str){ body.p + from, end - from }, &any, data);
		from = end + 1;
	}
	return any;
}

int
sse_next(struct sse *s, struct str body, bool ended, struct buf *data)
{
	size_t end, next, from, max = s->max > 0 ? s->max : SSE_MAX_EVENT;
	bool any;

	while (line_end(s, body, ended, &end, &next)) {
		bool last = ended && next == body.n;

		if (end > s->line && !last) {
			s->line = next;
			if (s->line - s->event > max)
				return ERR_LIMIT;
			continue;
		}
		from = s->event;
		any = take_event(body, from == 0 && !s->later, from, end, data);
		s->event = s->line = s->seen = next;
		if (end - from > max)
			return ERR_LIMIT;
		if (any)
			return 1;
	}
	return s->seen - s->event > max ? ERR_LIMIT : 0;
}
