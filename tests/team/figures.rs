//! What a team costs in time, for the table in docs/internal/performance.md: `scripts/bench-team.sh` runs this with the programs of a release.
//!
//! It judges only that everything was granted and has arrived: how long that may take, the machine and its load decide.

use super::{Team, trials};
use crate::support::{World, eventually};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use swarm::core::address::HostName;
use swarm::core::body::Body;
use swarm::core::lease::{Holder, LeaseOutcome, LeaseSelector, Mode, PathPattern, Request};
use swarm::core::message::{Identity, MessageType};
use swarm::core::name::Name;
use swarm::core::rate::Limit;
use swarm::store::Store;
use swarm::store::leases::Part;
use swarm::store::post::NewMessage;
use swarm::store::team::{Answer, Ask};

const PATIENCE: Duration = Duration::from_secs(20);

/// Least, median and 95th of a hundred, in milliseconds.
fn figures(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1000.0;
    format!("{:.1} / {:.1} / {:.1}", at(0), at(50), at(95))
}

/// Takes a team lease on something new: here, and then in the team. How long that took, and the part of the team.
fn take(store: &Store, name: &str) -> (Duration, Duration) {
    let begun = Instant::now();
    let request = Request {
        holder: Holder::human(),
        paths: vec![PathPattern::named(name).unwrap()],
        mode: Mode::Exclusive,
        ttl_ms: 600_000,
        reason: None,
        auto: false,
    };
    let LeaseOutcome::Granted(grant) = store.acquire(&request, None).unwrap() else {
        panic!("{name} is held")
    };
    let (fence, own) = (grant.leases[0].fence, begun.elapsed());
    let answer = store.ask_team(&Ask::Take(fence, None), PATIENCE).unwrap();
    let whole = begun.elapsed();
    assert!(matches!(answer, Some(Answer::Granted(_))), "{answer:?}");
    store
        .change_leases(Part::Numbers(&[fence]), |table| {
            table.give_back(&Holder::human(), LeaseSelector::Fence(fence))
        })
        .unwrap();
    store.ring_link();
    settle(store);
    (whole, whole.saturating_sub(own))
}

/// Waits until all leases are given back: the next question is not to wait behind what the link does about the last one.
fn settle(store: &Store) {
    let begun = Instant::now();
    while store.board().unwrap().is_some_and(|board| !board.leases.is_empty()) {
        assert!(begun.elapsed() < PATIENCE, "a lease is not given back");
        std::thread::sleep(Duration::from_millis(1));
    }
    for _ in 0..2 {
        store.ask_team(&Ask::Look, PATIENCE).unwrap();
    }
}

fn post(store: &Store, to: &HostName, text: &str) {
    let draft = NewMessage::new(
        Name::human(),
        Identity::Human,
        vec![Name::human()],
        MessageType::Info,
        Body::new(text).unwrap(),
    );
    store.post_away(draft, to, Limit::none()).unwrap();
}

fn letters(host: &World) -> usize {
    std::fs::read_dir(host.state().join("mail/human/new")).map_or(0, Iterator::count)
}

/// How long it takes until one more letter lies in that mailbox.
fn arrives(host: &World, send: impl FnOnce()) -> Duration {
    let before = letters(host);
    let begun = Instant::now();
    send();
    while letters(host) == before {
        assert!(begun.elapsed() < PATIENCE, "it does not arrive");
        std::thread::sleep(Duration::from_micros(200));
    }
    begun.elapsed()
}

#[test]
#[ignore = "prints figures: scripts/bench-team.sh"]
fn figures_of_a_team() {
    // Where the keys are: this process is one of the first remote host's, too.
    let state = PathBuf::from(std::env::var_os("XDG_STATE_HOME").expect("scripts/bench-team.sh sets it"));
    let rounds = trials(100);
    let variables = [("XDG_STATE_HOME", &*state.to_str().unwrap().to_owned().leak())];
    let Some(team) = Team::with(3, 15_000, &variables) else { return };
    let (one, two) = (&team.hosts[1], &team.hosts[2]);
    let store = Store::open_root(&one.project()).unwrap();
    let h2 = HostName::new("h2").unwrap();
    println!("| ms (least / p50 / p95) of {rounds} | RTT 0 | RTT 20 | RTT 80 |\n|---|---|---|---|");
    let mut rows = vec![
        vec!["team lease: here and in the team (what a hook does)".to_owned()],
        vec!["of that, the question to the link".to_owned()],
        vec!["`swarm lock --name`, the whole command".to_owned()],
        vec!["send → in the mailbox of another host".to_owned()],
        vec!["the same with `swarm send`, the whole command".to_owned()],
    ];
    for rtt in [0_u64, 20, 80] {
        for switch in &team.switches {
            switch.delay(rtt / 2);
        }
        eventually("the link is up", || one.ok(&["team"]).contains("link: up").then_some(()));
        let names = |what: &'static str| (0..rounds).map(move |n| format!("{what}-{rtt}-{n}"));
        let taken: Vec<(Duration, Duration)> = names("take").map(|name| take(&store, &name)).collect();
        rows[0].push(figures(taken.iter().map(|t| t.0).collect()));
        rows[1].push(figures(taken.iter().map(|t| t.1).collect()));
        let command = names("lock").take(rounds / 2).map(|name| {
            let begun = Instant::now();
            one.ok(&["lock", "--name", &name]);
            let took = begun.elapsed();
            one.ok(&["unlock", "--name", &name]);
            settle(&store);
            took
        });
        rows[2].push(figures(command.collect()));
        let sent = names("letter").map(|text| {
            two.ok(&["read", "--all"]);
            arrives(two, || post(&store, &h2, &text))
        });
        rows[3].push(figures(sent.collect()));
        let sent = names("command").take(rounds / 2).map(|text| {
            two.ok(&["read", "--all"]);
            arrives(two, || drop(one.ok(&["send", "--no-wait", "h2/human", &text])))
        });
        rows[4].push(figures(sent.collect()));
    }
    for row in rows {
        println!("| {} |", row.join(" | "));
    }
    idle(&team);
}

/// What the links of the three hosts cost while nothing happens: processor time of a minute, memory.
fn idle(team: &Team) {
    let ticks = |pid: i32| -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let links: Vec<i32> = (0..3).map(|n| team.link(n).unwrap()).collect();
    let before: Vec<u64> = links.iter().map(|pid| ticks(*pid)).collect();
    // A quiet minute is what is measured.
    std::thread::sleep(Duration::from_secs(60));
    for (number, (pid, before)) in links.iter().zip(before).enumerate() {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let rss = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
        println!(
            "link of h{number}: {} ms of processor time in a quiet minute, {}",
            (ticks(*pid) - before) * 10,
            rss
        );
    }
}
