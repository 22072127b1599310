#!/usr/bin/env bash
# Fuzzes whatever reads what a stranger wrote, and keeps what it learnt in fuzz/kept.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib/common.sh
. "$here/lib/common.sh"
# shellcheck source=lib/packages.sh
. "$here/lib/packages.sh"
# shellcheck source=lib/build.sh
. "$here/lib/build.sh"

usage() {
  cat <<'USAGE'
Usage: deploy/fuzz.sh [--minutes N] [--jobs N] [--list] [TARGET]...

  --minutes N   how long each target runs (10)
  --jobs N      how many run at a time (1)
  --list        the targets
  TARGET        this one alone; may be repeated

Needs Rust (stable) and a C++ compiler, and installs cargo-fuzz. Each target starts from its seeds, from fuzz/kept and
from fuzz/regressions; afterwards the smallest set of inputs with the same coverage is in fuzz/kept/TARGET.txt, which
`cargo test` replays. An input that finds a fault is named at the end: mend the fault, and keep the input under a name
that tells it in fuzz/regressions/TARGET/.
USAGE
}

minutes=10 jobs=1 targets=()
while (($#)); do
  case $1 in
    --minutes) minutes=${2:?} && shift ;;
    --jobs) jobs=${2:?} && shift ;;
    --list) cd "$repo_root" && exec cargo run --quiet --locked -p gatepass-fuzz --example inputs -- list ;;
    --help | -h) usage && exit 0 ;;
    -*) usage >&2 && exit 2 ;;
    *) targets+=("$1") ;;
  esac
  shift
done

[[ $minutes =~ ^[1-9][0-9]*$ && $jobs =~ ^[1-9][0-9]*$ ]] || { usage >&2; exit 2; }

cd "$repo_root"
need_rust
setup_compiler
command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
inputs() { "$target_dir"/debug/examples/inputs "$@"; }
cargo build --quiet --locked -p gatepass-fuzz --example inputs
mapfile -t all < <(inputs list)
((${#targets[@]})) || targets=("${all[@]}")
for target in "${targets[@]}"; do
  [[ " ${all[*]} " == *" $target "* ]] || { echo "error: there is no target '$target'; --list names them" >&2; exit 2; }
done

# Coverage alone needs no nightly; and there is no unsafe code for a sanitizer to watch.
say "building"
cargo fuzz build --fuzz-dir fuzz --target-dir "$target_dir" --sanitizer none --features libfuzzer
triple=$(rustc -vV | sed -n 's/^host: //p')
work=$cache/fuzz
# The services' databases: in memory where there is such a place.
scratch=$(mktemp -d -p "$([[ -w /dev/shm ]] && echo /dev/shm || echo /tmp)" gatepass-fuzz.XXXXXX)
trap 'rm -rf "$scratch"' EXIT

# fuzz TARGET: everything of it is in $work/TARGET. Fails when a fault was found.
fuzz() {
  local target=$1 place=$work/$1 program=$target_dir/$triple/release/$1 status=0
  # Two minutes for what takes a millisecond: a busy machine may stand still for one.
  local limits=(-timeout=120 -max_len=4096 -rss_limit_mb=3000)
  rm -rf "$place" && mkdir -p "$place/found" "$place/smallest" "$scratch/$target"
  inputs unpack "$target" "$place/corpus"
  local dictionary=fuzz/dictionaries/$target.dict
  [[ ! -f $dictionary ]] || limits+=("-dict=$dictionary")
  TMPDIR=$scratch/$target "$program" "$place/corpus" "${limits[@]}" -max_total_time=$((minutes * 60)) \
    -artifact_prefix="$place/found/" -print_final_stats=1 >"$place/log" 2>&1 || status=1
  TMPDIR=$scratch/$target "$program" -merge=1 "$place/smallest" "$place/corpus" "${limits[@]}" \
    -artifact_prefix="$place/found/" >"$place/merge.log" 2>&1 || status=1
  # What finds a fault is no input to keep.
  ((status)) || inputs pack "$target" "$place/smallest" >/dev/null
  return "$status"
}

# sum_up TARGET: executions, and edges covered at the start and at the end.
sum_up() {
  awk -v target="$1" '
    / cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") { cov = $(i + 1); if (/INITED/) first = cov } }
    /^stat::number_of_executed_units/ { runs = $2 }
    END { printf "%-12s %12d executions, edges %d -> %d", target, runs, first, cov }' "$work/$1/log"
  if [[ -s fuzz/kept/$1.txt ]]; then printf ', %d inputs kept' "$(wc -l <"fuzz/kept/$1.txt")"; fi
  echo
}

say "fuzzing ${targets[*]}, $minutes minutes each"
running=0
for target in "${targets[@]}"; do
  if ((running == jobs)); then wait -n || true; running=$((running - 1)); fi
  { fuzz "$target" || true; } &
  running=$((running + 1))
done
wait

bad=0
for target in "${targets[@]}"; do
  sum_up "$target"
  for found in "$work/$target"/found/*; do
    # A slow input is only slow, and that may have been the machine.
    [[ -e $found && $found != */slow-unit-* ]] || continue
    echo "  FAULT, see $work/$target/log; again by: $target_dir/$triple/release/$target $found"
    bad=1
  done
done
exit "$bad"
