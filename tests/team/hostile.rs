//! What a host of the team may not do: one that was removed, one that forges, one that asks the engine for what is not its own.

use super::{Team, bin, inbox};
use crate::support::{World, eventually};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

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

/// A host's own secrets, as one who has taken it over has them.
pub(super) struct Taken {
    team: String,
    host: String,
    token: String,
    key: ed25519_compact::KeyPair,
    socket: std::path::PathBuf,
}

impl Taken {
    pub(super) fn new(team: &Team, number: usize) -> Self {
        let home = team.hosts[number].path().join("home/.local/state/swarm");
        let mut files = fs::read_dir(home).unwrap().map(|e| e.unwrap().path().join("team.json"));
        let file = files.find(|file| file.exists()).unwrap();
        let me: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        let text = |key: &str| me[key].as_str().unwrap().to_owned();
        let seed: Vec<u8> =
            (0..64).step_by(2).map(|i| u8::from_str_radix(&text("seed")[i..i + 2], 16).unwrap()).collect();
        let key = ed25519_compact::KeyPair::from_seed(ed25519_compact::Seed::from_slice(&seed).unwrap());
        let socket = team.dir.join(&team.id).join("socket");
        Self { team: team.id.clone(), host: text("host"), token: text("token"), key, socket }
    }

    /// Calls a function of the engine, past its host's link.
    pub(super) fn call(&self, function: &str, mut args: Value) -> Result<Value, String> {
        args["token"] = json!(self.token);
        let mut psql = Command::new(bin().join("psql"))
            .args([
                "-h",
                self.socket.to_str().unwrap(),
                "-U",
                "swarm_host",
                "-d",
                "swarm",
                "-Atq",
                "-v",
                "ON_ERROR_STOP=1",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let statement = format!("select swarm.{function}($swarm${args}$swarm$::jsonb);\n");
        psql.stdin.take().unwrap().write_all(statement.as_bytes()).unwrap();
        let out = psql.wait_with_output().unwrap();
        if out.status.success() {
            Ok(serde_json::from_slice(&out.stdout).unwrap())
        } else {
            Err(String::from_utf8_lossy(&out.stderr).into_owned())
        }
    }

    /// A letter to the first host with this host's own signature, whatever it says.
    fn letter(&self, kind: &str, id: &str, doc: &str) -> Value {
        let mut bytes = Vec::new();
        for field in ["swarm-team-letter", &self.team, &self.host, "h0", kind, doc] {
            bytes.extend((field.len() as u64).to_le_bytes());
            bytes.extend(field.as_bytes());
        }
        let sig = self.key.sk.sign(bytes, None);
        let sig = sig.as_ref().iter().fold(String::new(), |all, b| all + &format!("{b:02x}"));
        json!({"to": "h0", "kind": kind, "id": id, "doc": doc, "sig": sig})
    }

    fn post(&self, letters: &[Value]) {
        self.call("post", json!({"mail": letters})).unwrap();
    }
}

/// What is changed in a letter.
type Change<'a> = &'a dyn Fn(&mut Value);

/// A genuine letter of a host to the first one, as the engine has it.
fn genuine(team: &Team, number: usize, text: &str) -> Value {
    let victim = Taken::new(team, 0);
    team.signal(0, "-STOP");
    team.hosts[number].ok(&["send", "--no-wait", "h0/human", text]);
    let letter = eventually("the engine has it", || {
        let page = victim.call("fetch", json!({"skip": 0})).unwrap();
        let mail = page["mail"].as_array().unwrap().clone();
        mail.into_iter().find(|m| m["doc"].as_str().unwrap().contains(text))
    });
    team.signal(0, "-CONT");
    eventually("and its reader", || inbox(&team.hosts[0]).iter().any(|m| m == text).then_some(()));
    letter
}

#[test]
fn what_a_hostile_host_signs_speaks_for_nobody_else_and_floods_nobody() {
    let Some(team) = Team::new(3) else { return };
    let victim = &team.hosts[0];
    let hostile = Taken::new(&team, 1);
    let pattern = genuine(&team, 1, "harmless");
    let others = genuine(&team, 2, "of another host");
    let doc = |id: &str, change: Change<'_>| {
        let mut doc: Value = serde_json::from_str(pattern["doc"].as_str().unwrap()).unwrap();
        (doc["id"], doc["thread"], doc["body"]) = (json!(id), json!(id), json!(format!("body of {id}")));
        change(&mut doc);
        doc.to_string()
    };
    let refused: [(&str, Change<'_>); 6] = [
        ("aaaaaaa2", &|doc| doc["from"] = json!("h2/human")),
        ("aaaaaaa3", &|doc| doc["from"] = json!("human")),
        ("aaaaaaa4", &|doc| doc["body"] = json!("\u{1b}]0;title\u{7}")),
        ("aaaaaaa5", &|doc| doc["body"] = json!("x".repeat(70_000))),
        ("aaaaaaa6", &|doc| doc["to"] = json!([])),
        ("aaaaaaa7", &|doc| doc["id"] = json!("aaaaaaa2")),
    ];
    for (id, change) in refused {
        hostile.post(&[hostile.letter("mail", id, &doc(id, change))]);
    }
    // Another host's letter again, under this host's name: the signature is not its own.
    hostile.post(&[
        json!({"to": "h0", "kind": "mail", "id": others["id"], "doc": others["doc"], "sig": others["sig"]}),
    ]);
    for id in refused.iter().map(|(id, _)| *id).chain([others["id"].as_str().unwrap()]) {
        eventually("it is refused", || {
            victim.ok(&["log", "--event", "letter-refused"]).contains(id).then_some(())
        });
    }
    // A letter that is taken in is of that host, goes before no other, and comes once, however often it is posted.
    let urgent = doc("bbbbbbb2", &|doc| (doc["urgent"], doc["from"]) = (json!(true), json!("h1/swarm")));
    let last = doc("bbbbbbb3", &|_| ());
    for _ in 0..3 {
        hostile.post(&[hostile.letter("mail", "bbbbbbb2", &urgent)]);
        hostile.post(&[hostile.letter(
            "mail",
            "bbbbbbb2",
            &doc("bbbbbbb2", &|doc| doc["body"] = json!("other")),
        )]);
    }
    hostile.post(&[hostile.letter("mail", "bbbbbbb3", &last)]);
    eventually("the last one is there", || {
        inbox(victim).contains(&"body of bbbbbbb3".to_owned()).then_some(())
    });
    let said: Value = serde_json::from_str(&victim.ok(&["inbox", "--json"])).unwrap();
    let all: Vec<&Value> = said["messages"].as_array().unwrap().iter().map(|m| &m["message"]).collect();
    assert!(
        all.iter().all(|m| m["urgent"] != true && m["from"].as_str().unwrap().starts_with('h')),
        "{all:?}"
    );
    assert!(all.iter().filter(|m| m["id"] == "bbbbbbb2").count() <= 1, "{all:?}");
    assert_eq!(all.iter().filter(|m| m["body"] == "of another host").count(), 1);
    // What became of another's letter is not its to say.
    let sent = victim.ok(&["send", "--no-wait", "h2/human", "how far is it?"]);
    let id = sent.split_whitespace().next().unwrap().to_owned();
    let receipt = json!({"id": id, "name": "human", "stage": "acked", "detail": ""}).to_string();
    hostile.post(&[hostile.letter("receipt", &format!("{id}.acked.human"), &receipt)]);
    // A flood fills its own room and keeps nobody else's letter waiting.
    let flood: Vec<Value> = (0..400)
        .map(|n| {
            let id = format!("cccc{}", base(n));
            hostile.letter("mail", &id, &doc(&id, &|_| ()))
        })
        .collect();
    hostile.post(&flood);
    team.hosts[2].ok(&["send", "--no-wait", "h0/human", "in spite of it"]);
    eventually("it is there all the same", || {
        inbox(victim).contains(&"in spite of it".to_owned()).then_some(())
    });
    assert!(!victim.ok(&["status", &id]).contains("acked"));
    let of_flood = inbox(victim).iter().filter(|m| m.starts_with("body of cccc")).count();
    assert!(of_flood <= 200, "{of_flood}");
}

/// Four letters that stand for a number, of those that ids have.
fn base(mut n: usize) -> String {
    let letters = b"abcdefghjkmnpqrstvwxyz";
    (0..4)
        .map(|_| {
            let letter = letters[n % letters.len()];
            n /= letters.len();
            char::from(letter)
        })
        .collect()
}

#[test]
fn what_a_hostile_host_writes_down_holds_only_what_is_the_teams() {
    let Some(team) = Team::new(2) else { return };
    let [victim, other] = [&team.hosts[0], &team.hosts[1]];
    other.ok(&["lock", "--team", "Cargo.lock"]);
    let hostile = Taken::new(&team, 1);
    // Its link would tell the engine what is so.
    team.signal(1, "-STOP");
    let table = hostile.call("snapshot", json!({})).unwrap();
    let seat = table["seats"].as_array().unwrap().iter().find(|s| s["host"] == "h1").unwrap()["id"].clone();
    let number = table["last"].as_u64().unwrap() + 1;
    let mut lease = table["records"][0]["doc"].clone();
    lease["fence"] = json!(number);
    lease["holder"]["host"] = json!("h0");
    let path = lease["paths"][0].as_object_mut().unwrap();
    // A path of one host's own tree, in the name of another host.
    path.retain(|key, _| key == "path" || key == "kind");
    path.insert("path".into(), json!("src/parser.rs"));
    let commit = json!({"session": seat, "version": table["version"], "last": number, "drops": [], "dead": [],
        "puts": [{"kind": "lease", "number": number, "doc": lease}]});
    assert_eq!(hostile.call("commit", commit).unwrap()["status"], "ok");
    let roster = json!([{"name": "x-1", "kind": "\u{1b}[31mred", "state": "idle\u{7}"}]);
    hostile.call("beat", json!({"session": seat, "rosters": 0, "roster": roster})).unwrap();
    let who = eventually("it is known", || {
        victim.ok(&["team"]);
        let who = victim.ok(&["who"]);
        (who.contains("h1/x-1") && victim.ok(&["locks"]).contains("src/parser.rs")).then_some(who)
    });
    assert!(!who.contains('\u{1b}') && !who.contains('\u{7}'), "{who:?}");
    let locks = victim.ok(&["locks"]);
    assert!(locks.contains("h1/human") && !locks.contains("h0/"), "{locks}");
    victim.ok(&["lock", "src/parser.rs"]);
    let roster = json!([{"name": "../../x", "kind": "k", "state": "idle"}]);
    hostile.call("beat", json!({"session": seat, "rosters": 0, "roster": roster})).unwrap();
    eventually("a name that is none is nobody's", || (!victim.ok(&["who"]).contains("x-1")).then_some(()));
    assert!(!victim.ok(&["who"]).contains(".."));
}
