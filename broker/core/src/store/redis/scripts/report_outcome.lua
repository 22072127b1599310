local handoff, id, outcome, kind, cause = KEYS[4], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local record = redis.call('HMGET', handoff, 'spent_at', 'subject', 'details')
if not SITE_IS_THERE or not record[1] then return 'not_redeemed' end
if redis.call('HSETNX', handoff, 'outcome', outcome) == 0 then return 'already_recorded' end
name_actor(record[3])
emit(kind, cause, record[2], id)
return 'recorded'
