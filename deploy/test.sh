#!/usr/bin/env bash
# All checks and tests, from a bare machine. The last line says how many passed and failed.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib/common.sh
. "$here/lib/common.sh"
# shellcheck source=lib/packages.sh
. "$here/lib/packages.sh"
# shellcheck source=lib/php.sh
. "$here/lib/php.sh"
# shellcheck source=lib/wordpress.sh
. "$here/lib/wordpress.sh"
# shellcheck source=lib/releases.sh
. "$here/lib/releases.sh"
# shellcheck source=lib/servers.sh
. "$here/lib/servers.sh"
# shellcheck source=lib/build.sh
. "$here/lib/build.sh"

stages=(setup format php build unit failover soak roles rotation e2e demo lint)

usage() {
  cat <<'USAGE'
Usage: deploy/test.sh [--only STAGE]... [--long] [--list] [-- FILTER]

  --only STAGE   this stage alone; may be repeated
  --long         the long forms of tests that have one (1,000 tokens raced for instead of 50, 20
                 failovers instead of 2, 50 sites followed through 10,000 changes instead of 10 through 1,000, 50
                 rotations of the keys instead of 8)
  --list         the stages and what they do
  --help         this text
  FILTER         only tests whose name contains this

Needs Rust, and Debian 12 with root or sudo for what is missing: a C compiler, npm and Chromium are installed, PHP,
nginx, MariaDB and Redis are only unpacked into .cache (GATEPASS_CACHE). Ends with the line "N passed, N failed",
and with exit code 1 if something failed.
USAGE
}

describe() {
  case $1 in
    setup) echo "fetch what is missing: WordPress, PHP, nginx, MariaDB, Redis, Chromium; install WordPress once" ;;
    format) echo "cargo fmt --check" ;;
    php) echo "syntax of every PHP file, coding standard and tests of the plugin" ;;
    build) echo "build all programs and tests, in one profile" ;;
    failover) echo "two Gatepass on a Redis with sentinels whose primary is killed, cut off, emptied, stopped" ;;
    soak) echo "sites that follow their panels while Gatepass is killed, Redis restarted, and they go down themselves" ;;
    roles) echo "broker and bridge as processes of their own: keys over HTTP, and a keyring that several share" ;;
    rotation) echo "keys rotated again and again under load, roles apart, WordPress with its pinned keys; then all replaced" ;;
    unit) echo "unit tests, the stores' conformance suite on SQLite and a real Redis, what fuzzing kept, also in PHP" ;;
    e2e) echo "end to end: Chromium, WordPress on MariaDB, nginx and php-fpm, Gatepass on Redis" ;;
    demo) echo "deploy/demo.sh as a user runs it, the click in Chromium, and Ctrl-C" ;;
    lint) echo "clippy on everything, warnings are errors" ;;
  esac
}

only=() filter=()
while (($#)); do
  case $1 in
    --only) only+=("${2:-}"); shift ;;
    --only=*) only+=("${1#*=}") ;;
    --long) export GATEPASS_TEST_LONG=1 ;;
    --list) for stage in "${stages[@]}"; do printf '%-8s %s\n' "$stage" "$(describe "$stage")"; done; exit 0 ;;
    --help | -h) usage; exit 0 ;;
    --) shift; filter=(-- "$@"); break ;;
    *) usage >&2; exit 2 ;;
  esac
  shift || { usage >&2; exit 2; }
done
for stage in "${only[@]}"; do
  [[ " ${stages[*]} " == *" $stage "* ]] || { echo "error: there is no stage '$stage'; --list names them" >&2; exit 2; }
done
((${#only[@]} == 0)) || stages=("${only[@]}")

cd "$repo_root" || exit 1
mkdir -p "$cache/log"
export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
# What is built once and thrown away needs no notes for the next time.
[[ ${CI:-} != true ]] || export CARGO_INCREMENTAL=0
export GATEPASS_REDIS_SERVER=$cache/bin/redis-server

passed=0 failed=0 table=()

# check WHAT COMMAND...: one that counts as one test.
check() {
  local what=$1
  shift
  if "$@"; then
    echo "check $what ... ok"
    passed=$((passed + 1))
  else
    echo "check $what ... FAILED"
    failed=$((failed + 1))
  fi
}

# tests WHAT COMMAND...: one that counts its tests itself. One that fails without having counted a failure (it did
# not even compile) is one failure.
tests() {
  local what=$1 log=$cache/log/$1.log status good bad
  shift
  "$@" 2>&1 | tee "$log"
  status=$?
  # cargo's and libtest-mimic's "test result: ok. 3 passed; 0 failed; …", and "3 passed, 0 failed" alone on a line.
  good=$(sum_of '^(test result: .* )?([0-9]+) passed[;,].*$' "$log")
  bad=$(sum_of '^(test result: .* )?[0-9]+ passed[;,] ([0-9]+) failed.*$' "$log")
  if ((status != 0 && bad == 0)); then
    echo "$what ended with exit code $status"
    bad=1
  elif ((status == 0 && good + bad == 0)); then
    echo "$what ran no test"
    bad=1
  fi
  passed=$((passed + good)) failed=$((failed + bad))
}

sum_of() { sed -nE "s/$1/\2/p" "$2" | awk '{ sum += $1 } END { print sum + 0 }'; }

stage_setup() { check "setup" with_cache_locked setup_everything; }

setup_everything() {
  need_rust
  setup_certificates
  setup_compiler
  setup_php
  setup_phpcs
  setup_servers
  setup_wordpress
  setup_sqlite_site
  setup_mariadb_site
  local release
  for release in "${!wordpress_suites[@]}"; do
    setup_wordpress_release "$release"
    # In a shell of its own: which WordPress it is, is decided when wordpress.sh is read.
    (export GATEPASS_WORDPRESS_RELEASE=$release && . "$here/lib/wordpress.sh" && setup_mariadb_site) || exit 1
  done
  setup_browser
  setup_axe
}

stage_format() { check "format" cargo fmt --all --check; }

stage_lint() {
  # --all-targets leaves out the tests that a plain `cargo test` leaves out.
  check "clippy" cargo clippy --locked --workspace --all-targets -- -D warnings
  check "clippy on the tests left out of that" cargo clippy --locked --workspace --test e2e --test demo --test failover --test soak --test roles --test rotation --test php --bench login --bench screenshots -- -D warnings
}

stage_php() {
  check "PHP syntax" php_syntax
  local standard
  for standard in wp-bridge/plugin/phpcs.xml.dist wp-bridge/plugin/gatepass/phpcs.xml.dist; do
    [[ ! -f $standard ]] || check "PHP coding standard" "$cache/bin/phpcs" -q --standard="$standard"
  done
  [[ ! -f wp-bridge/plugin/tests/run.php ]] || tests plugin "$cache/bin/php" wp-bridge/plugin/tests/run.php
}

php_syntax() {
  local file bad=0
  while IFS= read -r file; do
    "$cache/bin/php" -l "$file" >/dev/null || bad=1
  done < <(find wp-bridge/plugin deploy/lib -name '*.php')
  return "$bad"
}

stage_build() {
  check "build" cargo build --locked --workspace --bins
  check "build of the tests" cargo test --locked --workspace --no-run
  check "build of the end-to-end tests" cargo test --locked --workspace --test e2e --test demo --test failover --test soak --test roles --test rotation --test php --no-run
}

stage_unit() {
  tests unit cargo test --locked --workspace --no-fail-fast "${filter[@]}"
  # A plain `cargo test` leaves it out: it needs PHP.
  tests plugin-and-gatepass cargo test --locked --workspace --test php "${filter[@]}"
}

stage_failover() {
  cargo build --locked --workspace --bins || { check "build of the programs" false; return; }
  check "failover" cargo test --locked --workspace --test failover
}

stage_soak() {
  cargo build --locked --workspace --bins || { check "build of the programs" false; return; }
  check "soak" cargo test --locked --workspace --test soak
}

stage_roles() {
  cargo build --locked --workspace --bins || { check "build of the programs" false; return; }
  tests roles cargo test --locked --workspace --test roles "${filter[@]}"
}

stage_rotation() {
  cargo build --locked --workspace --bins || { check "build of the programs" false; return; }
  check "rotation" cargo test --locked --workspace --test rotation
}

# cargo builds a test's library but not the programs it starts.
stage_e2e() {
  cargo build --locked --workspace --bins || { check "build of the programs" false; return; }
  tests e2e cargo test --locked --workspace --test e2e "${filter[@]}"
}

stage_demo() { tests demo cargo test --locked --workspace --test demo "${filter[@]}"; }

for stage in "${stages[@]}"; do
  say "$stage: $(describe "$stage")"
  began=${EPOCHREALTIME/./} good=$passed bad=$failed
  "stage_$stage"
  took=$(((${EPOCHREALTIME/./} - began) / 100000))
  table+=("$(printf '%-8s %6s.%s s %6s passed %4s failed' "$stage" $((took / 10)) $((took % 10)) $((passed - good)) $((failed - bad)))")
done

echo
printf '%s\n' "${table[@]}"
printf 'in all  %6s s\n\n' "$SECONDS"
echo "$passed passed, $failed failed"
((failed == 0))
