-- Keeps what a site says of itself, decided on a pairing and a pulse that must still be these: else the answer is 0.
local paired_before, pulse_before, paired, pulse = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local kind, cause = ARGV[7], ARGV[8]

local held = redis.call('HMGET', SITE, 'paired', 'pulse')
if held[1] ~= paired_before or (held[2] or '') ~= pulse_before then return 0 end
redis.call('HSET', SITE, 'paired', paired, 'pulse', pulse)
if kind ~= '' then emit(kind, cause, '', '') end
return 1
