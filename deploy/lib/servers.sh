# shellcheck shell=bash
# What only the tests need beside PHP and WordPress: Redis, MariaDB, nginx, Chromium. To be sourced after packages.sh.

# Wrappers: $cache/bin/{redis-server,redis-cli,nginx,mariadbd,mariadb,mariadb-install-db}.
setup_servers() {
  if apt_unpack redis-7 "Redis 7" redis-server redis-tools libjemalloc2 liblzf1 libatomic1; then
    wrap redis-server redis-7 usr/bin/redis-server
    wrap redis-cli redis-7 usr/bin/redis-cli
  else
    wrap_installed redis-server redis-server && wrap_installed redis-cli redis-cli || die "Redis 7 can neither be fetched nor is it installed." "Install Debian's redis-server."
  fi
  if apt_unpack nginx-1 "nginx" nginx nginx-common; then
    wrap nginx nginx-1 usr/sbin/nginx
  else
    wrap_installed nginx nginx || die "nginx can neither be fetched nor is it installed." "Install Debian's nginx."
  fi
  if apt_unpack mariadb-10 "MariaDB 10.11" mariadb-server-core mariadb-client-core mariadb-common liburing2 libnuma1 libsnappy1v5; then
    wrap mariadbd mariadb-10 usr/sbin/mariadbd
    wrap mariadb mariadb-10 usr/bin/mariadb
    wrap mariadb-install-db mariadb-10 usr/bin/mariadb-install-db
  else
    wrap_installed mariadbd mariadbd && wrap_installed mariadb mariadb && wrap_installed mariadb-install-db mariadb-install-db ||
      die "MariaDB can neither be fetched nor is it installed." "Install Debian's mariadb-server-core and mariadb-client-core."
  fi
}

setup_browser() {
  if ! command -v chromium >/dev/null || ! command -v chromedriver >/dev/null; then apt_install chromium chromium-driver; fi
}

# axe-core (MPL-2.0), which looks for what keeps people from using a page.
axe=axe-core@4.14.1
axe_sha512=1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b734f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5

setup_axe() {
  local work
  [[ ! -f $cache/axe-core-4/axe.min.js ]] || return 0
  work=$(mktemp -d "$cache/tmp.XXXXXX")
  npm_fetch "$work" "$axe" "$axe_sha512" "$axe"
  tar -xzf "$work/package.tgz" -C "$work" package/axe.min.js package/LICENSE || die "The archive of $axe could not be unpacked."
  mv "$work/package" "$cache/axe-core-4"
  rm -rf "$work"
}
