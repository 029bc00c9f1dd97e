//! clawguard-core
#![forbid(unsafe_code)]
mod access;
mod decide;
mod path;
mod policy;
mod resolve;

pub use access::*;
pub use decide::*;
pub use path::*;
pub use policy::*;
pub use resolve::*;
