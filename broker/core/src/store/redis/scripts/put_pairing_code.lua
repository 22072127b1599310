local site, code = KEYS[3], KEYS[4]
local secret_hash, expires_at, replace, retention = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
if redis.call('EXISTS', site) == 0 then return 0 end
redis.call('DEL', code)
redis.call('HSET', code, 'secret_hash', secret_hash, 'expires_at', expires_at, 'replace', replace)
redis.call('PEXPIRE', code, retention)
emit('site.pairing_code_made', '', '', '')
return 1
