-- In the tenant's slot. Takes an origin back from a site, and from nobody else; and the site from the tenant's, unless
-- ARGV[3] says to keep it.
local origins, sites = KEYS[1], KEYS[2]
local origin, site = ARGV[1], ARGV[2]
if redis.call('HGET', origins, origin) == site then redis.call('HDEL', origins, origin) end
if ARGV[3] ~= 'keep' then redis.call('ZREM', sites, site) end
return 1
