/* SPDX-License-Identifier: Apache-2.0 */
/* The one function that a fuzz harness defines; libFuzzer or replay.c calls it. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Returns 0. Whatever must hold is checked by abort() or by the sanitizers. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
