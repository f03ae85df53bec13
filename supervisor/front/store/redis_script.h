/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must happen in one piece on the server, in Lua, with the server's own clock. docs/redis.md
 * says what the keys are.
 */
#ifndef SUPERVISOR_FRONT_STORE_REDIS_SCRIPT_H
#define SUPERVISOR_FRONT_STORE_REDIS_SCRIPT_H

enum redis_script {
	/*
	 * KEYS instances; ARGV name, milliseconds after which one is dead, channel.
	 * Gives { the server's time in milliseconds, { names of the living } }.
	 */
	REDIS_SCRIPT_BEAT,
	/*
	 * KEYS claim, instances, verdicts; ARGV name, lease, milliseconds after which one is dead, a
	 * time since which no verdict may be there (0: any may), its id, our version. 1 or 0.
	 */
	REDIS_SCRIPT_CLAIM,
	/*
	 * KEYS verdicts, view, events, counters, instances; ARGV name, channel, events to keep,
	 * then five for each verdict: id, stamp, state, packed, view. Published where others are.
	 * Gives how many were newer than what was there.
	 */
	REDIS_SCRIPT_PUT,
	REDIS_SCRIPT_SIGHT, /* KEYS: the witness; ARGV: id, its word, ms that it lives, channel, message */
	/*
	 * KEYS verdicts; ARGV cursor, how many about, longest value. Gives the next cursor, pairs of id
	 * and value (as HSCAN), how many were left out because they are too long.
	 */
	REDIS_SCRIPT_LOAD,
	REDIS_SCRIPT_COUNT,
};

const char *redis_script_text(enum redis_script script);

/*
 * A kept verdict is `stamp` (16 decimal digits, milliseconds of the server's clock), a letter for
 * the state (h, u), the packed verdict. A message of the channel is "M" (the members have changed)
 * or "V", the sender's name with two digits for its length before it, and records: stamp, letter,
 * six digits and eight digits for the lengths of id and packed verdict, both of them.
 */
#define REDIS_STAMP_DIGITS 16
#define REDIS_VALUE_HEADER 17
#define REDIS_RECORD_HEADER 31

#endif
