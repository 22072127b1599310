#!/usr/bin/env bash
# The demo: a panel with a "Log in to site" button, a Gatepass, and a real WordPress behind it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib/common.sh
. "$here/lib/common.sh"
# shellcheck source=lib/packages.sh
. "$here/lib/packages.sh"
# shellcheck source=lib/php.sh
. "$here/lib/php.sh"
# shellcheck source=lib/wordpress.sh
. "$here/lib/wordpress.sh"
# shellcheck source=lib/build.sh
. "$here/lib/build.sh"

usage() {
  cat <<'USAGE'
Usage: deploy/demo.sh [--port N] [--keep]

Fetches a real WordPress with PHP, builds Gatepass, starts both and a demo panel, pairs the site as its owner
would, and prints the panel's address as its last line. Stays in the foreground; Ctrl-C stops all it started.

  --port N   where the panel listens on 127.0.0.1 (default 8480)
  --keep     do not delete the folder with the data and logs at the end
  --help     this text

Needs Rust, and Debian 12 with root or sudo for what is missing: a C compiler and npm are installed, PHP is only
unpacked into .cache (GATEPASS_CACHE). GATEPASS_WORDPRESS_ARCHIVE and GATEPASS_SQLITE_ARCHIVE (files or URLs)
replace the WordPress and the plugin sqlite-database-integration that are fetched by default.
USAGE
}

port=8480 keep=no
while (($#)); do
  case $1 in
    --port) port=${2:-}; shift ;;
    --port=*) port=${1#*=} ;;
    --keep) keep=yes ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift || { usage >&2; exit 2; }
done
[[ $port =~ ^[1-9][0-9]{0,4}$ ]] && ((port <= 65535)) || { echo "error: --port takes a number from 1 to 65535" >&2; exit 2; }
! port_is_taken "$port" || die "Port $port is taken, by another demo perhaps." "Stop what listens there, or choose another one: deploy/demo.sh --port $((port < 32000 ? port + 10 : 8490))"

folder='' failed_in=''
clean_up() {
  local status=$?
  trap '' INT TERM HUP
  set +e
  ((${#started_pids[@]} == 0)) || say "Stopping"
  stop_all
  [[ -n $folder ]] || exit "$status"
  if [[ $keep == yes ]]; then
    say "Data and logs are in $folder"
  elif [[ -n $failed_in ]]; then
    say "The logs are in $folder/log"
  else
    rm -rf "$folder"
  fi
  exit "$status"
}
trap clean_up EXIT
# A shell that is interrupted in a wait goes on after its trap; ours ends.
trap 'failed_in=; exit 130' INT
trap 'failed_in=; exit 143' TERM HUP

prepare() {
  setup_certificates
  setup_compiler
  setup_php
  setup_wordpress
  setup_sqlite_site
}
need_rust
with_cache_locked prepare
build_programs

folder=$(mktemp -d "${TMPDIR:-/tmp}/gatepass-demo.XXXXXX")
logs=$folder/log failed_in=starting
mkdir "$logs"
# Nothing of ours goes through a proxy, and nothing in the environment configures Gatepass behind our back.
export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
unset "${!GATEPASS_@}"
# Nor does a gatepass.toml in the folder we were called from.
cd "$folder"

gatepass=$target_dir/debug/gatepass
# Beside the panel's, so that two demos with distant ports do not look for the same ones.
gatepass_port=$(free_port $((port + 1)))
gatepass_url=http://127.0.0.1:$gatepass_port
store=(--data-dir "$folder/gatepass" --store sqlite)
wordpress_port=$(free_port $((gatepass_port + 1)))
wordpress_url=http://127.0.0.1:$wordpress_port
panel_url=http://127.0.0.1:$port/

say "Starting Gatepass on SQLite at $gatepass_url"
start "$logs/gatepass.log" "$gatepass" serve --listen "127.0.0.1:$gatepass_port" --public-url "$gatepass_url" "${store[@]}"
wait_for "Gatepass" "${started_pids[-1]}" "$logs/gatepass.log" 30 grep -q "listening" "$logs/gatepass.log"

say "Starting WordPress at $wordpress_url"
new_site "$folder/wordpress" "$wordpress_url" sqlite
# Four workers: WordPress is asked for a proof while it waits for the answer to its pairing.
start "$logs/wordpress.log" env PHP_CLI_SERVER_WORKERS=4 "$cache/bin/php" -S "127.0.0.1:$wordpress_port" \
  -t "$folder/wordpress/www" "$wordpress_lib/router.php"
password=$(od -An -N9 -tx1 /dev/urandom | tr -d ' \n')
"$cache/bin/php" "$wordpress_lib/prepare.php" "$folder/wordpress/www" <<<"$password" >"$logs/setup.log" 2>&1 ||
  die "WordPress could not be prepared." "See $logs/setup.log"
wait_for "WordPress" "${started_pids[-1]}" "$logs/wordpress.log" 30 grep -q "started" "$logs/wordpress.log"

say "Pairing the site on its settings page"
# The key and the code are secrets: they never stand in an argument or a log. Prose goes to standard error.
umask 077
"$gatepass" client add demo "${store[@]}" >"$folder/api-key" 2>>"$logs/setup.log" || die "No API key could be made." "See $logs/setup.log"
site=$("$gatepass" site add "$wordpress_url" --json --panel-url "$panel_url" --renew-url "$panel_url" \
  --panel-start-url "${panel_url}gatepass/start" "${store[@]}" 2>>"$logs/setup.log") ||
  die "The site could not be added." "See $logs/setup.log"
read_json() { "$cache/bin/php" -r 'echo json_decode( stream_get_contents( STDIN ), true )[ $argv[1] ];' "$1" <<<"$site"; }
site_id=$(read_json site_id)
printf '%s\n' "$password" "$(read_json pairing_code)" |
  "$cache/bin/php" "$wordpress_lib/pair.php" "$wordpress_url" admin >>"$logs/setup.log" 2>&1 ||
  die "The site could not be paired: $(tail -n 1 "$logs/setup.log")" "See $logs"
umask 022

say "Starting the demo panel"
start "$logs/panel.log" "$target_dir/debug/gatepass-demo" --listen "127.0.0.1:$port" --gatepass "$gatepass_url" \
  --site "$site_id" --api-key-file "$folder/api-key"
wait_for "The panel" "${started_pids[-1]}" "$logs/panel.log" 60 grep -q 'the panel is at' "$logs/panel.log"

cat <<TEXT

Everything runs. Open the panel, press "Log in to site", and you stand in WordPress as that reader.
The owner's side: $wordpress_url/wp-admin/ (user admin, password $password), Settings > Gatepass.
The API: $gatepass_url with the key in $folder/api-key, site $site_id.
Ctrl-C stops it all.

Panel: $panel_url
TEXT

failed_in=
wait -n "${started_pids[@]}" || true
failed_in=running
for log in "$logs"/*.log; do printf -- '---- %s\n' "$log" >&2; tail -n 5 "$log" >&2; done
die "One of the parts has ended by itself."
