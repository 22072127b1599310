-- Puts members: KEYS[7..] are theirs, and ARGV[4..] five of each: subject, document, until when it may come in,
-- revision that it must have ('' for any), context. Answers whether this was counted, and for each what came of it.
local buckets, counted = { bucket('limit_api_key', KEYS[6], ARGV[3]) }, ''

local function put(member, subject, doc, allowed_until, if_match)
  local held = redis.call('HMGET', member, 'allowed_until', unpack(MEMBER))
  local known, now = held[2], tonumber(NOW)
  -- What shuts a member out is never refused, nor is its repetition.
  local shuts_out = tonumber(allowed_until) <= now and known and (tonumber(held[1]) > now or known == doc)
  if not shuts_out and counted == '' then
    local full, wait = add_to(buckets)
    if full then return limited(full, wait, 'member.refused', subject, '') end
    counted = '1'
  end
  local current = known and held[3] or '0'
  if if_match ~= '' and if_match ~= current then return { 'mismatch', current } end
  local what = 'unchanged'
  if known ~= doc then
    what = known and 'updated' or 'created'
    local was_removed = held[3] and not known
    if was_removed then redis.call('ZREM', REMOVED, subject) end
    local position = advance(subject, INDEX)
    redis.call('HSET', member, 'doc', doc, 'allowed_until', allowed_until, 'revision', position, 'updated_at', NOW,
      'position', position, 'effect', position)
    held[3], held[4], held[7], held[12] = position, NOW, position, position
    emit('member.changed', '', subject, '')
  end
  return { what, unpack(held, 3, 1 + #MEMBER) }
end

if not SITE_IS_THERE then return { '', {} } end
local answers = {}
for i = 7, #KEYS do
  local at = 4 + 5 * (i - 7)
  CONTEXT = ARGV[at + 4]
  answers[#answers + 1] = put(KEYS[i], ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
end
return { counted, answers }
