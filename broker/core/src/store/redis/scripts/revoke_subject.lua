local member, subject = KEYS[4], ARGV[3]
if not SITE_IS_THERE or redis.call('EXISTS', member) == 0 then return 0 end
redis.call('HSET', member, 'not_before', NOW)
emit('handoff.revoked', 'subject', subject, '')
return 1
