/* SPDX-License-Identifier: Apache-2.0 */
/* A variable counts where the config says nothing. */
#include "supervisor/config/otlp_settings.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "shared/secret.h"

#define DEFAULT_ENDPOINT "http://localhost:4318"
#define TEXT_MAX 8192

static const struct {
	enum setting id;
	const char *variable;
	bool milliseconds; /* a number of them */
} variables[] = {
	{ SETTING_OTLP_ENDPOINT, "OTEL_EXPORTER_OTLP_ENDPOINT", false },
	{ SETTING_OTLP_TRACES_ENDPOINT, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", false },
	{ SETTING_OTLP_METRICS_ENDPOINT, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", false },
	{ SETTING_OTLP_HEADERS, "OTEL_EXPORTER_OTLP_HEADERS", false },
	{ SETTING_OTLP_TIMEOUT, "OTEL_EXPORTER_OTLP_TIMEOUT", true },
	{ SETTING_OTLP_CA, "OTEL_EXPORTER_OTLP_CERTIFICATE", false },
	{ SETTING_OTLP_CERT, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", false },
	{ SETTING_OTLP_KEY, "OTEL_EXPORTER_OTLP_CLIENT_KEY", false },
	{ SETTING_OTLP_SERVICE_NAME, "OTEL_SERVICE_NAME", false },
	{ SETTING_OTLP_RESOURCE, "OTEL_RESOURCE_ATTRIBUTES", false },
	{ SETTING_OTLP_INTERVAL, "OTEL_METRIC_EXPORT_INTERVAL", true },
	{ SETTING_OTLP_DELAY, "OTEL_BSP_SCHEDULE_DELAY", true },
	{ SETTING_OTLP_QUEUE, "OTEL_BSP_MAX_QUEUE_SIZE", false },
	{ SETTING_OTLP_BATCH, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", false },
};

static void
set_text(struct settings *s, enum setting id, struct str text)
{
	/* Only shortened or made of what was within its bounds; else it is as if not given. */
	if (settings_set(s, id, text, NULL) < 0 && settings_set(s, id, STR(""), NULL) < 0)
		s->given[id] = false;
}

static void
read_variables(struct settings *s, const struct environ *env, struct mark mark, struct problems *problems)
{
	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		const char *value = environ_get(env, variables[i].variable);
		struct buf text = BUF_INIT(TEXT_MAX), expected = BUF_INIT(1024);
		bool number = true;

		if (value == NULL || *value == '\0' || s->given[variables[i].id])
			continue;
		buf_add_text(&text, value);
		if (variables[i].milliseconds) {
			number = value[strspn(value, "0123456789")] == '\0';
			buf_add_text(&text, "ms");
		}
		/* OpenTelemetry: a variable that cannot be read is as if not set, and said so. */
		if (!number || settings_set(s, variables[i].id, buf_str(&text), &expected) < 0)
			problem_warning(problems, mark, "the variable %s is not valid and not used, expected %s",
			    variables[i].variable,
			    number ? buf_text(&expected) : "a number of milliseconds");
		else
			/* A service name from the environment does not make the section the config's. */
			s->given[variables[i].id] = variables[i].id == SETTING_OTLP_ENDPOINT;
		if (text.data)
			secret_wipe(text.data, text.cap);
		buf_clear(&text);
		buf_clear(&expected);
	}
}

static bool
is_token(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool
value_ok(struct str v)
{
	for (size_t i = 0; i < v.n; i++) {
		unsigned char c = (unsigned char)v.p[i];

		if (c < ' ' || c == 0x7f)
			return false;
		if (c != '%')
			continue;
		/* No control character behind an escape, either. */
		if (i + 2 >= v.n || !memchr("0123456789abcdefABCDEF", v.p[i + 1], 22) ||
		    !memchr("0123456789abcdefABCDEF", v.p[i + 2], 22) || v.p[i + 1] == '0' || v.p[i + 1] == '1')
			return false;
		i += 2;
	}
	return true;
}

bool
otlp_pairs_ok(struct str text)
{
	while (text.n > 0) {
		const char *end = memchr(text.p, ',', text.n);
		struct str one = { text.p, end ? (size_t)(end - text.p) : text.n };
		size_t used = one.n + (end != NULL), name = 0;

		text.p += used;
		text.n -= used;
		while (one.n > 0 && *one.p == ' ') {
			one.p++;
			one.n--;
		}
		if (one.n == 0)
			continue;
		while (name < one.n && is_token(one.p[name]))
			name++;
		if (name == 0 || name == one.n)
			return false;
		while (name < one.n && one.p[name] == ' ')
			name++;
		if (name == one.n || one.p[name] != '=' ||
		    !value_ok((struct str){ one.p + name + 1, one.n - name - 1 }))
			return false;
	}
	return true;
}

static bool
is_url(const char *text)
{
	const char *at = strncmp(text, "http://", 7) == 0    ? text + 7
			 : strncmp(text, "https://", 8) == 0 ? text + 8
							     : NULL;

	if (at == NULL || *at == '\0' || *at == '/')
		return false;
	for (; *at; at++)
		if (*at <= ' ' || *at == 0x7f)
			return false;
	return true;
}

/* The signal's own endpoint as it is, else the common one with the signal's path. */
static void
complete(struct settings *s, enum setting id, const char *path)
{
	struct buf url = BUF_INIT(TEXT_MAX);
	const char *base = s->text[SETTING_OTLP_ENDPOINT];
	size_t n = strlen(base);

	if (s->text[id][0] != '\0' || n == 0)
		return;
	while (n > 0 && base[n - 1] == '/')
		n--;
	buf_add(&url, base, n);
	buf_add_text(&url, path);
	set_text(s, id, buf_str(&url));
	secret_wipe(url.data, url.cap);
	buf_clear(&url);
}

static bool
is_word(const struct environ *env, const char *variable, const char *word)
{
	const char *value = environ_get(env, variable);

	return value && strcasecmp(value, word) == 0;
}

static void
turn_off(struct settings *s)
{
	set_text(s, SETTING_OTLP_ENDPOINT, STR(""));
	set_text(s, SETTING_OTLP_TRACES_ENDPOINT, STR(""));
	set_text(s, SETTING_OTLP_METRICS_ENDPOINT, STR(""));
	set_text(s, SETTING_OTLP_HEADERS, STR(""));
}

static void
check_url(struct settings *s, enum setting id, struct mark mark, struct problems *problems)
{
	if (s->text[id][0] == '\0' || is_url(s->text[id]))
		return;
	problem_error(problems, mark, "%s is no URL, expected http://host:port or https://host:port",
	    setting_row(id)->path);
	set_text(s, id, STR(""));
}

void
otlp_settings_read(const struct node *root, const struct environ *env, struct problems *problems,
    struct settings *s)
{
	const struct node *ours = node_get_set(node_get_set(root, "llmhealth"), "otlp");
	struct mark mark = ours ? ours->mark : (struct mark){ root->mark.file, 0, 0 };
	const char *protocol = environ_get(env, "OTEL_EXPORTER_OTLP_PROTOCOL");

	if (s->num[SETTING_OTLP_ENABLED] == 0 ||
	    (s->num[SETTING_OTLP_ENABLED] < 0 && is_word(env, "OTEL_SDK_DISABLED", "true"))) {
		turn_off(s);
		return;
	}
	read_variables(s, env, mark, problems);
	check_url(s, SETTING_OTLP_ENDPOINT, mark, problems);
	check_url(s, SETTING_OTLP_TRACES_ENDPOINT, mark, problems);
	check_url(s, SETTING_OTLP_METRICS_ENDPOINT, mark, problems);
	if (s->num[SETTING_OTLP_ENABLED] == 1 && s->text[SETTING_OTLP_ENDPOINT][0] == '\0' &&
	    s->text[SETTING_OTLP_TRACES_ENDPOINT][0] == '\0' && s->text[SETTING_OTLP_METRICS_ENDPOINT][0] == '\0')
		set_text(s, SETTING_OTLP_ENDPOINT, STR(DEFAULT_ENDPOINT));
	complete(s, SETTING_OTLP_TRACES_ENDPOINT, "/v1/traces");
	complete(s, SETTING_OTLP_METRICS_ENDPOINT, "/v1/metrics");
	if (!s->num[SETTING_OTLP_TRACES] || is_word(env, "OTEL_TRACES_EXPORTER", "none"))
		set_text(s, SETTING_OTLP_TRACES_ENDPOINT, STR(""));
	if (!s->num[SETTING_OTLP_METRICS] || is_word(env, "OTEL_METRICS_EXPORTER", "none"))
		set_text(s, SETTING_OTLP_METRICS_ENDPOINT, STR(""));
	if (s->text[SETTING_OTLP_TRACES_ENDPOINT][0] == '\0' && s->text[SETTING_OTLP_METRICS_ENDPOINT][0] == '\0') {
		turn_off(s);
		return;
	}
	if (!otlp_pairs_ok(str_of(s->text[SETTING_OTLP_HEADERS]))) {
		problem_error(problems, mark, "%s is not right, expected name=value,name=value with values in "
					      "percent-encoding",
		    setting_row(SETTING_OTLP_HEADERS)->path);
		set_text(s, SETTING_OTLP_HEADERS, STR(""));
	}
	if (!otlp_pairs_ok(str_of(s->text[SETTING_OTLP_RESOURCE]))) {
		problem_warning(problems, mark, "%s is not right and not used, expected name=value,name=value",
		    setting_row(SETTING_OTLP_RESOURCE)->path);
		set_text(s, SETTING_OTLP_RESOURCE, STR(""));
	}
	if (protocol && *protocol && strcasecmp(protocol, "http/json") != 0)
		problem_warning(problems, mark,
		    "the variable OTEL_EXPORTER_OTLP_PROTOCOL is not http/json, which is what is spoken here; "
		    "collectors take it on the port of OTLP over HTTP (4318)");
}
