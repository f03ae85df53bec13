/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SigV4 against AWS's own cases, by header and by query, and against signatures that LiteLLM made.
 * AWS's suite is read where it lies beside the tree; without it the recorded ones remain.
 */
#include "tests/unit/fixture.h"

#include <ctype.h>
#include <time.h>

#include "shared/buf.h"
#include "workers/auth/sigv4.h"

#define SUITE "../shared/corpus/sigv4/v4.json"

static size_t wrong;

static void
same(const char *name, const char *what, struct str got, struct str wanted)
{
	if (str_eq(got, wanted))
		return;
	print_error(
	    "%s: %s is\n%.*s\nnot\n%.*s\n", name, what, (int)got.n, got.p, (int)wanted.n, wanted.p);
	wrong++;
}

struct parsed {
	char method[16];
	struct str path, query, body;
	struct kv headers[16];
	size_t n;
};

/* "GET /path?query HTTP/1.1\nName:value\n continued\n\nbody" */
static void
parse(const char *text, struct parsed *p)
{
	const char *line_end = strchr(text, '\n'), *at = line_end + 1, *target, *end;
	size_t n;

	memset(p, 0, sizeof(*p));
	target = strchr(text, ' ') + 1;
	memcpy(p->method, text, (size_t)(target - text - 1));
	end = line_end - strlen(" HTTP/1.1");
	n = strcspn(target, "?");
	if (target + n < end) {
		p->query = (struct str){ target + n + 1, (size_t)(end - target) - n - 1 };
		p->path = (struct str){ target, n };
	} else {
		p->path = (struct str){ target, (size_t)(end - target) };
	}
	while (*at && *at != '\n') {
		n = strcspn(at, "\n");
		if (isspace((unsigned char)*at)) {
			struct str *value = &p->headers[p->n - 1].value;

			value->n = (size_t)(at + n - value->p);
		} else {
			size_t colon = strcspn(at, ":");

			assert_true(p->n < ARRAY_LEN(p->headers));
			p->headers[p->n++] =
			    (struct kv){ { at, colon }, { at + colon + 1, n - colon - 1 } };
		}
		at += n + (at[n] == '\n');
	}
	if (*at == '\n')
		p->body = str_of(at + 1);
}

static int64_t
time_of(const char *text)
{
	struct tm tm = { 0 };

	assert_non_null(strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm));
	return (int64_t)timegm(&tm) * 1000;
}

/* The query on the request line of a signed request. */
static struct str
signed_query(const char *request)
{
	const char *mark = strchr(request, '?'), *end = strstr(request, " HTTP/1.1");

	return (struct str){ mark + 1, (size_t)(end - mark - 1) };
}

static void
check_case(const json_t *one)
{
	const json_t *context = json_object_get(one, "context");
	const json_t *credentials = json_object_get(context, "credentials");
	const json_t *header = json_object_get(one, "header"),
		     *query = json_object_get(one, "query");
	const char *name = fixture_text(one, "name"), *authorization;
	struct sigv4_signature s;
	struct parsed p;

	parse(fixture_text(one, "request"), &p);
	sigv4_signature_init(&s);
	struct sigv4 r = { .method = p.method,
		.path = p.path,
		.query = p.query,
		.headers = p.headers,
		.n_headers = p.n,
		.body = p.body,
		.access_key = fixture_str(credentials, "access_key_id"),
		.secret_key = fixture_str(credentials, "secret_access_key"),
		.session_token = fixture_str(credentials, "token"),
		.region = fixture_text(context, "region"),
		.service = fixture_text(context, "service"),
		.now_ms = time_of(fixture_text(context, "timestamp")),
		.normalize = json_is_true(json_object_get(context, "normalize")),
		.sign_body = json_is_true(json_object_get(context, "sign_body")),
		.token_after = json_is_true(json_object_get(context, "omit_session_token")),
		.expires_s =
		    json_integer_value(json_object_get(context, "expiration_in_seconds")) };

	assert_int_equal(sigv4_sign(&r, &s), 0);
	same(name, "canonical request", buf_str(&s.canonical),
	    fixture_str(header, "canonical_request"));
	same(name, "string to sign", buf_str(&s.to_sign), fixture_str(header, "string_to_sign"));
	same(name, "signature", str_of(s.hex), fixture_str(header, "signature"));
	authorization = strstr(fixture_text(header, "signed_request"), "\nAuthorization:");
	assert_non_null(authorization);
	authorization += strlen("\nAuthorization:");
	same(name, "Authorization", buf_str(&s.value),
	    (struct str){ authorization, strcspn(authorization, "\n") });

	assert_int_equal(sigv4_sign_query(&r, &s), 0);
	same(name, "canonical query request", buf_str(&s.canonical),
	    fixture_str(query, "canonical_request"));
	same(name, "query string to sign", buf_str(&s.to_sign),
	    fixture_str(query, "string_to_sign"));
	same(name, "query signature", str_of(s.hex), fixture_str(query, "signature"));
	same(name, "signed query", buf_str(&s.value),
	    signed_query(fixture_text(query, "signed_request")));
	sigv4_signature_clear(&s);
}

static void
test_suite(void **state)
{
	json_error_t error;
	json_t *root = json_load_file(unit_source_path(SUITE), 0, &error);
	json_t *cases = json_object_get(root, "cases"), *one;
	size_t i;

	if (root == NULL) {
		print_message("# %s: %s\n", SUITE, error.text);
		skip();
	}
	assert_int_equal(json_array_size(cases), 38);
	wrong = 0;
	json_array_foreach(cases, i, one) check_case(one);
	assert_int_equal(wrong, 0);
	json_decref(root);
}

/* What LiteLLM signed: nothing is normalized, the path is escaped once more. */
static void
test_recorded(void **state)
{
	json_t *cases = fixture_load("tests/fixtures/auth/sigv4.json"), *one;
	size_t i;

	wrong = 0;
	assert_int_equal(json_array_size(cases), 12);
	json_array_foreach(cases, i, one)
	{
		const json_t *headers = json_object_get(one, "headers");
		const char *authorization = fixture_text(headers, "authorization"), *name,
			   *signed_names;
		const char *target = fixture_text(one, "target");
		char day[9], access[64], region[64], service[64];
		struct kv list[16];
		struct sigv4_signature s;
		struct tm tm = { 0 };
		json_t *value;
		size_t n = 0;

		assert_int_equal(
		    sscanf(authorization,
			"AWS4-HMAC-SHA256 Credential=%63[^/]/%8[0-9]/%63[^/]/%63[^/]/aws4_request",
			access, day, region, service),
		    4);
		signed_names = strstr(authorization, "SignedHeaders=");
		json_object_foreach((json_t *)headers, name, value)
		{
			const char *at = strstr(signed_names, name);

			if (at && strncmp(name, "x-amz-date", 10) != 0 &&
			    strcmp(name, "x-amz-security-token") != 0)
				list[n++] =
				    (struct kv){ str_of(name), str_of(json_string_value(value)) };
		}
		list[n++] = (struct kv){ STR("Host"), fixture_str(one, "host") };
		assert_non_null(
		    strptime(fixture_text(headers, "x-amz-date"), "%Y%m%dT%H%M%SZ", &tm));
		struct sigv4 r = { .method = fixture_text(one, "method"),
			.path = { target, strcspn(target, "?") },
			.headers = list,
			.n_headers = n,
			.body = fixture_str(one, "body"),
			.access_key = str_of(access),
			.secret_key = fixture_str(one, "secret"),
			.session_token = fixture_str(headers, "x-amz-security-token"),
			.region = region,
			.service = service,
			.now_ms = (int64_t)timegm(&tm) * 1000 };

		sigv4_signature_init(&s);
		assert_int_equal(sigv4_sign(&r, &s), 0);
		same(fixture_text(one, "case"), "Authorization", buf_str(&s.value),
		    str_of(authorization));
		sigv4_signature_clear(&s);
	}
	assert_int_equal(wrong, 0);
	json_decref(cases);
}

/* A key that is kept is that of its own secret, day, region and service. */
static void
test_kept_keys(void **state)
{
	struct kv host = { STR("Host"), STR("h") };
	struct sigv4 r = { .method = "GET",
		.path = STR("/"),
		.headers = &host,
		.n_headers = 1,
		.access_key = STR("A"),
		.region = "r",
		.service = "s" };
	struct sigv4_signature s;
	char seen[16][65];
	size_t n = 0;

	sigv4_signature_init(&s);
	for (int again = 0; again < 2; again++) {
		for (int i = 0; i < 16; i++) {
			r.secret_key = i & 1 ? STR("SECRET1") : STR("SECRET2");
			r.region = i & 2 ? "r" : "q";
			r.service = i & 4 ? "s" : "t";
			r.now_ms = i & 8 ? 0 : INT64_C(86400000);
			assert_int_equal(sigv4_sign(&r, &s), 0);
			if (again)
				assert_string_equal(s.hex, seen[i]);
			else
				memcpy(seen[n++], s.hex, 65);
		}
		sigv4_forget();
	}
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(seen[i], seen[k]);
	sigv4_signature_clear(&s);
}

static void
test_limits(void **state)
{
	static struct kv many[SIGV4_MAX_HEADERS + 1];
	struct sigv4 r = {
		.method = "GET", .path = STR("/"), .headers = many, .region = "r", .service = "s"
	};
	struct buf query = BUF_INIT(4096), path = BUF_INIT((size_t)1 << 20);
	struct sigv4_signature s;

	sigv4_signature_init(&s);
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = (struct kv){ STR("a"), STR("b") };
	r.n_headers = SIGV4_MAX_HEADERS;
	assert_int_equal(sigv4_sign(&r, &s), 0);
	r.n_headers++;
	assert_int_equal(sigv4_sign(&r, &s), ERR_LIMIT);
	assert_int_equal(sigv4_sign_query(&r, &s), ERR_LIMIT);
	r.n_headers = 0;
	for (int i = 0; i <= SIGV4_MAX_PARAMETERS; i++)
		buf_add_text(&query, "a=b&&");
	r.query = buf_str(&query);
	assert_int_equal(sigv4_sign(&r, &s), ERR_LIMIT);
	r.query = STR("");
	for (size_t i = 0; i < (size_t)200 << 10; i++)
		buf_add_char(&path, 'a');
	r.path = buf_str(&path);
	assert_int_equal(sigv4_sign(&r, &s), ERR_LIMIT);
	r.path = STR("/%");
	r.query = STR("%=%4&%zz");
	assert_int_equal(sigv4_sign(&r, &s), 0);
	r.now_ms = -1;
	assert_int_equal(sigv4_sign(&r, &s), ERR_INVALID);
	r.now_ms = INT64_MAX;
	assert_int_equal(sigv4_sign(&r, &s), ERR_INVALID);
	buf_clear(&query);
	buf_clear(&path);
	sigv4_signature_clear(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_suite),
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_kept_keys),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
