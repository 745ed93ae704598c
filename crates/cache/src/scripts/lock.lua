-- KEYS: the lock, the last fence given out. ARGV: the lease's lifetime in milliseconds.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return false
end
local time = redis.call('TIME')
local last = tonumber(redis.call('GET', KEYS[2]) or 0)
local fence = string.format('%.0f', math.max(last + 1, time[1] * 1000000 + time[2]))
-- The clock keeps fences rising; the last one is kept a day for a clock that is set back.
redis.call('SET', KEYS[2], fence, 'PX', 86400000)
redis.call('SET', KEYS[1], fence, 'PX', ARGV[1])
return fence
