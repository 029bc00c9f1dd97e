//! What is known of machines in general: where secrets usually lie, and which agents there are.
//!
//! A catalogue to propose and to warn from. It must never decide: what a policy says is the policy's alone.

#![forbid(unsafe_code)]

mod agents;
mod secrets;

pub(crate) use self::agents::{Agent, FoundAgent, agents, every_agent};
pub(crate) use self::secrets::{Kind, Present, Secret, Secrets, present, secrets};
