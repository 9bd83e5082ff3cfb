-- Writes a value if what is expected is there.
-- KEYS: the name's revision, the names, the counter
-- ARGV: the value's key, the name, `absent`, `any` or a revision, the value, the milliseconds it
--       lives (0: for ever), how many of revision and value must be there to count as present
-- The value's key is no KEY: Redis would ask for the right to read each KEY, and a writer has none.
local found = redis.call('GET', KEYS[1])
local parts = redis.call('EXISTS', KEYS[1]) + redis.call('EXISTS', ARGV[1])
local present = parts >= tonumber(ARGV[6])
if ARGV[3] == 'absent' then
  if present then return false end
elseif ARGV[3] ~= 'any' then
  if not present or found ~= ARGV[3] then return false end
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local last = tonumber(redis.call('GET', KEYS[3]) or '0')
-- Exact up to 2^53, which the clock reaches in the year 2255.
local rev = string.format('%.0f', math.max(last + 1, now))
redis.call('SET', KEYS[3], rev)
redis.call('ZADD', KEYS[2], 0, ARGV[2])
if ARGV[5] == '0' then
  redis.call('SET', ARGV[1], ARGV[4])
  redis.call('SET', KEYS[1], rev)
else
  redis.call('SET', ARGV[1], ARGV[4], 'PX', ARGV[5])
  redis.call('SET', KEYS[1], rev, 'PX', ARGV[5])
end
return rev
