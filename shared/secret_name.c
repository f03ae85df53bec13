/* SPDX-License-Identifier: Apache-2.0 */
/* Judged by its words: what lies between letters and digits parts them. */
#include "shared/secret_name.h"

#include <ctype.h>
#include <strings.h>

static bool
word_is(struct str word, const char *const *list)
{
	for (; *list; list++) {
		size_t i = 0;

		while (i < word.n && (*list)[i] == tolower((unsigned char)word.p[i]))
			i++;
		if (i == word.n && (*list)[i] == '\0')
			return true;
	}
	return false;
}

bool
secret_name(struct str name)
{
	static const char *const secret[] = { "key", "keys", "apikey", "secret", "secrets", "token",
		"password", "passwd", "passphrase", "credential", "credentials", "auth",
		"authorization", "fingerprint", "private", "tenancy", NULL };
	static const char *const harmless[] = { "cost", "per", "limit", "max", "min", "bos", "eos",
		"name", NULL };
	bool found = false;

	for (size_t i = 0, from = 0; i <= name.n; i++) {
		struct str word = { name.p + from, i - from };

		if (i < name.n && isalnum((unsigned char)name.p[i]))
			continue;
		if (word_is(word, harmless))
			return false;
		found |= word_is(word, secret);
		from = i + 1;
	}
	return found;
}
