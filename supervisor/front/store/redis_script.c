/* SPDX-License-Identifier: Apache-2.0 */
/* The scripts. They run from Redis 5 on, and touch only keys that they are given. */
#include "supervisor/front/store/redis_script.h"

#define NOW \
	"local t = redis.call('TIME')\n" \
	"local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"

static const char *const texts[] = {
	[REDIS_SCRIPT_BEAT] = NOW
	"local new = redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])\n"
	"redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - 60 * "
	"ARGV[2]))\n"
	"if new == 1 then redis.call('PUBLISH', ARGV[3], 'M') end\n"
	"return { string.format('%.0f', now), redis.call('ZRANGEBYSCORE', KEYS[1],\n"
	"  '(' .. string.format('%.0f', now - ARGV[2]), string.format('%.0f', now + 1000)) }\n",

	[REDIS_SCRIPT_CLAIM] = "local holder = redis.call('GET', KEYS[1])\n"
			       "if holder and holder ~= ARGV[1] then\n"
			       "  local seen = redis.call('ZSCORE', KEYS[2], holder)\n" NOW
			       "  if seen and tonumber(seen) > now - ARGV[3] then return 0 end\n"
			       "end\n"
			       "if ARGV[4] ~= '0' then\n"
			       "  local put = redis.call('HGET', KEYS[3], ARGV[5])\n"
			       "  local known = put and (string.byte(put, 21) or 0) <= tonumber(ARGV[6])\n"
			       "  local at = known and tonumber(string.sub(put, 1, 16))\n"
			       "  if at and at >= tonumber(ARGV[4]) then return 0 end\n"
			       "end\n"
			       "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\n"
			       "return 1\n",

	[REDIS_SCRIPT_PUT] = NOW
	"local ids, verdicts, views, records = {}, {}, {}, {}\n"
	"for i = 4, #ARGV, 5 do ids[#ids + 1] = ARGV[i] end\n"
	"local have = redis.call('HMGET', KEYS[1], unpack(ids))\n"
	"local changes, best = 0, {}\n"
	"for n = 1, #ids do\n"
	"  local i = 4 + (n - 1) * 5\n"
	"  local id, stamp, state, packed = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]\n"
	"  if tonumber(stamp) > now + 1000 then stamp = string.format('%016.0f', now) end\n"
	"  local old = best[id] or have[n] and tonumber(string.sub(have[n], 1, 16))\n"
	"  local letter = string.sub(state, 1, 1)\n"
	"  if not old or old < tonumber(stamp) or old > now + 1000 then\n"
	"    best[id] = tonumber(stamp)\n"
	"    verdicts[#verdicts + 1] = id\n"
	"    verdicts[#verdicts + 1] = stamp .. letter .. packed\n"
	"    views[#views + 1] = id\n"
	"    views[#views + 1] = ARGV[i + 4]\n"
	"    records[#records + 1] = stamp .. letter .. string.format('%06d%08d', #id, #packed)\n"
	"      .. id .. packed\n"
	"    if not old or string.sub(have[n], 17, 17) ~= letter then\n"
	"      changes = changes + 1\n"
	"      redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[3], '*', 'id', id, 'state', state,\n"
	"        'at', stamp, 'by', ARGV[1])\n"
	"    end\n"
	"  end\n"
	"end\n"
	"local kept = #records\n"
	"if kept > 0 then\n"
	"  redis.call('HSET', KEYS[1], unpack(verdicts))\n"
	"  redis.call('HSET', KEYS[2], unpack(views))\n"
	"  if redis.call('ZCARD', KEYS[5]) > 1 then\n"
	"    redis.call('PUBLISH', ARGV[2], 'V' .. string.format('%02d', #ARGV[1]) .. ARGV[1]\n"
	"      .. table.concat(records))\n"
	"  end\n"
	"  redis.call('HINCRBY', KEYS[4], 'results', kept)\n"
	"end\n"
	"if kept < #ids then redis.call('HINCRBY', KEYS[4], 'refused', #ids - kept) end\n"
	"if changes > 0 then redis.call('HINCRBY', KEYS[4], 'changes', changes) end\n"
	"return kept\n",

	[REDIS_SCRIPT_SIGHT] = "redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])\n"
			       "redis.call('PEXPIRE', KEYS[1], ARGV[3])\n"
			       "redis.call('PUBLISH', ARGV[4], ARGV[5])\n"
			       "return 1\n",

	[REDIS_SCRIPT_LOAD] =
	    "local got = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])\n"
	    "local all, kept, long = got[2], {}, 0\n"
	    "for i = 1, #all, 2 do\n"
	    "  if #all[i] + #all[i + 1] <= tonumber(ARGV[3]) then\n"
	    "    kept[#kept + 1] = all[i]\n"
	    "    kept[#kept + 1] = all[i + 1]\n"
	    "  else long = long + 1 end\n"
	    "end\n"
	    "return { got[1], kept, long }\n",
};

const char *
redis_script_text(enum redis_script script)
{
	return texts[script];
}
