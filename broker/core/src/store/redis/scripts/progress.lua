if not SITE_IS_THERE then return false end
local position, pulled, epoch, pulled_at, delivery =
  unpack(redis.call('HMGET', STATE, 'revision', 'pulled', 'pulled_epoch', 'pulled_at', 'delivery'))
return { position or '0', epoch == primary() and pulled or '0', pulled_at, delivery }
