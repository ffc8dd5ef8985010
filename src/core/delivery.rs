//! How far one message has come to one recipient.
//!
//! `queued → held → typing → entering → typed → submitted → read → acked`, or `failed`; for an agent's own channel,
//! `offered` replaces `typing` to `typed`. The state is beside the signed message, in `mail/NAME/state/`, so a change
//! of state cannot damage a message. `typing` is written before the text is pasted, and `entering` before Enter is
//! pressed. After a crash, these two marks and a look at the composer are enough to neither lose nor repeat a
//! message. `typed` means that the text has left the composer without a sign of a turn: the agent may have it, so it
//! is not pasted again. If the agent is started again, such a message is announced without its text.

use super::ack::AckClock;
use super::body::Body;
use super::carrier::{HookOffer, Offer};
use super::frame::INLINE_MAX;
use super::id::MessageId;
use super::message::Identity;
use super::name::Name;
use super::process_id::ProcessId;
use serde::{Deserialize, Serialize};

/// The stage of a delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Durable, and not tried yet.
    #[default]
    Queued,
    /// Waiting, for the reason given.
    Held,
    /// The text is being or was pasted; Enter was not pressed.
    Typing,
    /// Enter is being or was pressed.
    Entering,
    /// The text is being or was given to the agent's own channel. Nothing shows yet that it arrived.
    Offered,
    /// The text has left the composer, and nothing shows that a turn began. The agent may have it, so it is not typed
    /// again.
    Typed,
    /// The agent has it, by the evidence given.
    Submitted,
    /// Read by the recipient.
    Read,
    /// Acknowledged by the recipient.
    Acked,
    /// Will not be delivered, for the reason given.
    Failed,
}

impl Stage {
    /// The word shown to people.
    pub fn word(self) -> &'static str {
        match self {
            Stage::Queued => "queued",
            Stage::Held => "held",
            Stage::Typing | Stage::Entering | Stage::Typed => "typed",
            Stage::Offered => "offered",
            Stage::Submitted => "submitted",
            Stage::Read => "read",
            Stage::Acked => "acked",
            Stage::Failed => "failed",
        }
    }

    /// Whether the courier still has something to do.
    pub fn is_open(self) -> bool {
        self < Stage::Typed
    }

    /// Whether its text may be on its way to the agent at this moment. Then nobody else gives it, and its stage
    /// stays.
    pub fn is_under_way(self) -> bool {
        matches!(self, Stage::Typing | Stage::Entering | Stage::Offered)
    }
}

/// How far one text has come to its agent, by any carrier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// It has no default: without it, nobody could decide whether the text may be typed.
    pub stage: Stage,
    /// Since when it is at that stage (ms since the epoch).
    #[serde(default)]
    pub since: u64,
    /// Why it waits or failed, or the evidence that it was submitted. For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The process that it was typed into. If that process is gone, so is the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typed_into: Option<ProcessId>,
    /// The recipient's name in the typed line. The recipient may have been renamed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typed_as: Option<Name>,
    /// When it was pasted (ms since the epoch); 0 if it was not.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub typed_at: u64,
    /// How often the line's beginning and its end stood on the screen before it was pasted.
    #[serde(default)]
    pub stood: [usize; 2],
    /// The columns and rows of the pane at that time. In another size, other earlier lines are visible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stood_in: Option<(u16, u16)>,
    /// How often Enter was pressed, or may have been.
    #[serde(default)]
    pub enters: u32,
    /// tmux pasted it, but it did not appear. On a busy machine, an agent may draw it much later.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unseen: bool,
    /// Since when it stands in the composer and cannot be submitted (ms since the epoch); 0 if this is not known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stuck_since: u64,
    /// Whether people got a notice about it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub told_stuck: bool,
    /// It is announced by a line without its text: its own line could not be submitted, or it was one of many.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plain: bool,
    /// The text that an agent's own channel was given. It stays if the text did not arrive; then no such channel is
    /// tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offer>,
}

/// How long a pasted text may take to appear (ms). If it were pasted again earlier, it could stand there twice.
const APPEARS_MS: u64 = 30_000;

/// How long a line may stand in a composer without being submitted before people get a notice (ms).
pub const STUCK_MS: u64 = 30_000;

/// What is due for a line that stands in a composer and cannot be submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stuck {
    /// Nothing yet, or nothing more.
    Wait,
    /// Its sender and the human get one notice. When the composer is cleared, the message is announced by a plain
    /// line.
    Tell,
    /// The plain line is stuck as well: it fails, so that later mail gets through.
    Fail,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// A message that was lost when its recipient's process ended. Its text for people is the detail of the record, by
/// which it is recognised later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// It was not typed.
    NotGiven,
    /// It was typed, and nothing shows whether it was taken.
    PerhapsGiven,
}

impl Lost {
    const ALL: [Lost; 2] = [Lost::NotGiven, Lost::PerhapsGiven];

    /// The detail in the record.
    pub fn detail(self) -> &'static str {
        match self {
            Lost::NotGiven => "its process has ended",
            Lost::PerhapsGiven => "its process has ended; perhaps it was given",
        }
    }
}

impl Progress {
    /// How it was lost when its recipient's process ended, if it was.
    pub fn lost(&self) -> Option<Lost> {
        Lost::ALL.into_iter().find(|lost| self.stage == Stage::Failed && self.detail == lost.detail())
    }

    /// Progress that has not begun.
    pub fn queued(now_ms: u64) -> Self {
        Self { since: now_ms, ..Self::default() }
    }

    /// Whether it was pasted and may still appear.
    pub fn may_appear(&self, now_ms: u64) -> bool {
        self.unseen && now_ms.saturating_sub(self.typed_at) < APPEARS_MS
    }

    /// Whether its text was given to an agent's own channel, did not arrive, and may arrive late. It is then only
    /// announced.
    pub fn may_come_late(&self) -> bool {
        self.plain && self.offer.is_some()
    }

    /// Whether its text may stand in the composer of `process` without ever having been entered: swarm pasted it, and
    /// no Enter by swarm or anybody else is known.
    pub fn is_unentered_in(&self, process: &ProcessId) -> bool {
        self.typed_at > 0 && self.enters == 0 && self.typed_into.as_ref() == Some(process)
    }

    /// What is due at `now_ms` for a line that is stuck. If the clock was set back, nothing is due.
    pub fn stuck(&self, now_ms: u64) -> Stuck {
        let long = self.stuck_since > 0 && now_ms.saturating_sub(self.stuck_since) >= STUCK_MS;
        match (long, self.plain) {
            (true, true) => Stuck::Fail,
            (true, false) if !self.told_stuck => Stuck::Tell,
            _ => Stuck::Wait,
        }
    }

    /// Whether a submitted message's line contained its text, and was not only an announcement.
    pub fn showed(&self, body: &Body) -> bool {
        !self.plain && body.is_inline(INLINE_MAX)
    }

    /// Lets a message whose stuck line has left the composer be announced by a plain line.
    pub fn announce(&mut self, now_ms: u64) {
        *self = Self { plain: true, ..Self::queued(now_ms) };
    }

    /// Starts again from the beginning: nothing of it reached anybody.
    pub fn restart(&mut self, now_ms: u64) {
        *self = Self::queued(now_ms);
    }

    /// Moves to `stage`. The time changes only with the stage. Returns whether anything changed. A message that was
    /// typed, submitted, read or acknowledged never goes back.
    pub fn advance(&mut self, stage: Stage, detail: &str, now_ms: u64) -> bool {
        let goes_back = self.stage >= Stage::Typed && stage < self.stage;
        if goes_back || (self.stage == stage && self.detail == detail) {
            return false;
        }
        if self.stage != stage {
            self.since = now_ms;
        }
        self.stage = stage;
        detail.clone_into(&mut self.detail);
        true
    }
}

/// The state of an answer beyond the limit on answers in a row between agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pause {
    /// It is held, and the notices were sent.
    Held,
    /// A person has released it.
    Released,
}

/// The record in `mail/NAME/state/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    pub id: MessageId,
    /// How far the message is.
    pub way: Progress,
    /// Whether the sender got the notice about the long hold.
    #[serde(default)]
    pub told_held: bool,
    /// The state of this message as an answer beyond the limit between agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// The message that replaced it when it was handed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed: Option<MessageId>,
    /// The clock of its awaited acknowledgement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack: Option<AckClock>,
    /// The evidence for the identity of who read or acknowledged it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Identity>,
    /// The members of a bundle, in the order of its text. Empty if it is not a bundle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<MessageId>,
    /// Whether the members' lines stand in its text. Otherwise the bundle only announces them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole: bool,
    /// The bundle that gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<MessageId>,
    /// What the agent's own hook handed over last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<HookOffer>,
    /// Whether a hook handed it to a process that ended before anything showed that the model was asked with it: it is
    /// given again, and says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

/// What is said of a message that a hook handed over, until the agent's model has answered.
const BY_HOOK: &str = "its own hook handed it over";

/// What is said of one whose agent ended before that.
const UNPROVED: &str =
    "its own hook handed it over, and its process or conversation ended before its model answered";

impl Delivery {
    /// A delivery that has not begun.
    pub fn queued(id: MessageId, now_ms: u64) -> Self {
        Self {
            id,
            way: Progress::queued(now_ms),
            told_held: false,
            pause: None,
            handed: None,
            ack: None,
            by: None,
            members: Vec::new(),
            whole: false,
            via: None,
            hook: None,
            again: false,
        }
    }

    /// Notes that the agent's own hook handed it over. `None`: it was read before, or failed. Otherwise whether its
    /// stage is news.
    pub fn give_by_hook(&mut self, offer: &HookOffer, now_ms: u64) -> Option<bool> {
        if self.way.stage > Stage::Submitted {
            return None;
        }
        self.hook = Some(offer.clone());
        Some(self.way.advance(Stage::Submitted, BY_HOOK, now_ms))
    }

    /// What a hook handed over if nothing shows yet that the model was asked with it. A record of an earlier version
    /// has none: it was read.
    pub fn unproved(&self) -> Option<&HookOffer> {
        self.hook.as_ref().filter(|_| self.way.stage == Stage::Submitted)
    }

    /// It was handed to a process that ended before that: it waits again, and is announced. The model may have been
    /// asked with it, or not.
    pub fn take_back(&mut self, now_ms: u64) {
        (self.hook, self.again) = (None, true);
        // In the hands of a process that is gone, like a text that was entered.
        let (stage, detail) = (Stage::Held, UNPROVED.to_owned());
        self.way = Progress { stage, detail, plain: true, enters: 1, ..Progress::queued(now_ms) };
    }

    pub fn is_bundle(&self) -> bool {
        !self.members.is_empty()
    }

    /// Whether it is a bundle whose text may have reached its recipient. Then its members are not given in another
    /// way.
    pub fn is_bundle_under_way(&self) -> bool {
        let offered = self.way.stage.is_open() && self.way.offer.is_some();
        self.is_bundle() && (self.way.stage.is_under_way() || offered)
    }

    /// Updates a waiting member when its bundle has come to its stage. Returns whether that changed anything.
    pub fn given_with(&mut self, bundle: &Delivery, now_ms: u64) -> bool {
        if !self.way.stage.is_open() && self.way.stage != Stage::Typed {
            return false;
        }
        let shown = bundle.whole && !bundle.way.plain;
        let detail = bundle.detail_of_member();
        // If a bundle was read, the agent had it.
        let stage = if bundle.way.stage == Stage::Typed { Stage::Typed } else { Stage::Submitted };
        let news = self.way.advance(stage, &detail, now_ms);
        (self.way.plain, self.via, self.way.enters) = (!shown, Some(bundle.id.clone()), bundle.way.enters);
        self.way.offer.clone_from(&bundle.way.offer);
        news
    }

    /// The detail of a member of this bundle.
    fn detail_of_member(&self) -> String {
        let others = format!("with {} others, as {}", self.members.len().saturating_sub(1), self.id);
        if self.way.detail.is_empty() { others } else { format!("{others}: {}", self.way.detail) }
    }

    /// The progress of a message that waits for this bundle.
    pub fn way_of_member(&self) -> Progress {
        Progress { detail: self.detail_of_member(), ..self.way.clone() }
    }

    /// The reminder to the recipient, if one is under way.
    pub fn open_reminder(&self) -> Option<&Progress> {
        let reminder = self.ack.as_ref()?.reminder.as_ref()?;
        (reminder.stage.is_open() && !matches!(self.way.stage, Stage::Acked | Stage::Failed))
            .then_some(reminder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_never_becomes_unread() {
        let mut delivery = Progress::queued(1);
        assert!(delivery.advance(Stage::Held, "busy", 2));
        assert!(!delivery.advance(Stage::Held, "busy", 3));
        assert_eq!(delivery.since, 2);
        assert!(delivery.advance(Stage::Read, "", 4));
        assert!(!delivery.advance(Stage::Submitted, "late", 5));
        assert_eq!(delivery.stage, Stage::Read);
    }

    #[test]
    fn a_stage_has_its_word_and_is_open_until_it_is_submitted() {
        for (stage, word, open) in [
            (Stage::Queued, "queued", true),
            (Stage::Held, "held", true),
            (Stage::Typing, "typed", true),
            (Stage::Entering, "typed", true),
            (Stage::Offered, "offered", true),
            (Stage::Typed, "typed", false),
            (Stage::Submitted, "submitted", false),
            (Stage::Read, "read", false),
            (Stage::Acked, "acked", false),
            (Stage::Failed, "failed", false),
        ] {
            assert_eq!((stage.word(), stage.is_open()), (word, open));
        }
    }

    #[test]
    fn the_time_of_a_stage_is_when_it_began() {
        let mut way = Progress::queued(1);
        assert_eq!((way.stage, way.since), (Stage::Queued, 1));
        for (stage, detail, now, changes, since) in [
            (Stage::Held, "busy", 2, true, 2),
            (Stage::Held, "a draft", 3, true, 2),
            (Stage::Typing, "a draft", 4, true, 4),
            // Before it is submitted it may go back, because the agent's process changed.
            (Stage::Queued, "", 5, true, 5),
            (Stage::Typed, "composer cleared", 5, true, 5),
            (Stage::Typing, "", 5, false, 5),
            (Stage::Submitted, "a turn began", 6, true, 6),
            (Stage::Submitted, "seen in the transcript", 7, true, 6),
            (Stage::Submitted, "seen in the transcript", 8, false, 6),
            (Stage::Held, "late", 9, false, 6),
            (Stage::Acked, "seen in the transcript", 10, true, 10),
        ] {
            assert_eq!(way.advance(stage, detail, now), changes, "{stage:?} {detail}");
            assert_eq!(way.since, since, "{stage:?} {detail}");
        }
        assert_eq!((way.stage, &*way.detail), (Stage::Acked, "seen in the transcript"));
    }

    #[test]
    fn a_text_is_unentered_only_in_the_process_it_was_pasted_into_and_before_any_enter() {
        let process = |pid| ProcessId { pid, start: 1, boot: "b".into() };
        let pasted = Progress { typed_into: Some(process(1)), typed_at: 5, ..Progress::queued(1) };
        assert!(pasted.is_unentered_in(&process(1)));
        assert!(!pasted.is_unentered_in(&process(2)));
        assert!(!Progress { enters: 1, ..pasted.clone() }.is_unentered_in(&process(1)));
        // A record of a version that did not record the time of a paste.
        assert!(!Progress { typed_at: 0, ..pasted }.is_unentered_in(&process(1)));
        let old: Progress = serde_json::from_str(r#"{"stage":"entering","since":3,"enters":1}"#).unwrap();
        assert_eq!((old.stage, old.typed_at, old.enters), (Stage::Entering, 0, 1));
    }

    #[test]
    fn a_line_that_is_stuck_is_told_of_once_then_announced_then_failed() {
        let mut way = Progress { stage: Stage::Typing, typed_at: 1, enters: 4, ..Progress::default() };
        assert_eq!(way.stuck(u64::MAX), Stuck::Wait, "it is not stuck");
        way.stuck_since = 1000;
        for (now, due) in
            [(500, Stuck::Wait), (1000 + STUCK_MS - 1, Stuck::Wait), (1000 + STUCK_MS, Stuck::Tell)]
        {
            assert_eq!(way.stuck(now), due, "{now}");
        }
        way.told_stuck = true;
        assert_eq!(way.stuck(u64::MAX), Stuck::Wait, "everything was said");
        way.announce(9);
        assert_eq!(way, Progress { plain: true, since: 9, ..Progress::default() });
        way.stuck_since = 1000;
        assert_eq!((way.stuck(1000), way.stuck(1000 + STUCK_MS)), (Stuck::Wait, Stuck::Fail));
    }

    #[test]
    fn what_was_given_in_a_bundle_has_a_stage_of_its_own() {
        let id = MessageId::from_entropy;
        let mut bundle = Delivery::queued(id(9), 1);
        (bundle.members, bundle.whole) = (vec![id(1), id(2), id(3)], true);
        assert!(bundle.is_bundle() && !bundle.is_bundle_under_way());
        bundle.way.stage = Stage::Entering;
        assert!(bundle.is_bundle_under_way());
        bundle.way.advance(Stage::Submitted, "it stands in the transcript", 5);
        for (before, plain, after, changed) in [
            (Stage::Queued, false, Stage::Submitted, true),
            (Stage::Held, true, Stage::Submitted, true),
            (Stage::Typed, false, Stage::Submitted, true),
            (Stage::Read, false, Stage::Read, false),
            (Stage::Acked, false, Stage::Acked, false),
            (Stage::Failed, false, Stage::Failed, false),
        ] {
            let mut member = Delivery::queued(id(1), 1);
            (member.way.stage, bundle.way.plain) = (before, plain);
            assert_eq!(member.given_with(&bundle, 6), changed, "{before:?}");
            assert_eq!((member.way.stage, member.way.plain), (after, plain && changed), "{before:?}");
        }
        bundle.way.stage = Stage::Typed;
        let mut member = Delivery::queued(id(2), 1);
        assert!(member.given_with(&bundle, 6));
        assert_eq!((member.way.stage, member.via), (Stage::Typed, Some(id(9))));
        assert!(member.way.detail.starts_with("with 2 others, as "), "{}", member.way.detail);
    }

    #[test]
    fn what_a_hook_handed_over_is_unproved_until_it_is_read_and_waits_again_if_its_process_ends() {
        let offer = HookOffer {
            to: ProcessId { pid: 1, start: 1, boot: "b".into() },
            at: 4,
            moment: crate::core::carrier::Moment::Prompt,
            proof: None,
            from: 0,
        };
        for (stage, came) in [
            (Stage::Queued, Some(true)),
            (Stage::Entering, Some(true)),
            (Stage::Typed, Some(true)),
            (Stage::Submitted, Some(true)),
            (Stage::Read, None),
            (Stage::Acked, None),
            (Stage::Failed, None),
        ] {
            let mut delivery = Delivery::queued(MessageId::from_entropy(1), 1);
            delivery.way.stage = stage;
            assert_eq!(delivery.give_by_hook(&offer, 5), came, "{stage:?}");
            assert_eq!(delivery.unproved(), came.map(|_| &offer), "{stage:?}");
            assert_eq!(delivery.give_by_hook(&offer, 6), came.map(|_| false), "{stage:?}");
        }
        let mut delivery = Delivery::queued(MessageId::from_entropy(1), 1);
        delivery.give_by_hook(&offer, 5);
        let mut read = delivery.clone();
        read.way.advance(Stage::Read, "", 6);
        assert_eq!(read.unproved(), None);
        delivery.take_back(7);
        assert!(delivery.again && delivery.unproved().is_none());
        let way = &delivery.way;
        assert_eq!((way.stage, way.enters, way.plain), (Stage::Held, 1, true));
        let old = r#"{"id":"abcdefgh","way":{"stage":"read"}}"#;
        let old: Delivery = serde_json::from_str(old).unwrap();
        assert_eq!((old.unproved(), old.again), (None, false), "a record of an earlier version");
    }

    #[test]
    fn a_reminder_is_under_way_only_while_it_can_still_help() {
        use crate::core::ack::ReminderTimes;
        let mut delivery = Delivery::queued(MessageId::from_entropy(1), 0);
        assert_eq!(delivery.open_reminder(), None, "nothing is awaited");
        let mut clock = AckClock::start(0, &ReminderTimes::default());
        delivery.ack = Some(clock.clone());
        assert_eq!(delivery.open_reminder(), None, "none is due yet");
        clock.remind(30_000);
        for (message, reminder, open) in [
            (Stage::Submitted, Stage::Queued, true),
            (Stage::Read, Stage::Entering, true),
            (Stage::Read, Stage::Submitted, false),
            (Stage::Acked, Stage::Queued, false),
            (Stage::Failed, Stage::Queued, false),
            (Stage::Acked, Stage::Submitted, false),
        ] {
            delivery.way.stage = message;
            let reminder = Progress { stage: reminder, ..Progress::queued(30_000) };
            delivery.ack = Some(AckClock { reminder: Some(reminder.clone()), ..clock.clone() });
            assert_eq!(delivery.open_reminder(), open.then_some(&reminder), "{message:?} {reminder:?}");
        }
    }
}
