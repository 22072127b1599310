-- Sets fields of a site (ARGV[6..]: name, value, …). With ARGV[4] = 'create' it must not be there; else it must, and
-- its policy must be ARGV[5].
local kind, mode, policy = ARGV[3], ARGV[4], ARGV[5]
if mode == 'create' then
  if SITE_IS_THERE then return false end
elseif redis.call('HGET', SITE, 'policy') ~= policy then
  return false
end
for i = 6, #ARGV, 2 do redis.call('HSET', SITE, ARGV[i], ARGV[i + 1]) end
emit(kind, '', '', '')
return redis.call('HMGET', SITE, 'id', 'tenant', 'origin', 'created_at', 'policy', 'paired', 'pulse')
