-- In the service's slot. Takes a mark from a site, unless it was marked again since.
local behind, site, mark = KEYS[1], ARGV[1], ARGV[2]
if redis.call('HGET', behind, site) == mark then redis.call('HDEL', behind, site) end
return 1
