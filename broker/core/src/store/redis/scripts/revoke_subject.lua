local member, subject = KEYS[3], ARGV[3]
if redis.call('EXISTS', member) == 0 then return 0 end
redis.call('HSET', member, 'not_before', NOW)
emit('handoff.revoked', 'subject', subject, '')
return 1
