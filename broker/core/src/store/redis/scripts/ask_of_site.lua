-- Asks something of WordPress about a member.
local member, subject, errand = KEYS[7], ARGV[4], ARGV[5]
local ends = errand == 'end_sessions'

if not SITE_IS_THERE then return { 'not_found' } end
local doc, revision = unpack(redis.call('HMGET', member, 'doc', 'revision'))
if not revision or not doc and not ends then return { 'not_found' } end
-- What takes rights away is never refused; only the trail is then told of it less often.
local full, wait = add_to({ bucket('limit_api_key', KEYS[6], ARGV[3]) })
if full then
  local answer = limited(full, wait, ends and 'member.sessions_ended' or 'member.refused', subject, '')
  if not ends then return answer end
end
local position = advance(subject, doc and INDEX or REMOVED)
redis.call('HSET', member, 'position', position, errand == 'report_sessions' and 'report' or 'effect', position)
if ends then
  redis.call('HINCRBY', member, 'sessions_ended', 1)
  void_until(member)
  if not full then emit('member.sessions_ended', '', subject, '') end
elseif errand == 'try_again' then
  emit('member.sync_asked', '', subject, '')
end
return { 'asked', unpack(redis.call('HMGET', member, unpack(MEMBER))) }
