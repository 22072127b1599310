-- Sets fields of a site (ARGV[5..]: name, value, …). With ARGV[4] = 'create' it must not be there, else it must.
local site, kind, mode = KEYS[3], ARGV[3], ARGV[4]
if (redis.call('EXISTS', site) == 0) ~= (mode == 'create') then return false end
for i = 5, #ARGV, 2 do redis.call('HSET', site, ARGV[i], ARGV[i + 1]) end
emit(kind, '', '', '')
return redis.call('HMGET', site, 'id', 'tenant', 'origin', 'created_at', 'policy', 'paired')
