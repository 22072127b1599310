# shellcheck shell=bash
# PHP 8.2 as Debian builds it, in the cache: $cache/bin/{php,php-fpm}. To be sourced after packages.sh.

php_packages=(
  php8.2-cli php8.2-fpm php8.2-common php8.2-opcache php8.2-sqlite3 php8.2-mysql php8.2-curl php8.2-xml
  php8.2-mbstring php8.2-gd libargon2-1 libsodium23 libonig5 libxml2 libxslt1.1 libedit2 libsqlite3-0 libgd3
)

setup_php() {
  if apt_unpack php-8.2 "PHP 8.2" "${php_packages[@]}"; then
    write_php_ini >"$cache/php.ini"
    wrap php php-8.2 usr/bin/php8.2 -c "$cache/php.ini"
    wrap php-fpm php-8.2 usr/sbin/php-fpm8.2 -c "$cache/php.ini"
  else
    wrap_installed php php || die "PHP can neither be fetched nor is it installed." \
      "Install PHP 7.4 or later with its extensions curl, dom, mbstring, mysqli, pdo_sqlite, sodium and xml."
    wrap_installed php-fpm php-fpm || wrap_installed php-fpm php-fpm8.2 || rm -f "$cache/bin/php-fpm"
  fi
  "$cache/bin/php" -r 'exit( extension_loaded( "sodium" ) && extension_loaded( "curl" ) && extension_loaded( "pdo_sqlite" ) ? 0 : 1 );' ||
    die "$cache/bin/php lacks one of the extensions sodium, curl and pdo_sqlite." "Delete $cache and run this again."
}

# Extensions in an order that satisfies their dependencies; the names come from what was unpacked.
write_php_ini() {
  local folder extension first=(pdo mysqlnd xml dom) extensions
  folder=$(echo "$cache"/php-8.2/usr/lib/php/2*)
  mapfile -t extensions < <(cd "$folder" && printf '%s\n' *.so | sed 's/\.so$//' | grep -vxE "opcache|$(IFS='|'; echo "${first[*]}")")
  cat <<INI
; Written by deploy/lib/php.sh.
extension_dir = "$folder"
zend_extension = opcache.so
INI
  for extension in "${first[@]}" "${extensions[@]}"; do echo "extension = $extension.so"; done
  cat <<'INI'
; 128 MB overflow silently with several sites, and without opcache every request costs 150 ms more.
opcache.memory_consumption = 256
opcache.max_accelerated_files = 20000
opcache.revalidate_freq = 0
opcache.interned_strings_buffer = 16
date.timezone = UTC
memory_limit = 256M
post_max_size = 16M
upload_max_filesize = 16M
display_errors = Off
display_startup_errors = Off
log_errors = On
error_reporting = E_ALL
; Nothing here ever sends mail.
sendmail_path = /bin/true
INI
}

# PHP_CodeSniffer, for test.sh.
setup_phpcs() {
  if apt_unpack php-codesniffer-3 "PHP_CodeSniffer" php-codesniffer; then
    put_executable phpcs "exec $cache/bin/php -d include_path=$cache/php-codesniffer-3/usr/share/php $cache/php-codesniffer-3/usr/bin/phpcs \"\$@\""
  else
    wrap_installed phpcs phpcs || die "PHP_CodeSniffer can neither be fetched nor is it installed." "Install Debian's php-codesniffer."
  fi
}
