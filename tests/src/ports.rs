//! Free ports.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::Result;

/// A port of 127.0.0.1 that nobody listens on. Below 32768: from there on the kernel gives ports to outgoing
/// connections, which may take it between this look and the bind. Never the same port twice in one process.
pub fn free_port() -> Result<u16> {
    first_of(1)
}

/// A free port with some more behind it, for a program that takes its others from there.
pub fn free_port_with_room() -> Result<u16> {
    first_of(10)
}

fn first_of(count: u16) -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 21_000;
    const ALL: u16 = 11_000;

    // Where to begin depends on the process, so that two test runs rarely meet.
    let offset = u16::try_from(std::process::id() % 100)? * (ALL / 100);
    for _ in 0..ALL {
        let port = FIRST + (offset + NEXT.fetch_add(count, Ordering::Relaxed) % ALL) % ALL;
        if (port..port + count).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return Ok(port);
        }
    }
    Err("no free port below 32768".into())
}
