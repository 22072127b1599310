local code = KEYS[4]
local secret_hash, expires_at, replace, retention = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
if not SITE_IS_THERE then return 0 end
redis.call('DEL', code)
redis.call('HSET', code, 'secret_hash', secret_hash, 'expires_at', expires_at, 'replace', replace)
redis.call('PEXPIRE', code, retention)
emit('site.pairing_code_made', '', '', '')
return 1
