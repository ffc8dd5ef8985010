//! Notices agents that answer each other without end, and words the notices about it.
//!
//! Pure. Each answer has the number of answers in a row that agents have given each other up to it, signed like the
//! rest of the message. So nothing has to be counted in the mailboxes, and a renaming, a crash or a lost record
//! changes nothing. An answer with too high a number is held until a person releases it. A person's message begins a
//! new count.

use super::delivery::{Delivery, Pause};
use super::frame;
use super::message::{Message, Verified};
use super::name::Name;

/// The number of an answer to `original`, whose record is `delivery`. `by_person`: a person gives the answer.
pub fn next(original: &Message, delivery: Option<&Delivery>, by_person: bool) -> u32 {
    if by_person || !is_of_agent(original) {
        0
    } else if delivery.is_some_and(|d| d.pause == Some(Pause::Released)) {
        1
    } else {
        original.round.saturating_add(1)
    }
}

/// The number of `original` when it is sent again or handed over. `last` is the last answer of the thread that the
/// sender got. Each comes with its record. So nobody begins a new count by repeating a message.
pub fn again(
    original: (&Message, Option<&Delivery>),
    last: Option<(&Message, Option<&Delivery>)>,
    by_person: bool,
) -> u32 {
    let (message, delivery) = original;
    if by_person {
        return 0;
    }
    let released = delivery.is_some_and(|d| d.pause == Some(Pause::Released));
    let own = if released { message.round.min(1) } else { message.round };
    last.map_or(own, |(last, delivery)| own.max(next(last, delivery, false)))
}

/// Whether an agent wrote it, here or on another host.
fn is_of_agent(message: &Message) -> bool {
    let name = &message.from.name;
    !name.is_human() && !name.is_system()
}

/// Whether a message is held because agents may give each other at most `most` answers in a row; 0: no limit.
pub fn pauses(message: &Message, delivery: Option<&Delivery>, most: u32) -> bool {
    most > 0 && message.round > most && delivery.is_none_or(|d| d.pause != Some(Pause::Released))
}

/// Why such a message waits.
pub fn reason(message: &Message) -> String {
    format!(
        "they have given each other {} answers without a person: `swarm release {}` delivers it",
        message.round.saturating_sub(1),
        message.id
    )
}

/// The notices about such a message: to its sender, to its recipient `owner`, and to the person.
pub fn notices(message: &Verified, owner: &Name) -> [String; 3] {
    let (id, from, count) = (&message.id, &message.from, message.round.saturating_sub(1));
    let go_on = "Stop here if nothing is to be done. If something is, begin a new thread";
    [
        format!(
            "{id} to {owner} is held: the two of you have given each other {count} answers without a person. {go_on}: swarm-msg send {owner} --action \"...\"; or a person releases it"
        ),
        format!(
            "{id} from {from} to you is held: the two of you have given each other {count} answers without a person. {go_on}: swarm-msg send {from} --action \"...\"; read it: swarm-msg show {id}"
        ),
        format!(
            "{from} and {owner} have given each other {count} answers without a person. {id} is held ({}): swarm release {id} delivers it, swarm release {id} --drop does not",
            frame::preview(message.body.as_str())
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::body::{self, Body};
    use crate::core::message::tests::message;
    use crate::core::signing::Key;

    fn answer(round: u32, from: Name) -> Message {
        Message { round, from: from.into(), ..message() }
    }

    fn agent() -> Name {
        Name::new("claude-1").unwrap()
    }

    #[test]
    fn answers_between_agents_are_counted_and_a_persons_word_begins_a_new_count() {
        for (from, round, by_person, next_round) in [
            (agent(), 0, false, 1),
            (agent(), 7, false, 8),
            (agent(), u32::MAX, false, u32::MAX),
            (agent(), 7, true, 0),
            (Name::human(), 0, false, 0),
        ] {
            assert_eq!(next(&answer(round, from), None, by_person), next_round);
        }
    }

    #[test]
    fn what_a_person_has_released_is_delivered_and_begins_a_new_count() {
        let late = answer(9, agent());
        let mut delivery = Delivery::queued(late.id.clone(), 1);
        assert!(pauses(&late, None, 8) && pauses(&late, Some(&delivery), 8));
        delivery.pause = Some(Pause::Held);
        assert!(pauses(&late, Some(&delivery), 8));
        delivery.pause = Some(Pause::Released);
        assert!(!pauses(&late, Some(&delivery), 8));
        assert_eq!(next(&late, Some(&delivery), false), 1);
    }

    #[test]
    fn to_repeat_what_was_said_begins_no_new_count() {
        let (first, last) = (answer(0, agent()), answer(5, agent()));
        assert_eq!(again((&first, None), None, false), 0, "nobody has answered");
        assert_eq!(again((&first, None), Some((&last, None)), false), 6);
        assert_eq!(again((&last, None), Some((&answer(1, agent()), None)), false), 5);
        assert_eq!(again((&first, None), Some((&answer(5, Name::human()), None)), false), 0);
        assert_eq!(again((&last, None), Some((&last, None)), true), 0, "a person's word");
        let mut released = Delivery::queued(last.id.clone(), 1);
        released.pause = Some(Pause::Released);
        assert_eq!(again((&last, Some(&released)), None, false), 1);
        assert_eq!(again((&last, None), None, false), 5, "handed over");
    }

    #[test]
    fn the_last_answer_that_is_allowed_is_delivered_and_without_a_limit_all_are() {
        for (round, most, held) in
            [(8, 8, false), (9, 8, true), (u32::MAX, 0, false), (1, 1, false), (2, 1, true)]
        {
            assert_eq!(pauses(&answer(round, agent()), None, most), held, "{round} of {most}");
        }
    }

    #[test]
    fn each_of_the_three_gets_to_know_how_to_go_on_in_one_typed_line() {
        let key = Key::new([1; 32]);
        let long = Name::new("a-name-of-the-longest-kind-there").unwrap();
        let body = Body::new("thanks! ".repeat(20).trim_end()).unwrap();
        let message = key.verify(key.sign(Message { body, ..answer(9, long.clone()) })).unwrap();
        let told = notices(&message, &long);
        for text in &told {
            assert!(text.contains("8 answers") && text.contains(message.id.as_str()), "{text}");
            assert!(text.chars().count() <= 380, "{} {text}", text.chars().count());
            assert!(Body::new(text).is_ok_and(|b: body::Body| b.is_inline(frame::INLINE_MAX)), "{text}");
        }
        assert!(told[2].contains(&format!("swarm release {}", message.id)));
    }
}
