/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP's JSON: a span, a resource, and samples that become data points. */
#include "supervisor/front/otlp_json.h"

#include "tests/unit/unit.h"

static const unsigned char ids[OTLP_TRACE_BYTES + OTLP_SPAN_BYTES] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	15, 0xff, 0xab, 1, 2, 3, 4, 5, 6, 7 };

static void
assert_json(struct buf *b, const char *want)
{
	assert_string_equal(buf_text(b), want);
	buf_clear(b);
}

static void
test_span(void **state)
{
	struct deployment d = { .id = "id-1",
		.model_name = "group \"a\"",
		.model = "bedrock/claude",
		.provider = "bedrock",
		.mode = "anthropic_messages",
		.host = "https://[::1]:8443" };
	struct msg_result r = { .job = 0x1a2b,
		.reason = REASON_RATE_LIMITED,
		.http_status = 429,
		.total_us = 1500,
		.first_byte_us = 1250000,
		.detail = STR("too fast \xff"),
		.checked_at_ms = 1700000000123 };
	struct buf b = BUF_INIT(65536);

	buf_add_char(&b, '[');
	otlp_add_span(&b, &d, &r, ids);
	assert_json(&b,
	    "[{\"traceId\":\"0102030405060708090a0b0c0d0e0fff\",\"spanId\":\"ab01020304050607\","
	    "\"name\":\"chat claude\",\"kind\":3,\"startTimeUnixNano\":\"1700000000121500000\","
	    "\"endTimeUnixNano\":\"1700000000123000000\",\"attributes\":["
	    "{\"key\":\"gen_ai.operation.name\",\"value\":{\"stringValue\":\"chat\"}},"
	    "{\"key\":\"gen_ai.provider.name\",\"value\":{\"stringValue\":\"aws.bedrock\"}},"
	    "{\"key\":\"gen_ai.request.model\",\"value\":{\"stringValue\":\"claude\"}},"
	    "{\"key\":\"server.address\",\"value\":{\"stringValue\":\"::1\"}},"
	    "{\"key\":\"server.port\",\"value\":{\"intValue\":\"8443\"}},"
	    "{\"key\":\"http.request.method\",\"value\":{\"stringValue\":\"POST\"}},"
	    "{\"key\":\"http.response.status_code\",\"value\":{\"intValue\":\"429\"}},"
	    "{\"key\":\"error.type\",\"value\":{\"stringValue\":\"rate_limited\"}},"
	    "{\"key\":\"llmhealth.model_id\",\"value\":{\"stringValue\":\"id-1\"}},"
	    "{\"key\":\"llmhealth.model_name\",\"value\":{\"stringValue\":\"group \\\"a\\\"\"}},"
	    "{\"key\":\"llmhealth.probe_id\",\"value\":{\"stringValue\":\"00001a2b\"}},"
	    "{\"key\":\"llmhealth.phase.first_byte\",\"value\":{\"doubleValue\":1.250000}}],"
	    "\"status\":{\"code\":2,\"message\":\"too fast \xef\xbf\xbd\"}}");
}

static void
test_resource(void **state)
{
	struct settings s;
	struct buf b = BUF_INIT(65536);

	settings_init(&s);
	assert_int_equal(settings_set(&s, SETTING_OTLP_RESOURCE, STR(" a = b%20c ,service.name=no,=x,d"), NULL), 0);
	otlp_add_resource(&b, &s);
	assert_json(&b,
	    "{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"llmhealth\"}},"
	    "{\"key\":\"service.version\",\"value\":{\"stringValue\":\"" PACKAGE_VERSION "\"}},"
	    "{\"key\":\"a\",\"value\":{\"stringValue\":\"b c\"}}]}");
	settings_clear(&s);
}

static void
test_numbers(void **state)
{
	struct buf b = BUF_INIT(65536);

	buf_add_char(&b, '[');
	otlp_open_metric(&b, "x_seconds", "What \"it\" is.", OTLP_SUM);
	assert_int_equal(otlp_add_points(&b, OTLP_SUM,
			     STR("x_seconds_total{a=\"q\\\"}\\\\\\n,=\",b=\"\"} 3\nx_seconds_total 0.250000\n# no\n\n"), 1, 2),
	    2);
	otlp_close_metric(&b, OTLP_SUM);
	assert_json(&b,
	    "[{\"name\":\"x_seconds\",\"description\":\"What \\\"it\\\" is.\",\"unit\":\"s\",\"sum\":{\"dataPoints\":["
	    "{\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"q\\\"}\\\\\\n,=\"}},"
	    "{\"key\":\"b\",\"value\":{\"stringValue\":\"\"}}],"
	    "\"startTimeUnixNano\":\"1000000\",\"timeUnixNano\":\"2000000\",\"asInt\":\"3\"},"
	    "{\"attributes\":[],\"startTimeUnixNano\":\"1000000\",\"timeUnixNano\":\"2000000\",\"asDouble\":0.250000}],"
	    "\"aggregationTemporality\":2,\"isMonotonic\":true}}");
	buf_add_char(&b, '[');
	otlp_open_metric(&b, "x", "", OTLP_GAUGE);
	assert_int_equal(otlp_add_points(&b, OTLP_GAUGE, STR("x{v=\"1\"} 1\n"), 1, 2), 1);
	/* What is broken is left out. */
	assert_int_equal(otlp_add_points(&b, OTLP_GAUGE, STR("x{v=\"1 1\nx\nx{\nx{}\n"), 1, 2), 0);
	otlp_close_metric(&b, OTLP_GAUGE);
	assert_json(&b,
	    "[{\"name\":\"x\",\"description\":\"\",\"unit\":\"1\",\"gauge\":{\"dataPoints\":["
	    "{\"attributes\":[{\"key\":\"v\",\"value\":{\"stringValue\":\"1\"}}],"
	    "\"timeUnixNano\":\"2000000\",\"asInt\":\"1\"}]}}");
}

static void
test_histogram(void **state)
{
	struct buf lines = BUF_INIT(65536), b = BUF_INIT(65536);

	for (int i = 0; i < 17; i++)
		buf_addf(&lines, "h_bucket{p=\"x\",le=\"%d\"} %d\n", i, i < 3 ? 1 : 5);
	buf_add_text(&lines, "h_count{p=\"x\"} 5\nh_sum{p=\"x\"} 1.500000\n");
	buf_add_char(&b, '[');
	assert_int_equal(otlp_add_points(&b, OTLP_HISTOGRAM, buf_str(&lines), 1, 2), 1);
	assert_json(&b,
	    "[{\"attributes\":[{\"key\":\"p\",\"value\":{\"stringValue\":\"x\"}}],"
	    "\"startTimeUnixNano\":\"1000000\",\"timeUnixNano\":\"2000000\",\"count\":\"5\",\"sum\":1.500000,"
	    "\"bucketCounts\":[\"1\",\"0\",\"0\",\"4\",\"0\",\"0\",\"0\",\"0\",\"0\",\"0\",\"0\",\"0\",\"0\",\"0\",\"0\",\"0\",\"0\"],"
	    "\"explicitBounds\":[0.001,0.0025,0.005,0.01,0.025,0.05,0.1,0.25,0.5,1.0,2.5,5.0,10.0,30.0,60.0,120.0]}");
	buf_clear(&lines);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_span),
		cmocka_unit_test(test_resource),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_histogram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
