//! The rate limit of an agent is the person's: real agents on a private tmux server, with whatever they set, write and remove.

use crate::support::World;
use crate::support::peer::Peer;
use std::fs;

/// A team of two whose person started tmux with this limit.
fn team(limit: &'static str) -> World {
    let mut world = World::new();
    world.set("SWARM_RATE_LIMIT", limit);
    world.start();
    world.agent("claude", &[]);
    world.agent("gemini", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    world
}

/// A shell script in which `try COMMAND…` sends as the command says and prints one line: `try`, the exit code and what was said.
const TRY: &str = r#"try() { said=$("$@" swarm-msg send --no-wait human x 2>&1); echo "try $? $(echo "$said" | tail -1)"; };"#;

/// The text of a file of settings that lifts the limit.
const LOOSE: &str = "[rate]\\ncount = 0\\nwindow = 1\\n";

/// The lines that `try` printed: other commands of a script may say something as well.
fn tried(told: &str) -> Vec<&str> {
    told.lines().filter_map(|line| line.strip_prefix("try ")).collect()
}

fn refused(told: &str, limit: &str) -> bool {
    told.starts_with("4 ")
        && told.contains(&format!("rate limit: {limit} are allowed"))
        && told.contains("can be sent in")
}

#[test]
fn nothing_that_an_agent_sets_writes_or_removes_lifts_its_rate_limit() {
    let world = team("4/600");
    let other = world.path().join("other").display().to_string();
    fs::create_dir_all(&other).unwrap();
    let state = "XDG_STATE_HOME=$HOME/.local/state";
    let evasions = [
        "try env".to_owned(),
        "try env SWARM_RATE_LIMIT=0/1".into(),
        "try env SWARM_RATE_LIMIT=100000/1".into(),
        "try env SWARM_RATE_LIMIT=".into(),
        "try env -u SWARM_RATE_LIMIT".into(),
        format!(
            "mkdir -p {other}/swarm {other}/.config/swarm; for d in swarm .config/swarm; do printf '{LOOSE}' >{other}/$d/config.toml; done; \
             try env -u SWARM_RATE_LIMIT XDG_CONFIG_HOME={other}"
        ),
        format!("try env -u SWARM_RATE_LIMIT HOME={other} {state}"),
        format!("try env -i PATH=\"$PATH\" HOME={other} {state}"),
        "try env -i PATH=\"$PATH\" HOME=\"$HOME\" SWARM_RATE_LIMIT=0/1".into(),
        format!("printf '{LOOSE}' >.swarm.toml; try env -u SWARM_RATE_LIMIT"),
        "echo '[rate' >.swarm.toml; try env -u SWARM_RATE_LIMIT".into(),
        "rm .swarm.toml .swarm/rate/claude-1.json; try env".into(),
        "echo '{' >.swarm/rate/claude-1.json; try env".into(),
        "echo '{}' >.swarm/rate/claude-1.json; try env".into(),
        "rm -r .swarm/rate; mkdir .swarm/rate; try env SWARM_RATE_LIMIT=0/1".into(),
        "rm -f .swarm/allowance.json; try env SWARM_RATE_LIMIT=0/1".into(),
        "echo '{\"count\":0,\"window_ms\":1,\"seal\":\"00\"}' >.swarm/allowance.json; try env SWARM_RATE_LIMIT=0/1".into(),
        format!(
            "(cd {other} && env SWARM_RATE_LIMIT=0/1 swarm init >/dev/null && SWARM_RATE_LIMIT=0/1 swarm-msg send --no-wait human x >/dev/null); \
             cp {other}/.swarm/allowance.json .swarm/; try env SWARM_RATE_LIMIT=0/1"
        ),
        format!("SWARM_ROOT={other} swarm-msg send --no-wait human x >/dev/null; try env SWARM_ROOT=\"$PWD\" SWARM_RATE_LIMIT=0/1"),
        "swarm name claude-1 other >/dev/null 2>&1; rm -f .swarm/rate/*; try env".into(),
    ];
    let script =
        format!("{TRY} for n in 1 2 3 4; do try env SWARM_RATE_LIMIT=0/1; done; {}", evasions.join("; "));
    let told = world.below("claude-1", &script);
    let lines = tried(&told);
    assert_eq!(lines.len(), 4 + evasions.len(), "{told}");
    for (n, line) in lines.iter().enumerate() {
        let held = refused(line, "4 messages per 600 s");
        assert_eq!(held, n >= 4, "{}: {line}", if n < 4 { "the limit itself" } else { &*evasions[n - 4] });
        assert!(held || line.starts_with("0 "), "{line}");
    }
    // A courier that the agent starts goes by the person's settings as well.
    world.end_couriers();
    let socket = world.server_socket();
    let told = world.below(
        "claude-1",
        &format!("{TRY} rm -f .swarm/allowance.json; (SWARM_RATE_LIMIT=0/1 HOME={other} {state} swarm courier --socket {socket} >/dev/null 2>&1 &); try env SWARM_RATE_LIMIT=0/1"),
    );
    assert!(refused(tried(&told)[0], "4 messages per 600 s"), "{told}");
    let allowance = || fs::read_to_string(world.state().join("allowance.json")).ok();
    let text = crate::support::eventually("the limit is published", allowance);
    assert!(text.contains("\"count\": 4") && text.contains("\"window_ms\": 600000"), "{text}");
    // It is the one agent's, and an agent may be stricter with itself.
    let told = world.below(
        "gemini-1",
        &format!(
            "{TRY} for n in 1 2 3; do try env SWARM_RATE_LIMIT=2/300; done; for n in 1 2 3; do try env; done"
        ),
    );
    let codes: Vec<&str> = tried(&told).into_iter().map(|line| &line[..1]).collect();
    assert_eq!(codes, ["0", "0", "4", "0", "0", "4"], "{told}");
    assert!(told.contains("2 messages per 600 s"), "{told}");
}

#[test]
fn what_the_person_allows_holds_for_agents_with_other_homes_and_in_sandboxes() {
    let world = team("");
    let home = world.path().join("home/.config/swarm");
    fs::create_dir_all(&home).unwrap();
    fs::write(home.join("config.toml"), "[rate]\ncount = 13\nwindow = \"10m\"\n").unwrap();
    let other = world.path().join("other").display().to_string();
    let script = format!(
        "{TRY} for n in 1 2 3 4 5 6 7 8 9 10 11 12; do try env HOME={other} XDG_STATE_HOME=$HOME/.local/state; done"
    );
    let told = world.below("claude-1", &script);
    assert_eq!(tried(&told).iter().filter(|line| line.starts_with("0 ")).count(), 12, "{told}");
    if world.below("claude-1", "unshare -pf --mount-proc true && echo can").trim() != "can" {
        return; // no namespaces here
    }
    // A courier publishes what it finds as it begins.
    world.end_couriers();
    world.ok(&["discover", "--quiet"]);
    crate::support::eventually("the limit is published", || {
        let text = fs::read_to_string(world.state().join("allowance.json")).ok()?;
        text.contains("\"count\": 13").then_some(())
    });
    let told = world.below(
        "claude-1",
        &format!("{TRY} for n in 1 2; do try env SWARM_RATE_LIMIT=0/1 unshare -pf --mount-proc; done"),
    );
    let lines = tried(&told);
    assert!(lines[0].starts_with("0 ") && refused(lines[1], "13 messages per 600 s"), "{told}");
}

#[test]
fn where_no_server_can_be_seen_the_person_publishes_the_limit_and_without_it_the_careful_one_holds() {
    let mut world = World::new();
    world.set("SWARM_RATE_LIMIT", "12/600");
    world.ok(&["init"]);
    let mut peer = Peer::new(&world, "peer-0");
    let burst = "n=0; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do SWARM_RATE_LIMIT=0/1 swarm-msg send --no-wait human x >/dev/null 2>&1 && n=$((n+1)); done; echo $n";
    assert_eq!(peer.ok(burst).trim(), "12");
    let mut second = Peer::new(&world, "peer-1");
    assert_eq!(second.ok(&format!("rm .swarm/allowance.json; {burst}")).trim(), "10");
    // The project may be stricter than the built-in limit, and not looser.
    for (count, passed) in [(3, "3"), (50, "10")] {
        let name = format!("peer-of-{count}");
        fs::write(world.project().join(".swarm.toml"), format!("[rate]\ncount = {count}\n")).unwrap();
        assert_eq!(Peer::new(&world, &name).ok(burst).trim(), passed, "{count}");
    }
    // Any command of the person's publishes it again.
    world.ok(&["inbox"]);
    assert!(world.state().join("allowance.json").exists());
}
