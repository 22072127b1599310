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

-- The primary's replication id: another one after every failover and every restart.
local function primary()
  return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
end
