//! The paths that a project declares as its team's: guarded at the edit and at the push.

use super::Team;
use crate::support::{World, eventually};
use std::fs;

/// A host with an agent, whose project declares its migrations as the team's.
fn declare(host: &World) {
    fs::write(host.project().join(".swarm.toml"), "[team]\npaths = [\"migrations/**\"]\n").unwrap();
    host.start();
    host.agent("claude", &[]);
    host.ok(&["discover"]);
}

#[test]
fn an_edit_of_a_declared_path_needs_the_team_and_fails_safe() {
    let Some(team) = Team::new(2) else { return };
    let [first, second] = [&team.hosts[0], &team.hosts[1]];
    [first, second].into_iter().for_each(declare);
    let edit = |host: &World, file: &str| {
        let input = format!(
            r#"{{"hook_event_name":"PreToolUse","tool_name":"Write","tool_input":{{"file_path":"{}"}}}}"#,
            host.project().join(file).display()
        );
        host.below("claude-1", &format!("echo '{input}' | swarm hook claude PreToolUse"))
    };
    assert!(!edit(first, "migrations/1.sql").contains("deny"));
    assert!(first.ok(&["locks"]).contains("team:migrations/1.sql"));
    let refused = edit(second, "migrations/1.sql");
    assert!(refused.contains("deny") && refused.contains("h0/claude-1"), "{refused}");
    assert!(!edit(second, "src/a.rs").contains("deny"));
    team.switches[0].cut(true, true);
    eventually("its belief is over", || {
        second.ok(&["locks", "--json"]).contains("\"believed\":false").then_some(())
    });
    let refused = edit(second, "migrations/2.sql");
    assert!(refused.contains("deny") && refused.contains("cut off from the team"), "{refused}");
    assert!(!edit(second, "src/b.rs").contains("deny"), "what is not the team's goes on");
    second.ok(&["config", "set", "--user", "team.offline", "warn"]);
    let warned = edit(second, "migrations/2.sql");
    assert!(!warned.contains("\"deny\""), "{warned}");
}

/// A repository in a host's project with the guard, and a place where all of them push to.
fn repository(host: &World, shared: &std::path::Path) {
    let script = format!(
        "git init -q -b main . && git config user.name t && git config user.email t@example.org && git remote add origin '{0}' &&
         {{ [ -d '{0}' ] || git init -q --bare '{0}'; }} && swarm hooks install git",
        shared.display()
    );
    let out = host.command("sh").args(["-c", &script]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn a_push_of_a_declared_path_that_another_host_holds_is_refused_to_agents() {
    let Some(team) = Team::new(2) else { return };
    let [first, second] = [&team.hosts[0], &team.hosts[1]];
    for host in [first, second] {
        declare(host);
        repository(host, &team.dir.join("shared.git"));
    }
    let commit = |file: &str| {
        format!("mkdir -p migrations && date +%N >>{file} && git add {file} && git commit -qm x {file}")
    };
    let by_agent = |host: &World, script: &str| host.below("claude-1", &format!("{script}; echo rc $?"));
    second.ok(&["lock", "--team", "migrations/1.sql", "--reason", "adds a column"]);
    let told = by_agent(first, &format!("{} && git push -q origin HEAD:a", commit("migrations/1.sql")));
    assert!(
        told.contains("not pushed") && told.contains("h1/human") && told.contains("adds a column"),
        "{told}"
    );
    assert!(told.contains("rc 1"), "{told}");
    // It counts also where it is only one of several commits, and in what a merge itself changes.
    let told = by_agent(first, &format!("{} && git push -q origin HEAD:a", commit("other")));
    assert!(told.contains("not pushed") && told.contains("rc 1"), "{told}");
    // A person is warned.
    let out = first.command("git").args(["push", "-q", "origin", "HEAD:person"]).output().unwrap();
    let told = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success() && told.contains("warning") && told.contains("h1/human"), "{told}");
    // What is there already is not pushed again, and what nobody else holds may be.
    let told = by_agent(first, &format!("{} && git push -q origin HEAD:a", commit("more")));
    assert!(told.contains("rc 0") && !told.contains("not pushed"), "{told}");
    second.ok(&["unlock", "--team", "migrations/1.sql"]);
    let told = by_agent(first, &format!("{} && git push -q origin HEAD:a", commit("migrations/1.sql")));
    assert!(told.contains("rc 0"), "{told}");
    // To take a branch away takes nothing there.
    second.ok(&["lock", "--team", "migrations/1.sql"]);
    let told = by_agent(first, "git push -q origin :a");
    assert!(told.contains("rc 0"), "{told}");
    // Who is cut off does not know: nothing is pushed but what is not the team's.
    team.switches[0].cut(true, true);
    let told = by_agent(second, &format!("{} && git push -q origin HEAD:b", commit("free")));
    assert!(told.contains("rc 0"), "{told}");
    eventually("its belief is over", || {
        second.ok(&["locks", "--json"]).contains("\"believed\":false").then_some(())
    });
    let told = by_agent(second, &format!("{} && git push -q origin HEAD:b", commit("migrations/2.sql")));
    assert!(told.contains("not pushed: cut off from the team") && told.contains("rc 1"), "{told}");
    second.ok(&["config", "set", "--user", "team.offline", "warn"]);
    let told = by_agent(second, "git push -q origin HEAD:b");
    assert!(told.contains("warning: cut off") && told.contains("rc 0"), "{told}");
}
