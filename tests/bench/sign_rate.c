/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much CPU a signature costs: SigV4 over a request as Bedrock gets it, by the scheme that the
 * worker uses (headers added and all), and beside it what nobody can go below: the four digests of
 * its texts. One line of JSON.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "workers/auth/auth.h"
#include "workers/auth/digest.h"
#include "workers/auth/schemes.h"

#define BODY \
	"{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"Hey how's it going?\"}]}]," \
	"\"inferenceConfig\":{\"maxTokens\":16}}"

static double
cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static struct target *
make_target(void)
{
	struct kv secrets[] = { { STR("aws_access_key_id"), STR("AKIAEXAMPLE") },
		{ STR("aws_secret_access_key"), STR("wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY") },
		{ STR("aws_session_token"),
		    STR("IQoJb3JpZ2luX2VjEXAMPLETOKENIQoJb3JpZ2luX2VjEXAMPLETOKEN") } };
	struct msg_conf_target m = { .id = STR("i"),
		.provider = STR("openai"),
		.dialect = STR("openai"),
		.mode = MODE_CHAT,
		.model = STR("m"),
		.api_base = STR("https://b.test"),
		.timeout_ms = 1,
		.secrets = { secrets, ARRAY_LEN(secrets) } };
	struct target *t;

	if (target_new(&m, &t) < 0)
		exit(1);
	return t;
}

static void
build(struct request *req)
{
	request_reset(req);
	buf_add_text(&req->url, "https://bedrock-runtime.us-west-2.amazonaws.com"
				"/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse");
	buf_add_text(&req->body, BODY);
	req->sign_service = "bedrock";
	buf_add_text(&req->sign_region, "us-west-2");
	if (request_add_header(req, STR("Content-Type"), STR("application/json")) < 0)
		exit(1);
}

int
main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 200000;
	struct target *t = make_target();
	const struct auth_scheme *scheme = auth_aws(t);
	struct build_context ctx = { .now_ms = INT64_C(1795250000000) };
	struct auth_exchange x;
	struct request req;
	struct result why;
	uint8_t digest[DIGEST_LEN];
	char text[300] = { 'x' };
	double empty, signing, floor;

	request_init(&req);
	result_init(&why);
	auth_exchange_init(&x);
	if (scheme->ask(t, &x, &ctx, &req, &why) != AUTH_DONE)
		return 1;
	empty = cpu_us();
	for (long i = 0; i < n; i++)
		build(&req);
	empty = cpu_us() - empty;
	signing = cpu_us();
	for (long i = 0; i < n; i++) {
		/* one second of the clock a hundred probes */
		ctx.now_ms += 10;
		build(&req);
		if (scheme->sign(t, x.credential, &ctx, &req, &why) < 0)
			return 1;
	}
	signing = cpu_us() - signing;
	floor = cpu_us();
	for (long i = 0; i < n; i++) {
		digest_sha256((struct str){ BODY, sizeof(BODY) - 1 }, digest);
		digest_sha256((struct str){ text, sizeof(text) }, digest);
		digest_hmac_sha256((struct str){ text, 32 }, (struct str){ text, 140 }, digest);
	}
	floor = cpu_us() - floor;
	printf("{\"signatures\":%ld,\"sigv4_us\":%.2f,\"digests_us\":%.2f,\"aim_us\":25}\n", n,
	    (signing - empty) / (double)n, floor / (double)n);
	auth_exchange_clear(&x);
	result_clear(&why);
	request_clear(&req);
	target_free(t);
	return 0;
}
