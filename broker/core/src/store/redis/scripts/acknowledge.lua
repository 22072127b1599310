-- Keeps what a site says that it applied. KEYS[5..] are a member and its report for each acknowledgement, and ARGV[6..]
-- seven of each: subject, position, kind of event and cause, the user ('' for none) and the error ('' for none) that it
-- comes to, sessions. Answers how many were of their members' positions of now.
local epoch, retention = ARGV[3], ARGV[5]
local second_thoughts = { bucket('limit_site', KEYS[4], ARGV[4]) }

local function acknowledge(member, report, subject, position, kind, cause, user, problem, sessions)
  local held = redis.call('HMGET', member, 'revision', 'position', 'acknowledged', 'effect', 'report', 'user', 'error')
  if (held[2] or held[1]) ~= position then return 0 end
  local acknowledged = tonumber(held[3] or 0)
  if sessions ~= '' and tonumber(held[5] or 0) > acknowledged then
    redis.call('HSET', report, 'position', position, 'at', NOW, 'sessions', sessions)
    redis.call('PEXPIRE', report, retention)
  end
  if problem ~= '' then user = held[6] or '' end
  local is_same = (held[6] or '') == user and (held[7] or '') == problem
  if is_same and acknowledged >= tonumber(position) then return 1 end
  redis.call('HSET', member, 'acknowledged', position, 'acknowledged_at', NOW, 'user', user, 'error', problem)
  local has_effect = acknowledged < tonumber(held[4] or held[1])
  if is_same and not has_effect then return 1 end
  if not has_effect then
    local full, wait = add_to(second_thoughts)
    if full then
      limited(full, wait, kind, subject, '')
      return 1
    end
  end
  emit(kind, cause, subject, '')
  return 1
end

if not SITE_IS_THERE then return 'site_not_found' end
if epoch ~= primary() then return 'other_epoch' end
local kept = 0
for i = 5, #KEYS, 2 do
  local at = 6 + 7 * (i - 5) / 2
  kept = kept + acknowledge(KEYS[i], KEYS[i + 1], unpack(ARGV, at, at + 6))
end
return string.format('%.0f', kept)
