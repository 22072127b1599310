# shellcheck shell=bash
# WordPress itself, its installed state as snapshots, and new sites made of both. To be sourced after php.sh.

# The npm package wp-studio carries a pristine WordPress and the SQLite drop-in (GPL-2.0-or-later); the archive is
# unpacked, never installed. Instead of it: GATEPASS_WORDPRESS_ARCHIVE and GATEPASS_SQLITE_ARCHIVE, each a file or
# a URL of an ordinary archive (.zip or .tar.gz) of WordPress and of the plugin sqlite-database-integration.
wordpress_package=wp-studio@1.22.0
wordpress_sha512=6e832d6a19218160ca2b2353040d6e4cae60867026c5784363a29e4023bd166708dffa3e60e4aaf09c185b96589f11c2c47d7825ffe60fa0894c1bd35a5d98b7
wordpress_version=7.1.1

# Another release than that one: GATEPASS_WORDPRESS_RELEASE (see releases.sh).
if [[ -n ${GATEPASS_WORDPRESS_RELEASE:-} ]]; then
  wordpress=$cache/wordpress-$GATEPASS_WORDPRESS_RELEASE
elif [[ -n ${GATEPASS_WORDPRESS_ARCHIVE:-} ]]; then
  wordpress=$cache/wordpress-$(printf '%s\n' "$GATEPASS_WORDPRESS_ARCHIVE" "${GATEPASS_SQLITE_ARCHIVE:-}" | sha256sum | cut -c1-12)
else
  wordpress=$cache/wordpress-$wordpress_version
fi
wordpress_lib=$repo_root/deploy/lib/wordpress

setup_wordpress() {
  local work
  [[ ! -d $wordpress ]] || return 0
  work=$(mktemp -d "$cache/tmp.XXXXXX")
  mkdir "$work/tree"
  if [[ -n ${GATEPASS_WORDPRESS_ARCHIVE:-} ]]; then
    fetch_archive "$GATEPASS_WORDPRESS_ARCHIVE" "$work" "$work/tree/core" wp-settings.php
    [[ -z ${GATEPASS_SQLITE_ARCHIVE:-} ]] ||
      fetch_archive "$GATEPASS_SQLITE_ARCHIVE" "$work" "$work/tree/sqlite-database-integration" db.copy
  else
    fetch_wordpress_package "$work"
  fi
  mv "$work/tree" "$wordpress"
  rm -rf "$work"
}

fetch_wordpress_package() {
  local work=$1 files=package/dist/cli/wp-files
  npm_fetch "$work" "$wordpress_package" "$wordpress_sha512" "WordPress $wordpress_version (67 MB)" \
    "Or set GATEPASS_WORDPRESS_ARCHIVE and GATEPASS_SQLITE_ARCHIVE to archives of WordPress and of the plugin" \
    "sqlite-database-integration (files or URLs)."
  tar -xzf "$work/package.tgz" -C "$work" "$files/latest/wordpress" "$files/sqlite-database-integration" || die "The archive of WordPress could not be unpacked."
  mv "$work/$files/latest/wordpress" "$work/tree/core"
  mv "$work/$files/sqlite-database-integration" "$work/tree/"
  grep -q "^\$wp_version = '$wordpress_version'" "$work/tree/core/wp-includes/version.php" || die "The archive does not hold WordPress $wordpress_version."
}

# fetch_archive FILE_OR_URL WORK DESTINATION KNOWN_FILE: the folder that holds the known file becomes the destination.
fetch_archive() {
  local source=$1 archive=$2/archive folder=$2/unpacked top
  say "Fetching $source"
  case $source in
    http://* | https://*)
      command -v curl >/dev/null || apt_install curl ca-certificates
      curl -fsSL --retry 2 -o "$archive" "$source" || die "$source could not be fetched."
      ;;
    *) cp -- "$source" "$archive" || die "$source could not be read." ;;
  esac
  rm -rf "$folder" && mkdir "$folder"
  if [[ $source == *.zip ]]; then
    command -v unzip >/dev/null || apt_install unzip
    unzip -q "$archive" -d "$folder" || die "$source could not be unpacked."
  else
    tar -xzf "$archive" -C "$folder" || die "$source could not be unpacked."
  fi
  top=$(find "$folder" -maxdepth 3 -name "$4" -print -quit)
  [[ -n $top ]] || die "$source holds no $4."
  mv "$(dirname "$top")" "$3"
}

# What a snapshot was made of: any change makes a new one.
snapshot() { echo "$cache/site-$1-$( (cat "$wordpress_lib/install.php" "$wordpress_lib/wp-config.php"; echo "$wordpress") | sha256sum | cut -c1-12)"; }

setup_sqlite_site() {
  local made work
  made=$(snapshot sqlite)
  [[ ! -d $made ]] || return 0
  [[ -d $wordpress/sqlite-database-integration ]] || die "There is no SQLite drop-in." "Set GATEPASS_SQLITE_ARCHIVE to an archive of the plugin sqlite-database-integration."
  say "Installing WordPress on SQLite"
  work=$(mktemp -d "$cache/tmp.XXXXXX")
  site_files "$work/site" http://127.0.0.1 sqlite
  install_wordpress "$work/site"
  mv "$work/site/database" "$made"
  rm -rf "$work"
}

setup_mariadb_site() {
  local made work
  made=$(snapshot mariadb)
  [[ ! -d $made ]] || return 0
  say "Installing WordPress${GATEPASS_WORDPRESS_RELEASE:+ $GATEPASS_WORDPRESS_RELEASE} on MariaDB"
  work=$(mktemp -d "$cache/tmp.XXXXXX")
  "$wordpress_lib/../mariadb.sh" create "$work/data" >>"$cache/log/mariadb.log" 2>&1 || die "MariaDB could not make its data folder." "Its log: $cache/log/mariadb.log"
  # A socket's path may have 107 bytes, and the cache may lie deep.
  local run
  run=$(mktemp -d)
  setpriv --pdeathsig KILL -- "$wordpress_lib/../mariadb.sh" serve "$work/data" "$run/sock" 9>&- </dev/null >>"$cache/log/mariadb.log" 2>&1 &
  local pid=$!
  wait_for "MariaDB" "$pid" "$cache/log/mariadb.log" 30 "$cache/bin/mariadb" --no-defaults -uroot -S "$run/sock" -e 'CREATE DATABASE IF NOT EXISTS wordpress CHARACTER SET utf8mb4'
  site_files "$work/site" http://127.0.0.1 mariadb "$run/sock"
  install_wordpress "$work/site"
  kill -TERM "$pid"
  wait "$pid" || true
  mkdir "$work/snapshot"
  tar -C "$work/data" -czf "$work/snapshot/data.tar.gz" . || die "The snapshot of MariaDB could not be written."
  mv "$work/snapshot" "$made"
  rm -rf "$work" "$run"
}

install_wordpress() {
  "$cache/bin/php" "$wordpress_lib/install.php" "$1/www" >>"$cache/log/wordpress.log" 2>&1 || {
    tail -n 20 "$cache/log/wordpress.log" >&2
    die "WordPress could not be installed." "The whole log: $cache/log/wordpress.log"
  }
}

# site_files FOLDER URL sqlite|mariadb [SOCKET]: FOLDER/www is a WordPress at that URL with our plugin in it (not
# activated). Folders that nobody writes to are links into the cache, so a site is made in a tenth of a second.
# wp-admin must be a copy: its files find WordPress from their own real path.
site_files() {
  local folder=$1 url=$2 database=$3 socket=${4:-} www=$1/www core=$wordpress/core entry
  mkdir -p "$www/wp-content/plugins" "$folder/database"
  for entry in "$core"/*; do
    case ${entry##*/} in
      wp-includes) ln -s "$entry" "$www/wp-includes" ;;
      wp-content) ;;
      wp-config.php | wp-config-sample.php | readme.html | license.txt) ;;
      *) cp -r "$entry" "$www/" ;;
    esac
  done
  ln -s "$core/wp-content/themes" "$www/wp-content/themes"
  # Debian leaves it out.
  [[ ! -f $core/wp-content/index.php ]] || cp "$core/wp-content/index.php" "$www/wp-content/"
  [[ ! -d $repo_root/wp-bridge/plugin/gatepass ]] || cp -r "$repo_root/wp-bridge/plugin/gatepass" "$www/wp-content/plugins/"
  if [[ $database == sqlite ]]; then
    cp -r "$wordpress/sqlite-database-integration" "$www/wp-content/plugins/"
    sed -e "s|{SQLITE_IMPLEMENTATION_FOLDER_PATH}|$www/wp-content/plugins/sqlite-database-integration|" \
      -e 's|{SQLITE_PLUGIN}|sqlite-database-integration/load.php|' \
      "$wordpress/sqlite-database-integration/db.copy" >"$www/wp-content/db.php"
  fi
  cp "$wordpress_lib/wp-config.php" "$www/wp-config.php"
  # Beside www, not in it: this is never served.
  cat >"$folder/lab.php" <<LAB
<?php // What differs from site to site; read by www/wp-config.php.
return array(
	'url'      => '$url',
	'database' => '$folder/database',
	'socket'   => '$socket',
	'salt'     => '$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')',
	'log'      => '$folder/debug.log',
);
LAB
}

# new_site FOLDER URL sqlite|mariadb [SOCKET]: the same, installed. For MariaDB the server's data folder is to be
# restored from "$(snapshot mariadb)/data.tar.gz".
new_site() {
  site_files "$@"
  [[ $3 != sqlite ]] || cp -r "$(snapshot sqlite)/." "$1/database/"
}
