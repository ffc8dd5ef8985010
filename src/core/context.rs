//! Time and entropy, handed in.
//!
//! The core never asks a clock or a random source; it is given this. Tests give what they like.

/// The moment and the randomness of one decision.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// Milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// Fresh random bits for one identifier.
    pub entropy: u64,
}
