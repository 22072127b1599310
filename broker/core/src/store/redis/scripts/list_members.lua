if not SITE_IS_THERE then return {} end
return page(KEYS[6], ARGV[3], ARGV[4], { INDEX })
