-- In the service's slot. Puts a client, if what is known of it is still there ('' for a new one).
local clients = KEYS[3]
local hash, known, client, kind = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
if (redis.call('HGET', clients, hash) or '') ~= known then return 0 end
redis.call('HSET', clients, hash, client)
emit(kind, '', '', '')
return 1
