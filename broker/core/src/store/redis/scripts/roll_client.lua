-- In the service's slot. Puts a client's successor and what the client is from then on, if what is known of it is still
-- there: else the answer is 0.
local clients = KEYS[3]
local hash, known, ended, new_hash, new, kind = unpack(ARGV, 3, 8)
if redis.call('HGET', clients, hash) ~= known then return 0 end
if redis.call('HSETNX', clients, new_hash, new) == 0 then return -1 end
redis.call('HSET', clients, hash, ended)
emit(kind, '', '', '')
return 1
