local member, subject = KEYS[4], ARGV[3]
if not SITE_IS_THERE or redis.call('HEXISTS', member, 'doc') == 0 then return 0 end
void_until(member)
emit('handoff.revoked', 'all_of_subject', subject, '')
return 1
