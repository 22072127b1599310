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
