# shellcheck shell=bash
# What demo.sh and test.sh share: paths, progress, ports, and starting and stopping the parts. To be sourced.

repo_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Everything that is fetched or built outside of cargo lives here; deleting it costs a minute, nothing else.
cache=${GATEPASS_CACHE:-$repo_root/.cache}
target_dir=${CARGO_TARGET_DIR:-$repo_root/target}
[[ $cache == /* ]] || cache=$PWD/$cache
[[ $target_dir == /* ]] || target_dir=$repo_root/$target_dir
export GATEPASS_CACHE=$cache
umask 022

say() { printf '==> %s\n' "$*" >&2; }

# die MESSAGE [WHAT TO DO]...
die() {
  printf '\nerror: %s\n' "$1" >&2
  shift
  (($# == 0)) || printf '       %s\n' "$@" >&2
  exit 1
}

need_rust() {
  command -v cargo >/dev/null ||
    die "cargo, Rust's build tool, is not on the PATH." \
      "Install Rust (https://rustup.rs, or your distribution's package) and run this again."
}

# Runs a function while no other run of these scripts prepares the same cache. A subshell, so that the lock
# goes with it; what runs inside must leave no process behind, for it would keep the lock.
with_cache_locked() (
  mkdir -p "$cache/bin" "$cache/log" || die "The cache folder $cache cannot be written." "Set GATEPASS_CACHE to a folder that can."
  exec 9>"$cache/.lock"
  flock -n 9 || { say "Waiting for another run that prepares $cache"; flock 9; }
  # What an interrupted run left.
  rm -rf "$cache"/tmp.*
  "$@"
)

# ports ------------------------------------------------------------------------------------------------------

port_is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# A free port near the wanted one, else anywhere; never one of the ephemeral range (32768 and above), which the
# kernel may hand to somebody's outgoing connection in the next moment.
free_port() {
  local port=${1:-0} try
  for try in {1..200}; do
    if ((port >= 1024 && port < 32768)) && ! port_is_taken "$port"; then
      echo "$port"
      return
    fi
    if ((try < 20 && port >= 1024 && port < 32767)); then port=$((port + 1)); else port=$((20000 + RANDOM % 12000)); fi
  done
  die "No free TCP port below 32768 was found on 127.0.0.1."
}

# processes --------------------------------------------------------------------------------------------------

started_pids=()

# start LOG COMMAND...: runs it in the background in a process group of its own, so that a Ctrl-C at the terminal
# reaches only us. Should we be killed outright, the kernel tells it to stop.
start() {
  local log=$1
  shift
  setsid setpriv --pdeathsig TERM -- "$repo_root/deploy/lib/part.sh" "$@" </dev/null >"$log" 2>&1 &
  started_pids+=($!)
}

stop_all() {
  local pid tries i
  # Last started first: nobody loses what it depends on before it has stopped itself.
  for ((i = ${#started_pids[@]} - 1; i >= 0; i--)); do
    pid=${started_pids[i]}
    kill -TERM "$pid" 2>/dev/null
    for ((tries = 0; tries < 200; tries++)); do
      kill -0 -- "-$pid" 2>/dev/null || break
      sleep 0.05
    done
    kill -KILL -- "-$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
  done
  started_pids=()
}

# wait_for WHAT PID LOG SECONDS COMMAND...: until the command succeeds.
wait_for() {
  local what=$1 pid=$2 log=$3 deadline=$((SECONDS + $4))
  shift 4
  until "$@" >/dev/null 2>&1; do
    if ! kill -0 "$pid" 2>/dev/null || ((SECONDS >= deadline)); then
      tail -n 20 "$log" >&2
      die "$what did not start." "Its log: $log"
    fi
    sleep 0.1
  done
}
