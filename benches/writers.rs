//! Several processes that send to one recipient at once, through the library: what the store bears without the cost of starting
//! a process for each message. Prints a row of `scripts/bench.sh`.

#![allow(clippy::unwrap_used)] // a benchmark fails by panicking

use std::path::Path;
use std::process::Command;
use std::time::Instant;
use swarm::core::body::Body;
use swarm::core::message::{Identity, MessageType};
use swarm::core::name::Name;
use swarm::core::rate::Limit;
use swarm::store::Store;
use swarm::store::mail::Folder;
use swarm::store::post::Draft;

const WRITERS: usize = 8;

/// Together less than may wait in a mailbox.
const MESSAGES: usize = 120;

/// Says in the environment of a process that it is a writer, and its name.
const WRITER: &str = "SWARM_BENCH_WRITER";

fn main() {
    match std::env::var(WRITER) {
        Ok(name) => write(&name),
        Err(_) => measure(),
    }
}

fn write(name: &str) {
    let store = Store::open(&std::env::current_dir().unwrap()).unwrap();
    for n in 0..MESSAGES {
        let draft = Draft {
            from: Name::new(name).unwrap(),
            identity: Identity::Human,
            to: vec![Name::human()],
            kind: MessageType::Info,
            answers: None,
            ack: false,
            urgent: false,
            body: Body::new(&format!("message {n}")).unwrap(),
        };
        store.post(draft, Limit { count: 0, window_ms: 60_000 }).unwrap();
    }
}

fn measure() {
    let dir = tempfile::tempdir().unwrap();
    let run = |home: &Path| {
        let begun = Instant::now();
        let writers: Vec<_> = (0..WRITERS)
            .map(|n| {
                let mut writer = Command::new(std::env::current_exe().unwrap());
                writer.current_dir(dir.path()).env(WRITER, format!("writer-{n}")).env("HOME", home);
                writer.env_remove("XDG_STATE_HOME").env_remove("SWARM_ROOT").spawn().unwrap()
            })
            .collect();
        for mut writer in writers {
            assert!(writer.wait().unwrap().success());
        }
        begun.elapsed()
    };
    assert!(Command::new("git").args(["init", "-q"]).current_dir(dir.path()).status().unwrap().success());
    let (store, _) = Store::init(dir.path()).unwrap();
    let took = run(dir.path());
    let got = store.mail_files(&Name::human(), Folder::New).unwrap().len();
    #[allow(clippy::cast_precision_loss)] // a thousand messages
    let rate = got as f64 / took.as_secs_f64();
    println!(
        "| {WRITERS} writers, one recipient, each one process for its {MESSAGES} messages (budget 1,500/s) | {got} of {} there, {rate:.0}/s |",
        WRITERS * MESSAGES
    );
}
