/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/redis_servers.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#define SERVERS_MAX 16
#define WAIT_MS 20000
#define PATH_SIZE 160
#define SERVICE "verdicts"

static char dir[64];
static pid_t pids[SERVERS_MAX];
static size_t n_pids;
static int ports[4][5];

static int
free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	close(fd);
	return ntohs(a.sin_port);
}

static const char *
path_of(const char *name)
{
	static char paths[8][PATH_SIZE];
	static unsigned at;
	char *path = paths[at++ % 8];

	snprintf(path, PATH_SIZE, "%s/%s", dir, name);
	return path;
}

/* A configuration file of this text, in a directory of its own. */
static void
start_one(const char *name, const char *conf, bool sentinel)
{
	char own[PATH_SIZE], file[PATH_SIZE + 16];
	FILE *f;
	pid_t pid;

	assert_true(n_pids < SERVERS_MAX);
	snprintf(own, sizeof(own), "%s/%s", dir, name);
	assert_int_equal(mkdir(own, 0700), 0);
	snprintf(file, sizeof(file), "%s/conf", own);
	f = fopen(file, "w");
	assert_non_null(f);
	fprintf(f, "dir %s\nlogfile %s/log\nsave \"\"\n%s", own, own, conf);
	assert_int_equal(fclose(f), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("redis-server", "redis-server", file, sentinel ? "--sentinel" : (char *)NULL,
		    (char *)NULL);
		_exit(127);
	}
	pids[n_pids++] = pid;
}

static redisReply *
ask(int port, const char *command, ...)
{
	struct timeval wait = { 5, 0 };
	redisContext *c = redisConnectWithTimeout("127.0.0.1", port, wait);
	redisReply *r = NULL;
	va_list args;

	va_start(args, command);
	if (c && c->err == 0)
		r = redisvCommand(c, command, args);
	va_end(args);
	if (c)
		redisFree(c);
	return r;
}

/* Asks until the answer's text has these words. */
static void
until(int port, const char *command, const char *words)
{
	for (int waited = 0; waited < WAIT_MS; waited += 20) {
		redisReply *r = ask(port, command);
		bool there = r && r->str && strstr(r->str, words);

		if (r)
			freeReplyObject(r);
		if (there)
			return;
		usleep(20000);
	}
	fail_msg("%s never said %s", command, words);
}

static void
wait_for_file(const char *path)
{
	for (int i = 0; i < 1000 && access(path, F_OK) < 0; i++)
		usleep(10000);
	assert_int_equal(access(path, F_OK), 0);
}

static const char *
start_single(void)
{
	char conf[PATH_SIZE + 64];

	snprintf(conf, sizeof(conf), "port 0\nunixsocket %s\n", path_of("redis.sock"));
	start_one("one", conf, false);
	wait_for_file(path_of("redis.sock"));
	return NULL;
}

static const char *
start_tls(void)
{
	char text[1024];
	int port = ports[REDIS_SERVERS_TLS][0] = free_port();

	if (system("command -v openssl >/dev/null 2>&1") != 0)
		return "openssl is not installed";
	snprintf(text, sizeof(text),
	    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
	    "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s "
	    ">/dev/null 2>&1",
	    path_of("key.pem"), path_of("cert.pem"));
	assert_int_equal(system(text), 0);
	snprintf(text, sizeof(text),
	    "port 0\ntls-port %d\nbind 127.0.0.1\ntls-cert-file %s\ntls-key-file %s\n"
	    "tls-ca-cert-file %s\ntls-auth-clients yes\nunixsocket %s\n"
	    "user default off\nuser fleet on >canary ~* &* +@all\n",
	    port, path_of("cert.pem"), path_of("key.pem"), path_of("cert.pem"),
	    path_of("tls.sock"));
	start_one("tls", text, false);
	wait_for_file(path_of("tls.sock"));
	return NULL;
}

static const char *
start_cluster(void)
{
	int *port = ports[REDIS_SERVERS_CLUSTER];
	int first = 0;

	for (int i = 0; i < 3; i++) {
		char conf[256], name[32];

		port[i] = free_port();
		snprintf(conf, sizeof(conf),
		    "port %d\nbind 127.0.0.1\ncluster-enabled yes\ncluster-port %d\n"
		    "cluster-node-timeout 2000\n",
		    port[i], free_port());
		snprintf(name, sizeof(name), "node%d", i);
		start_one(name, conf, false);
	}
	for (int i = 0; i < 3; i++) {
		int last = i == 2 ? 16383 : first + 5460;
		redisReply *r;

		until(port[i], "PING", "PONG");
		r = ask(port[i], "CLUSTER ADDSLOTSRANGE %d %d", first, last);
		assert_non_null(r);
		assert_string_equal(r->str, "OK");
		freeReplyObject(r);
		first = last + 1;
	}
	for (int i = 1; i < 3; i++) {
		/* The bus is elsewhere than 10,000 above: a node says where. */
		redisReply *nodes = ask(port[i], "CLUSTER NODES"), *r;
		const char *at = nodes && nodes->str ? strchr(nodes->str, '@') : NULL;

		assert_non_null(at);
		r = ask(port[0], "CLUSTER MEET 127.0.0.1 %d %d", port[i],
		    (int)strtol(at + 1, NULL, 10));
		assert_non_null(r);
		assert_string_equal(r->str, "OK");
		freeReplyObject(r);
		freeReplyObject(nodes);
	}
	for (int i = 0; i < 3; i++) {
		until(port[i], "CLUSTER INFO", "cluster_state:ok");
		until(port[i], "CLUSTER INFO", "cluster_known_nodes:3");
	}
	return NULL;
}

static const char *
start_sentinels(void)
{
	int *port = ports[REDIS_SERVERS_SENTINEL];
	char conf[512], name[32];

	for (int i = 0; i < 5; i++)
		port[i] = free_port();
	snprintf(conf, sizeof(conf), "port %d\nbind 127.0.0.1\n", port[0]);
	start_one("master", conf, false);
	until(port[0], "PING", "PONG");
	snprintf(conf, sizeof(conf), "port %d\nbind 127.0.0.1\nreplicaof 127.0.0.1 %d\n", port[1],
	    port[0]);
	start_one("replica", conf, false);
	until(port[1], "INFO replication", "master_link_status:up");
	for (int i = 2; i < 5; i++) {
		snprintf(conf, sizeof(conf),
		    "port %d\nbind 127.0.0.1\nrequirepass watch\nsentinel sentinel-pass watch\n"
		    "sentinel monitor " SERVICE " 127.0.0.1 %d 2\n"
		    "sentinel down-after-milliseconds " SERVICE " 1000\n",
		    port[i], port[0]);
		snprintf(name, sizeof(name), "sentinel%d", i);
		start_one(name, conf, true);
		until(port[i], "PING", "NOAUTH");
	}
	return NULL;
}

const char *
redis_servers_start(enum redis_servers_kind kind)
{
	if (system("command -v redis-server >/dev/null 2>&1") != 0)
		return "redis-server is not installed";
	if (dir[0] == '\0') {
		strcpy(dir, "/tmp/llmhealth-test-XXXXXX");
		assert_non_null(mkdtemp(dir));
	}
	switch (kind) {
	case REDIS_SERVERS_ONE:
		return start_single();
	case REDIS_SERVERS_TLS:
		return start_tls();
	case REDIS_SERVERS_CLUSTER:
		return start_cluster();
	case REDIS_SERVERS_SENTINEL:
		return start_sentinels();
	}
	return "no such servers";
}

static void
set(struct settings *s, enum setting id, const char *text)
{
	assert_int_equal(settings_set(s, id, str_of(text), NULL), 0);
}

void
redis_servers_settings(enum redis_servers_kind kind, struct settings *s)
{
	const int *port = ports[kind];
	char text[256];

	set(s, SETTING_REDIS_ENABLED, "true");
	switch (kind) {
	case REDIS_SERVERS_ONE:
		set(s, SETTING_REDIS_SOCKET, path_of("redis.sock"));
		break;
	case REDIS_SERVERS_TLS:
		snprintf(text, sizeof(text), "%d", port[0]);
		set(s, SETTING_REDIS_HOST, "127.0.0.1");
		set(s, SETTING_REDIS_PORT, text);
		set(s, SETTING_REDIS_TLS, "true");
		set(s, SETTING_REDIS_CA, path_of("cert.pem"));
		set(s, SETTING_REDIS_CERT, path_of("cert.pem"));
		set(s, SETTING_REDIS_KEY, path_of("key.pem"));
		set(s, SETTING_REDIS_USERNAME, "fleet");
		set(s, SETTING_REDIS_PASSWORD, "canary");
		set(s, SETTING_REDIS_DATABASE, "3");
		break;
	case REDIS_SERVERS_CLUSTER:
		snprintf(text, sizeof(text), "127.0.0.1:%d\n127.0.0.1:%d", port[1], port[2]);
		set(s, SETTING_REDIS_CLUSTER, text);
		break;
	case REDIS_SERVERS_SENTINEL:
		snprintf(text, sizeof(text), "127.0.0.1:%d\n127.0.0.1:%d\n127.0.0.1:%d", port[2],
		    port[3], port[4]);
		set(s, SETTING_REDIS_SENTINELS, text);
		set(s, SETTING_REDIS_SERVICE, SERVICE);
		set(s, SETTING_REDIS_SENTINEL_PASSWORD, "watch");
		break;
	}
}

void
redis_servers_stop(void)
{
	char command[PATH_SIZE];

	for (size_t i = 0; i < n_pids; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	n_pids = 0;
	if (dir[0] == '\0')
		return;
	snprintf(command, sizeof(command), "rm -r -- %s", dir);
	if (system(command) != 0)
		print_message("# %s is left\n", dir);
	dir[0] = '\0';
}
