/* SPDX-License-Identifier: Apache-2.0 */
/* Which addresses are refused, also where IPv6 wraps an IPv4 one; addresses as text. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "workers/address.h"

static void
read_address(const char *text, struct sockaddr_storage *out)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(443) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(443) };

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		memcpy(out, &in, sizeof(in));
	else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
		memcpy(out, &in6, sizeof(in6));
	else
		fail_msg("%s is no address", text);
}

static void
test_refused(void **state)
{
	static const struct {
		const char *address;
		const char *part; /* of what is said; NULL: allowed */
	} cases[] = {
		{ "127.0.0.1", NULL },
		{ "10.0.0.1", NULL },
		{ "192.168.1.1", NULL },
		{ "169.253.255.255", NULL },
		{ "169.254.0.0", "link-local" },
		{ "169.254.169.254", "link-local" },
		{ "169.254.170.2", "link-local" },
		{ "169.254.255.255", "link-local" },
		{ "169.255.0.0", NULL },
		{ "100.100.100.200", "metadata" },
		{ "100.100.100.201", NULL },
		{ "192.0.0.192", "metadata" },
		{ "168.63.129.16", "metadata" },
		{ "::1", NULL },
		{ "2001:db8::1", NULL },
		{ "fd12::1", NULL },
		{ "fe7f:ffff::1", NULL },
		{ "fe80::1", "link-local" },
		{ "febf:ffff::1", "link-local" },
		{ "fec0::1", NULL },
		{ "fd00:ec2::254", "metadata" },
		{ "fd00:ec2::253", NULL },
		{ "fd20:ce::254", "metadata" },
		{ "::ffff:169.254.169.254", "link-local" },
		{ "::ffff:127.0.0.1", NULL },
		{ "::169.254.169.254", "link-local" },
		{ "64:ff9b::169.254.169.254", "link-local" },
		{ "64:ff9b::8.8.8.8", NULL },
		{ "2002:a9fe:a9fe::1", "link-local" },
		{ "2002:0808:0808::1", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sockaddr_storage a;
		const char *what;

		read_address(cases[i].address, &a);
		what = address_refused((const struct sockaddr *)&a);
		if ((what == NULL) != (cases[i].part == NULL) ||
		    (what && !strstr(what, cases[i].part)))
			fail_msg("%s: %s, wanted %s", cases[i].address, what ? what : "allowed",
			    cases[i].part ? cases[i].part : "allowed");
	}
}

static void
test_another_family(void **state)
{
	struct sockaddr_storage a = { .ss_family = AF_UNIX };

	assert_non_null(address_refused((const struct sockaddr *)&a));
}

static void
test_text(void **state)
{
	struct buf b = BUF_INIT(200);
	struct sockaddr_storage a;

	read_address("192.0.2.7", &a);
	address_add_text(&b, (const struct sockaddr *)&a);
	buf_add_char(&b, ' ');
	read_address("2001:db8::1", &a);
	address_add_text(&b, (const struct sockaddr *)&a);
	assert_string_equal(buf_text(&b), "192.0.2.7:443 [2001:db8::1]:443");
	buf_clear(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_another_family),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
