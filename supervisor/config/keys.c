/* SPDX-License-Identifier: Apache-2.0 */
/* Reads llmhealth.keys. No value of a key is ever part of a message. */
#include "supervisor/config/keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"
#include "shared/keyrole.h"
#include "shared/secret.h"
#include "shared/sha256.h"

#define FILE_MAX 4096

struct reader {
	struct kv *v;
	size_t n;
	struct arena *arena;
	struct problems *problems;
};

static void
add(struct reader *r, enum key_role role, struct str name, const uint8_t digest[SHA256_LEN])
{
	struct buf key = BUF_INIT(KEY_NAME_MAX + 32);

	buf_addf(&key, "%s %.*s", key_role_names[role], (int)name.n, name.p);
	r->v[r->n].key = arena_copy(r->arena, buf_str(&key));
	r->v[r->n++].value =
	    arena_copy(r->arena, (struct str){ (const char *)digest, SHA256_LEN });
	buf_clear(&key);
}

static bool
parse_hex(struct str s, uint8_t digest[SHA256_LEN])
{
	if (s.n != (size_t)SHA256_LEN * 2)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		int v = c >= '0' && c <= '9'   ? c - '0'
			: c >= 'a' && c <= 'f' ? c - 'a' + 10
			: c >= 'A' && c <= 'F' ? c - 'A' + 10
					       : -1;

		if (v < 0)
			return false;
		digest[i / 2] = (uint8_t)(i % 2 ? digest[i / 2] << 4 | v : v);
	}
	return true;
}

/* The key, or `sha256:` and its digest, as the file says it; the line's end does not count. */
static bool
read_file(struct reader *r, const struct node *path, uint8_t digest[SHA256_LEN])
{
	char text[FILE_MAX + 1];
	FILE *f = fopen(path->text.p, "re");
	struct str s = { text, 0 };
	bool ok = false;

	if (f == NULL) {
		problem_error(
		    r->problems, path->mark, "the file of a key: %s", strerror(errno));
		return false;
	}
	s.n = fread(text, 1, sizeof(text), f);
	fclose(f);
	while (s.n > 0 && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r'))
		s.n--;
	if (s.n > 0 && s.n <= FILE_MAX) {
		struct str hex = { s.p + 7, s.n - 7 };

		ok = true;
		if (str_starts(s, "sha256:"))
			ok = parse_hex(hex, digest);
		else
			sha256(s, digest);
	}
	secret_wipe(text, sizeof(text));
	if (!ok)
		problem_error(r->problems, path->mark,
		    "the file of a key holds none, expected the key, or sha256: and 64 hexadecimal "
		    "digits, of at most %d bytes",
		    FILE_MAX);
	return ok;
}

/* Whichever of the three is there; exactly one must be. */
static bool
read_value(struct reader *r, const struct node *entry, uint8_t digest[SHA256_LEN])
{
	static const char *const ways[] = { "key", "sha256", "file" };
	const struct node *found = NULL;
	size_t way = 0, n = 0;

	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		const struct node *node = node_get_set(entry, ways[i]);

		if (node) {
			found = node;
			way = i;
			n++;
		}
	}
	if (n != 1 || !node_is_str(found) || found->text.n == 0) {
		problem_error(r->problems, entry->mark,
		    "a key needs exactly one text of key, sha256 or file");
		return false;
	}
	if (way == 2)
		return read_file(r, found, digest);
	if (way == 0) {
		sha256(found->text, digest);
		return true;
	}
	if (!parse_hex(found->text, digest)) {
		problem_error(r->problems, found->mark,
		    "sha256 is no SHA-256, expected 64 hexadecimal digits");
		return false;
	}
	return true;
}

static bool
name_is_good(struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
			c == '-' || c == '_' || c == '.'))
			return false;
	}
	return name.n > 0 && name.n <= KEY_NAME_MAX;
}

static void
read_entry(struct reader *r, const struct node *name, const struct node *entry)
{
	static const char *const known[] = { "role", "key", "sha256", "file" };
	const struct node *role = node_get_set(entry, "role");
	uint8_t digest[SHA256_LEN] = { 0 };
	int parsed = role && node_is_str(role) ? key_role_parse(role->text) : -1;

	if (!node_is_str(name) || !name_is_good(name->text)) {
		problem_error(r->problems, name->mark,
		    "the name of a key, expected 1 to %d letters, digits, dots, dashes and "
		    "underscores",
		    KEY_NAME_MAX);
		return;
	}
	if (entry->type != NODE_MAP) {
		problem_error(r->problems, entry->mark,
		    "a key of llmhealth.keys is %s, expected a mapping of role and key, sha256 or "
		    "file",
		    node_type_name(entry));
		return;
	}
	for (size_t i = 0; i < entry->n; i++) {
		bool good = false;

		for (size_t k = 0; k < ARRAY_LEN(known); k++)
			good |= node_is_str(entry->pairs[i].key) &&
				str_is(entry->pairs[i].key->text, known[k]);
		if (!good)
			problem_error(r->problems, entry->pairs[i].key->mark,
			    "unknown part of a key, expected role, key, sha256 or file");
	}
	if (parsed < 0 || parsed == KEY_DRAIN) {
		problem_error(r->problems, role ? role->mark : entry->mark,
		    "the role of a key, expected admin, viewer or metrics");
		return;
	}
	if (read_value(r, entry, digest))
		add(r, (enum key_role)parsed, name->text, digest);
	secret_wipe(digest, sizeof(digest));
}

static void
read_drain_token(struct reader *r, struct settings *s)
{
	char *token = s->text[SETTING_DRAIN_TOKEN];
	size_t n = strlen(token);
	uint8_t digest[SHA256_LEN];

	if (n == 0)
		return;
	sha256(str_of(token), digest);
	add(r, KEY_DRAIN, STR("token"), digest);
	secret_wipe(token, n);
	token[0] = '\0';
}

struct kvs
keys_config_read(const struct node *root, struct settings *s, struct arena *arena,
    struct problems *problems)
{
	const struct node *map = node_get_set(node_get_set(root, "llmhealth"), "keys");
	size_t n = map && map->type == NODE_MAP ? map->n : 0;
	struct reader r = { NULL, 0, arena, problems };

	if (map && map->type != NODE_MAP)
		problem_error(problems, map->mark,
		    "llmhealth.keys is %s, expected a mapping of names", node_type_name(map));
	if (n > KEYS_MAX) {
		problem_error(problems, map->mark, "llmhealth.keys has %zu keys, expected at most %d",
		    n, KEYS_MAX);
		n = 0;
	}
	r.v = arena_alloc(arena, (n + 1) * sizeof(*r.v));
	for (size_t i = 0; i < n; i++)
		read_entry(&r, map->pairs[i].key, map->pairs[i].value);
	read_drain_token(&r, s);
	return (struct kvs){ r.v, r.n };
}
