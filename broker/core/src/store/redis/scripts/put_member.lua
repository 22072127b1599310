local member, index = KEYS[4], KEYS[5]
local subject, doc, allowed_until, if_match = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local buckets = { bucket('limit_api_key', KEYS[6], ARGV[7]) }

if not SITE_IS_THERE then return { 'site_not_found', '', '' } end
local before = redis.call('HMGET', member, 'doc', 'revision', 'updated_at', 'allowed_until')
-- What shuts a member out is never refused, nor is its repetition.
local now = tonumber(NOW)
local shuts_out = tonumber(allowed_until) <= now and (tonumber(before[4] or 0) > now or before[1] == doc)
if not shuts_out then
  local full, wait = add_to(buckets)
  if full then return limited(full, wait, 'member.refused', subject, '') end
end
local current = before[2] or '0'
if if_match ~= '' and if_match ~= current then return { 'mismatch', current, '' } end
if before[1] == doc then return { 'unchanged', current, before[3] } end
local revision = string.format('%.0f', redis.call('HINCRBY', STATE, 'revision', 1))
redis.call('HSET', member, 'doc', doc, 'allowed_until', allowed_until, 'revision', revision, 'updated_at', NOW)
redis.call('ZADD', index, revision, subject)
emit('member.changed', '', subject, '')
return { before[1] and 'updated' or 'created', revision, NOW }
