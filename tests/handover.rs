//! Handing a question or a task over to another agent: agents without tmux.

use crate::support::World;
use crate::support::mail::parsed;
use crate::support::peer::Peer;
use serde_json::Value;
use std::fs;

/// Three agents, of which the second was asked something by the first and holds two files.
fn asked() -> (World, [Peer; 3], String) {
    let world = World::with_store();
    let mut peers = ["peer-0", "peer-1", "peer-2"].map(|name| Peer::new(&world, name));
    peers[1].ok("swarm-msg lock src/a.rs --reason parser");
    peers[1].ok("swarm-msg lock --shared src/b.rs");
    let sent = peers[0].ok("swarm-msg send --no-wait --json --reply peer-1 'is the parser done?'");
    (world, peers, parsed(&sent)["id"].as_str().unwrap().to_owned())
}

fn mail(peer: &mut Peer) -> Vec<Value> {
    parsed(&peer.ok("swarm-msg inbox --json"))["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["message"].clone())
        .collect()
}

fn holders(world: &World) -> Vec<String> {
    let leases = parsed(&world.ok(&["locks", "--json"]))["leases"].clone();
    let of = |l: &Value| {
        format!(
            "{} {} {}",
            l["name"].as_str().unwrap(),
            l["mode"].as_str().unwrap(),
            l["paths"][0]["path"].as_str().or(l["paths"][0].as_str()).unwrap()
        )
    };
    let mut all: Vec<String> = leases.as_array().unwrap().iter().map(of).collect();
    all.sort();
    all
}

#[test]
fn a_question_goes_to_another_agent_with_the_leases_and_the_answer_reaches_who_asked() {
    let (world, [mut asker, mut owner, mut heir], id) = asked();
    let told =
        parsed(&owner.ok(&format!("swarm-msg handover {id} peer-2 --reason 'it knows the schema' --json")));
    let copy = told["as"].as_str().unwrap().to_owned();
    assert_eq!(
        (&told["from"], &told["to"], told["leases"].as_array().unwrap().len()),
        (&"peer-1".into(), &"peer-2".into(), 2)
    );
    assert_eq!(holders(&world), ["peer-2 exclusive src/a.rs", "peer-2 shared src/b.rs"]);
    let got = mail(&mut heir);
    let question = got.iter().find(|m| m["id"] == *copy).unwrap();
    assert_eq!(
        (&question["from"], &question["body"], &question["intent"]),
        (&"peer-0".into(), &"is the parser done?".into(), &"reply".into())
    );
    let says = |mail: &[Value], part: &str| {
        mail.iter().filter(|m| m["from"] == "swarm" && m["body"].as_str().unwrap().contains(part)).count()
    };
    assert_eq!(
        (says(&got, "it knows the schema"), says(&got, "you hold now src/a.rs, src/b.rs")),
        (1, 1),
        "{got:?}"
    );
    assert!(mail(&mut owner).is_empty(), "it counts as read");
    assert_eq!(says(&mail(&mut asker), "in the hands of peer-2"), 1);
    assert_eq!(world.stage(&id), ("read".into(), format!("handed over to peer-2 as {copy}")));
    // Whoever waits for an answer to the first id gets the one that was given to the second.
    heir.ok(&format!("swarm-msg reply --no-wait {copy} 'yes'"));
    let answer = asker.ok(&format!("swarm-msg wait {id} --timeout 5"));
    assert!(answer.contains("from peer-2") && answer.contains("yes"), "{answer}");
}

#[test]
fn only_the_owner_and_the_person_hand_over_and_nothing_happens_otherwise() {
    let (world, [mut asker, mut owner, mut heir], id) = asked();
    for (peer, what, to) in [(&mut heir, &id, "peer-2"), (&mut asker, &id, "peer-2")] {
        let (code, _) = peer.run(&format!("swarm-msg handover {what} {to}"));
        assert_eq!(code, 2);
    }
    for (to, code) in [("peer-0", 2), ("peer-1", 2), ("nobody", 5), ("peer-0,peer-2", 2)] {
        assert_eq!(owner.run(&format!("swarm-msg handover {id} {to}")).0, code, "{to}");
    }
    assert_eq!(mail(&mut owner).len(), 1);
    assert_eq!(holders(&world).len(), 2);
    assert!(holders(&world).iter().all(|holder| holder.starts_with("peer-1 ")));
    // A person may, and its owner gets to know what it has lost.
    world.ok(&["handover", &id, "peer-2"]);
    let told = mail(&mut owner);
    assert!(told[0]["body"].as_str().unwrap().contains("you do not hold any more"), "{told:?}");
    assert_eq!(owner.run(&format!("swarm-msg handover {id} peer-0")).0, 2, "it is not its own any more");
    let (code, said) = world.refused(&["handover", &id, "peer-2"]);
    assert!(code == 2 && said.contains("was handed over before"), "{said}");
}

#[test]
fn what_wants_no_answer_is_not_handed_over_and_leases_may_stay() {
    let (world, [mut asker, mut owner, _heir], id) = asked();
    let fyi = parsed(&asker.ok("swarm-msg send --no-wait --json --fyi peer-1 'it rains'"))["id"].clone();
    assert_eq!(owner.run(&format!("swarm-msg handover {} peer-2", fyi.as_str().unwrap())).0, 2);
    owner.ok(&format!("swarm-msg handover {id} peer-2 --no-leases"));
    assert!(holders(&world).iter().all(|holder| holder.starts_with("peer-1 ")));
}

#[test]
fn a_task_goes_with_its_row_and_every_other_byte_stays() {
    let (world, [_asker, mut owner, mut heir], _) = asked();
    world.ok(&["coord", "init"]);
    owner.ok("swarm-msg coord set work 'rewriting the parser'");
    heir.ok("swarm-msg coord set work 'the schema'");
    let path = world.project().join("COORDINATION.md");
    let before = fs::read_to_string(&path).unwrap();
    assert_eq!(heir.run("swarm-msg handover parser peer-0").0, 2, "it is another one's row");
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
    owner.ok("swarm-msg handover 'the parser' peer-2");
    let row = before.lines().find(|line| line.contains("rewriting the parser")).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), before.replace(row, &row.replace("peer-1", "peer-2")));
    let (code, told) = owner.run("swarm-msg handover 'the parser' peer-0");
    let part = "the task \"rewriting the parser\" is peer-2's: only peer-2 and the human can hand it over";
    assert!(code == 2 && told.contains(part), "{told}");
    assert!(holders(&world).iter().all(|holder| holder.starts_with("peer-2 ")));
    // A person gets one, and hands it on.
    world.ok(&["handover", "the parser", "human"]);
    assert!(holders(&world).iter().all(|holder| holder.starts_with("peer-2 ")));
    world.ok(&["handover", "the parser", "peer-1"]);
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.lines().any(|line| line.contains("rewriting the parser") && line.contains("peer-1")),
        "{text}"
    );
    let (code, said) = world.refused(&["handover", "no such task", "peer-0"]);
    assert!(code == 2 && said.contains("rewriting the parser"), "{said}");
}

#[test]
fn an_agents_hand_overs_count_as_its_messages() {
    let (_world, [mut asker, mut owner, _heir], _) = asked();
    let ids = ["one", "two", "three"].map(|text| {
        let sent = asker.ok(&format!("swarm-msg send --no-wait --json peer-1 {text}"));
        parsed(&sent)["id"].as_str().unwrap().to_owned()
    });
    let limited = |id: &String| format!("SWARM_RATE_LIMIT=2/60 swarm-msg handover {id} peer-2 --no-leases");
    let codes = ids.map(|id| owner.run(&limited(&id)).0);
    assert_eq!(codes, [0, 0, 4]);
    let left = mail(&mut owner);
    assert!(
        left.iter().any(|m| m["body"] == "three") && !left.iter().any(|m| m["body"] == "one"),
        "{left:?}"
    );
}

#[test]
fn an_heir_that_ends_in_between_gets_no_lease_and_nobody_is_told_so() {
    let (world, [mut asker, mut owner, mut heir], id) = asked();
    let (code, _) = owner.run(&format!("SWARM_CRASH_AT=handover-decided swarm-msg handover {id} peer-2"));
    assert_ne!(code, 0);
    heir.kill();
    // The next hand-over does what the first one left undone.
    owner.run("swarm-msg handover nothing peer-0");
    assert_eq!(world.stage(&id).1.split(" as ").next(), Some("handed over to peer-2"));
    assert!(holders(&world).iter().all(|holder| holder.starts_with("peer-1 ")), "{:?}", holders(&world));
    let told: Vec<Value> = [mail(&mut owner), mail(&mut asker)].concat();
    assert!(told.iter().all(|m| !m["body"].as_str().unwrap().contains("hold")), "{told:?}");
    assert_eq!(fs::read_dir(world.state().join("handover")).unwrap().count(), 0);
}
