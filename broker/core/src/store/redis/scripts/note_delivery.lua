if SITE_IS_THERE then redis.call('HSET', STATE, 'delivery', ARGV[3]) end
return 1
