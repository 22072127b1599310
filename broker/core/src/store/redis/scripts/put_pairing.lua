-- Writes a site's pairing ('' ends it, with all that was issued before), if it is still the one that is known: else the
-- answer is 0.
local known, paired, paired_kid, kind = ARGV[3], ARGV[4], ARGV[5], ARGV[6]

if redis.call('HGET', SITE, 'paired') ~= known then return 0 end
if paired == '' then
  redis.call('HDEL', SITE, 'paired', 'paired_kid')
  void_until(STATE)
else
  redis.call('HSET', SITE, 'paired', paired, 'paired_kid', paired_kid)
end
emit(kind, '', '', '')
return 1
