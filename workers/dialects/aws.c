/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/dialects/aws.h"

const char *
aws_region(const struct target *t)
{
	const char *region = target_param(t, "aws_region_name");

	return region && *region ? region : AWS_DEFAULT_REGION;
}

int
aws_headers(struct asking *a, const char *service)
{
	if (secret_reveal(target_secret(a->t, "api_key")).n == 0) {
		a->req->sign_service = service;
		buf_add_text(&a->req->sign_region, aws_region(a->t));
	}
	return ask_headers(a, ASK_SIGNED, STR("application/json"));
}
