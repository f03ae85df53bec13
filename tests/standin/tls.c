/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts and certificates by OpenSSL. */
#include "tests/standin/tls.h"

#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#define WEEK_S (7 * 86400L)

SSL_CTX *
tls_context_new(const char *cert, const char *key, const char *client_ca)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"standin", 7);
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(ctx) != 1)
		goto fail;
	if (client_ca != NULL) {
		if (SSL_CTX_load_verify_locations(ctx, client_ca, NULL) != 1)
			goto fail;
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	}
	return ctx;
fail:
	SSL_CTX_free(ctx);
	return NULL;
}

struct identity {
	EVP_PKEY *key;
	X509 *cert;
};

static bool
add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	bool added;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	added = ext != NULL && X509_add_ext(cert, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return added;
}

/* A key and a certificate for it, signed by `ca`, or by itself when that is NULL. */
static int
make_identity(struct identity *made, const struct identity *ca, const char *name, const char *usage)
{
	static const unsigned char cn[] = "CN";
	const struct identity *issuer = ca ? ca : made;
	uint64_t serial;
	X509_NAME *subject;

	made->key = EVP_EC_gen("P-256");
	made->cert = X509_new();
	if (made->key == NULL || made->cert == NULL ||
	    RAND_bytes((unsigned char *)&serial, sizeof(serial)) != 1)
		return ERR_IO;
	subject = X509_get_subject_name(made->cert);
	if (X509_set_version(made->cert, X509_VERSION_3) != 1 ||
	    ASN1_INTEGER_set_uint64(X509_get_serialNumber(made->cert), serial >> 1) != 1 ||
	    X509_gmtime_adj(X509_getm_notBefore(made->cert), -3600) == NULL ||
	    X509_gmtime_adj(X509_getm_notAfter(made->cert), WEEK_S) == NULL ||
	    X509_set_pubkey(made->cert, made->key) != 1 ||
	    X509_NAME_add_entry_by_txt(subject, (const char *)cn, MBSTRING_ASC,
		(const unsigned char *)name, -1, -1, 0) != 1 ||
	    X509_set_issuer_name(made->cert, X509_get_subject_name(issuer->cert)) != 1)
		return ERR_IO;
	if (!add_extension(made->cert, issuer->cert, NID_basic_constraints,
		ca ? "critical,CA:FALSE" : "critical,CA:TRUE") ||
	    !add_extension(made->cert, issuer->cert, NID_key_usage,
		ca ? "critical,digitalSignature" : "critical,keyCertSign,cRLSign") ||
	    !add_extension(made->cert, issuer->cert, NID_subject_key_identifier, "hash") ||
	    (ca != NULL &&
		(!add_extension(made->cert, issuer->cert, NID_authority_key_identifier, "keyid") ||
		    !add_extension(made->cert, issuer->cert, NID_ext_key_usage, usage) ||
		    !add_extension(made->cert, issuer->cert, NID_subject_alt_name,
			"DNS:localhost,IP:127.0.0.1,IP:::1"))))
		return ERR_IO;
	return X509_sign(made->cert, issuer->key, EVP_sha256()) > 0 ? 0 : ERR_IO;
}

static FILE *
create(const char *dir, const char *name, const char *suffix, mode_t mode)
{
	char path[PATH_MAX];
	FILE *f;
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s.%s", dir, name, suffix) >= (int)sizeof(path))
		return NULL;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0)
		return NULL;
	f = fdopen(fd, "w");
	if (f == NULL)
		close(fd);
	return f;
}

static int
write_identity(const struct identity *id, const char *dir, const char *name, bool with_key)
{
	FILE *f = create(dir, name, "pem", 0644);
	int written;

	if (f == NULL)
		return ERR_IO;
	written = PEM_write_X509(f, id->cert);
	if (fclose(f) != 0 || written != 1)
		return ERR_IO;
	if (!with_key)
		return 0;
	f = create(dir, name, "key", 0600);
	if (f == NULL)
		return ERR_IO;
	written = PEM_write_PrivateKey(f, id->key, NULL, NULL, 0, NULL, NULL);
	return fclose(f) != 0 || written != 1 ? ERR_IO : 0;
}

static void
free_identity(struct identity *id)
{
	EVP_PKEY_free(id->key);
	X509_free(id->cert);
}

int
tls_make_certificates(const char *dir)
{
	struct identity ca = { NULL, NULL }, server = { NULL, NULL }, client = { NULL, NULL };
	int err;

	err = make_identity(&ca, NULL, "llmhealth stand-in CA", NULL);
	if (err == 0)
		err = make_identity(&server, &ca, "localhost", "serverAuth");
	if (err == 0)
		err = make_identity(&client, &ca, "llmhealth stand-in client", "clientAuth");
	if (err == 0)
		err = write_identity(&ca, dir, "ca", false);
	if (err == 0)
		err = write_identity(&server, dir, "server", true);
	if (err == 0)
		err = write_identity(&client, dir, "client", true);
	free_identity(&ca);
	free_identity(&server);
	free_identity(&client);
	return err;
}
