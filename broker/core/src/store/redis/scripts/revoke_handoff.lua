local handoff, id = KEYS[4], ARGV[3]
local subject = redis.call('HGET', handoff, 'subject')
if SITE_IS_THERE and subject and redis.call('HEXISTS', handoff, 'spent_at') == 0
  and redis.call('HSETNX', handoff, 'revoked_at', NOW) == 1 then
  emit('handoff.revoked', '', subject, id)
end
return redis.call('HMGET', handoff, 'subject', 'issued_at', 'expires_at', 'spent_at', 'revoked_at', 'outcome')
