-- Removes a member, of which only what its site must hear stays.
local member, report, subject, if_match = KEYS[7], KEYS[8], ARGV[4], ARGV[5]

if not SITE_IS_THERE then return { 'site_not_found' } end
local doc, revision = unpack(redis.call('HMGET', member, 'doc', 'revision'))
if not revision then
  local full, wait = add_to({ bucket('limit_api_key', KEYS[6], ARGV[3]) })
  if full then return limited(full, wait, 'member.refused', subject, '') end
  return { 'not_found' }
end
local what = 'already_removed'
if doc then
  if if_match ~= '' and if_match ~= revision then return { 'mismatch', revision } end
  what = 'removed'
  redis.call('ZREM', INDEX, subject)
  local position = advance(subject, REMOVED)
  redis.call('HDEL', member, 'doc', 'allowed_until', 'report', 'user', 'error')
  redis.call('HSET', member, 'revision', position, 'updated_at', NOW, 'position', position,
    'effect', position)
  redis.call('DEL', report)
  void_until(member)
  emit('member.removed', '', subject, '')
end
return { what, unpack(redis.call('HMGET', member, unpack(MEMBER))) }
