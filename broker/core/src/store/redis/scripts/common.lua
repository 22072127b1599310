-- Stands in front of every script of a site. KEYS[1] is the site's state, KEYS[2] its events, KEYS[3] the site
-- itself; ARGV[1] is the time (milliseconds), ARGV[2] the event's context (JSON). All keys of a site share one hash
-- tag. A script writes nothing for a site that is not there: what belongs to a removed site would stay for ever.
local STATE, EVENTS, SITE = KEYS[1], KEYS[2], KEYS[3]
local SITE_IS_THERE = redis.call('EXISTS', SITE) == 1
local NOW, CONTEXT = ARGV[1], ARGV[2]

-- Writes an event in the step that it tells of.
local function emit(kind, cause, subject, handoff)
  local seq = redis.call('HINCRBY', STATE, 'events', 1)
  redis.call('XADD', EVENTS, 'MAXLEN', '~', '100000', string.format('%.0f-0', seq),
    'at', NOW, 'kind', kind, 'cause', cause, 'subject', subject, 'handoff', handoff, 'context', CONTEXT)
end

-- A bucket of limits: its hash, and in ARGV the time that one takes (microseconds), or '' when nothing is limited.
local function bucket(cause, key, interval)
  return { cause = cause, key = key, interval = tonumber(interval) }
end

-- Adds one to each bucket, or to none: then answers the full one and for how long it is (milliseconds). The twin of
-- `limit::add`.
local function add_to(buckets)
  local now, minute, empty_at = tonumber(NOW) * 1000, 60000000, {}
  for i, bucket in ipairs(buckets) do
    if bucket.interval then
      local before = tonumber(redis.call('HGET', bucket.key, 'empty_at') or now)
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

-- The primary's replication id: another one after every failover and every restart.
local function primary()
  return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
end
