//! Puts all messages that wait for an agent into one turn: which go together, and the text of the bundle.
//!
//! Pure. A bundle is a message of swarm to the recipient, signed like every other. The record beside it lists its
//! members, and each member keeps its own state. So a bundle is delivered like any message, with the same marks, and
//! its members follow its state. Its text is its own line and the lines of its members. If these are too long, the
//! bundle announces its members.

use super::address::Address;
use super::frame;
use super::message::Verified;
use super::name::Name;

/// The most messages in one bundle. The others go with the next.
const MOST: usize = 64;

/// The most bytes in one bundle: a hook hands over no more at once.
const MOST_BYTES: usize = 14_000;

/// About how many bytes a hook adds to the text of a message.
const AROUND: usize = 200;

/// The longest text that is typed, in characters: shorter than what any agent shows as a sign for a long paste.
const TYPED_MAX: usize = 700;

/// The most senders that a bundle names.
const NAMED: usize = 6;

/// How many of the waiting messages, from the first on, go together. `Some(0)` for none.
pub fn count(messages: &[Verified]) -> usize {
    let mut bytes = 0;
    let fits = |message: &&Verified| {
        bytes += message.body.as_str().len() + AROUND;
        bytes <= MOST_BYTES
    };
    messages.iter().take(MOST).take_while(fits).count()
}

/// The most messages that need to be looked at.
pub const LOOKED_AT: usize = MOST;

/// Whether the lines of these messages may be typed in one text.
pub fn is_typed_whole(members: &[Verified], recipient: &Name) -> bool {
    let short = |message: &Verified| {
        let line = frame::render(message, recipient);
        let is_whole = line.contains(message.body.as_str());
        is_whole.then(|| line.chars().count() + 1)
    };
    // In addition to the line of the bundle itself.
    let lines: Option<usize> = members.iter().map(short).sum();
    lines.is_some_and(|length| length + text(members).len() + 120 <= TYPED_MAX)
}

/// A text with exactly the length and the words of the typed one, to check whether there is room. A slightly
/// different length might fall under another rule, such as the one for long pastes.
pub fn about(members: &[Verified], recipient: &Name, whole: bool) -> String {
    let digits = "-".repeat(8);
    let own = format!(
        "[swarm {digits} INFO from swarm to {recipient} sig:{digits}] {} (a notice: no answer is expected)",
        text(members)
    );
    let lines = members.iter().filter(|_| whole).map(|message| frame::render(message, recipient));
    std::iter::once(own).chain(lines).collect::<Vec<_>>().join(" ")
}

/// The body of a bundle: how many members it has, and from whom. Their lines may follow.
pub fn text(members: &[Verified]) -> String {
    let mut senders: Vec<(&Address, usize)> = Vec::new();
    for message in members {
        match senders.iter_mut().find(|(name, _)| *name == &message.from) {
            Some((_, count)) => *count += 1,
            None => senders.push((&message.from, 1)),
        }
    }
    let mut named: Vec<String> =
        senders.iter().take(NAMED).map(|(name, count)| format!("{count} from {name}")).collect();
    if senders.len() > NAMED {
        let rest: usize = senders.iter().skip(NAMED).map(|(_, count)| count).sum();
        named.push(format!("{rest} from {} others", senders.len() - NAMED));
    }
    let urgent = match members.iter().filter(|m| m.urgent).count() {
        0 => String::new(),
        count => format!(", {count} of them URGENT"),
    };
    format!(
        "{} messages for you: {}{urgent}; read those not shown: swarm-msg read --all",
        members.len(),
        named.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::body::Body;
    use crate::core::frame::INLINE_MAX;
    use crate::core::id::MessageId;
    use crate::core::message::{Message, tests};
    use crate::core::signing::Key;

    fn sealed(id: u64, from: &str, body: &str, urgent: bool) -> Verified {
        let (id, from, body) =
            (MessageId::from_entropy(id), Name::new(from).unwrap(), Body::new(body).unwrap());
        let key = Key::new([1; 32]);
        key.verify(key.sign(Message { id, from: from.into(), body, urgent, ..tests::message() })).unwrap()
    }

    fn many(count: u64, body: &str) -> Vec<Verified> {
        (0..count).map(|n| sealed(n, &format!("agent-{}", n % 9), body, false)).collect()
    }

    #[test]
    fn a_bundle_is_bounded_in_number_and_in_bytes_and_its_rest_waits() {
        assert_eq!(count(&many(2, "short")), 2);
        assert_eq!(count(&many(200, "short")), MOST);
        assert_eq!(count(&many(9, &"x".repeat(4000))), 3);
        // A message that is too large by itself does not make a bundle.
        assert_eq!(count(&many(2, &"x".repeat(20_000))), 0);
        assert_eq!(count(&[]), 0);
    }

    #[test]
    fn it_says_how_many_there_are_and_from_whom_in_one_short_line() {
        let two = [sealed(1, "codex-1", "a", false), sealed(2, "codex-1", "b", true)];
        let shown = "2 messages for you: 2 from codex-1, 1 of them URGENT; read those not shown: swarm-msg read --all";
        assert_eq!(text(&two), shown);
        let long = "a-name-that-is-as-long-as-may-be";
        let all: Vec<Verified> =
            (0..64).map(|n| sealed(n, &format!("{}{}", &long[..30], 10 + n % 9), "x", n == 3)).collect();
        let told = text(&all);
        assert!(told.contains("from 3 others, 1 of them URGENT; read those not shown"), "{told}");
        assert!(Body::new(&told).unwrap().is_inline(INLINE_MAX), "{} {told}", told.len());
    }

    #[test]
    fn a_few_short_lines_are_typed_whole_and_more_are_announced() {
        let to = Name::new("reviewer").unwrap();
        assert!(is_typed_whole(&many(3, "is it done?"), &to));
        assert!(!is_typed_whole(&many(9, "is it done?"), &to));
        assert!(
            !is_typed_whole(&many(2, "two\nlines"), &to),
            "a doorbell of one needs a reading all the same"
        );
        let (bundle, members) = (sealed(99, "human", "2 messages", false), many(2, "done?"));
        let typed = frame::render_bundle(&bundle, &members, &to, " ");
        assert_eq!(typed.matches("[swarm ").count(), 3);
        // The type of the other message is longer: bundles are INFO.
        let (like, surplus) = (about(&members, &to, true), "QUESTION".len() - "INFO".len());
        let bundle = sealed(99, "swarm", &text(&members), false);
        assert_eq!(frame::render_bundle(&bundle, &members, &to, " ").len(), like.len() + surplus, "{like}");
        assert!(!typed.contains('\n') && typed.ends_with(')'), "{typed}");
    }
}
