//! The law of SPEC section 4 against a naive reading of it that shares no code with the library: the same file that
//! the library's own tests use.

mod case;
#[allow(clippy::unwrap_used, reason = "the patterns were taken by the library")]
#[path = "../../../clawguard-core/src/decide/tests/naive.rs"]
mod naive;
pub mod pattern;
pub mod settled;

use clawguard_core::{Access, AccessSet, Effect};
