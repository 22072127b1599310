local code = KEYS[4]
local from, to = ARGV[3], ARGV[4]
if redis.call('HGET', SITE, 'origin') ~= from then return false end
redis.call('DEL', code)
redis.call('HSET', SITE, 'origin', to)
redis.call('HDEL', SITE, 'paired', 'paired_kid', 'pulse')
redis.call('HDEL', STATE, 'pulled', 'pulled_epoch', 'pulled_at', 'handed_out', 'delivery')
void_until(STATE)
emit('site.moved', '', '', '')
return redis.call('HMGET', SITE, 'id', 'tenant', 'origin', 'created_at', 'policy', 'paired', 'pulse')
