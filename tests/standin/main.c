/* SPDX-License-Identifier: Apache-2.0 */
/*
 * llmhealth-standin: a provider for tests, benches and the quickstart, which can be slow, wrong,
 * cut off or hostile. README.md says how to talk to it. Here: options, start and end.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "shared/exitcode.h"
#include "shared/log.h"
#include "tests/standin/conn.h"
#include "tests/standin/tls.h"

struct options {
	const char *aws_secret, *public_key;
	const char *secrets[STRICT_SECRETS_MAX];
	size_t n_secrets;
	bool strict;
	const char *listen, *tls, *cert, *key_file, *self_signed, *client_ca, *requests_log, *key,
	    *port_file;
	long latency_ms, max_seconds;
	bool quiet, die_with_parent, until_eof;
};

static const char help[] =
    "usage: llmhealth-standin [OPTION]...\n"
    "A provider of language models for tests: answers OpenAI's routes, well or badly.\n"
    "\n"
    "  --listen ADDR:PORT       plain HTTP there (127.0.0.1:0; port 0 picks one; \"none\": not at "
    "all)\n"
    "  --tls ADDR:PORT          HTTPS there (127.0.0.1:0 with --tls-self-signed)\n"
    "  --cert FILE --key-file FILE  its certificate and private key (PEM)\n"
    "  --tls-self-signed DIR    make them, with DIR/ca.pem and DIR/client.{pem,key}\n"
    "  --client-ca FILE         require a client certificate of that CA\n"
    "  --key KEY                the only API key accepted (any)\n"
    "  --strict                 refuse what lacks its provider's own auth: headers, tokens, "
    "signatures\n"
    "  --aws-secret SECRET      recompute AWS signatures with it\n"
    "  --secret SECRET          one that token services accept (may be repeated; none: any)\n"
    "  --public-key FILE        verify Google's and OCI's RSA signatures with it (PEM)\n"
    "  --latency-ms N           wait so long before each answer (0)\n"
    "  --requests-log FILE      append each request as a line of JSON, keys included\n"
    "  --max-seconds N          end after so long (0: never)\n"
    "  --die-with-parent        end when the process that started it does\n"
    "  --until-eof              end at the end of standard input\n"
    "  --port-file FILE         write what is printed of the listeners there too, at once and "
    "whole\n"
    "  --quiet                  no summary at the end\n"
    "\n"
    "How a request is answered is said by its model's name, the header X-Standin, the query's\n"
    "standin= or POST /_standin/behaviour; the words are in tests/standin/README.md.\n";

static long
read_number(const char *name, const char *text)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || n < 0 || n > 86400000) {
		fprintf(stderr, "llmhealth-standin: --%s: \"%s\" is no number of 0 to 86400000\n",
		    name, text);
		exit(EXITCODE_USAGE);
	}
	return n;
}

static void
read_options(struct options *o, int argc, char **argv)
{
	enum {
		LISTEN,
		TLS,
		CERT,
		KEY_FILE,
		SELF_SIGNED,
		CLIENT_CA,
		KEY,
		STRICT,
		AWS_SECRET,
		SECRET,
		PUBLIC_KEY,
		LATENCY,
		LOG,
		SECONDS,
		PARENT,
		UNTIL_EOF,
		PORT_FILE,
		QUIET,
		HELP
	};
	static const struct option table[] = {
		{ "listen", required_argument, NULL, LISTEN },
		{ "tls", required_argument, NULL, TLS },
		{ "cert", required_argument, NULL, CERT },
		{ "key-file", required_argument, NULL, KEY_FILE },
		{ "tls-self-signed", required_argument, NULL, SELF_SIGNED },
		{ "client-ca", required_argument, NULL, CLIENT_CA },
		{ "key", required_argument, NULL, KEY },
		{ "api-key", required_argument, NULL, KEY },
		{ "strict", no_argument, NULL, STRICT },
		{ "aws-secret", required_argument, NULL, AWS_SECRET },
		{ "secret", required_argument, NULL, SECRET },
		{ "public-key", required_argument, NULL, PUBLIC_KEY },
		{ "latency-ms", required_argument, NULL, LATENCY },
		{ "requests-log", required_argument, NULL, LOG },
		{ "max-seconds", required_argument, NULL, SECONDS },
		{ "die-with-parent", no_argument, NULL, PARENT },
		{ "until-eof", no_argument, NULL, UNTIL_EOF },
		{ "port-file", required_argument, NULL, PORT_FILE },
		{ "quiet", no_argument, NULL, QUIET },
		{ "help", no_argument, NULL, HELP },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	*o = (struct options){ .listen = "127.0.0.1:0" };
	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (option) {
		case LISTEN:
			o->listen = optarg;
			break;
		case TLS:
			o->tls = optarg;
			break;
		case CERT:
			o->cert = optarg;
			break;
		case KEY_FILE:
			o->key_file = optarg;
			break;
		case SELF_SIGNED:
			o->self_signed = optarg;
			break;
		case CLIENT_CA:
			o->client_ca = optarg;
			break;
		case KEY:
			o->key = optarg;
			break;
		case STRICT:
			o->strict = true;
			break;
		case AWS_SECRET:
			o->aws_secret = optarg;
			break;
		case SECRET:
			if (o->n_secrets == STRICT_SECRETS_MAX)
				fatal("too many secrets");
			o->secrets[o->n_secrets++] = optarg;
			break;
		case PUBLIC_KEY:
			o->public_key = optarg;
			break;
		case LATENCY:
			o->latency_ms = read_number("latency-ms", optarg);
			break;
		case LOG:
			o->requests_log = optarg;
			break;
		case SECONDS:
			o->max_seconds = read_number("max-seconds", optarg);
			break;
		case PARENT:
			o->die_with_parent = true;
			break;
		case UNTIL_EOF:
			o->until_eof = true;
			break;
		case PORT_FILE:
			o->port_file = optarg;
			break;
		case QUIET:
			o->quiet = true;
			break;
		case HELP:
			fputs(help, stdout);
			exit(0);
		default:
			fputs("try llmhealth-standin --help\n", stderr);
			exit(EXITCODE_USAGE);
		}
	}
	if (optind < argc || (o->tls != NULL && o->self_signed == NULL &&
				 (o->cert == NULL || o->key_file == NULL))) {
		fputs(optind < argc ? "llmhealth-standin: takes options only\n"
				    : "llmhealth-standin: --tls needs --cert and --key-file, or "
				      "--tls-self-signed\n",
		    stderr);
		exit(EXITCODE_USAGE);
	}
	if (o->self_signed != NULL && o->tls == NULL)
		o->tls = "127.0.0.1:0";
}

static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static SSL_CTX *
make_tls(const struct options *o)
{
	char cert[PATH_MAX], key[PATH_MAX];
	SSL_CTX *tls;

	if (o->tls == NULL)
		return NULL;
	if (o->self_signed != NULL) {
		snprintf(cert, sizeof(cert), "%s/server.pem", o->self_signed);
		snprintf(key, sizeof(key), "%s/server.key", o->self_signed);
		if (tls_make_certificates(o->self_signed) != 0)
			fatal("cannot write certificates into %s", o->self_signed);
	} else {
		snprintf(cert, sizeof(cert), "%s", o->cert);
		snprintf(key, sizeof(key), "%s", o->key_file);
	}
	tls = tls_context_new(cert, key, o->client_ca);
	if (tls == NULL)
		fatal("certificates: %s", ERR_error_string(ERR_get_error(), NULL));
	return tls;
}

/* Listens and appends the line that says where. */
static void
listen_at(
    struct server *server, const char *scheme, const char *where, SSL_CTX *tls, struct buf *said)
{
	unsigned port = 0;
	int err = server_listen(server, where, tls, &port);

	if (err != 0)
		fatal("cannot listen at %s: %s", where,
		    err == ERR_IO ? strerror(errno) : "no such address");
	buf_addf(said, "listening %s %.*s:%u\n", scheme, (int)(strrchr(where, ':') - where), where,
	    port);
}

/* A reader finds the file whole or not at all. */
static void
write_port_file(const char *path, struct str text)
{
	char beside[PATH_MAX];
	FILE *f;

	if (snprintf(beside, sizeof(beside), "%s.new", path) >= (int)sizeof(beside))
		fatal("cannot write %s: the name is too long", path);
	f = fopen(beside, "we");
	if (f == NULL)
		fatal("cannot write %s: %s", beside, strerror(errno));
	fwrite(text.p, 1, text.n, f);
	if (fclose(f) != 0 || rename(beside, path) != 0)
		fatal("cannot write %s: %s", path, strerror(errno));
}

static void
open_listeners(struct server *server, const struct options *o, SSL_CTX *tls)
{
	struct buf said = BUF_INIT(4096);

	if (strcmp(o->listen, "none") != 0)
		listen_at(server, "http", o->listen, NULL, &said);
	if (tls != NULL)
		listen_at(server, "https", o->tls, tls, &said);
	if (o->port_file != NULL)
		write_port_file(o->port_file, buf_str(&said));
	fputs(buf_text(&said), stdout);
	fflush(stdout);
	buf_clear(&said);
}

static void
end_cb(evutil_socket_t fd, short what, void *arg)
{
	event_base_loopbreak(arg);
}

static void
input_cb(evutil_socket_t fd, short what, void *arg)
{
	char unread[4096];
	ssize_t n = read(fd, unread, sizeof(unread));

	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
		event_base_loopbreak(arg);
}

/* Until a signal, the end of the input where that is asked for, or the time is over. */
static void
run(struct event_base *base, const struct options *o)
{
	struct event *term = evsignal_new(base, SIGTERM, end_cb, base);
	struct event *intr = evsignal_new(base, SIGINT, end_cb, base);
	struct event *over = evtimer_new(base, end_cb, base);
	struct event *input = event_new(base, STDIN_FILENO, EV_READ | EV_PERSIST, input_cb, base);
	struct timeval tv = { o->max_seconds, 0 };

	if (term == NULL || intr == NULL || over == NULL || input == NULL)
		fatal("no events");
	event_add(term, NULL);
	event_add(intr, NULL);
	if (o->max_seconds > 0)
		event_add(over, &tv);
	/* epoll knows no plain files; one has no end to wait for but is at it already. */
	if (o->until_eof && event_add(input, NULL) != 0)
		fatal("--until-eof: standard input is no pipe, socket or terminal");
	event_base_dispatch(base);
	event_free(term);
	event_free(intr);
	event_free(over);
	event_free(input);
}

static struct event_base *
new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	if (config == NULL)
		return NULL;
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

int
main(int argc, char **argv)
{
	pid_t parent = getppid();
	struct server server = { .listener_count = 0 };
	struct standin *s = &server.standin;
	struct event_base *base;
	struct options o;
	SSL_CTX *tls;

	log_init("standin", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	read_options(&o, argc, argv);
	if (o.die_with_parent) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			return EXITCODE_CANNOT_RUN;
	}
	signal(SIGPIPE, SIG_IGN);
	raise_descriptor_limit();
	base = new_base();
	if (base == NULL)
		fatal("no event loop");
	tls = make_tls(&o);
	standin_init(s);
	s->key = o.key;
	s->latency_ms = (uint32_t)o.latency_ms;
	s->strict.on = o.strict;
	s->strict.aws_secret = o.aws_secret;
	memcpy(s->strict.secrets, o.secrets, sizeof(o.secrets));
	s->strict.n_secrets = o.n_secrets;
	if (o.public_key != NULL && !strict_read_key(&s->strict, o.public_key))
		fatal("%s holds no public key", o.public_key);
	if (o.requests_log != NULL) {
		s->log_fd = open(o.requests_log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		if (s->log_fd < 0)
			fatal("cannot write %s: %s", o.requests_log, strerror(errno));
	}
	server_init(&server, base);
	open_listeners(&server, &o, tls);
	run(base, &o);
	if (!o.quiet)
		printf(
		    "%llu requests, at most %llu in flight; %llu connections, at most %llu open; "
		    "%llu TLS handshakes, %llu resumed; %llu bad requests\n",
		    (unsigned long long)s->requests, (unsigned long long)s->peak_in_flight,
		    (unsigned long long)s->connections,
		    (unsigned long long)s->peak_open_connections,
		    (unsigned long long)s->tls_handshakes, (unsigned long long)s->tls_resumed,
		    (unsigned long long)s->bad_requests);
	server_clear(&server);
	if (s->log_fd >= 0)
		close(s->log_fd);
	standin_clear(s);
	SSL_CTX_free(tls);
	event_base_free(base);
	return 0;
}
