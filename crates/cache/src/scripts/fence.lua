-- KEYS: the records to fence. ARGV: the fence's marker, its lifetime in milliseconds.
for _, key in ipairs(KEYS) do
  local fenced = redis.call('GET', key) == ARGV[1]
  if not fenced or redis.call('PTTL', key) < tonumber(ARGV[2]) then
    redis.call('SET', key, ARGV[1], 'PX', ARGV[2])
  end
end
