-- The one atomic step. Each refusal and each preview leaves the record as it is; only the last lines spend, and those
-- no limit stops.
local handoff, member, revoked_keys = KEYS[4], KEYS[5], KEYS[6]
local id, subject, token_hash, kid, attempt, binding = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local now, attempt_window, previews = tonumber(NOW), tonumber(ARGV[9]), ARGV[10] == 'preview'
local must_be_bound, must_be_asked = ARGV[14] == 'bound', ARGV[15] == 'asked'
local tries = { bucket('limit_token', KEYS[7], ARGV[11]), bucket('limit_address', KEYS[8], ARGV[12]) }
local answers = { bucket('limit_token', KEYS[9], ARGV[13]) }

local record = redis.call('HMGET', handoff, 'token_hash', 'primary', 'spent_at', 'attempt', 'revoked_at',
  'issued_at', 'redeemable_until', 'binding', 'details')
local wanted = redis.call('HMGET', member, 'allowed_until', 'not_before', unpack(MEMBER))

local function refuse(cause)
  return refused(tries, 'handoff.refused', cause, subject, id)
end

local function allow(outcome)
  if outcome ~= 'previewed' then emit('handoff.' .. outcome, '', subject, id) end
  return { outcome, record[9], record[2], unpack(wanted, 3) }
end

-- Allows what spends nothing, only so often.
local function allow_counted(outcome)
  local full, wait = add_to(answers)
  if full then return limited(full, wait, 'handoff.refused', subject, id) end
  return allow(outcome)
end

-- Whether everything issued up to `limit` is void, and this with it.
local function issued_by(limit)
  return limit and tonumber(record[6]) <= tonumber(limit)
end

local function revoked()
  return record[5] or issued_by(wanted[2]) or issued_by(redis.call('HGET', STATE, 'not_before'))
    or redis.call('HEXISTS', revoked_keys, kid) == 1
end

-- When the panel was asked; a record from before it was asked anywhere does not say.
local function asked_at(details)
  local at = cjson.decode(details).asked_at
  return at ~= cjson.null and at
end

local function inactive()
  return not wanted[1] or now >= tonumber(wanted[1])
end

if not SITE_IS_THERE then return { 'refused', 'no_record' } end
if not record[1] then return refuse('no_record') end
if record[1] ~= token_hash then return refuse('mismatch') end
name_actor(record[9])
if record[2] ~= primary() then return refuse('superseded') end
if record[3] then
  if record[4] ~= attempt or now - tonumber(record[3]) >= attempt_window then return refuse('used') end
  if revoked() then return refuse('revoked') end
  if inactive() then return refuse('membership_inactive') end
  return allow_counted(previews and 'previewed' or 'repeated')
end
if revoked() then return refuse('revoked') end
if now >= tonumber(record[7]) then return refuse('expired') end
if must_be_asked and not asked_at(record[9]) then return refuse('not_asked') end
if inactive() then return refuse('membership_inactive') end
if record[8] ~= '' and record[8] ~= binding or record[8] == '' and must_be_bound then
  return refuse('binding_mismatch')
end
if previews then return allow_counted('previewed') end
redis.call('HSET', handoff, 'spent_at', NOW, 'attempt', attempt)
return allow('redeemed')
