-- Stands in front of every script that writes into a trail. KEYS[1] is the state with the trail's counter, KEYS[2] the
-- trail; ARGV[1] is the time (milliseconds), ARGV[2] the event's context (JSON). TRAIL_EVENTS says about how many events
-- are kept: the memory does not wait for the sweep, which then takes the rest.
local STATE, EVENTS = KEYS[1], KEYS[2]
local NOW, CONTEXT = ARGV[1], ARGV[2]

-- Writes an event in the step that it tells of.
local function emit(kind, cause, subject, handoff)
  local seq = redis.call('HINCRBY', STATE, 'events', 1)
  redis.call('XADD', EVENTS, 'MAXLEN', '~', TRAIL_EVENTS, string.format('%.0f-0', seq),
    'at', NOW, 'kind', kind, 'cause', cause, 'subject', subject, 'handoff', handoff, 'context', CONTEXT)
end
