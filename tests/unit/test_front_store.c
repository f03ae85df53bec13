/* SPDX-License-Identifier: Apache-2.0 */
/* The memory backend: over its own death, over a restart from the state file, and with bad files.
 */
#include "supervisor/front/store/store.h"

#include <dirent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "supervisor/front/keep.h"
#include "supervisor/front/scheduler.h"
#include "supervisor/front/store/record.h"
#include "supervisor/front/store/state_file.h"
#include "tests/unit/front_test.h"
#include "tests/unit/unit.h"

struct fixture {
	struct event_base *base;
	struct settings settings;
	char dir[64], path[80];
	struct store *store;
	/* What the last load gave. */
	size_t n;
	int64_t checked[4000];
	bool ended;
	int err;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	log_init("test", LOG_FORMAT_TEXT, (enum log_level)0);
	f->base = event_base_new();
	settings_init(&f->settings);
	f->settings.num[SETTING_STATE_INTERVAL] = 100;
	strcpy(f->dir, "/tmp/llmhealth-test-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/state", f->dir);
	*state = f;
	return 0;
}

static size_t
files_in(const char *path, const char *part, bool remove_them)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	size_t n = 0;

	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		if (strstr(e->d_name, part))
			n++;
		if (remove_them)
			unlinkat(dirfd(dir), e->d_name, 0);
	}
	closedir(dir);
	return n;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	store_close(f->store);
	files_in(f->dir, "", true);
	rmdir(f->dir);
	settings_clear(&f->settings);
	event_base_free(f->base);
	free(f);
	return 0;
}

static void
start(struct fixture *f, const char *path, int fd)
{
	struct store_options o = { f->base, &f->settings, path, fd };

	assert_int_equal(store_open(&store_memory, &o, &f->store), 0);
}

static void
stop(struct fixture *f)
{
	store_close(f->store);
	f->store = NULL;
}

static int
put(struct fixture *f, unsigned i, int64_t checked_at_ms)
{
	char id[32], packed[200];
	struct store_item item = { .checked_at_ms = checked_at_ms };

	item.id = (struct str){ id, (size_t)snprintf(id, sizeof(id), "deployment-%u", i) };
	item.packed =
	    (struct str){ packed, (size_t)snprintf(packed, sizeof(packed), "%u at %lld %*s", i,
				      (long long)checked_at_ms, i % 100, "") };
	return store_put(f->store, &item);
}

static void
on_item(const struct store_item *item, int err, void *arg)
{
	struct fixture *f = arg;
	char wanted[64], id[64];
	unsigned i;

	assert_false(f->ended);
	if (item == NULL) {
		f->ended = true;
		f->err = err;
		return;
	}
	assert_true(item->id.n < sizeof(id));
	memcpy(id, item->id.p, item->id.n);
	id[item->id.n] = '\0';
	assert_int_equal(sscanf(id, "deployment-%u", &i), 1);
	assert_in_range(i, 0, 3999);
	assert_int_equal(f->checked[i], 0);
	f->checked[i] = item->checked_at_ms;
	snprintf(wanted, sizeof(wanted), "%u at %lld ", i, (long long)item->checked_at_ms);
	assert_true(str_starts(item->packed, wanted));
	f->n++;
}

static void
load(struct fixture *f)
{
	f->n = 0;
	f->ended = false;
	memset(f->checked, 0, sizeof(f->checked));
	assert_int_equal(store_load(f->store, on_item, f), 0);
	assert_false(f->ended);
	event_base_loop(f->base, EVLOOP_NONBLOCK);
	assert_true(f->ended);
	assert_int_equal(f->err, 0);
}

static int claims;

static void
on_claim(bool granted, void *arg)
{
	assert_true(granted);
	claims++;
}

static void
test_memory(void **state)
{
	struct fixture *f = *state;
	struct store_item huge = { .id = STR("x"), .packed = { NULL, RECORD_PACKED_MAX + 1 },
		.checked_at_ms = 1 };

	start(f, "", -1);
	load(f);
	assert_int_equal(f->n, 0);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(put(f, i, 1000 + i), 0);
	/* The newer wins, whatever comes last. */
	assert_int_equal(put(f, 5, 9000), 0);
	assert_int_equal(put(f, 5, 8000), 0);
	store_remove(f->store, STR("deployment-7"));
	store_remove(f->store, STR("deployment-7"));
	load(f);
	assert_int_equal(f->n, 999);
	assert_int_equal(f->checked[5], 9000);
	assert_int_equal(f->checked[7], 0);
	assert_int_equal(store_put(f->store, &huge), ERR_LIMIT);
	assert_int_equal(put(f, 7, 1), 0);
	claims = 0;
	for (int i = 0; i < 200; i++)
		assert_int_equal(
		    store_claim(f->store, STR("deployment-1"), 1, 1000, 0, 0, on_claim, NULL), 0);
	assert_int_equal(claims, 0);
	event_base_loop(f->base, EVLOOP_NONBLOCK);
	assert_int_equal(claims, 200);
}

static void
test_closed_while_loading(void **state)
{
	struct fixture *f = *state;

	start(f, "", -1);
	assert_int_equal(put(f, 1, 1), 0);
	f->ended = false;
	assert_int_equal(store_load(f->store, on_item, f), 0);
	assert_int_equal(store_load(f->store, on_item, f), ERR_AGAIN);
	assert_int_equal(store_claim(f->store, STR("x"), 1, 1, 0, 0, on_claim, NULL), 0);
	claims = 0;
	stop(f);
	assert_true(f->ended);
	assert_int_equal(f->err, ERR_CLOSED);
	event_base_loop(f->base, EVLOOP_NONBLOCK);
	assert_int_equal(claims, 0);
}

/* The descriptor is the supervisor's; the front is killed and another one gets it. */
static void
test_journal(void **state)
{
	struct fixture *f = *state;
	int fd = memfd_create("test", 0);
	struct stat st;
	off_t largest = 0;

	start(f, "", dup(fd));
	for (int64_t round = 1; round <= 400; round++) {
		for (unsigned i = 0; i < 300; i++)
			assert_int_equal(put(f, i, round), 0);
		store_remove(f->store, STR("deployment-17"));
		event_base_loop(f->base, EVLOOP_NONBLOCK);
		fstat(fd, &st);
		if (st.st_blocks * 512 > largest)
			largest = st.st_blocks * 512;
		if (round % 9 != 0)
			continue;
		/* A turn of the loop has passed: from here a SIGKILL loses nothing. */
		{
			int copy = memfd_create("copy", 0);
			struct fixture g = *f;
			char *bytes = malloc((size_t)st.st_size);

			assert_int_equal(pread(fd, bytes, (size_t)st.st_size, 0), st.st_size);
			assert_int_equal(write(copy, bytes, (size_t)st.st_size), st.st_size);
			free(bytes);
			start(&g, "", copy);
			load(&g);
			assert_int_equal(g.n, 299);
			for (unsigned i = 0; i < 300; i++)
				assert_int_equal(g.checked[i], i == 17 ? 0 : round);
			stop(&g);
		}
	}
	/* 120,000 records were appended, 11 MB; what is superseded goes, and gives its pages back.
	 */
	assert_in_range(largest, 1, 3 << 20);
	stop(f);
	start(f, "", dup(fd));
	load(f);
	assert_int_equal(f->n, 299);
	close(fd);
}

static void
test_journal_torn(void **state)
{
	struct fixture *f = *state;
	int fd = memfd_create("test", 0);
	struct stat st;
	size_t last = 10;

	start(f, "", dup(fd));
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(put(f, i, 77), 0);
	stop(f);
	fstat(fd, &st);
	/* Cut at each byte: the whole records in front of it are there. */
	for (off_t size = st.st_size; size >= 0; size--) {
		int copy = memfd_create("copy", 0);
		char *bytes = malloc((size_t)size + 1);

		assert_int_equal(pread(fd, bytes, (size_t)size, 0), size);
		assert_int_equal(write(copy, bytes, (size_t)size), size);
		free(bytes);
		start(f, "", dup(copy));
		load(f);
		assert_true(f->n <= last && f->n + 1 >= last);
		last = f->n;
		/* And it goes on from there. */
		assert_int_equal(put(f, 3000, 5), 0);
		stop(f);
		start(f, "", copy);
		load(f);
		assert_int_equal(f->n, last + 1);
		stop(f);
		if (size > 200 && size < 4090)
			size = 200; /* the header's empty part */
	}
	assert_int_equal(last, 0);
	close(fd);
}

static void
test_state_file(void **state)
{
	struct fixture *f = *state;
	struct timeval tv = { 0, 400000 };
	struct stat st;

	start(f, f->path, -1);
	for (unsigned i = 0; i < 500; i++)
		assert_int_equal(put(f, i, 10 + i), 0);
	/* By its timer. */
	event_base_loopexit(f->base, &tv);
	event_base_dispatch(f->base);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	put(f, 3999, 4711);
	assert_int_equal(store_flush(f->store), 0);
	stop(f);
	assert_int_equal(files_in(f->dir, "tmp", false), 0);
	start(f, f->path, -1);
	load(f);
	assert_int_equal(f->n, 501);
	assert_int_equal(f->checked[3999], 4711);
	assert_int_equal(f->checked[499], 509);
	assert_int_equal(files_in(f->dir, "bad", false), 0);
}

static void
count(const struct store_item *item, void *arg)
{
	++*(size_t *)arg;
}

static char *
read_file(const char *path, size_t *n)
{
	FILE *file = fopen(path, "rb");
	char *bytes = malloc(1 << 20);

	*n = fread(bytes, 1, 1 << 20, file);
	fclose(file);
	return realloc(bytes, *n);
}

static void
write_file(const char *path, const char *bytes, size_t n)
{
	FILE *file = fopen(path, "wb");

	assert_int_equal(fwrite(bytes, 1, n, file), n);
	fclose(file);
}

static void
test_state_file_torn(void **state)
{
	struct fixture *f = *state;
	size_t n, called = 0;
	char *bytes;
	int rc;

	start(f, f->path, -1);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(put(f, i, 10 + i), 0);
	assert_int_equal(store_flush(f->store), 0);
	stop(f);
	bytes = read_file(f->path, &n);
	assert_int_equal(state_file_parse((unsigned char *)bytes, n, count, &called), 0);
	assert_int_equal(called, 6);
	called = 0;
	/* Ended at each byte, and each byte another: nothing of it is taken. */
	for (size_t i = 0; i < n; i++) {
		char *cut = malloc(i + 1);

		memcpy(cut, bytes, i);
		cut = realloc(cut, i ? i : 1);
		assert_int_equal(
		    state_file_parse((unsigned char *)cut, i, count, &called), ERR_SYNTAX);
		free(cut);
		bytes[i] ^= 0x40;
		rc = state_file_parse((unsigned char *)bytes, n, count, &called);
		assert_true(rc == ERR_SYNTAX || (rc == ERR_INVALID && i >= 8 && i < 12));
		bytes[i] ^= 0x40;
	}
	assert_int_equal(called, 0);
	/* The program sets it aside and begins anew. */
	write_file(f->path, bytes, n - 1);
	start(f, f->path, -1);
	load(f);
	assert_int_equal(f->n, 0);
	assert_int_equal(files_in(f->dir, ".bad-", false), 1);
	assert_int_equal(put(f, 1, 1), 0);
	assert_int_equal(store_flush(f->store), 0);
	stop(f);
	start(f, f->path, -1);
	load(f);
	assert_int_equal(f->n, 1);
	free(bytes);
}

static void
test_state_file_foreign(void **state)
{
	struct fixture *f = *state;
	size_t n, called = 0;
	char *bytes;

	write_file(f->path, "model_list:\n", 12);
	assert_int_equal(state_file_read(f->path, count, &called), ERR_SYNTAX);
	assert_int_equal(state_file_read(f->path, count, &called), ERR_NOT_FOUND);
	assert_int_equal(files_in(f->dir, ".bad-", true), 1);
	/* A newer version is not overwritten either. */
	start(f, f->path, -1);
	assert_int_equal(put(f, 1, 1), 0);
	assert_int_equal(store_flush(f->store), 0);
	stop(f);
	bytes = read_file(f->path, &n);
	bytes[8] = STATE_FILE_VERSION + 1;
	assert_int_equal(state_file_parse((unsigned char *)bytes, n, count, &called), ERR_INVALID);
	write_file(f->path, bytes, n);
	start(f, f->path, -1);
	load(f);
	assert_int_equal(f->n, 0);
	assert_int_equal(files_in(f->dir, ".bad-", false), 1);
	/* A folder in its place can be neither read nor replaced: one line, and all goes on. */
	stop(f);
	files_in(f->dir, "", true);
	assert_int_equal(mkdir(f->path, 0700), 0);
	start(f, f->path, -1);
	assert_int_equal(put(f, 1, 1), 0);
	load(f);
	assert_int_equal(f->n, 1);
	stop(f);
	rmdir(f->path);
	assert_int_equal(called, 0);
	free(bytes);
}

/* Verdict, since, history and schedule go on after a restart. */

static void
on_loaded(void *arg)
{
	*(bool *)arg = true;
}

static void
restart(struct front_test *ft, struct store **store, const char *path, size_t n)
{
	struct store_options o = { ft->base, fleet_settings(ft->fleet), path, -1 };
	bool loaded = false;

	ft_configure(ft, 1, n, 3);
	assert_int_equal(store_open(&store_memory, &o, store), 0);
	scheduler_set_store(ft->scheduler, *store);
	assert_int_equal(keep_load(*store, ft->fleet, on_loaded, &loaded), 0);
	ft_settle(ft);
	assert_true(loaded);
	ft_worker_add(ft, 0);
	scheduler_start(ft->scheduler);
	ft_advance(ft, 1);
}

static void
test_restart(void **state)
{
	struct fixture *f = *state;
	struct front_test ft;
	struct store *store;
	int64_t since[20], wall;

	ft_open(&ft);
	restart(&ft, &store, f->path, 20);
	assert_int_equal(ft.n_jobs, 20);
	ft_advance(&ft, 3 * 300000);
	for (size_t i = 0; i < 20; i++)
		since[i] = fleet_at(ft.fleet, i)->verdict.since_ms;
	wall = clock_wall_ms();
	assert_int_equal(store_flush(store), 0);
	scheduler_set_store(ft.scheduler, NULL);
	store_close(store);
	ft_close(&ft);

	/* Half a minute later, with five deployments fewer. */
	ft_open(&ft);
	clock_fake_set(5000000000, wall + 30000);
	restart(&ft, &store, f->path, 15);
	assert_int_equal(fleet_pending(ft.fleet), 0);
	/* Only who had a turn meanwhile is asked at once. */
	assert_in_range(ft.n_jobs, 0, 8);
	for (size_t i = 0; i < 15; i++) {
		const struct deployment *d = fleet_at(ft.fleet, i);

		assert_int_equal(d->verdict.state, VERDICT_HEALTHY);
		assert_int_equal(d->verdict.since_ms, since[i]);
		assert_true(d->history_len >= 2);
		assert_true(d->verdict.probes >= 2);
	}
	assert_int_equal(store_flush(store), 0);
	scheduler_set_store(ft.scheduler, NULL);
	store_close(store);
	ft_close(&ft);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_closed_while_loading, setup, teardown),
		cmocka_unit_test_setup_teardown(test_journal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_journal_torn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_state_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_state_file_torn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_state_file_foreign, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
	};

	return cmocka_run_group_tests_name("front_store", tests, NULL, NULL);
}
