-- The rules of src/window.rs, step by step. `now`, in milliseconds, is set before the first line.
-- KEYS: times of admitted calls, times of refused calls, the lockout.
-- ARGV: limit, window, strikes, time to forgive, length of each lockout; times in milliseconds.
local admitted, refused, lockout = KEYS[1], KEYS[2], KEYS[3]
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local strikes, forgiven_after = tonumber(ARGV[3]), tonumber(ARGV[4])
local lengths = { unpack(ARGV, 5) }

-- Lua would write a time as 1.7e+12.
local function digits(number)
  return string.format('%.0f', number)
end

local function time(list, index)
  local found = redis.call('LINDEX', list, index)
  return found and tonumber(found)
end

local function forget(list)
  local oldest = time(list, 0)
  while oldest and oldest + window <= now do
    redis.call('LPOP', list)
    oldest = time(list, 0)
  end
  return redis.call('LLEN', list)
end

local function push(list)
  redis.call('RPUSH', list, digits(now))
  redis.call('PEXPIRE', list, digits(window))
end

local count, refusals = forget(admitted), forget(refused)
local held = redis.call('HMGET', lockout, 'count', 'until')
local lockouts, locked_until = tonumber(held[1] or 0), tonumber(held[2] or 0)

local locked = now < locked_until
local allowed = not locked and count < limit
if allowed then
  push(admitted)
  count = count + 1
elseif not locked then
  if refusals < strikes then
    push(refused)
  else
    redis.call('DEL', refused)
    if now >= locked_until + forgiven_after then
      lockouts = 0
    end
    lockouts = lockouts + 1
    locked_until = now + tonumber(lengths[math.min(lockouts, #lengths)])
    locked = true
    redis.call('HSET', lockout, 'count', lockouts, 'until', digits(locked_until))
    redis.call('PEXPIRE', lockout, digits(locked_until + forgiven_after - now))
  end
end

local lock_ends = locked and locked_until or now
local newest = time(admitted, -1)
local free = newest and newest + window or now
local retry = now
if not allowed then
  if count >= limit then
    retry = (time(admitted, count - limit) or now) + window
  end
  retry = math.max(retry, lock_ends)
end
return {
  allowed and 1 or 0,
  locked and 0 or math.max(limit - count, 0),
  math.max(retry - now, 0),
  math.max(free, lock_ends) - now,
  locked and locked_until or 0,
}
