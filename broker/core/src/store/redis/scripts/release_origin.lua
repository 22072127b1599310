-- In the tenant's slot. Takes an origin back from a site, and from nobody else.
local origins, sites = KEYS[1], KEYS[2]
local origin, site = ARGV[1], ARGV[2]
if redis.call('HGET', origins, origin) == site then redis.call('HDEL', origins, origin) end
redis.call('ZREM', sites, site)
return 1
