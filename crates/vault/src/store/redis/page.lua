-- One page of names whose values have not expired; those that have are taken off the list.
-- KEYS: the names
-- ARGV: the lower end as ZRANGEBYLEX takes it, how many, what the values' keys begin with,
--       `1` to take names off
-- Returns the last name that was looked at (empty at the end), then the names.
local names = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], '+', 'LIMIT', 0, ARGV[2])
local page = { '' }
if #names == tonumber(ARGV[2]) then page[1] = names[#names] end
for _, name in ipairs(names) do
  if redis.call('EXISTS', ARGV[3] .. name) == 1 then
    page[#page + 1] = name
  elseif ARGV[4] == '1' then
    redis.call('ZREM', KEYS[1], name)
  end
end
return page
