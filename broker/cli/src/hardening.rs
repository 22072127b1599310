//! What this process holds is nobody else's to see: it leaves no core dump, and no other process of this user may look
//! into it (`ptrace`, `/proc/PID/mem`). Where the system does not know the one or the other, the keys are as safe as
//! anything in memory is there.

use rlimit::Resource;

/// For every command, before a secret is read.
pub(crate) fn keep_memory_private() {
    if let Err(error) = rlimit::setrlimit(Resource::CORE, 0, 0) {
        tracing::debug!(%error, "core dumps are not switched off");
    }
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
    {
        tracing::debug!(%error, "this process may be looked into");
    }
}
