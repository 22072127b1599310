#!/usr/bin/env bash
# MariaDB for tests, fast and forgetful: `mariadb.sh create DATA`, `mariadb.sh serve DATA SOCKET`.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=common.sh
. "$here/common.sh"

options=(
  --no-defaults --datadir="$2" --skip-log-bin --performance-schema=OFF
  --innodb-buffer-pool-size=64M --innodb-log-file-size=32M
  --innodb-flush-log-at-trx-commit=0 --innodb-flush-method=nosync
)
# As root it would refuse to run unless told so. It is not run as another user, because the cache may lie where
# only root can read.
((EUID != 0)) || options+=(--user=root)
# What was unpacked finds its messages and its SQL there; what is installed knows its own place.
[[ ! -d $cache/mariadb-10 ]] || options+=(--lc-messages-dir="$cache/mariadb-10/usr/share/mysql")

case $1 in
  create)
    [[ ! -d $cache/mariadb-10 ]] || options+=(--basedir="$cache/mariadb-10/usr")
    "$cache/bin/mariadb-install-db" "${options[@]}" --auth-root-authentication-method=normal --skip-test-db
    ;;
  serve)
    exec "$cache/bin/mariadbd" "${options[@]}" --socket="$3" --skip-networking --pid-file="$2/mariadbd.pid"
    ;;
esac
