if not SITE_IS_THERE then return {} end
local members = page(KEYS[6], ARGV[3], ARGV[4], { INDEX })
return members
