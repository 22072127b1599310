-- Stands behind common.lua in front of the scripts that write or list members. KEYS[4] is the index of the members by
-- their positions, KEYS[5] that of those that were removed.
local INDEX, REMOVED = KEYS[4], KEYS[5]

-- Gives a member the next position on this site, to be written into its hash.
local function advance(subject, index)
  local position = string.format('%.0f', redis.call('HINCRBY', STATE, 'revision', 1))
  redis.call('ZADD', index, position, subject)
  return position
end

-- The first members behind a position of these indexes, subject and fields, and the position of the last. Which they
-- are only the indexes know, so their keys are made here, of what these begin with; all are in the slot of their site.
local function page(begin, after, limit, indexes)
  local found, members, last = {}, {}, nil
  for _, index in ipairs(indexes) do
    local some = redis.call('ZRANGEBYSCORE', index, '(' .. after, '+inf', 'WITHSCORES', 'LIMIT', 0, limit)
    for i = 1, #some, 2 do found[#found + 1] = { some[i], tonumber(some[i + 1]) } end
  end
  table.sort(found, function(one, other) return one[2] < other[2] end)
  for i = 1, math.min(#found, tonumber(limit)) do
    local subject
    subject, last = unpack(found[i])
    members[i] = { subject, unpack(redis.call('HMGET', begin .. subject, unpack(MEMBER))) }
  end
  return members, last
end
