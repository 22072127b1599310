local handoff, id = KEYS[3], ARGV[3]
local subject = redis.call('HGET', handoff, 'subject')
if subject and redis.call('HEXISTS', handoff, 'spent_at') == 0
  and redis.call('HSETNX', handoff, 'revoked_at', NOW) == 1 then
  emit('handoff.revoked', '', subject, id)
end
return redis.call('HMGET', handoff, 'subject', 'issued_at', 'expires_at', 'spent_at', 'revoked_at', 'outcome')
