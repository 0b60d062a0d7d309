/**
 * The scripts by which Redis or Valkey takes and gives back: each is one step for all who ask. The
 * clock is the server's own. A counter is a hash of `used` and `ends`, in milliseconds since 1970;
 * leases are a sorted set of ids by their deadline.
 */

const CLOCK = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function look(key)
  local counter = redis.call('HMGET', key, 'used', 'ends')
  local ends = tonumber(counter[2]) or 0
  if ends <= now then return 0, 0 end
  return tonumber(counter[1]), ends
end
local function write(key, used, ends)
  redis.call('HSET', key, 'used', string.format('%.0f', used), 'ends', string.format('%.0f', ends))
  redis.call('PEXPIREAT', key, string.format('%.0f', ends))
end
`;

/**
 * KEYS: of the charges, then of the slots. ARGV: number of charges, id, how long a lease lasts,
 * amount, limit and window of each charge, limit of each slot. Answers with 1 or 0, used, reset and
 * window of each charge, leases of each slot.
 */
export const TAKE = `${CLOCK}
local charges = tonumber(ARGV[1])
local used, ends, held = {}, {}, {}
local isTaken = 1
for i = 1, charges do
  used[i], ends[i] = look(KEYS[i])
  if used[i] + ARGV[3 * i + 1] > tonumber(ARGV[3 * i + 2]) then isTaken = 0 end
end
for i = charges + 1, #KEYS do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now)
  held[i] = redis.call('ZCARD', KEYS[i])
  if held[i] >= tonumber(ARGV[3 + 2 * charges + i]) then isTaken = 0 end
end
if isTaken == 1 then
  for i = 1, charges do
    used[i] = used[i] + ARGV[3 * i + 1]
    if ends[i] == 0 then ends[i] = now + ARGV[3 * i + 3] end
    write(KEYS[i], used[i], ends[i])
  end
  for i = charges + 1, #KEYS do
    redis.call('ZADD', KEYS[i], now + ARGV[3], ARGV[2])
    redis.call('PEXPIRE', KEYS[i], ARGV[3])
    held[i] = held[i] + 1
  end
end
local answer = { isTaken }
for i = 1, charges do
  answer[#answer + 1] = used[i]
  answer[#answer + 1] = math.max(0, ends[i] - now)
  answer[#answer + 1] = ends[i]
end
for i = charges + 1, #KEYS do answer[#answer + 1] = held[i] end
return answer
`;

/**
 * KEYS: of the corrections, then of the slots. ARGV: number of corrections, id, amount, window and
 * length of a new window of each correction.
 */
export const SETTLE = `${CLOCK}
local corrections = tonumber(ARGV[1])
for i = 1, corrections do
  local amount, window, length = tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1]), tonumber(ARGV[3 * i + 2])
  local used, ends = look(KEYS[i])
  if amount < 0 then
    if ends ~= 0 and ends == window then write(KEYS[i], math.max(0, used + amount), ends) end
  elseif ends ~= 0 then
    write(KEYS[i], used + amount, ends)
  elseif length > 0 then
    write(KEYS[i], amount, now + length)
  end
end
for i = corrections + 1, #KEYS do redis.call('ZREM', KEYS[i], ARGV[2]) end
return 1
`;

/** KEYS: of the leases, one each. ARGV: how long a lease lasts, then the id of each. */
export const RENEW = `${CLOCK}
for i = 1, #KEYS do
  redis.call('ZADD', KEYS[i], now + ARGV[1], ARGV[i + 1])
  redis.call('PEXPIRE', KEYS[i], ARGV[1])
end
return 1
`;
