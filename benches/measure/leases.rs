//! A store full of leases.

use swarm::core::lease::{Holder, LeaseOutcome, Mode, PathKind, PathPattern, Request};
use swarm::store::Store;
use swarm::store::leases::Part;

/// Leases files to the human until there are `count` leases.
pub(super) fn fill(count: usize) {
    let store = Store::open(&std::env::current_dir().unwrap()).unwrap();
    let granted = store.change_leases(Part::All, |table| {
        let have = table.leases().count();
        (have..count).all(|n| {
            let path = PathPattern::new(PathKind::File, None, &format!("held/{n}")).unwrap();
            let request = Request {
                holder: Holder::human(),
                paths: vec![path],
                mode: Mode::Exclusive,
                ttl_ms: 24 * 3600 * 1000,
                reason: None,
                auto: false,
            };
            matches!(table.acquire(&request, None), LeaseOutcome::Granted { .. })
        })
    });
    assert!(granted.unwrap());
}
