-- What lies behind a site's cursor; that it has come so far is noted, and what cursor it is given: a larger one
-- is of another timeline, which the store left when it was put back.
local asked_of, after, limit, pulled_every = ARGV[3], tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])

if not SITE_IS_THERE then return false end
local epoch = primary()
local position, pulled, pulled_epoch, pulled_at, handed_out =
  unpack(redis.call('HMGET', STATE, 'revision', 'pulled', 'pulled_epoch', 'pulled_at', 'handed_out'))
handed_out = pulled_epoch == epoch and tonumber(handed_out or 0) or 0
local goes_on = asked_of == epoch and after <= math.min(tonumber(position or 0), handed_out)
local resync = not goes_on and (asked_of ~= '' or after > 0)
after = goes_on and string.format('%.0f', after) or '0'
local members, next_cursor = page(KEYS[6], after, limit, { INDEX, REMOVED })
next_cursor = next_cursor or tonumber(after)
-- Also when the clock was put back since.
local age = tonumber(NOW) - tonumber(pulled_at or 0)
if pulled ~= after or pulled_epoch ~= epoch or age >= pulled_every or age < 0 or next_cursor > handed_out then
  redis.call('HSET', STATE, 'pulled', after, 'pulled_epoch', epoch, 'pulled_at', NOW,
    'handed_out', string.format('%.0f', math.max(handed_out, next_cursor)))
end
return { epoch, resync and '1' or '', after, position or '0', members }
