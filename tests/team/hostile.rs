//! What a host of the team may not do: one that was removed, one that forges, one that asks the engine for what is not its own.

use super::{Team, bin, inbox};
use crate::support::{World, eventually};
use serde_json::Value;
use std::fs;
use std::process::Command;

#[test]
fn a_host_that_is_removed_is_fenced_at_once_and_an_invitation_is_good_once() {
    let Some(team) = Team::new(2) else { return };
    let [admin, member] = [&team.hosts[0], &team.hosts[1]];
    member.ok(&["lock", "--name", "deploy"]);
    assert_eq!(admin.refused(&["lock", "--name", "deploy"]).0, 3);
    let (code, why) = member.refused(&["team", "invite"]);
    assert!(code == 1 && why.contains("only h0 can invite"), "{why}");
    let (_, why) = member.refused(&["team", "remove", "h0"]);
    assert!(why.contains("only h0 can do that"), "{why}");
    let said = admin.ok(&["team", "invite"]);
    let code = said.split("--code ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let mut guest = World::new();
    guest.set("SWARM_TEAM_DIR", team.dir.to_str().unwrap().to_owned().leak());
    guest.ok(&["init"]);
    // A wrong code, one that names another team's key, a name that is taken: none uses the invitation up.
    for (code, host) in [("aaaa-bbbb-cccc-dddd-0000000000000000", "h2"), (code.as_str(), "h1")] {
        guest.refused(&["team", "join", &team.id, "--code", code, "--host", host]);
    }
    guest.ok(&["team", "join", &team.id, "--code", &code, "--host", "h2"]);
    let third = World::new();
    third.ok(&["init"]);
    let out = third
        .command("swarm")
        .env("SWARM_TEAM_DIR", &team.dir)
        .args(["team", "join", &team.id, "--code", &code, "--host", "h3"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&out.stderr).contains("not valid"), "{out:?}");
    admin.ok(&["team", "remove", "h1"]);
    admin.ok(&["lock", "--name", "deploy"]);
    eventually("the removed host knows", || {
        let why = member.ok(&["team"]);
        (why.contains("not in the team") && !team.believes_own(1, "name:deploy")).then_some(())
    });
    guest.ok(&["team", "leave"]);
    assert_eq!(guest.refused(&["team"]).0, 2);
}

#[test]
fn a_hostile_host_gets_at_nothing_but_the_functions_and_its_own() {
    let Some(team) = Team::new(2) else { return };
    let [victim, hostile] = [&team.hosts[0], &team.hosts[1]];
    victim.ok(&["lock", "--name", "deploy"]);
    let socket = team.dir.join(&team.id).join("socket");
    let psql = |user: &str, statement: &str| {
        let out = Command::new(bin().join("psql"))
            .args(["-h", socket.to_str().unwrap(), "-U", user, "-d", "swarm", "-At", "-c", statement])
            .output()
            .unwrap();
        (
            out.status.success(),
            String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr),
        )
    };
    let out = Command::new("find")
        .args([hostile.path().to_str().unwrap(), "-name", "team.json", "-path", "*state*"])
        .output()
        .unwrap();
    let file = String::from_utf8(out.stdout).unwrap();
    let me: Value = serde_json::from_str(&fs::read_to_string(file.trim()).unwrap()).unwrap();
    let token = me["token"].as_str().unwrap();
    let call = |function: &str, more: &str| {
        psql("swarm_host", &format!("select swarm.{function}('{{\"token\": \"{token}\"{more}}}')"))
    };
    assert!(call("hello", "").0);
    // Tables, the owner, other roles' sessions, another host's token.
    for (user, statement) in [
        ("swarm_host", "select * from swarm.mail"),
        ("swarm_host", "select token from swarm.host"),
        ("swarm_host", "update swarm.session set beats = 0"),
        ("swarm_host", "create table swarm.x (a int)"),
        ("swarm_host", "create temp table x (a int)"),
        ("swarm_host", "select swarm.expel('h0')"),
        ("swarm_host", "select swarm.who('{}')"),
        ("swarm_host", "select pg_terminate_backend(pid) from pg_stat_activity"),
        ("swarm_host", "select pg_read_file('pg_hba.conf')"),
        ("swarm_host", "copy (select 1) to program 'id'"),
        ("swarm_host", "set role swarm_owner"),
        ("swarm_owner", "select 1"),
        ("swarm_host", "select swarm.hello('{\"token\": \"00\"}')"),
    ] {
        let (ok, said) = psql(user, statement);
        assert!(!ok, "{user}: {statement}: {said}");
    }
    let (_, said) = call("beat", ", \"session\": \"x\", \"rosters\": 0");
    let seen: Value = serde_json::from_str(said.trim()).unwrap();
    let seat = |host: &str| {
        let seats = seen["seats"].as_array().unwrap();
        seats.iter().find(|s| s["host"] == host).unwrap().clone()
    };
    let (own, other) = (seat("h1"), seat("h0"));
    let table: Value = serde_json::from_str(call("snapshot", "").1.trim()).unwrap();
    let (version, number) = (&table["version"], &table["records"][0]["number"]);
    let commit = |more: &str| {
        let fixed =
            format!(", \"session\": {}, \"version\": {version}, \"last\": {}", own["id"], table["last"]);
        let all = format!("{fixed}, \"puts\": [], \"drops\": [], \"dead\": []{more}");
        call("commit", &all)
    };
    // A held lease is not taken: not dropped, not written over, and its host is not declared dead.
    let drop = format!(", \"drops\": [{{\"kind\": \"lease\", \"number\": {number}}}]");
    assert!(!commit(&drop).0);
    let put = format!(", \"puts\": [{{\"kind\": \"lease\", \"number\": {number}, \"doc\": {{}}}}]");
    assert!(!commit(&put).0);
    let dead = format!(", \"dead\": [{{\"id\": {}, \"beats\": {}}}]", other["id"], other["beats"]);
    assert!(commit(&dead).1.contains("alive") || commit(&dead).1.contains("stale"));
    // Nor does anybody speak for another host: what is not signed by its key is refused where it arrives.
    let forged = r#", "mail": [{"to": "h0", "kind": "mail", "id": "k3f9a2xy", "doc": "{}", "sig": "00"}]"#;
    assert!(call("post", forged).0);
    eventually("it is refused", || {
        victim.ok(&["log", "--event", "letter-refused"]).contains("k3f9a2xy").then_some(())
    });
    assert!(inbox(victim).is_empty());
    assert!(team.believes_own(0, "name:deploy"));
    assert!(call("fetch", ", \"skip\": 0").1.contains("\"mail\": []"));
}
