//! Every kind of record, read from a file as the store does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use swarm::core::agent::Agent;
use swarm::core::delivery::Delivery;
use swarm::core::lease::{Lease, Waiter};
use swarm::core::message::Signed;
use swarm::core::rate::{Limit, Sender};
use swarm::core::signing::Key;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(signed) = serde_json::from_slice::<Signed>(bytes) {
        // No bytes are a genuine message of a key that they have not seen.
        assert!(Key::new([3; 32]).verify(signed).is_err());
    }
    if let Ok(mut sender) = serde_json::from_slice::<Sender>(bytes) {
        let _ = sender.admit(Limit::default(), 1_700_000_000_000);
    }
    if let Ok(lease) = serde_json::from_slice::<Lease>(bytes) {
        for path in &lease.paths {
            assert!(path.overlaps(path));
        }
    }
    let _ = serde_json::from_slice::<Agent>(bytes);
    let _ = serde_json::from_slice::<Delivery>(bytes);
    let _ = serde_json::from_slice::<Waiter>(bytes);
});
