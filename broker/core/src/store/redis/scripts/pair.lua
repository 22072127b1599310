local site, code = KEYS[3], KEYS[4]
local secret_hash, replaces, paired, paired_kid = ARGV[3], ARGV[4], ARGV[5], ARGV[6]

local held = redis.call('HMGET', code, 'secret_hash', 'expires_at', 'replace')
local known = redis.call('HMGET', site, 'id', 'paired_kid')
if not known[1] then return { 'site_not_found' } end
if held[1] ~= secret_hash or tonumber(NOW) >= tonumber(held[2]) then
  emit('site.pairing_refused', 'code_invalid', '', '')
  return { 'code_invalid' }
end
if known[2] and held[3] ~= '1' and known[2] ~= replaces then
  emit('site.pairing_refused', 'replace_required', '', '')
  return { 'replace_required' }
end
redis.call('DEL', code)
redis.call('HSET', site, 'paired', paired, 'paired_kid', paired_kid)
redis.call('HSET', STATE, 'not_before', NOW)
emit('site.paired', '', '', '')
return { 'paired', unpack(redis.call('HMGET', site, 'id', 'tenant', 'origin', 'created_at', 'policy', 'paired')) }
