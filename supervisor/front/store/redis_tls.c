/* SPDX-License-Identifier: Apache-2.0 */
/* The only file of the front that knows OpenSSL. */
#include "supervisor/front/store/redis_tls.h"

#include <arpa/inet.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

struct redis_tls {
	SSL_CTX *ctx;
	bool verify;
};

static int
bad(struct buf *why, const char *what, const char *file)
{
	unsigned long e = ERR_get_error();

	buf_addf(why, "%s %s: %s", what, file, e ? ERR_reason_error_string(e) : "cannot be used");
	ERR_clear_error();
	return ERR_INVALID;
}

static int
load_files(SSL_CTX *ctx, const struct redis_tls_options *o, struct buf *why)
{
	if (o->verify && *o->ca && SSL_CTX_load_verify_locations(ctx, o->ca, NULL) != 1)
		return bad(why, "CA file", o->ca);
	if (o->verify && !*o->ca && SSL_CTX_set_default_verify_paths(ctx) != 1)
		return bad(why, "CA file", "of the system");
	if (*o->cert && SSL_CTX_use_certificate_chain_file(ctx, o->cert) != 1)
		return bad(why, "certificate", o->cert);
	if (*o->cert &&
	    SSL_CTX_use_PrivateKey_file(ctx, *o->key ? o->key : o->cert, SSL_FILETYPE_PEM) != 1)
		return bad(why, "key", *o->key ? o->key : o->cert);
	return 0;
}

int
redis_tls_new(const struct redis_tls_options *o, struct redis_tls **out, struct buf *why)
{
	struct redis_tls *t = xcalloc(1, sizeof(*t));
	int rc;

	t->verify = o->verify;
	t->ctx = SSL_CTX_new(TLS_client_method());
	if (t->ctx == NULL)
		rc = bad(why, "TLS", "");
	else
		rc = load_files(t->ctx, o, why);
	if (rc < 0) {
		redis_tls_free(t);
		return rc;
	}
	SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION);
	SSL_CTX_set_verify(t->ctx, o->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	*out = t;
	return 0;
}

struct bufferevent *
redis_tls_bufferevent(struct redis_tls *t, struct event_base *base, const char *host)
{
	SSL *ssl = SSL_new(t->ctx);
	struct bufferevent *b;
	unsigned char ip[16];
	bool is_ip = inet_pton(AF_INET, host, ip) == 1 || inet_pton(AF_INET6, host, ip) == 1;

	if (ssl == NULL)
		return NULL;
	if (!is_ip)
		SSL_set_tlsext_host_name(ssl, host);
	if (t->verify && (is_ip ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host)
				: SSL_set1_host(ssl, host)) != 1) {
		SSL_free(ssl);
		return NULL;
	}
	b = bufferevent_openssl_socket_new(
	    base, -1, ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
	if (b == NULL)
		SSL_free(ssl);
	else
		bufferevent_openssl_set_allow_dirty_shutdown(b, 1);
	return b;
}

void
redis_tls_error(struct bufferevent *b, struct buf *why)
{
	unsigned long e = bufferevent_get_openssl_error(b);
	SSL *ssl = bufferevent_openssl_get_ssl(b);
	long verified = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;

	if (verified != X509_V_OK)
		buf_add_text(why, X509_verify_cert_error_string(verified));
	else if (e && ERR_reason_error_string(e))
		buf_add_text(why, ERR_reason_error_string(e));
	ERR_clear_error();
}

void
redis_tls_free(struct redis_tls *t)
{
	if (t == NULL)
		return;
	SSL_CTX_free(t->ctx);
	free(t);
}
