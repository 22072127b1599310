-- In the service's slot. Keeps a keyring's revision, if it is the newest, and tells what changed since the one before:
-- ARGV[4..] are four of each change: its revision, when, kind of event, context. Answers the revision that was there
-- if that is the same or newer.
local keyring, revision = KEYS[3], tonumber(ARGV[3])
local seen = tonumber(redis.call('GET', keyring) or 0)
if revision <= seen then return seen end
redis.call('SET', keyring, ARGV[3])
for i = 4, #ARGV, 4 do
  if tonumber(ARGV[i]) > seen then
    NOW, CONTEXT = ARGV[i + 1], ARGV[i + 3]
    emit(ARGV[i + 2], '', '', '')
  end
end
return false
