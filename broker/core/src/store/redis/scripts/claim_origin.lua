-- In the tenant's slot. Gives an origin to a site, unless somebody other than `dead` has it: then says who.
local origins, sites = KEYS[1], KEYS[2]
local origin, site, dead = ARGV[1], ARGV[2], ARGV[3]
local holder = redis.call('HGET', origins, origin)
if holder and holder ~= dead then return holder end
redis.call('HSET', origins, origin, site)
redis.call('ZADD', sites, 0, site)
return ''
