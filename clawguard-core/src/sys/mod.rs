//! The only unsafe code of the crate: one function a system call that no library wraps.
//!
//! Nothing here decides anything; owned and borrowed descriptors in and out.

pub(crate) mod calls;
mod capability;
mod confined;
mod descriptors;
pub(crate) mod interrupt;
mod landlock;
pub(crate) mod memory;
pub(crate) mod notify;
mod notify_probe;
mod process;
pub(crate) mod scheduling;
mod seccomp;
mod signal;
mod signals;
mod spawn;

pub(crate) use self::capability::drop_bounding_set;
pub(crate) use self::confined::answers;
pub(crate) use self::descriptors::{close_all_but, close_inherited, close_on_exec};
pub(crate) use self::landlock::{abi, errata};
pub(crate) use self::notify_probe::{
    has_notification_sizes, knows_killable_wait, knows_user_notification,
};
pub(crate) use self::process::{
    Fork, die_by, exit_now, fork, give_terminal, group_of_terminal, is_in_our_group, is_no_group,
    leads_session, let_go, own_group, reaches_group, send_signal, send_signal_to_all, session_of,
};
pub(crate) use self::seccomp::install_with_listener;
pub(crate) use self::signal::restore_sigpipe;
pub(crate) use self::signals::{
    Received, SignalsBefore, block_signals, continue_on_arrival, next_signal, restore_signals,
    signal_descriptor,
};
pub(crate) use self::spawn::before_exec;
