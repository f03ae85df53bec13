/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much CPU the building of a request costs, for each provider and mode: without its signature
 * (sign_rate.c) and its token. One line of JSON: OpenAI's chat, the mean and the dearest of each
 * dialect.
 *
 *   build_rate [BUILDS OF EACH] [--all]    --all: a line of text for each pair before
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "shared/provider.h"
#include "tests/bench/number.h"
#include "workers/auth/auth.h"
#include "workers/dialects/dialect.h"

#define MAX_DIALECTS 128

struct sum {
	const char *dialect;
	double total, most;
	long pairs;
	const char *provider; /* of the dearest */
	enum mode mode;
};

static double
cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* A target with a key and the parameters that any provider wants. */
static struct target *
target_of(const struct provider *p, enum mode mode)
{
	struct kv secret = { STR("api_key"), STR("sk-bench") };
	struct kv params[] = { { STR("predibase_tenant_id"), STR("ten") },
		{ STR("vertex_project"), STR("proj") }, { STR("vertex_location"), STR("us-east1") },
		{ STR("aws_region_name"), STR("us-west-2") }, { STR("account_id"), STR("acc") },
		{ STR("project_id"), STR("proj") }, { STR("oci_compartment_id"), STR("ocid1.c") } };
	struct msg_conf_target m = { .id = STR("i"),
		.provider = str_of(p->name),
		.dialect = str_of(p->dialect),
		.mode = mode,
		.model = STR("anthropic.claude-3-haiku"),
		.api_base = STR("https://provider.test/v1/models/m/generate"),
		.params = { params, ARRAY_LEN(params) },
		.secrets = { &secret, 1 },
		.max_tokens = 16,
		.timeout_ms = 1,
		.ssl_verify = true };
	struct target *t;

	return target_new(&m, &t) < 0 ? NULL : t;
}

/* CPU of one build, or a negative number: it cannot be asked. */
static double
measure(const struct target *t, long n)
{
	struct build_context ctx = { .now_ms = INT64_C(1795250000000) };
	struct request req;
	struct result why;
	double us = -1;

	if (t->dialect->scheme && t->dialect->scheme(t))
		ctx.credential = auth_shown_credential();
	request_init(&req);
	result_init(&why);
	if (t->dialect->build(t, &ctx, &req, &why) == 0) {
		us = cpu_us();
		for (long i = 0; i < n; i++) {
			request_reset(&req);
			ctx.variant = (uint32_t)i;
			if (t->dialect->build(t, &ctx, &req, &why) < 0)
				fatal("a request is built once but not twice");
		}
		us = (cpu_us() - us) / (double)n;
	}
	request_clear(&req);
	result_clear(&why);
	return us;
}

static struct sum *
sum_of(struct sum *sums, const char *dialect)
{
	size_t i = 0;

	while (i < MAX_DIALECTS - 1 && sums[i].dialect && strcmp(sums[i].dialect, dialect) != 0)
		i++;
	sums[i].dialect = dialect;
	return &sums[i];
}

int
main(int argc, char **argv)
{
	long n = argc > 1 ? read_number(argv[1], 1) : 2000, pairs = 0;
	bool all = argc > 2 && strcmp(argv[2], "--all") == 0;
	static struct sum sums[MAX_DIALECTS];
	double total = 0, chat = 0, most = 0;
	const struct provider *p;
	const char *comma = "";

	for (size_t i = 0; (p = provider_at(i)) != NULL; i++)
		for (int mode = 0; mode < MODE_COUNT; mode++) {
			const struct provider_call *call = provider_call(p, (enum mode)mode);
			struct target *t = call && provider_call_supported(call)
					       ? target_of(p, (enum mode)mode)
					       : NULL;
			double us = t ? measure(t, n) : -1;
			struct sum *s = us >= 0 ? sum_of(sums, p->dialect) : NULL;

			target_free(t);
			if (s == NULL)
				continue;
			if (all)
				printf("%8.2f us %s %s\n", us, p->name, mode_name((enum mode)mode));
			if (strcmp(p->name, "openai") == 0 && mode == MODE_CHAT)
				chat = us;
			if (us > s->most) {
				s->most = us;
				s->provider = p->name;
				s->mode = (enum mode)mode;
			}
			s->total += us;
			s->pairs++;
			total += us;
			pairs++;
			most = us > most ? us : most;
		}
	printf("{\"pairs\":%ld,\"openai_chat_us\":%.2f,\"mean_us\":%.2f,\"most_us\":%.2f,"
	       "\"dialects\":{",
	    pairs, chat, total / (double)pairs, most);
	for (size_t i = 0; sums[i].dialect; i++) {
		printf("%s\"%s\":{\"mean_us\":%.2f,\"most_us\":%.2f,\"of\":\"%s %s\"}", comma,
		    sums[i].dialect, sums[i].total / (double)sums[i].pairs, sums[i].most,
		    sums[i].provider, mode_name(sums[i].mode));
		comma = ",";
	}
	printf("}}\n");
	return 0;
}
