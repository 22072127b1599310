# shellcheck shell=bash
# Building our own programs. To be sourced after packages.sh.

# Whoever speaks HTTPS, npm and our own clients among them, needs the authorities.
setup_certificates() {
  [[ -s /etc/ssl/certs/ca-certificates.crt || -n ${SSL_CERT_FILE:-} ]] || apt_install ca-certificates
}

# For SQLite and the TLS library, which are C.
setup_compiler() {
  if ! command -v cc >/dev/null || ! command -v make >/dev/null; then apt_install build-essential; fi
}

# --workspace, though only two programs are wanted: cargo then enables the same features in every dependency as
# it does for the tests, and compiles each once.
build_programs() {
  say "Building Gatepass (the first time takes some minutes)"
  (cd "$repo_root" && cargo build --locked --workspace --bin gatepass --bin gatepass-demo >&2) ||
    die "The build failed." "If a tool is missing, cargo says so above; Rust 1.95 or later is needed."
}
