/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages' fields. From each list come the struct (struct msg_NAME), the encoder's and the
 * decoder's table. Field types: U32, U64, I64, BOOL, STR (text or bytes; must be UTF-8 only where
 * the reader says so), STRS (a list of STR), KVS (a list of key and value).
 *
 * Texts are borrowed: of the caller when encoding, of the frame when decoding.
 */
#ifndef SHARED_MSGS_H
#define SHARED_MSGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/str.h"

enum role {
	ROLE_S = 1, /* supervisor */
	ROLE_F = 2, /* front */
	ROLE_W = 4, /* worker */
};

#define MSG_MAX_FDS 1

enum msg_type {
#define MSG(id, name, number, from, to, max, fds) MSG_##id = number,
#include "shared/msgs.def"
#undef MSG
};

/* To a child, first of all: who it is. */
#define MSG_FIELDS_start(F, M) \
	F(M, U32, index) /* worker number, from 0 */ \
	F(M, U32, log_level) \
	F(M, U32, log_format) \
	F(M, U32, flags) /* START_* */

#define START_ONE_ROUND 1u /* `check`: no listener, one round, then end */

/* A new generation begins. `full` forgets all that was there; else only the differences follow. */
#define MSG_FIELDS_conf_begin(F, M) \
	F(M, U32, generation) \
	F(M, BOOL, full) \
	F(M, STRS, settings)  /* in the order of settings.def; the master key left empty */ \
	F(M, STR, key_digest) /* SHA-256 of the master key, 32 bytes, or empty: none is set */ \
	F(M, KVS, keys)       /* "ROLE NAME" (keyrole.h) and the SHA-256 of the key; to the front */

/*
 * What a worker needs to ask one deployment. `handle` is the deployment's number, the same over all
 * generations and processes as long as the supervisor lives.
 */
#define MSG_FIELDS_conf_target(F, M) \
	F(M, U32, generation) \
	F(M, U32, handle) \
	F(M, STR, id)	    /* the deployment's id, for logs */ \
	F(M, STR, provider) /* row of providers.def */ \
	F(M, STR, dialect) \
	F(M, U32, mode)	      /* enum mode */ \
	F(M, STR, model)      /* without the provider's prefix, as the provider knows it */ \
	F(M, STR, api_base)   /* api_base, else the environment's, else the provider's own */ \
	F(M, KVS, params)     /* further parameters of the dialect, as text: organization, … */ \
	F(M, KVS, secrets)    /* api_key, … ; only this message carries them */ \
	F(M, KVS, headers)    /* extra_headers */ \
	F(M, STR, extra_body) /* JSON object: parameters sent with the probe as they are */ \
	F(M, I64, max_tokens) /* -1: not sent */ \
	F(M, U64, timeout_ms) /* of the whole check */ \
	F(M, U64, \
	    attempt_timeout_ms) /* of the request (litellm_params.timeout); 0: none of its own */ \
	F(M, BOOL, ssl_verify) \
	F(M, STR, ca_file) /* empty: the system's */ \
	F(M, STR, client_cert) \
	F(M, STR, client_key) \
	F(M, STR, proxy) /* empty: none */ \
	F(M, STR, no_proxy) \
	F(M, BOOL, allow_link_local)

/* What the front may know of a deployment: no secret, no header, no prompt. */
#define MSG_FIELDS_conf_deployment(F, M) \
	F(M, U32, generation) \
	F(M, U32, handle) \
	F(M, U32, position) /* in model_list: the order of all answers */ \
	F(M, STR, id) \
	F(M, STR, model_name) \
	F(M, STR, model) /* litellm_params.model as configured */ \
	F(M, STR, provider) \
	F(M, STR, mode) \
	F(M, STR, host)	       /* scheme://host:port, for the cap per host; may be empty */ \
	F(M, KVS, display)     /* fields of a /health entry in order: name, JSON value */ \
	F(M, STR, info)	       /* JSON object: the deployment's element of /v1/model/info */ \
	F(M, U64, interval_ms) /* 0: the setting */ \
	F(M, U64, timeout_ms) \
	F(M, U32, flags)	  /* DEPLOYMENT_* */ \
	F(M, U32, problem_reason) /* enum reason; REASON_OK: can be asked */ \
	F(M, I64, problem_status) \
	F(M, STR, problem) /* first line of the error shown */ \
	F(M, I64, price_in) /* PRICE_UNIT dollars for a token; -1: not known, or not by tokens */ \
	F(M, I64, price_out)

#define PRICE_UNITS 1e12 /* in a dollar: whole numbers that add up */

#define DEPLOYMENT_DISABLED 1u /* disable_background_health_check */
#define DEPLOYMENT_OUTSIDE 2u  /* not in background_health_check_model_groups */

#define MSG_FIELDS_conf_remove(F, M) \
	F(M, U32, generation) \
	F(M, U32, handle)

/* All of the generation has been sent; it comes into force. */
#define MSG_FIELDS_conf_commit(F, M) \
	F(M, U32, generation) \
	F(M, U32, count) /* deployments in force now; a wrong number closes the peer */

/* The generation is in force here. */
#define MSG_FIELDS_ready(F, M) F(M, U32, generation)

/* One end of a socket pair between the front and worker `index`, on the descriptor. */
#define MSG_FIELDS_peer(F, M) \
	F(M, U32, index) \
	F(M, U32, pid)

#define MSG_FIELDS_peer_gone(F, M) F(M, U32, index)

/* A listening socket, bound by the supervisor, on the descriptor. */
#define MSG_FIELDS_listener(F, M) F(M, STR, address)

/* Where the front keeps its state over its own death: an anonymous file, on the descriptor. */
#define MSG_FIELDS_state(F, M) F(M, STR, path) /* the state file of the user; empty: none */

#define MSG_FIELDS_stop(F, M) \
	F(M, U32, grace_ms) \
	F(M, U32, drain_ms)

/* What would be asked of this target? The answer holds no secret. */
#define MSG_FIELDS_describe(F, M) F(M, U32, handle)

#define MSG_FIELDS_described(F, M) \
	F(M, U32, handle) \
	F(M, U32, reason) /* REASON_OK, or why no request can be built */ \
	F(M, STR, error) \
	F(M, STR, method) \
	F(M, STR, url) \
	F(M, KVS, headers) /* secrets masked */ \
	F(M, STR, body)

/* `check`: ask every deployment once, now. */
#define MSG_FIELDS_round(F, M) F(M, U32, generation)

#define MSG_FIELDS_round_progress(F, M) \
	F(M, U32, total) \
	F(M, U32, done) \
	F(M, U32, healthy) \
	F(M, U32, in_flight)

#define MSG_FIELDS_round_verdict(F, M) \
	F(M, U32, handle) \
	F(M, BOOL, healthy) \
	F(M, U32, reason) \
	F(M, I64, status) \
	F(M, U32, http_status) /* 0: no answer came */ \
	F(M, U32, total_us) \
	F(M, U32, tokens) \
	F(M, STR, error) \
	F(M, STR, detail) \
	F(M, STR, entry) /* the JSON object that /health shows */

#define MSG_FIELDS_round_done(F, M) \
	F(M, U32, healthy) \
	F(M, U32, unhealthy)

#define MSG_FIELDS_job(F, M) \
	F(M, U32, job) \
	F(M, U32, generation) \
	F(M, U32, handle) \
	F(M, STR, request) /* the id of the HTTP request that asked for it, for logs; empty: none */

/*
 * One probe of something that is not configured as it is: a deployment with another mode or model
 * (`own` is false; its own base and its own key), or nothing but what a caller gave (`own`: no
 * configured value is used, whatever the handle is). Answered as a JOB.
 */
#define MSG_FIELDS_test(F, M) \
	F(M, U32, job) \
	F(M, U32, generation) \
	F(M, U32, handle) /* 0: no deployment */ \
	F(M, BOOL, own) \
	F(M, STR, provider) /* row of providers.def */ \
	F(M, U32, mode)     /* MODE_COUNT: the deployment's */ \
	F(M, STR, model)    /* as the provider knows it; empty: the deployment's */ \
	F(M, STR, api_base) \
	F(M, KVS, params) \
	F(M, KVS, secrets) /* the caller's own */ \
	F(M, KVS, headers) \
	F(M, U64, timeout_ms) \
	F(M, BOOL, allow_link_local) \
	F(M, STR, request) /* as of a JOB */

/* What one probe said. */
#define MSG_FIELDS_result(F, M) \
	F(M, U32, job) \
	F(M, U32, generation) \
	F(M, U32, handle) \
	F(M, BOOL, healthy) \
	F(M, U32, reason) \
	F(M, U32, http_status) /* 0: no answer */ \
	F(M, I64, exception_status) \
	F(M, STR, error)  /* LiteLLM's first error line; empty when healthy */ \
	F(M, STR, detail) /* our own words; empty when healthy */ \
	F(M, U32, dns_us) \
	F(M, U32, connect_us) \
	F(M, U32, tls_us) \
	F(M, U32, first_byte_us) \
	F(M, U32, total_us) \
	F(M, U32, tokens_in) \
	F(M, U32, tokens_out) \
	F(M, I64, retry_after_ms) /* -1: not said */ \
	F(M, KVS, headers)	  /* those that are kept: x-ratelimit-*, x-ms-region */ \
	F(M, STR, raw_request)	  /* JSON of raw_request_typed_dict, unhealthy only; else empty */ \
	F(M, STR, asked_model)	 /* what was really asked, where it is not the configured model */ \
	F(M, I64, checked_at_ms) /* wall clock */ \
	F(M, U32, flags)	 /* RESULT_* */ \
	F(M, I64, certificate_expires_s) /* of a new TLS connection; unix time, 0: none was seen */

#define RESULT_REUSED 1u      /* over a kept connection */
#define RESULT_TLS 2u	      /* over a new TLS connection */
#define RESULT_TLS_RESUMED 4u /* … whose session was resumed */

#define MSG_FIELDS_job_refused(F, M) \
	F(M, U32, job) \
	F(M, U32, generation) /* the worker's own */ \
	F(M, U32, handle) \
	F(M, U32, why) /* REFUSED_* */

#define REFUSED_GENERATION 1u
#define REFUSED_UNKNOWN 2u
#define REFUSED_STOPPING 3u

/* Nobody waits any more; a RESULT may still come. */
#define MSG_FIELDS_job_cancel(F, M) F(M, U32, job)

/*
 * What a worker does beside probes, because it alone holds the secret that this takes. The front names
 * the service, never its address.
 */
#define MSG_FIELDS_service(F, M) \
	F(M, U32, number) \
	F(M, U32, service) /* SERVICE_* */ \
	F(M, U32, timeout_ms)

#define SERVICE_DATABASE 0u

#define MSG_FIELDS_service_state(F, M) \
	F(M, U32, number) /* of the SERVICE that this answers */ \
	F(M, U32, service) \
	F(M, U32, state) /* SERVICE_NONE, … */ \
	F(M, U32, latency_us) \
	F(M, STR, why) /* our own words; empty when it works */

#define SERVICE_NONE 0u /* not configured here, or not built in */
#define SERVICE_UP 1u
#define SERVICE_DOWN 2u

/* A batch for the collector: the body of one OTLP request. The worker knows where to and adds the headers. */
#define MSG_FIELDS_export(F, M) \
	F(M, U32, number) \
	F(M, U32, signal) /* EXPORT_* */ \
	F(M, U32, timeout_ms) \
	F(M, STR, body)

#define EXPORT_TRACES 0u
#define EXPORT_METRICS 1u

#define MSG_FIELDS_exported(F, M) \
	F(M, U32, number) \
	F(M, U32, outcome)	  /* EXPORTED_* */ \
	F(M, U32, http_status)	  /* 0: no answer */ \
	F(M, I64, retry_after_ms) /* -1: not said */ \
	F(M, U64, rejected)	  /* spans or points that the collector did not take of a batch that it took */ \
	F(M, STR, why)		  /* our own words; empty when it worked */

#define EXPORTED_OK 0u
#define EXPORTED_AGAIN 1u   /* worth another attempt */
#define EXPORTED_REFUSED 2u /* never will be taken */

/*
 * A caller's chat request, passed on to exactly one deployment: PASS, its body in PASS_BODYs, then the
 * other way PASS_HEAD, PASS_PIECEs and PASS_END, which is the last word. What the receiver has taken
 * of them it says in PASS_BODY_TAKEN and PASS_TAKEN; the sender holds back when PASS_WINDOW bytes are
 * not yet taken. Like a JOB it names a deployment, never a URL or a header.
 */
#define MSG_FIELDS_pass(F, M) \
	F(M, U32, pass) \
	F(M, U32, handle) \
	F(M, U64, body_bytes) /* of the PASS_BODYs that follow: a JSON object */ \
	F(M, U64, timeout_ms)

#define PASS_WINDOW ((size_t)256 << 10)
#define PASS_PIECE_BYTES ((size_t)64 << 10)

#define MSG_FIELDS_pass_body(F, M) \
	F(M, U32, pass) \
	F(M, STR, bytes)

#define MSG_FIELDS_pass_body_taken(F, M) \
	F(M, U32, pass) \
	F(M, U32, bytes)

#define MSG_FIELDS_pass_piece(F, M) \
	F(M, U32, pass) \
	F(M, STR, bytes)

#define MSG_FIELDS_pass_taken(F, M) \
	F(M, U32, pass) \
	F(M, U32, bytes)

#define MSG_FIELDS_pass_head(F, M) \
	F(M, U32, pass) \
	F(M, U32, status) \
	F(M, KVS, headers) /* those that are passed on, secrets masked */

#define MSG_FIELDS_pass_end(F, M) \
	F(M, U32, pass) \
	F(M, U32, outcome) /* PASS_* */ \
	F(M, U32, reason)  /* why the answer is not whole */ \
	F(M, I64, exception_status) \
	F(M, STR, error)  /* LiteLLM's first error line */ \
	F(M, STR, detail) /* our own words */

#define PASS_WHOLE 0u	 /* the provider's answer has come whole, whatever its status */
#define PASS_FAILED 1u	 /* there is none, or it broke off */
#define PASS_STOPPING 2u /* this worker takes none any more; another may */

/* Nobody waits any more; messages may still come. */
#define MSG_FIELDS_pass_cancel(F, M) F(M, U32, pass)

struct strs {
	const struct str *v;
	size_t n;
};

struct kvs {
	const struct kv *v;
	size_t n;
};

#define MSG_TYPE_U32 uint32_t
#define MSG_TYPE_U64 uint64_t
#define MSG_TYPE_I64 int64_t
#define MSG_TYPE_BOOL bool
#define MSG_TYPE_STR struct str
#define MSG_TYPE_STRS struct strs
#define MSG_TYPE_KVS struct kvs
#define MSG_MEMBER(message, type, field) MSG_TYPE_##type field;

#define MSG(id, name, number, from, to, max, fds) \
	struct msg_##name { \
		MSG_FIELDS_##name(MSG_MEMBER, name) \
	};
#include "shared/msgs.def"
#undef MSG

enum msg_field_type {
	MSG_FIELD_U32,
	MSG_FIELD_U64,
	MSG_FIELD_I64,
	MSG_FIELD_BOOL,
	MSG_FIELD_STR,
	MSG_FIELD_STRS,
	MSG_FIELD_KVS,
};

struct msg_field {
	const char *name;
	enum msg_field_type type;
	size_t offset; /* in the message's struct */
};

struct msg_row {
	const char *name;
	enum msg_type type;
	unsigned from, to; /* enum role, or-ed */
	uint32_t max;
	unsigned fds;
	size_t size; /* of the struct */
	const struct msg_field *fields;
	size_t n_fields;
};

/* The row of a message, or NULL when there is none of that number. */
const struct msg_row *msg_row(unsigned type);

#endif
