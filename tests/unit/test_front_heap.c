/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/front/heap.h"

#include "tests/unit/unit.h"

enum { N = 2000 };

static uint64_t seed = 1;

static uint32_t
next_random(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33);
}

/* The model: whatever was done, the first is the smallest of those that are in. */
static void
check(const struct heap *h, const struct heap_node *v)
{
	const struct heap_node *first = heap_first(h);
	int64_t smallest = INT64_MAX;
	size_t in = 0;

	for (size_t i = 0; i < N; i++)
		if (heap_has(&v[i])) {
			in++;
			assert_ptr_equal(h->v[v[i].place - 1], &v[i]);
			if (v[i].key < smallest)
				smallest = v[i].key;
		}
	assert_int_equal(in, h->n);
	if (in == 0)
		assert_null(first);
	else
		assert_int_equal(first->key, smallest);
}

static void
test_against_model(void **state)
{
	static struct heap_node v[N];
	struct heap h = { 0 };

	for (int step = 0; step < 20000; step++) {
		struct heap_node *node = &v[next_random() % N];

		switch (next_random() % 4) {
		case 0:
			heap_remove(&h, node);
			assert_false(heap_has(node));
			break;
		default:
			heap_set(&h, node, (int64_t)(next_random() % 1000) - 500);
			assert_true(heap_has(node));
		}
		if (step % 97 == 0)
			check(&h, v);
	}
	check(&h, v);
	while (heap_first(&h)) {
		int64_t key = heap_first(&h)->key;

		heap_remove(&h, heap_first(&h));
		if (heap_first(&h))
			assert_true(heap_first(&h)->key >= key);
	}
	check(&h, v);
	heap_clear(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_model),
	};

	return cmocka_run_group_tests_name("front_heap", tests, NULL, NULL);
}
