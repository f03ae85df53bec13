/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets: kept, shown to the wire, masked in others' text, wiped. */
#include "shared/secret.h"

#include <stdlib.h>
#include <string.h>

#define SECRET_MIN_MASKED 4

struct secret {
	size_t n;
	char text[];
};

void
secret_wipe(void *p, size_t n)
{
	explicit_bzero(p, n);
}

struct secret *
secret_new(struct str text)
{
	struct secret *s = xmalloc(sizeof(*s) + text.n + 1);

	s->n = text.n;
	if (text.n)
		memcpy(s->text, text.p, text.n);
	s->text[text.n] = '\0';
	return s;
}

void
secret_free(struct secret *s)
{
	if (s == NULL)
		return;
	secret_wipe(s->text, s->n);
	free(s);
}

struct str
secret_reveal(const struct secret *s)
{
	return s ? (struct str){ s->text, s->n } : (struct str){ "", 0 };
}

void
secret_mask_value(struct buf *b, struct str value)
{
	if (value.n <= 4) {
		buf_add_text(b, "*****");
		return;
	}
	buf_add(b, value.p, 2);
	buf_add_text(b, "****");
	buf_add(b, value.p + value.n - 2, 2);
}

void
secret_mask_text(
    struct buf *b, struct str text, const struct secret *const *secrets, size_t n_secrets)
{
	size_t i = 0, start = 0;

	while (i < text.n) {
		size_t longest = 0;

		for (size_t k = 0; k < n_secrets; k++) {
			struct str s = secret_reveal(secrets[k]);

			if (s.n >= SECRET_MIN_MASKED && s.n > longest && s.n <= text.n - i &&
			    memcmp(text.p + i, s.p, s.n) == 0)
				longest = s.n;
		}
		if (longest == 0) {
			i++;
			continue;
		}
		buf_add(b, text.p + start, i - start);
		secret_mask_value(b, (struct str){ text.p + i, longest });
		i += longest;
		start = i;
	}
	buf_add(b, text.p + start, text.n - start);
}
