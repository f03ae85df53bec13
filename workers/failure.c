/* SPDX-License-Identifier: Apache-2.0 */
/* curl's codes, the system's errors and how far the transfer had come, put into words. */
#include "workers/failure.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "workers/target.h"
#include "workers/tls.h"

static long
info_long(CURL *easy, CURLINFO what)
{
	long value = 0;

	return curl_easy_getinfo(easy, what, &value) == CURLE_OK ? value : 0;
}

static curl_off_t
info_time(CURL *easy, CURLINFO what)
{
	curl_off_t value = 0;

	return curl_easy_getinfo(easy, what, &value) == CURLE_OK ? value : 0;
}

static const char *
place(const struct failure *f)
{
	return *f->address ? f->address : f->host;
}

static void
add_seconds(struct buf *b, int64_t ms)
{
	if (ms % 1000 == 0)
		buf_addf(b, "%" PRId64 " s", ms / 1000);
	else
		buf_addf(b, "%" PRId64 " ms", ms);
}

/* "before any answer", "after 120 bytes of the answer". */
static void
add_progress(struct buf *b, const struct failure *f)
{
	if (f->status == 0)
		buf_add_text(b, "before any answer");
	else if (!f->head_over)
		buf_addf(b, "in the headers of the answer (status %d)", f->status);
	else if (f->body_bytes == 0)
		buf_addf(b, "after the headers of the answer (status %d)", f->status);
	else
		buf_addf(b, "after %" PRIu64 " bytes of the answer (status %d)", f->body_bytes,
		    f->status);
}

static enum reason
judge_timeout(const struct failure *f, struct buf *b)
{
	bool through_proxy = *f->target->proxy != '\0';

	if (f->status) {
		buf_add_text(b, "the answer was not complete in ");
		add_seconds(b, f->timeout_ms);
		buf_addf(b, ": status %d and %" PRIu64 " bytes had come", f->status, f->body_bytes);
	} else if (info_time(f->easy, CURLINFO_PRETRANSFER_TIME_T) > 0) {
		buf_addf(b, "no answer from %s in ", f->host);
		add_seconds(b, f->timeout_ms);
		buf_add_text(b, ": connected, the request was sent");
	} else if (info_time(f->easy, CURLINFO_CONNECT_TIME_T) > 0) {
		buf_addf(
		    b, "no %s with %s in ", through_proxy ? "tunnel" : "TLS session", place(f));
		add_seconds(b, f->timeout_ms);
		buf_add_text(b, ": connected, the handshake was not complete");
	} else if (*f->address) {
		buf_addf(b, "no connection to %s in ", f->address);
		add_seconds(b, f->timeout_ms);
	} else {
		buf_addf(b, "the name %s was not resolved in ", f->host);
		add_seconds(b, f->timeout_ms);
	}
	return REASON_TIMEOUT;
}

static enum reason
judge_no_connection(const struct failure *f, struct buf *b)
{
	int error = (int)info_long(f->easy, CURLINFO_OS_ERRNO);

	switch (error) {
	case ECONNREFUSED:
		buf_addf(b, "connection refused by %s", place(f));
		break;
	case EHOSTUNREACH:
	case ENETUNREACH:
		buf_addf(b, "no route to %s", place(f));
		break;
	case ETIMEDOUT:
		buf_addf(b, "no answer to the connection attempt from %s", place(f));
		break;
	case ECONNRESET:
		buf_addf(b, "connection reset by %s", place(f));
		break;
	case EMFILE:
	case ENFILE:
		buf_add_text(b, "no descriptor left for another connection");
		break;
	case 0:
		buf_addf(b, "no connection to %s", place(f));
		break;
	default:
		buf_addf(b, "no connection to %s: %s", place(f), strerror(error));
		break;
	}
	return REASON_CONNECT;
}

/* The other side stopped in the middle. */
static enum reason
judge_cut(const struct failure *f, struct buf *b)
{
	int error = (int)info_long(f->easy, CURLINFO_OS_ERRNO);
	long proxy_status = info_long(f->easy, CURLINFO_HTTP_CONNECTCODE);

	if (proxy_status && proxy_status / 100 != 2) {
		buf_addf(b, "the proxy %s answers CONNECT with status %ld", place(f), proxy_status);
		return REASON_CONNECT;
	}
	if (f->code == CURLE_RECV_ERROR || f->code == CURLE_SEND_ERROR)
		buf_addf(b, "connection %s by %s ",
		    error == ECONNRESET || error == EPIPE || strstr(f->said, "reset")
			? "reset"
			: "broken off",
		    place(f));
	else
		buf_addf(b, "connection cut off by %s ", place(f));
	add_progress(b, f);
	if (f->wanted_certificate && f->status == 0) {
		buf_add_text(b, ": the server wants a client certificate, and none is configured");
		return REASON_TLS;
	}
	return REASON_CONNECT;
}

static enum reason
judge_limit(const struct failure *f, struct buf *b)
{
	switch (f->limit) {
	case FAILURE_ADDRESS_REFUSED:
		buf_addf(b, "%s is %s: not connected to (llmhealth.allow_link_local)", f->address,
		    f->refused);
		return REASON_CONFIG;
	case FAILURE_HEADERS_TOO_LARGE:
		buf_addf(b, "the answer's headers are too large");
		return REASON_BAD_RESPONSE;
	default:
		buf_addf(b,
		    "the answer (status %d) is larger than %" PRIu64
		    " bytes (llmhealth.max_response)",
		    f->status, f->max_body);
		return REASON_BAD_RESPONSE;
	}
}

enum reason
failure_judge(const struct failure *f, struct buf *b)
{
	if (f->limit != FAILURE_NO_LIMIT)
		return judge_limit(f, b);
	if (tls_failed(f->code, f->said)) {
		buf_addf(b, "TLS with %s: ", f->host);
		tls_add_words(b, f->easy, f->code, f->said, f->target);
		return f->code == CURLE_SSL_CACERT_BADFILE || f->code == CURLE_SSL_CERTPROBLEM
			   ? REASON_CONFIG
			   : REASON_TLS;
	}
	switch (f->code) {
	case CURLE_OPERATION_TIMEDOUT:
		return judge_timeout(f, b);
	case CURLE_COULDNT_RESOLVE_HOST:
		buf_addf(b, "the name %s does not resolve", f->host);
		return REASON_DNS;
	case CURLE_COULDNT_RESOLVE_PROXY:
		buf_add_text(b, "the proxy's name does not resolve");
		return REASON_DNS;
	case CURLE_COULDNT_CONNECT:
		return judge_no_connection(f, b);
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return judge_cut(f, b);
	case CURLE_FILESIZE_EXCEEDED:
		buf_addf(b,
		    "the answer (status %d) is larger than %" PRIu64
		    " bytes (llmhealth.max_response)",
		    f->status, f->max_body);
		return REASON_BAD_RESPONSE;
	case CURLE_BAD_CONTENT_ENCODING:
		buf_add_text(b, "the answer's content encoding is broken");
		return REASON_BAD_RESPONSE;
	case CURLE_WEIRD_SERVER_REPLY:
		buf_addf(b, "%s does not answer in HTTP", place(f));
		return REASON_BAD_RESPONSE;
	case CURLE_UNSUPPORTED_PROTOCOL:
		if (info_time(f->easy, CURLINFO_CONNECT_TIME_T) > 0) {
			buf_addf(b, "%s does not answer in HTTP", place(f));
			return REASON_BAD_RESPONSE;
		}
		/* fall through */
	case CURLE_URL_MALFORMAT:
		buf_add_text(b, "the URL is none that can be asked: http:// or https:// and a host "
				"were expected");
		return REASON_CONFIG;
	case CURLE_PROXY:
		buf_addf(b, "the proxy %s does not connect: %s", place(f), f->said);
		return REASON_CONNECT;
	default:
		buf_addf(b, "%s", *f->said ? f->said : curl_easy_strerror(f->code));
		return REASON_CONNECT;
	}
}
