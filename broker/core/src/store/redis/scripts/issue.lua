local handoff, member, revoked_keys = KEYS[4], KEYS[5], KEYS[6]
local id, subject, retention = ARGV[3], ARGV[4], ARGV[5]
local of_member, by_key = bucket('limit_member', KEYS[7], ARGV[12]), bucket('limit_api_key', KEYS[8], ARGV[13])
local in_vain = bucket('limit_api_key', KEYS[9], ARGV[14])

if not SITE_IS_THERE then return { 'site_not_found' } end
if redis.call('HEXISTS', revoked_keys, ARGV[7]) == 1 then return { 'key_revoked' } end
local allowed_until = redis.call('HGET', member, 'allowed_until')
if not allowed_until then
  return refused({ in_vain }, 'handoff.issue_refused', 'member_not_found', subject, id)
end
if tonumber(NOW) >= tonumber(allowed_until) then
  return refused({ in_vain }, 'handoff.issue_refused', 'membership_inactive', subject, id)
end
local full, wait = add_to({ of_member, by_key })
if full then return limited(full, wait, 'handoff.issue_refused', subject, id) end
redis.call('HSET', handoff, 'subject', subject, 'issued_at', NOW, 'primary', primary(),
  'token_hash', ARGV[6], 'kid', ARGV[7], 'expires_at', ARGV[8], 'redeemable_until', ARGV[9],
  'binding', ARGV[10], 'details', ARGV[11])
redis.call('PEXPIRE', handoff, retention)
emit('handoff.issued', '', subject, id)
return { 'issued' }
