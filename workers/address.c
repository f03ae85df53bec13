/* SPDX-License-Identifier: Apache-2.0 */
/* The table of refused addresses, and addresses as text. */
#include "workers/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

struct row {
	const char *network; /* IPv4 or IPv6, as inet_pton reads it */
	unsigned bits;
	const char *what;
};

static const char link_local[] = "a link-local address";
static const char metadata[] = "a cloud metadata address";

static const struct row rows4[] = {
	{ "169.254.0.0", 16,
	    link_local }, /* RFC 3927; AWS, Azure, Google and others answer there */
	{ "100.100.100.200", 32, metadata }, /* Alibaba */
	{ "192.0.0.192", 32, metadata },     /* Oracle */
	{ "168.63.129.16", 32, metadata },   /* Azure's WireServer */
};

static const struct row rows6[] = {
	{ "fe80::", 10, link_local },	    /* RFC 4291 */
	{ "fd00:ec2::254", 128, metadata }, /* AWS */
	{ "fd00:ec2::23", 128, metadata },  /* AWS, EKS pod identity */
	{ "fd20:ce::254", 128, metadata },  /* Google */
};

/* IPv6 networks in whose last 32 bits an IPv4 address is meant. */
static const struct row embedding[] = {
	{ "::ffff:0:0", 96, NULL }, /* mapped */
	{ "::", 96, NULL },	    /* compatible, deprecated */
	{ "64:ff9b::", 96, NULL },  /* NAT64, RFC 6052 */
};

static bool
in_network(const unsigned char *address, const struct row *row, int family)
{
	unsigned char network[16];
	unsigned bytes = row->bits / 8, rest = row->bits % 8;

	if (inet_pton(family, row->network, network) != 1)
		return false;
	if (memcmp(address, network, bytes) != 0)
		return false;
	return rest == 0 || (address[bytes] ^ network[bytes]) >> (8 - rest) == 0;
}

static const char *
find(const unsigned char *address, const struct row *rows, size_t n, int family)
{
	for (size_t i = 0; i < n; i++)
		if (in_network(address, &rows[i], family))
			return rows[i].what;
	return NULL;
}

static const char *
refused6(const unsigned char *address)
{
	for (size_t i = 0; i < ARRAY_LEN(embedding); i++)
		if (in_network(address, &embedding[i], AF_INET6)) {
			const char *what = find(address + 12, rows4, ARRAY_LEN(rows4), AF_INET);

			if (what)
				return what;
		}
	/* 6to4 (RFC 3056): the IPv4 address follows the first 16 bits. */
	if (address[0] == 0x20 && address[1] == 0x02) {
		const char *what = find(address + 2, rows4, ARRAY_LEN(rows4), AF_INET);

		if (what)
			return what;
	}
	return find(address, rows6, ARRAY_LEN(rows6), AF_INET6);
}

const char *
address_refused(const struct sockaddr *sa)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	switch (sa->sa_family) {
	case AF_INET:
		memcpy(&in, sa, sizeof(in));
		return find((const unsigned char *)&in.sin_addr, rows4, ARRAY_LEN(rows4), AF_INET);
	case AF_INET6:
		memcpy(&in6, sa, sizeof(in6));
		return refused6(in6.sin6_addr.s6_addr);
	default:
		return "no internet address";
	}
}

void
address_add_text(struct buf *b, const struct sockaddr *sa)
{
	char text[INET6_ADDRSTRLEN] = "?";
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	switch (sa->sa_family) {
	case AF_INET:
		memcpy(&in, sa, sizeof(in));
		(void)inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text));
		buf_addf(b, "%s:%u", text, (unsigned)ntohs(in.sin_port));
		break;
	case AF_INET6:
		memcpy(&in6, sa, sizeof(in6));
		(void)inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof(text));
		buf_addf(b, "[%s]:%u", text, (unsigned)ntohs(in6.sin6_port));
		break;
	default:
		buf_add_text(b, text);
		break;
	}
}
