local handoff, id = KEYS[4], ARGV[3]
local record = redis.call('HMGET', handoff, 'subject', 'details')
if SITE_IS_THERE and record[1] and redis.call('HEXISTS', handoff, 'spent_at') == 0
  and redis.call('HSETNX', handoff, 'revoked_at', NOW) == 1 then
  name_actor(record[2])
  emit('handoff.revoked', '', record[1], id)
end
return redis.call('HMGET', handoff, 'subject', 'issued_at', 'expires_at', 'spent_at', 'revoked_at', 'details',
  'outcome')
