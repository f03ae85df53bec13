/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The main() of a fuzz harness where there is no libFuzzer: feeds it every file of its corpus, then
 * mutations of each. What is made is the same in each run (the generator starts from the file's
 * bytes), and bounded: by a number for each file and by bytes for all. Speaks TAP, one line a file.
 *
 *   fuzz_x [folder or file ...]      default: tests/fuzz/corpus/x of the source tree
 *   REPLAY_MUTATIONS=n               mutations of each file, 200 unless set; 0: none
 *
 * Before an input is tried it is written to fuzz_x.input in the working directory, and removed
 * after the last one: what it holds when a run died is what killed it. The input is a heap block of
 * exactly its size, so that AddressSanitizer sees a read past its end.
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_INPUT_BYTES ((size_t)1 << 20)
#define MAX_GROWTH 64
#define MUTATED_BYTES ((size_t)48 << 20) /* of all files together */
#define MUTATIONS 200

static char crash_path[256];
static unsigned char *crash; /* mapped: writing it costs no system call */
static size_t mutated_bytes;
static int mutations = MUTATIONS;
static uint64_t seed;
static size_t n_files;

static void
die(const char *what, const char *path)
{
	printf("Bail out! %s %s: %s\n", what, path, strerror(errno));
	exit(1);
}

/* xorshift64*, https://doi.org/10.18637/jss.v008.i14 */
static uint64_t
next_random(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 2685821657736338717u;
}

static size_t
below(size_t n)
{
	return (size_t)(next_random() % n);
}

static void
open_crash_file(const char *name)
{
	int fd;

	snprintf(crash_path, sizeof(crash_path), "%s.input", name);
	fd = open(crash_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)(MAX_INPUT_BYTES + sizeof(size_t))) < 0)
		die("cannot write", crash_path);
	crash =
	    mmap(NULL, MAX_INPUT_BYTES + sizeof(size_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (crash == MAP_FAILED)
		die("cannot map", crash_path);
	close(fd);
}

/* What died left its input with its length in front; the next run of the same program unpacks it.
 */
static void
run(const uint8_t *data, size_t n)
{
	uint8_t *exact = malloc(n ? n : 1);

	if (exact == NULL)
		die("no memory for", crash_path);
	memcpy(crash, &n, sizeof(n));
	memcpy(crash + sizeof(n), data, n);
	memcpy(exact, data, n);
	(void)LLVMFuzzerTestOneInput(exact, n);
	free(exact);
}

static size_t
mutate_once(uint8_t *data, size_t n, size_t max)
{
	static const uint8_t interesting[] = { 0, 1, 0x7f, 0x80, 0xff, '"', '\\', '{', '[', ':',
		',', '\n', '-', '&', '*', '%', 0x90, 0xdc, 0xdd, 0xc0, 0xd9, 0xdb };
	size_t at, len, to;

	switch (below(8)) {
	case 0: /* a bit */
		if (n > 0)
			data[below(n)] ^= (uint8_t)(1u << below(8));
		break;
	case 1: /* a byte */
		if (n > 0)
			data[below(n)] = (uint8_t)next_random();
		break;
	case 2:
		if (n > 0)
			data[below(n)] = interesting[below(sizeof(interesting))];
		break;
	case 3: /* cut off */
		n = n > 0 ? below(n) : 0;
		break;
	case 4: /* take out */
		if (n > 1) {
			at = below(n);
			len = 1 + below(n - at);
			memmove(data + at, data + at + len, n - at - len);
			n -= len;
		}
		break;
	case 5: /* put in */
		len = 1 + below(8);
		if (n + len <= max) {
			at = below(n + 1);
			memmove(data + at + len, data + at, n - at);
			memset(data + at, interesting[below(sizeof(interesting))], len);
			n += len;
		}
		break;
	case 6: /* say twice */
		if (n > 0 && n < max) {
			at = below(n);
			len = 1 + below(n - at < max - n ? n - at : max - n);
			memmove(data + at + len, data + at, n - at);
			n += len;
		}
		break;
	case 7: /* copy over */
		if (n > 1) {
			at = below(n);
			to = below(n);
			len = 1 + below(n - (at > to ? at : to));
			memmove(data + to, data + at, len);
		}
		break;
	}
	return n;
}

static void
mutate_file(const uint8_t *data, size_t n)
{
	uint8_t *copy = malloc(n + MAX_GROWTH);
	size_t max = n + MAX_GROWTH < MAX_INPUT_BYTES ? n + MAX_GROWTH : MAX_INPUT_BYTES;

	if (copy == NULL)
		die("no memory for", crash_path);
	seed = 88172645463325252u;
	for (size_t i = 0; i < n; i++)
		seed = (seed ^ data[i]) * 1099511628211u;
	seed |= 1;
	for (int i = 0; i < mutations && mutated_bytes < MUTATED_BYTES; i++) {
		size_t len = n;

		if (n > 0)
			memcpy(copy, data, n);
		for (size_t k = 1 + below(4); k > 0; k--)
			len = mutate_once(copy, len, max);
		mutated_bytes += len + 64;
		run(copy, len);
	}
	free(copy);
}

static void
replay_file(const char *path)
{
	uint8_t *data = malloc(MAX_INPUT_BYTES);
	FILE *f = fopen(path, "rb");
	size_t n;

	if (data == NULL || f == NULL)
		die("cannot read", path);
	n = fread(data, 1, MAX_INPUT_BYTES, f);
	fclose(f);
	run(data, n);
	mutate_file(data, n);
	free(data);
	printf("ok %zu - %s\n", ++n_files, strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
	fflush(stdout);
}

static int
visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static void
replay_path(const char *path)
{
	struct dirent **entries;
	struct stat st;
	int n;

	if (stat(path, &st) < 0)
		die("cannot read", path);
	if (!S_ISDIR(st.st_mode)) {
		replay_file(path);
		return;
	}
	n = scandir(path, &entries, visible, alphasort);
	if (n < 0)
		die("cannot read", path);
	for (int i = 0; i < n; i++) {
		char *inner = malloc(strlen(path) + strlen(entries[i]->d_name) + 2);

		if (inner == NULL)
			die("no memory for", path);
		sprintf(inner, "%s/%s", path, entries[i]->d_name);
		replay_path(inner);
		free(inner);
		free(entries[i]);
	}
	free(entries);
}

int
main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	const char *top = getenv("SRCDIR"), *set = getenv("REPLAY_MUTATIONS");
	char path[4096];

	if (set)
		mutations = atoi(set);
	open_crash_file(name);
	run((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++)
		replay_path(argv[i]);
	if (argc == 1) {
		snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", top ? top : TEST_SRCDIR,
		    strncmp(name, "fuzz_", 5) == 0 ? name + 5 : name);
		replay_path(path);
	}
	unlink(crash_path);
	printf("1..%zu\n", n_files);
	return n_files > 0 ? 0 : 1;
}
