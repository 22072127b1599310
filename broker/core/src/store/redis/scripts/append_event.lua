if SITE_IS_THERE then emit(ARGV[3], ARGV[4], ARGV[5], ARGV[6]) end
