-- Stands behind trail.lua in front of every script of a site. KEYS[3] is the site itself. All keys of a site share one
-- hash tag. A script writes nothing for a site that is not there: what belongs to a removed site would stay for ever.
local SITE = KEYS[3]
local SITE_IS_THERE = redis.call('EXISTS', SITE) == 1

-- What is read of a member; `members::FIELDS` is its twin. One that was removed has no `doc`, and one that an older
-- Gatepass wrote neither `position` nor `effect`, which are then its revision.
local MEMBER = { 'doc', 'revision', 'updated_at', 'sessions_ended', 'report', 'position', 'acknowledged',
  'acknowledged_at', 'user', 'error', 'effect' }

-- A bucket of limits: its hash, and in ARGV the time that one takes (microseconds), or '' when nothing is limited.
local function bucket(cause, key, interval)
  return { cause = cause, key = key, interval = tonumber(interval) }
end

-- Adds one to each bucket, or to none: then answers the full one and for how long it is (milliseconds). The twin of
-- `Pace::add`.
local function add_to(buckets)
  local now, minute, empty_at = tonumber(NOW) * 1000, 60000000, {}
  for i, bucket in ipairs(buckets) do
    if bucket.interval then
      local before = tonumber(redis.call('HGET', bucket.key, 'empty_at') or now)
      -- Later than full: filled by a clock that has been put back since.
      if before > now + minute + 5000000 then before = now end
      empty_at[i] = math.min(math.max(before, now), now + minute) + bucket.interval
      local over = empty_at[i] - now - minute
      if over > 0 then return bucket, string.format('%.0f', math.ceil(over / 1000)) end
    end
  end
  for i, at in pairs(empty_at) do
    redis.call('HSET', buckets[i].key, 'empty_at', string.format('%.0f', at))
    redis.call('PEXPIRE', buckets[i].key, 120000)
  end
end

-- The answer of a step that a full bucket ended; the trail is told of it once a minute.
local function limited(full, wait, kind, subject, handoff)
  local told_at = redis.call('HGET', full.key, 'told_at')
  if not told_at or math.abs(NOW - told_at) >= 60000 then
    redis.call('HSET', full.key, 'told_at', NOW)
    emit(kind, full.cause, subject, handoff)
  end
  return { 'limited', full.cause, wait }
end

-- Those are answered as they are, `limit::is_always_answered`.
local ALWAYS_ANSWERED = { member_not_found = true, membership_inactive = true, expired = true, superseded = true }

-- The answer of a step that refuses. It is counted, and once a bucket is full, that is the answer.
local function refused(buckets, kind, cause, subject, handoff)
  local full, wait = add_to(buckets)
  if not full then
    emit(kind, cause, subject, handoff)
    return { 'refused', cause }
  end
  local answer = limited(full, wait, kind, subject, handoff)
  if ALWAYS_ANSWERED[cause] then return { 'refused', cause } end
  return answer
end

-- From here on events name who acts for the customer, if the handoff has somebody. The twin of `Context::naming`.
local function name_actor(details)
  local actor = cjson.decode(details).actor
  if actor ~= cjson.null then
    CONTEXT = string.sub(CONTEXT, 1, -2) .. ',"on_behalf":' .. cjson.encode(actor) .. '}'
  end
end

-- Voids whatever was issued up to now, and no less than was void before: a clock may be put back.
local function void_until(hash)
  local before = tonumber(redis.call('HGET', hash, 'not_before') or NOW)
  redis.call('HSET', hash, 'not_before', string.format('%.0f', math.max(before, tonumber(NOW))))
end

-- The primary's replication id: another one after every failover and every restart.
local function primary()
  return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
end
