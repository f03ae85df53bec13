/* SPDX-License-Identifier: Apache-2.0 */
/* TLS by curl's options and OpenSSL's store of certificates. */
#include "workers/tls.h"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#include "shared/log.h"
#include "workers/target.h"

#define ASKED 256

struct tls {
	X509_STORE *store;
	bool tried;
	uint64_t handshakes;
	uint64_t
	    asked[ASKED]; /* numbers of the last handshakes in which a certificate was wanted */
	unsigned asked_next;
};

/* Of what we keep on OpenSSL's contexts. */
static int tls_index, number_index;

struct tls *
tls_new(void)
{
	struct tls *tls = xcalloc(1, sizeof(*tls));

	tls_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	number_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	if (tls_index < 0 || number_index < 0)
		fatal("OpenSSL has no room for our data");
	return tls;
}

void
tls_free(struct tls *tls)
{
	if (tls == NULL)
		return;
	X509_STORE_free(tls->store);
	free(tls);
}

static void
load_system_store(struct tls *tls)
{
	const char *file = curl_version_info(CURLVERSION_NOW)->cainfo;

	tls->tried = true;
	tls->store = X509_STORE_new();
	if (tls->store == NULL)
		fatal("out of memory");
	if (file == NULL || X509_STORE_load_file(tls->store, file) != 1)
		log_event(LOG_LEVEL_ERROR, "system_certificates_unreadable",
		    LS("file", file ? file : "none"));
	/* What curl sets on the stores that it loads itself. */
	X509_STORE_set_flags(tls->store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
}

/*
 * Without a certificate the handshake goes on, and with TLS 1.3 the refusal may come as a mere
 * reset. A connection may outlive who opened it, so nothing here points to a transfer.
 */
static int
on_certificate_wanted(SSL *ssl, X509 **certificate, EVP_PKEY **key)
{
	SSL_CTX *ctx = SSL_get_SSL_CTX(ssl);
	struct tls *tls = SSL_CTX_get_ex_data(ctx, tls_index);

	tls->asked[tls->asked_next++ % ASKED] =
	    (uint64_t)(uintptr_t)SSL_CTX_get_ex_data(ctx, number_index);
	return 0;
}

bool
tls_wanted_certificate(const struct tls_use *use)
{
	for (size_t i = 0; use->number && i < ASKED; i++)
		if (use->tls->asked[i] == use->number)
			return true;
	return false;
}

/* curl would read the system's certificates again for each connection, or keep them once per multi.
 */
static CURLcode
on_new_context(CURL *easy, void *ssl_ctx, void *arg)
{
	struct tls_use *use = arg;
	struct tls *tls = use->tls;

	use->number = ++tls->handshakes;
	if (use->system_store) {
		if (!tls->tried)
			load_system_store(tls);
		SSL_CTX_set1_cert_store(ssl_ctx, tls->store);
	}
	if (SSL_CTX_set_ex_data(ssl_ctx, tls_index, tls) == 1 &&
	    SSL_CTX_set_ex_data(ssl_ctx, number_index, (void *)(uintptr_t)use->number) == 1)
		SSL_CTX_set_client_cert_cb(ssl_ctx, on_certificate_wanted);
	return CURLE_OK;
}

static void
setup_verification(struct tls_use *use, CURL *easy, const struct target *t)
{
	struct stat st;

	curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
	if (!t->ssl_verify) {
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	} else if (*t->ca_file == '\0') {
		use->system_store = true;
	} else if (stat(t->ca_file, &st) == 0 && S_ISDIR(st.st_mode)) {
		curl_easy_setopt(easy, CURLOPT_CAPATH, t->ca_file);
	} else {
		curl_easy_setopt(easy, CURLOPT_CAINFO, t->ca_file);
	}
}

void
tls_setup(struct tls *tls, struct tls_use *use, CURL *easy, const struct target *t)
{
	*use = (struct tls_use){ .tls = tls };
	setup_verification(use, easy, t);
	curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_new_context);
	curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, use);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (*t->client_cert) {
		curl_easy_setopt(easy, CURLOPT_SSLCERT, t->client_cert);
		curl_easy_setopt(
		    easy, CURLOPT_SSLKEY, *t->client_key ? t->client_key : t->client_cert);
	}
}

static SSL *
ssl_of(CURL *easy)
{
	struct curl_tlssessioninfo *info = NULL;

	if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK || info == NULL ||
	    info->backend != CURLSSLBACKEND_OPENSSL)
		return NULL;
	return info->internals;
}

bool
tls_in_use(CURL *easy, bool *resumed)
{
	SSL *ssl = ssl_of(easy);

	if (ssl == NULL)
		return false;
	*resumed = SSL_session_reused(ssl) == 1;
	return true;
}

/* A resumed session has the certificate of its first handshake. */
int64_t
tls_certificate_expires(CURL *easy)
{
	SSL *ssl = ssl_of(easy);
	X509 *certificate = ssl ? SSL_get0_peer_certificate(ssl) : NULL;
	struct tm tm;
	int64_t at;

	if (certificate == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) != 1)
		return 0;
	at = timegm(&tm);
	return at > 0 ? at : 0;
}

bool
tls_failed(CURLcode code, const char *said)
{
	switch (code) {
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CRL_BADFILE:
	case CURLE_SSL_ENGINE_INITFAILED:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
	case CURLE_SSL_CLIENTCERT:
	case CURLE_USE_SSL_FAILED:
		return true;
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		/* TLS 1.3 refuses a client's certificate after the client thinks the handshake is
		 * over. */
		return strstr(said, " alert ") != NULL;
	default:
		return false;
	}
}

static const struct {
	long result; /* X509_V_ERR_* */
	const char *words;
} verify_words[] = {
	{ X509_V_ERR_CERT_HAS_EXPIRED, "the certificate has expired" },
	{ X509_V_ERR_CERT_NOT_YET_VALID, "the certificate is not valid yet" },
	{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "the certificate is self-signed" },
	{ X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "the certificate is signed by a CA that is not "
						"trusted here (self-signed, in its chain)" },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
	    "the certificate is signed by a CA that is not trusted here" },
	{ X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
	    "the certificate is signed by a CA that is not trusted here" },
	{ X509_V_ERR_CERT_REVOKED, "the certificate has been revoked" },
	{ X509_V_ERR_EE_KEY_TOO_SMALL, "the certificate's key is too short" },
	{ X509_V_ERR_CA_MD_TOO_WEAK, "the certificate's signature is too weak" },
};

static const struct {
	const char *part; /* of OpenSSL's or curl's text */
	const char *words;
} handshake_words[] = {
	{ "certificate required", "the server wants a client certificate, and none is configured" },
	{ "alert unknown ca", "the server does not trust the client certificate's CA" },
	{ "alert bad certificate", "the server refuses the client certificate" },
	{ "alert certificate expired", "the server says that the client certificate has expired" },
	{ "wrong version number", "the server does not speak TLS (plain HTTP on this port?)" },
	{ "packet length too long", "the server does not speak TLS" },
	{ "http request", "the server does not speak TLS" },
	{ "unsupported protocol", "the server speaks only TLS versions before 1.2" },
	{ "alert protocol version", "the server speaks only TLS versions before 1.2" },
	{ "handshake failure", "the server knows no cipher or parameter in common" },
	{ "unrecognized name", "the server does not know this host name" },
	{ "SSL_ERROR_SYSCALL", "the server closed the connection during the TLS handshake" },
	{ "unexpected eof", "the server closed the connection during the TLS handshake" },
	{ "Connection reset", "the server reset the connection during the TLS handshake" },
};

static void
add_verification_words(struct buf *b, CURL *easy, const char *said)
{
	long result = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &result);
	for (size_t i = 0; i < ARRAY_LEN(verify_words); i++)
		if (verify_words[i].result == result) {
			buf_add_text(b, verify_words[i].words);
			return;
		}
	if (strstr(said, "does not match") || strstr(said, "no alternative certificate") ||
	    result == X509_V_ERR_HOSTNAME_MISMATCH)
		buf_add_text(b, "the certificate is for another host name");
	else
		buf_addf(b, "the certificate does not verify: %s",
		    X509_verify_cert_error_string(result));
}

void
tls_add_words(struct buf *b, CURL *easy, CURLcode code, const char *said, const struct target *t)
{
	if (code == CURLE_PEER_FAILED_VERIFICATION) {
		add_verification_words(b, easy, said);
		return;
	}
	if (code == CURLE_SSL_CACERT_BADFILE) {
		buf_addf(b, "the CA file %s cannot be read", t->ca_file);
		return;
	}
	if (code == CURLE_SSL_CERTPROBLEM) {
		buf_addf(b, "the client certificate %s or its key cannot be used", t->client_cert);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(handshake_words); i++)
		if (strcasestr(said, handshake_words[i].part)) {
			buf_add_text(b, handshake_words[i].words);
			return;
		}
	buf_addf(b, "the TLS handshake failed: %s", *said ? said : curl_easy_strerror(code));
}
