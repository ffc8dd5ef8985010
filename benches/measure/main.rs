//! What `scripts/bench.sh` measures with: a clock around processes, many writers at once, a store full of leases.
//!
//!     measure time RUNS COMMAND...      one row: least, p50, p95 in ms, and p50 over that of an empty process between the runs
//!     measure pair RUNS OLD NEW COMMAND...      one row with two builds: p50 of each in ms, both over an empty process, new over old
//!     measure writers SWARM             eight writers at once, by way of the library and of that program, beside their floors
//!     measure leases COUNT              fills the project here up to so many leases

#![allow(clippy::unwrap_used)] // a benchmark fails by panicking

mod clock;
mod leases;
mod writers;

fn main() {
    // `cargo bench` adds an argument of its own.
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["time", runs, ref command @ ..] if !command.is_empty() => clock::row(runs.parse().unwrap(), command),
        ["pair", runs, old, new, ref command @ ..] if !command.is_empty() => {
            clock::pair(runs.parse().unwrap(), old.as_ref(), new.as_ref(), command);
        }
        ["writers", swarm] => writers::rows(swarm),
        [writers::AS_WRITER, name, dir] => writers::write(name, dir.as_ref()),
        ["leases", count] => leases::fill(count.parse().unwrap()),
        // Without arguments, as `cargo bench` and `cargo test --benches` call it, there is nothing to measure.
        _ => println!(
            "a tool of scripts/bench.sh: time RUNS COMMAND... | pair RUNS OLD NEW COMMAND... | writers SWARM | leases COUNT"
        ),
    }
}
