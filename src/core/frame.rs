//! The typed line: the one line that is typed into a composer. [`super::claim`] judges texts that claim to be one.
//!
//! A short harmless body goes inline. Any other body becomes a doorbell with the command that reads it. The line
//! starts with `[swarm ` and ends with `)`, so no composer acts on its first character, and its last is neither a
//! backslash nor a semicolon. It is ASCII except for the body.

use super::ack::ReminderTimes;
use super::escape;
use super::id::MessageId;
use super::message::{Intent, MessageType, Verified};
use super::name::Name;
use super::plain;

/// The longest body, in bytes, that is typed inline.
pub const INLINE_MAX: usize = 400;

/// Characters of a body shown by a doorbell.
const PREVIEW: usize = 60;

/// The line typed for `message` to `recipient`.
pub fn render(message: &Verified, recipient: &Name) -> String {
    if message.body.is_inline(INLINE_MAX) {
        inline(message, recipient)
    } else {
        doorbell(message, recipient, &plain::plain(&preview(message.body.as_str())))
    }
}

/// The line that replaces one that could not be submitted: only characters that every terminal and every composer
/// shows unchanged.
pub fn render_plain(message: &Verified, recipient: &Name) -> String {
    let (head, id) = (heading(message, recipient), &message.id);
    format!("{head} a message that is not typed whole (read it: swarm-msg read {id})")
}

/// The text of a bundle: its own line and, if `whole`, those of its members, each as if it came alone.
pub fn render_bundle(bundle: &Verified, members: &[Verified], recipient: &Name, between: &str) -> String {
    let lines = std::iter::once(bundle).chain(members).map(|message| render(message, recipient));
    lines.collect::<Vec<_>>().join(between)
}

fn heading(message: &Verified, recipient: &Name) -> String {
    format!(
        "[swarm {} {} from {} to {recipient}{}{} sig:{}]",
        message.id,
        message.kind,
        message.from,
        in_groups(message),
        if message.urgent { " URGENT" } else { "" },
        message.short_sig()
    )
}

/// The groups that include its recipient. Without their `@`, because composers offer files for it.
fn in_groups(message: &Verified) -> String {
    let groups: Vec<&str> = message.groups.iter().map(Name::as_str).collect();
    match groups.len() {
        0 => String::new(),
        1 => format!(" in group {}", groups.concat()),
        _ => format!(" in groups {}", groups.join(",")),
    }
}

fn inline(message: &Verified, recipient: &Name) -> String {
    let id = &message.id;
    let answer = if message.from.is_system() {
        "a notice: no answer is expected".to_owned()
    } else if message.wish() == Some(Intent::Fyi) && !message.ack_required {
        format!("fyi {id}: no answer is wanted")
    } else {
        commands(message)
    };
    format!("{} {} ({answer})", heading(message, recipient), message.body.as_str())
}

/// The end of a message that wants something: its wish, and the commands.
fn commands(message: &Verified) -> String {
    let id = &message.id;
    let ack = if message.ack_required { format!("acknowledge: swarm-msg ack {id}, ") } else { String::new() };
    let answer = message.intent.map_or("answer", Intent::wish);
    format!("{ack}{answer}: swarm-msg reply {id} \"...\"")
}

fn doorbell(message: &Verified, recipient: &Name, preview: &str) -> String {
    let lines = message.body.as_str().lines().count();
    let wish = message.intent.map(|intent| format!("{}; ", intent.wish())).unwrap_or_default();
    format!(
        "{} {lines} {}, begins: {preview} ({wish}read it: swarm-msg read {})",
        heading(message, recipient),
        if lines == 1 { "line" } else { "lines" },
        message.id
    )
}

/// The `ring`th reminder line for an acknowledgement: a doorbell.
pub fn render_reminder(message: &Verified, recipient: &Name, ring: u32) -> String {
    reminder(message, recipient, ring, &plain::plain(&preview(message.body.as_str())))
}

fn reminder(message: &Verified, recipient: &Name, ring: u32, preview: &str) -> String {
    let id = &message.id;
    format!(
        "{}from {} to {recipient} sig:{}] still to be acknowledged: {} (acknowledge: swarm-msg ack {id}, read it: swarm-msg show {id})",
        reminder_marker(id, ring),
        message.from,
        message.short_sig(),
        preview,
    )
}

/// All lines that this or an earlier version may have typed for `message` to `recipient`: the message, then its
/// reminders, then their replacements.
pub fn renderings(message: &Verified, recipient: &Name) -> impl Iterator<Item = String> {
    let rings = || (1..=ReminderTimes::MAX).filter_map(|n| u32::try_from(n).ok());
    let mut lines = vec![render(message, recipient)];
    lines.extend(rings().map(|ring| render_reminder(message, recipient, ring)));
    lines.push(render_plain(message, recipient));
    if message.kind == MessageType::Ack && message.body.is_inline(INLINE_MAX) {
        // Version 0.1.0 asked for an answer to acknowledgements as well.
        let (head, body) = (heading(message, recipient), message.body.as_str());
        lines.push(format!("{head} {body} ({})", commands(message)));
    }
    let raw = flat(message.body.as_str(), |_| true);
    if !plain::is_plain(message.body.as_str()) {
        // Version 0.1.0 treated every character as plain.
        let line = message.body.is_line(INLINE_MAX);
        lines.push(if line { inline(message, recipient) } else { doorbell(message, recipient, &raw) });
        lines.extend(rings().map(|ring| reminder(message, recipient, ring, &raw)));
    }
    lines.into_iter()
}

/// The message whose line a text seems to be, even if only its beginning is there.
pub fn begun(text: &str) -> Option<MessageId> {
    MessageId::parse(text.trim_start().strip_prefix("[swarm ")?.split_whitespace().next()?)
}

/// The beginning of a body, on one line and without characters on which a composer acts. The joiners of emoji are
/// left out, because they would be shown as escapes.
pub fn preview(body: &str) -> String {
    flat(body, |c| !matches!(c, '\u{200c}' | '\u{200d}'))
}

fn flat(body: &str, shown: impl Fn(&char) -> bool) -> String {
    // The rest of a long body is not looked at: the replacements below only make it longer.
    let mut flat = String::new();
    let mut room = PREVIEW + 1;
    for word in body.split_whitespace() {
        let blank = usize::from(!flat.is_empty());
        flat.push_str(&" "[..blank]);
        flat.extend(word.chars().filter(&shown).take(room.saturating_sub(blank)));
        room = (PREVIEW + 1).saturating_sub(flat.chars().count());
        if room == 0 {
            break;
        }
    }
    escape::short(&flat.replace('@', "(at)"), PREVIEW)
}

/// The beginning of the `ring`th reminder's line.
pub fn reminder_marker(id: &MessageId, ring: u32) -> String {
    format!("[swarm {id} REMINDER {ring} ")
}

/// The text by which a line is found on a screen: its id, and whether it is the message or which reminder.
pub fn head(line: &str) -> &str {
    line.find("from ").map_or(line, |end| &line[..end])
}

/// The text by which a line's end is found, if its beginning has scrolled away.
pub fn tail(line: &str) -> &str {
    line.rfind(" (").map_or(line, |begin| &line[begin + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::body::Body;
    use crate::core::message::{Intent, Message, MessageType, tests};
    use crate::core::signing::Key;

    fn message(body: &str) -> Message {
        Message {
            from: Name::new("claude-1").unwrap().into(),
            body: Body::new(body).unwrap(),
            ..tests::message()
        }
    }

    fn sealed(message: Message) -> Verified {
        let key = Key::new([1; 32]);
        key.verify(key.sign(message)).unwrap()
    }

    fn verified(body: &str) -> Verified {
        sealed(message(body))
    }

    #[test]
    fn a_reminder_is_recognised_and_told_from_the_message() {
        let message = verified("is the parser done?");
        let line = render_reminder(&message, &message.to[0], 2);
        assert_eq!(begun(&line), Some(message.id.clone()));
        assert!(
            line.contains(&reminder_marker(&message.id, 2))
                && !line.contains(&reminder_marker(&message.id, 1))
        );
        assert!(line.ends_with(')'), "{line}");
    }

    #[test]
    fn a_short_line_goes_inline_and_is_recognised_again() {
        let message = verified("is the parser done?");
        let line = render(&message, &message.to[0]);
        assert!(line.contains("is the parser done?"), "{line}");
        assert_eq!(begun(&line), Some(message.id.clone()));
    }

    #[test]
    fn everything_else_becomes_a_doorbell_of_one_line() {
        for body in ["two\nlines", "tab\there", "see @src/main.rs", &"x".repeat(INLINE_MAX + 1), " padded"] {
            let message = verified(body);
            let line = render(&message, &message.to[0]);
            assert!(line.contains("swarm-msg read"), "{line}");
            assert!(!line.contains(['\n', '\t', '@']) && line.len() < 300, "{line}");
        }
    }

    #[test]
    fn a_preview_is_the_beginning_of_the_text_on_one_line() {
        for (body, shown) in [
            ("  two\n\tlines ", "two lines".to_owned()),
            ("see @src", "see (at)src".to_owned()),
            ("two 👩\u{200d}💻 here", "two 👩💻 here".to_owned()),
            (&"x".repeat(60), "x".repeat(60)),
            (&"x".repeat(61), format!("{}…", "x".repeat(59))),
            (&format!("{} {}", "x".repeat(59), "y".repeat(9000)), format!("{}…", "x".repeat(59))),
            (&"é ".repeat(9000), format!("{}…", "é ".repeat(30).trim_end())),
        ] {
            assert_eq!(preview(body), shown);
        }
    }

    #[test]
    fn a_line_never_begins_or_ends_with_a_character_that_acts() {
        for body in ["/quit", "!rm", "a;", "a\\", "#x", "?"] {
            let message = verified(body);
            let line = render(&message, &message.to[0]);
            assert!(line.starts_with('[') && line.ends_with(')'), "{line}");
        }
    }

    #[test]
    fn a_line_says_all_there_is_to_know_and_what_to_answer() {
        let plain = message("is it done?");
        let id = &plain.id;
        for (message, told) in [
            (
                plain.clone(),
                format!(
                    "[swarm {id} QUESTION from claude-1 to reviewer sig:SIG] is it done? (answer: swarm-msg reply {id} \"...\")"
                ),
            ),
            (
                Message { urgent: true, ack_required: true, ..plain.clone() },
                format!(
                    "[swarm {id} QUESTION from claude-1 to reviewer URGENT sig:SIG] is it done? (acknowledge: swarm-msg ack {id}, answer: swarm-msg reply {id} \"...\")"
                ),
            ),
            (
                Message { from: Name::system().into(), kind: MessageType::Info, ..plain.clone() },
                format!(
                    "[swarm {id} INFO from swarm to reviewer sig:SIG] is it done? (a notice: no answer is expected)"
                ),
            ),
            (
                Message { intent: Some(Intent::Fyi), ..plain.clone() },
                format!(
                    "[swarm {id} QUESTION from claude-1 to reviewer sig:SIG] is it done? (fyi {id}: no answer is wanted)"
                ),
            ),
            (
                Message { intent: Some(Intent::Reply), ..plain.clone() },
                format!(
                    "[swarm {id} QUESTION from claude-1 to reviewer sig:SIG] is it done? (an answer is wanted: swarm-msg reply {id} \"...\")"
                ),
            ),
            (
                Message { intent: Some(Intent::Action), ack_required: true, ..plain.clone() },
                format!(
                    "[swarm {id} QUESTION from claude-1 to reviewer sig:SIG] is it done? (acknowledge: swarm-msg ack {id}, to be done; answer when it is: swarm-msg reply {id} \"...\")"
                ),
            ),
            (
                Message { groups: vec![Name::new("api").unwrap()], ..plain.clone() },
                format!(
                    "[swarm {id} QUESTION from claude-1 to reviewer in group api sig:SIG] is it done? (answer: swarm-msg reply {id} \"...\")"
                ),
            ),
            (
                Message {
                    urgent: true,
                    groups: ["all", "api"].map(|group| Name::new(group).unwrap()).to_vec(),
                    ..plain.clone()
                },
                format!(
                    "[swarm {id} QUESTION from claude-1 to reviewer in groups all,api URGENT sig:SIG] is it done? (answer: swarm-msg reply {id} \"...\")"
                ),
            ),
            (
                Message { kind: MessageType::Ack, ..plain.clone() },
                format!(
                    "[swarm {id} ACK from claude-1 to reviewer sig:SIG] is it done? (fyi {id}: no answer is wanted)"
                ),
            ),
            (
                Message { intent: Some(Intent::Fyi), body: Body::new("see @d").unwrap(), ..plain.clone() },
                format!(
                    "[swarm {id} QUESTION from claude-1 to reviewer sig:SIG] 1 line, begins: see (at)d (no answer is wanted; read it: swarm-msg read {id})"
                ),
            ),
            (
                Message { body: Body::new("a  b\nc @d").unwrap(), ..plain.clone() },
                format!(
                    "[swarm {id} QUESTION from claude-1 to reviewer sig:SIG] 2 lines, begins: a b c (at)d (read it: swarm-msg read {id})"
                ),
            ),
            (
                Message { body: Body::new("see @d").unwrap(), ..plain.clone() },
                format!(
                    "[swarm {id} QUESTION from claude-1 to reviewer sig:SIG] 1 line, begins: see (at)d (read it: swarm-msg read {id})"
                ),
            ),
        ] {
            let message = sealed(message);
            assert_eq!(render(&message, &message.to[0]), told.replace("SIG", message.short_sig()));
        }
    }

    #[test]
    fn a_screen_is_searched_for_what_a_line_begins_with() {
        let message = verified("is it done?");
        let (id, to) = (&message.id, &message.to[0]);
        assert_eq!(head(&render(&message, to)), format!("[swarm {id} QUESTION "));
        assert_eq!(head(&render_reminder(&message, to, 3)), reminder_marker(id, 3));
        assert_eq!(head("something else"), "something else");
        assert_eq!(tail(&render(&message, to)), format!("(answer: swarm-msg reply {id} \"...\")"));
        assert_ne!(tail(&render(&message, to)), tail(&render_reminder(&message, to, 3)));
        assert_eq!(tail("something else"), "something else");
        let half = render(&message, to);
        assert_eq!(begun(&format!("  {}", &half[..20])), Some(id.clone()));
        for other in ["", "[swarm ", "[swarm nothing here", "swarm 00000000 INFO"] {
            assert_eq!(begun(other), None, "{other}");
        }
    }

    #[test]
    fn the_lines_of_a_message_are_itself_and_its_reminders() {
        let message = verified("is it done?");
        let to = &message.to[0];
        let lines: Vec<String> = renderings(&message, to).collect();
        assert_eq!(lines.len(), 2 + ReminderTimes::MAX);
        assert_eq!((&lines[0], &lines[2]), (&render(&message, to), &render_reminder(&message, to, 2)));
    }
}
