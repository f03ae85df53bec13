/* SPDX-License-Identifier: Apache-2.0 */
/* INI as AWS writes it: sections, `key = value`, comments; indented lines are of a key that is not
 * read here. */
#include "supervisor/config/profile.h"

#include <stddef.h>
#include <string.h>

#include "shared/file.h"
#include "shared/secret.h"

#define MAX_FILE ((size_t)256 << 10)
#define MAX_VALUE ((size_t)16 << 10)

static const struct {
	const char *key;
	size_t at;
} rows[] = {
	{ "aws_access_key_id", offsetof(struct profile, access_key) },
	{ "aws_secret_access_key", offsetof(struct profile, secret_key) },
	{ "aws_session_token", offsetof(struct profile, session_token) },
	{ "role_arn", offsetof(struct profile, role_arn) },
	{ "external_id", offsetof(struct profile, external_id) },
	{ "role_session_name", offsetof(struct profile, session_name) },
	{ "source_profile", offsetof(struct profile, source_profile) },
	{ "credential_source", offsetof(struct profile, credential_source) },
	{ "web_identity_token_file", offsetof(struct profile, token_file) },
	{ "credential_process", offsetof(struct profile, process) },
	{ "sso_session", offsetof(struct profile, sso_session) },
	{ "sso_start_url", offsetof(struct profile, sso_start_url) },
	{ "sso_account_id", offsetof(struct profile, sso_account) },
	{ "sso_role_name", offsetof(struct profile, sso_role) },
	{ "sso_region", offsetof(struct profile, sso_region) },
	{ "region", offsetof(struct profile, region) },
};

static struct buf *
field(struct profile *p, size_t i)
{
	return (struct buf *)((char *)p + rows[i].at);
}

void
profile_init(struct profile *p)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		buf_init(field(p, i), MAX_VALUE);
}

void
profile_clear(struct profile *p)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf *b = field(p, i);

		if (b->data)
			secret_wipe(b->data, b->len);
		buf_clear(b);
	}
}

static struct str
trim(struct str s)
{
	while (s.n > 0 && strchr(" \t\r", s.p[s.n - 1]))
		s.n--;
	while (s.n > 0 && strchr(" \t", *s.p)) {
		s.p++;
		s.n--;
	}
	return s;
}

/* "[name]"; in the config file "[profile name]", but "[default]" and "[sso-session name]". */
static bool
is_section(struct str line, struct str name, bool config_file)
{
	const char *close = memchr(line.p, ']', line.n);
	struct str inside;

	if (close == NULL)
		return false;
	inside = trim((struct str){ line.p + 1, (size_t)(close - line.p - 1) });
	if (config_file && str_starts(inside, "profile") && inside.n > 7 &&
	    strchr(" \t", inside.p[7]))
		inside = trim((struct str){ inside.p + 8, inside.n - 8 });
	else if (config_file && !str_is(inside, "default") && !str_starts(inside, "sso-session "))
		return false;
	if (inside.n > 1 && *inside.p == '"' && inside.p[inside.n - 1] == '"')
		inside = (struct str){ inside.p + 1, inside.n - 2 };
	return str_eq(inside, name);
}

static void
take(struct profile *p, struct str line)
{
	const char *equals = memchr(line.p, '=', line.n);
	struct str key, value;

	if (equals == NULL)
		return;
	key = trim((struct str){ line.p, (size_t)(equals - line.p) });
	value = trim((struct str){ equals + 1, (size_t)(line.p + line.n - equals - 1) });
	/* a comment behind the value */
	for (size_t i = 0; i + 1 < value.n; i++)
		if ((value.p[i] == ' ' || value.p[i] == '\t') &&
		    (value.p[i + 1] == '#' || value.p[i + 1] == ';'))
			value = trim((struct str){ value.p, i });
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_is(key, rows[i].key) && field(p, i)->len == 0)
			buf_add_str(field(p, i), value);
}

int
profile_read_text(struct profile *p, struct str name, struct str text, bool config_file)
{
	bool inside = false, found = false;

	for (size_t i = 0; i < text.n;) {
		size_t n = 0;
		struct str line;

		while (i + n < text.n && text.p[i + n] != '\n')
			n++;
		line = (struct str){ text.p + i, n };
		i += n + 1;
		if (line.n == 0 || strchr("#; \t\r", *line.p))
			continue;
		if (*line.p == '[') {
			inside = is_section(line, name, config_file);
			found |= inside;
		} else if (inside) {
			take(p, line);
		}
	}
	return found ? 0 : ERR_NOT_FOUND;
}

static int
read_one(struct profile *p, const char *name, const char *path, const char *home, const char *rest,
    bool config_file)
{
	struct buf text = BUF_INIT(MAX_FILE), made = BUF_INIT(4096);
	int err = ERR_NOT_FOUND;

	if (path == NULL && home) {
		buf_addf(&made, "%s%s", home, rest);
		path = buf_text(&made);
	}
	if (path && file_read(path, &text) == 0)
		err = profile_read_text(p, str_of(name), buf_str(&text), config_file);
	if (text.data)
		secret_wipe(text.data, text.len);
	buf_clear(&text);
	buf_clear(&made);
	return err;
}

int
profile_read(struct profile *p, const char *name, provider_lookup *env, void *arg)
{
	const char *home = env(arg, "HOME");
	int a = read_one(
	    p, name, env(arg, "AWS_SHARED_CREDENTIALS_FILE"), home, "/.aws/credentials", false);
	int b = read_one(p, name, env(arg, "AWS_CONFIG_FILE"), home, "/.aws/config", true);

	return a == 0 || b == 0 ? 0 : ERR_NOT_FOUND;
}
