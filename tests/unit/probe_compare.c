/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/probe_compare.h"
#include "tests/unit/header_of.h"

#include <string.h>
#include <strings.h>

#include "shared/sha256.h"

void
differ(struct differences *d, const char *field, const char *fmt, ...)
{
	struct difference *one;
	va_list ap;

	if (d->n == DIFFERENCES_MAX)
		return;
	one = &d->v[d->n++];
	snprintf(one->field, sizeof(one->field), "%s", field);
	va_start(ap, fmt);
	vsnprintf(one->text, sizeof(one->text), fmt, ap);
	va_end(ap);
}

static void
digest_text(struct str data, char text[65])
{
	uint8_t digest[SHA256_LEN];

	sha256(data, digest);
	for (size_t i = 0; i < SHA256_LEN; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

/* "<string of N chars, sha256 X, starts '…'>" stands for that one text. */
static bool
is_long_string(const char *recorded, const char *text, bool *same)
{
	char digest[65], wanted[65];
	unsigned long n;

	if (sscanf(recorded, "<string of %lu chars, sha256 %64[0-9a-f]", &n, wanted) != 2)
		return false;
	digest_text(str_of(text), digest);
	*same = strcmp(digest, wanted) == 0;
	return true;
}

static size_t
wildcard_length(const char *p)
{
	const char *end;

	if (*p != '<' || (end = strchr(p, '>')) == NULL)
		return 0;
	if (strncmp(p, "<varies", 7) == 0 || strncmp(p, "<date>", 6) == 0 ||
	    strncmp(p, "<signed JWT", 11) == 0)
		return (size_t)(end + 1 - p);
	return 0;
}

bool
text_matches(const char *recorded, const char *text)
{
	bool same;
	size_t n;

	if (is_long_string(recorded, text, &same))
		return same;
	for (; *recorded; recorded++, text++) {
		if ((n = wildcard_length(recorded)) > 0) {
			for (recorded += n; *text; text++)
				if (text_matches(recorded, text + 1))
					return true;
			return false;
		}
		if (*recorded != *text)
			return false;
	}
	return *text == '\0';
}

static void
compare_headers(const json_t *recorded, const struct request *built, struct differences *d)
{
	const char *name, *line = built->headers.data;
	char field[160];
	json_t *value;

	json_object_foreach((json_t *)recorded, name, value)
	{
		const char *ours = header_of(built, name);

		snprintf(field, sizeof(field), "header %s", name);
		if (ours == NULL)
			differ(
			    d, field, "recorded \"%s\", built without", json_string_value(value));
		else if (!text_matches(json_string_value(value), ours))
			differ(d, field, "recorded \"%s\", built \"%s\"", json_string_value(value),
			    ours);
	}
	for (size_t i = 0; i < built->n_headers; i++, line += strlen(line) + 1) {
		size_t n = strcspn(line, ":");
		bool known = (n == 10 && strncasecmp(line, "user-agent", n) == 0) ||
			     (n == 4 && strncasecmp(line, "host", n) == 0) ||
			     (n == 14 && strncasecmp(line, "content-length", n) == 0);

		json_object_foreach((json_t *)recorded, name, value) known =
		    known || (strlen(name) == n && strncasecmp(name, line, n) == 0);
		snprintf(field, sizeof(field), "header %.*s", (int)n, line);
		for (char *p = field; *p; p++)
			*p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
		if (!known)
			differ(d, field, "not recorded, built \"%s\"", line);
	}
}

static void
show(const json_t *value, char text[200])
{
	char *all = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

	snprintf(text, 200, "%s", all ? all : "nothing");
	free(all);
}

static bool
numbers_equal(const json_t *a, const json_t *b)
{
	return json_is_number(a) && json_is_number(b) &&
	       json_number_value(a) == json_number_value(b);
}

static void
compare_json(const char *path, const json_t *recorded, const json_t *built, struct differences *d)
{
	char member[128], theirs[200], ours[200];
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_object(recorded) && json_is_object(built)) {
		json_object_foreach((json_t *)recorded, key, value)
		{
			snprintf(member, sizeof(member), "%s.%s", path, key);
			compare_json(member, value, json_object_get(built, key), d);
		}
		json_object_foreach((json_t *)built, key, value)
		{
			snprintf(member, sizeof(member), "%s.%s", path, key);
			if (json_object_get(recorded, key) == NULL)
				compare_json(member, NULL, value, d);
		}
		return;
	}
	if (json_is_array(recorded) && json_array_size(recorded) == json_array_size(built)) {
		json_array_foreach((json_t *)recorded, i, value)
		{
			snprintf(member, sizeof(member), "%s[%zu]", path, i);
			compare_json(member, value, json_array_get(built, i), d);
		}
		return;
	}
	if (recorded && built && (json_equal(recorded, built) || numbers_equal(recorded, built)))
		return;
	if (json_is_string(recorded) && json_is_string(built) &&
	    text_matches(json_string_value(recorded), json_string_value(built)))
		return;
	show(recorded, theirs);
	show(built, ours);
	differ(d, path, "recorded %s, built %s", theirs, ours);
}

/* ---- multipart ---- */

#define PARTS_MAX 16

struct part {
	char name[64];
	char filename[128];
	char type[64];
	struct str value;
};

static void
attribute(const char *disposition, const char *key, char *out, size_t size)
{
	char look[32];
	const char *at, *end;

	snprintf(look, sizeof(look), " %s=\"", key);
	out[0] = '\0';
	if ((at = strstr(disposition, look)) == NULL ||
	    (end = strchr(at + strlen(look), '"')) == NULL)
		return;
	at += strlen(look);
	snprintf(out, size, "%.*s", (int)(end - at), at);
}

/* The bare name of a file. */
static const char *
bare(const char *filename)
{
	const char *slash = strrchr(filename, '/');

	return slash ? slash + 1 : filename;
}

/* Reads one part's headers; *p is moved behind them. */
static bool
read_part_headers(const char **p, const char *end, struct part *part)
{
	while (*p < end && **p != '\r') {
		const char *eol = memmem(*p, (size_t)(end - *p), "\r\n", 2);
		char line[512];

		if (eol == NULL)
			return false;
		snprintf(line, sizeof(line), "%.*s", (int)(eol - *p), *p);
		if (strncasecmp(line, "Content-Disposition: form-data;", 31) == 0) {
			attribute(line, "name", part->name, sizeof(part->name));
			attribute(line, "filename", part->filename, sizeof(part->filename));
		} else if (strncasecmp(line, "Content-Type: ", 14) == 0) {
			snprintf(part->type, sizeof(part->type), "%.63s", line + 14);
		}
		*p = eol + 2;
	}
	*p += 2;
	return *p <= end;
}

/* RFC 2046 section 5.1. Returns the number of parts, or -1. */
static int
read_parts(const struct request *built, struct part parts[PARTS_MAX])
{
	const char *type = header_of(built, "content-type"), *boundary, *p, *end;
	char line[128];
	int n = 0;

	if (type == NULL || (boundary = strstr(type, "boundary=")) == NULL)
		return -1;
	snprintf(line, sizeof(line), "\r\n--%.100s", boundary + 9);
	p = buf_text(&built->body);
	end = p + built->body.len;
	if (strncmp(p, line + 2, strlen(line) - 2) != 0)
		return -1;
	p += strlen(line) - 2;
	for (;;) {
		struct part *part = &parts[n];
		const char *next;

		if (end - p == 4 && memcmp(p, "--\r\n", 4) == 0)
			return n;
		if (n == PARTS_MAX || end - p < 2 || memcmp(p, "\r\n", 2) != 0)
			return -1;
		p += 2;
		memset(part, 0, sizeof(*part));
		if (!read_part_headers(&p, end, part) ||
		    (next = memmem(p, (size_t)(end - p), line, strlen(line))) == NULL)
			return -1;
		part->value = (struct str){ p, (size_t)(next - p) };
		p = next + strlen(line);
		n++;
	}
}

static void
compare_bytes(const char *field, const json_t *recorded, struct str value, struct differences *d)
{
	const char *wanted = json_string_value(json_object_get(recorded, "sha256"));
	char digest[65];

	digest_text(value, digest);
	if (wanted == NULL || strcmp(wanted, digest) != 0)
		differ(d, field, "recorded %lld bytes, built %zu other bytes",
		    (long long)json_integer_value(json_object_get(recorded, "bytes")), value.n);
}

static void
compare_part(const json_t *recorded, const struct part *part, struct differences *d)
{
	const char *disposition =
	    json_string_value(json_object_get(recorded, "content-disposition"));
	const char *type = json_string_value(json_object_get(recorded, "content-type"));
	const char *text = json_string_value(json_object_get(recorded, "value"));
	char name[64], filename[256], field[128];

	attribute(disposition ? disposition : "", "name", name, sizeof(name));
	attribute(disposition ? disposition : "", "filename", filename, sizeof(filename));
	if (strcmp(name, part->name) != 0) {
		snprintf(field, sizeof(field), "part %s", name);
		differ(d, field, "recorded \"%s\", built \"%s\"", name, part->name);
		return;
	}
	if (strcmp(filename, part->filename) != 0) {
		snprintf(field, sizeof(field), "part %s filename%s", name,
		    strcmp(bare(filename), part->filename) == 0 ? " path" : "");
		differ(d, field, "recorded \"%s\", built \"%s\"", filename, part->filename);
	}
	if (strcmp(type ? type : "", part->type) != 0) {
		snprintf(field, sizeof(field), "part %s type", name);
		differ(d, field, "recorded \"%s\", built \"%s\"", type ? type : "", part->type);
	}
	snprintf(field, sizeof(field), "part %s %s", name, text ? "value" : "bytes");
	if (text == NULL) {
		compare_bytes(field, recorded, part->value, d);
	} else {
		char *ours = str_dup(part->value);

		if (!text_matches(text, ours))
			differ(d, field, "recorded \"%s\", built \"%s\"", text, ours);
		free(ours);
	}
}

static void
compare_multipart(const json_t *recorded, const struct request *built, struct differences *d)
{
	static struct part parts[PARTS_MAX];
	int n = read_parts(built, parts);
	char field[128];
	json_t *part;
	size_t i;

	if (n < 0) {
		differ(d, "body", "recorded is a multipart form, built is none");
		return;
	}
	json_array_foreach((json_t *)recorded, i, part)
	{
		if ((int)i < n)
			compare_part(part, &parts[i], d);
		else
			differ(d, "part", "recorded %s, built without",
			    json_string_value(json_object_get(part, "content-disposition")));
	}
	for (; (int)i < n; i++) {
		snprintf(field, sizeof(field), "part %s", parts[i].name);
		differ(d, field, "not recorded");
	}
}

static void
compare_body(const json_t *request, const struct request *built, struct differences *d)
{
	const char *kind = json_string_value(json_object_get(request, "kind"));
	const json_t *recorded = json_object_get(request, "body");

	if (kind == NULL || strcmp(kind, "none") == 0) {
		if (built->body.len > 0)
			differ(d, "body", "recorded none, built %.300s", buf_text(&built->body));
	} else if (strcmp(kind, "json") == 0) {
		json_error_t error;
		json_t *ours = json_loadb(buf_text(&built->body), built->body.len,
		    JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);

		if (ours == NULL)
			differ(d, "body", "built no JSON (%s): %.300s", error.text,
			    buf_text(&built->body));
		else
			compare_json("body", recorded, ours, d);
		json_decref(ours);
	} else if (strcmp(kind, "multipart") == 0) {
		compare_multipart(recorded, built, d);
	} else if (strcmp(kind, "binary") == 0) {
		compare_bytes("body bytes", recorded, buf_str(&built->body), d);
	} else if (json_is_string(recorded) &&
		   !text_matches(json_string_value(recorded), buf_text(&built->body))) {
		differ(d, "body", "recorded %.240s, built %.240s", json_string_value(recorded),
		    buf_text(&built->body));
	}
}

/* A WebSocket's handshake is the transfer's; what the dialect gives it is an https URL. */
static bool
urls_match(const char *recorded, const char *built)
{
	if (strncmp(recorded, "ws", 2) == 0 && strncmp(built, "http", 4) == 0)
		return text_matches(recorded + 2, built + 4);
	return text_matches(recorded, built);
}

void
compare_requests(const json_t *recorded, const struct request *built, struct differences *d)
{
	const char *method = json_string_value(json_object_get(recorded, "method"));
	const char *url = json_string_value(json_object_get(recorded, "url"));

	if (strcmp(method, built->method) != 0)
		differ(d, "method", "recorded %s, built %s", method, built->method);
	if (!urls_match(url, buf_text(&built->url)))
		differ(d, "url", "recorded %s, built %s", url, buf_text(&built->url));
	compare_headers(json_object_get(recorded, "headers"), built, d);
	compare_body(recorded, built, d);
}
