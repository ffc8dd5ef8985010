//! A store full of leases.

use swarm::core::lease::{Holder, LeaseOutcome, Mode, PathKind, PathPattern, Request};
use swarm::store::Store;
use swarm::store::leases::Part;

/// Leases files to the human until there are `count` leases, each in a transaction of its own, as `swarm lock` does.
pub(super) fn fill(count: usize) {
    let store = Store::open(&std::env::current_dir().unwrap()).unwrap();
    let have = store.change_leases(Part::All, |table| table.leases().count()).unwrap();
    for n in have..count {
        let paths = vec![PathPattern::new(PathKind::File, None, &format!("held/{n}")).unwrap()];
        let request = Request {
            holder: Holder::human(),
            paths: paths.clone(),
            mode: Mode::Exclusive,
            ttl_ms: 24 * 3600 * 1000,
            reason: None,
            auto: false,
        };
        let granted = store.change_leases(Part::Paths(&paths), |table| table.acquire(&request, None));
        assert!(matches!(granted.unwrap(), LeaseOutcome::Granted { .. }));
    }
}
