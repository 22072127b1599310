local revoked_keys, kid = KEYS[4], ARGV[3]
if SITE_IS_THERE and redis.call('HSETNX', revoked_keys, kid, NOW) == 1 then emit('key.revoked', '', '', '') end
return 1
