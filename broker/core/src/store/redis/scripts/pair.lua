local code = KEYS[4]
local secret_hash, replaces, paired, paired_kid = ARGV[3], ARGV[4], ARGV[5], ARGV[6]

local held = redis.call('HMGET', code, 'secret_hash', 'expires_at', 'replace')
local paired_before = redis.call('HGET', SITE, 'paired_kid')
if not SITE_IS_THERE then return { 'site_not_found' } end
if held[1] ~= secret_hash or tonumber(NOW) >= tonumber(held[2]) then
  emit('site.pairing_refused', 'code_invalid', '', '')
  return { 'code_invalid' }
end
if paired_before and held[3] ~= '1' and paired_before ~= replaces then
  emit('site.pairing_refused', 'replace_required', '', '')
  return { 'replace_required' }
end
redis.call('DEL', code)
redis.call('HSET', SITE, 'paired', paired, 'paired_kid', paired_kid)
void_until(STATE)
redis.call('HDEL', STATE, 'pulled', 'pulled_epoch', 'pulled_at', 'handed_out', 'delivery')
emit('site.paired', '', '', '')
return { 'paired', unpack(redis.call('HMGET', SITE, 'id', 'tenant', 'origin', 'created_at', 'policy', 'paired', 'pulse')) }
