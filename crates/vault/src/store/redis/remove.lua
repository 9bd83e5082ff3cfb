-- Removes a value if what is expected is there; nothing stays but the counter.
-- KEYS: the name's revision, the names
-- ARGV: the value's key, the name, `any` or a revision
local found = redis.call('GET', KEYS[1])
if ARGV[3] ~= 'any' and found ~= ARGV[3] then return 0 end
redis.call('DEL', ARGV[1])
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[2])
return 1
