//! A line that claims to be swarm's, and a body that becomes one.

use super::{assert_plain, unseen_key};
use swarm::core::body::Body;
use swarm::core::claim::{self, Verdict};
use swarm::core::frame;
use swarm::core::id::MessageId;
use swarm::core::message::{Identity, Intent, MESSAGE_VERSION, Message, MessageType, Verified};
use swarm::core::name::Name;

fn message(data: &[u8], id: MessageId, body: Body) -> Verified {
    let name = |text: &str| Name::new(text).unwrap_or_else(|why| panic!("{why}"));
    let from = [name("human"), name("swarm"), name("claude-1")][data.len() % 3].clone();
    let message = Message {
        version: MESSAGE_VERSION,
        id: id.clone(),
        sequence: 1,
        from: from.into(),
        identity: Identity::Human,
        to: vec![name("codex-1")],
        kind: MessageType::ALL[data.len() % MessageType::ALL.len()],
        thread: id,
        reply_to: None,
        ack_required: data.len().is_multiple_of(2),
        urgent: data.len().is_multiple_of(5),
        intent: [None, Some(Intent::Fyi), Some(Intent::Reply), Some(Intent::Action)][data.len() % 4],
        round: 0,
        groups: [Vec::new(), vec![name("api")]][data.len() % 2].clone(),
        created: 1,
        body,
    };
    let key = unseen_key(data);
    key.verify(key.sign(message)).unwrap_or_else(|_| panic!("what was signed verifies"))
}

/// Whatever a text says of itself, no message of a key that it has not seen is typed like that.
fn read(data: &[u8], text: &str) {
    let mut from = 0;
    while let Some(claim) = claim::next(text, from) {
        assert!(claim.start >= from && text[claim.start..].starts_with("[swarm "), "{claim:?}");
        from = claim.start + 1;
        let Some(id) = claim.id.clone() else { continue };
        // The text behind the head, as it would have been the body.
        let shown = text[claim.start..]
            .lines()
            .next()
            .and_then(|row| row.split_once("] "))
            .map_or("", |(_, rest)| rest);
        let shown = shown.rsplit_once(" (").map_or(shown, |(body, _)| body);
        let Ok(body) = Body::new(shown) else { continue };
        let made = message(data, id, body);
        match claim.judge(&made, &[&made.to[0]]) {
            Verdict::Genuine { .. } => panic!("{text:?}"),
            Verdict::Different { differences, .. } => {
                assert!(!differences.is_empty(), "{text:?}");
                for difference in differences {
                    assert_plain(&difference.to_string());
                }
            }
        }
    }
}

/// Whether `line` is what is typed for `message` to `name`.
fn is_rendered(message: &Verified, name: &Name, line: &str) -> bool {
    let claim = claim::next(line, 0).unwrap_or_else(|| panic!("{line:?} makes no claim"));
    matches!(claim.judge(message, &[name]), Verdict::Genuine { exact: true, end, .. } if end == line.len())
}

/// What is typed is one plain line that is read back as what was sent, and as nothing else.
fn written(data: &[u8], body: Body) {
    let made = message(data, MessageId::from_entropy(1), body);
    let other = message(&[data, b"x"].concat(), MessageId::from_entropy(2), made.body.clone());
    for (nth, line) in frame::renderings(&made, &made.to[0]).enumerate() {
        assert!(line.starts_with("[swarm ") && line.ends_with(')'), "{line:?}");
        assert_plain(&line);
        assert!(!line.contains('@'), "{line:?}");
        assert_eq!(frame::begun(&line), Some(made.id.clone()), "{line:?}");
        assert!(is_rendered(&made, &made.to[0], &line), "{line:?}");
        if nth > 1 {
            // As the one before.
            continue;
        }
        assert!(!is_rendered(&made, &Name::human(), &line), "{line:?}");
        assert!(!is_rendered(&other, &other.to[0], &line), "{line:?}");
    }
}

pub fn frame(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    read(data, &text.lines().take(32).collect::<Vec<_>>().join("\n"));
    assert_plain(&frame::preview(&text));
    match Body::from_bytes(data) {
        Ok(body) => written(data, body),
        Err(bad) => assert_plain(&bad.to_string()),
    }
    if let Err(bad) = Name::new(&text) {
        assert_plain(&bad.to_string());
    }
}
