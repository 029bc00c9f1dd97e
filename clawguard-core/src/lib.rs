//! clawguard-core
#![deny(unsafe_code)]
mod access;
mod apply;
mod compile;
mod decide;
mod kernel;
mod path;
mod policy;
mod resolve;
#[allow(unsafe_code, reason = "the only room with unsafe code")]
mod sys;
mod syscalls;

pub use access::*;
pub use apply::*;
pub use compile::*;
pub use decide::*;
pub use kernel::*;
pub use path::*;
pub use policy::*;
pub use resolve::*;
pub use syscalls::Arch;
