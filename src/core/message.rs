//! A message before and after it is signed.
//!
//! The types are `Draft → Signed → Verified`. A [`Message`] alone proves nothing. [`Signed`] is the stored form. Only
//! [`Verified`] may be shown in a pane, an inbox or a hook's output, and only [`super::signing::Key::verify`] makes
//! one. A signed message never changes: its state is stored beside it.

use super::address::Address;
use super::agent::Agent;
use super::body::Body;
use super::id::MessageId;
use super::name::Name;
use crate::core::order;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The version of the message format, part of what is signed.
pub const MESSAGE_VERSION: u32 = 1;

pub const MAX_RECIPIENTS: usize = 256;

/// The purpose of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub enum MessageType {
    /// Asks something.
    Question,
    /// Asks for a review.
    ReviewRequest,
    /// The sender cannot continue.
    Blocked,
    /// Something is finished.
    Completed,
    /// Objects to something.
    Challenge,
    /// Reports something.
    #[default]
    Info,
    /// Acknowledges another message.
    Ack,
}

impl MessageType {
    /// All types, in the order of the documentation.
    pub const ALL: [MessageType; 7] = [
        MessageType::Question,
        MessageType::ReviewRequest,
        MessageType::Blocked,
        MessageType::Completed,
        MessageType::Challenge,
        MessageType::Info,
        MessageType::Ack,
    ];

    /// The word used in records, typed lines and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            MessageType::Question => "QUESTION",
            MessageType::ReviewRequest => "REVIEW-REQUEST",
            MessageType::Blocked => "BLOCKED",
            MessageType::Completed => "COMPLETED",
            MessageType::Challenge => "CHALLENGE",
            MessageType::Info => "INFO",
            MessageType::Ack => "ACK",
        }
    }
}

impl std::str::FromStr for MessageType {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        MessageType::ALL
            .into_iter()
            .find(|t| t.word().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("the types are {}", MessageType::ALL.map(MessageType::word).join(", ")))
    }
}

/// What the sender expects of the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Intent {
    /// No answer: it is for information.
    Fyi,
    /// An answer.
    Reply,
    /// An action, and an answer when it is done.
    Action,
}

impl Intent {
    /// The word used in records and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Intent::Fyi => "fyi",
            Intent::Reply => "reply",
            Intent::Action => "action",
        }
    }

    /// The words for the reader.
    pub fn wish(self) -> &'static str {
        match self {
            Intent::Fyi => "no answer is wanted",
            Intent::Reply => "an answer is wanted",
            Intent::Action => "to be done; answer when it is",
        }
    }
}

/// The evidence for the sender's identity, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Identity {
    /// The sender's process descends from the agent's process.
    Process,
    /// The sender's process descends from the first process of the agent's pane.
    Pane,
    /// The courier matched the sender's process namespace to a descendant of the agent.
    Namespace,
    /// Only `$TMUX_PANE` names the agent: the ancestry is hidden, as in a sandbox.
    Env,
    /// No agent is above it: the person at the keyboard.
    Human,
    /// swarm itself, about something it did.
    System,
}

impl Identity {
    /// The word shown to people.
    pub fn word(self) -> &'static str {
        match self {
            Identity::Process => "process",
            Identity::Pane => "pane",
            Identity::Namespace => "namespace",
            Identity::Env => "env",
            Identity::Human => "human",
            Identity::System => "system",
        }
    }
}

/// A message. Every field is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    pub version: u32,
    pub id: MessageId,
    /// Greater than that of every earlier message of the same sender.
    pub sequence: u64,
    pub from: Address,
    /// The evidence for the sender.
    pub identity: Identity,
    /// All recipients, sorted.
    pub to: Vec<Name>,
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// The id of the thread's first message.
    pub thread: MessageId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    /// Whether the recipient must acknowledge it.
    pub ack_required: bool,
    /// Whether it goes before other messages.
    pub urgent: bool,
    /// What its sender expects of the reader, if the sender has chosen that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// How many answers in a row agents have given each other up to this one, without a person's message among them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub round: u32,
    /// The groups in its address, sorted; `all` stands for everybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Name>,
    /// When it was sent (ms since the epoch).
    pub created: u64,
    pub body: Body,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Message {
    /// What its sender expects of the reader, if this is known: an acknowledgement wants no answer.
    pub fn wish(&self) -> Option<Intent> {
        self.intent.or((self.kind == MessageType::Ack).then_some(Intent::Fyi))
    }

    /// The marks in a list of messages beside its type: that it is urgent, and what it wants.
    pub fn marks(&self) -> String {
        let intent = match self.intent {
            Some(Intent::Fyi) => "fyi",
            Some(Intent::Reply) => "wants answer",
            Some(Intent::Action) => "to do",
            None => "",
        };
        let urgent = if self.urgent { "urgent" } else { "" };
        let ack = if self.ack_required { "wants ack" } else { "" };
        [urgent, intent, ack].into_iter().filter(|mark| !mark.is_empty()).collect::<Vec<_>>().join(", ")
    }

    /// [`Message::marks`], and the groups in its address.
    pub fn marks_in_a_list(&self) -> String {
        let groups = self.groups_addressed();
        let to = if groups.is_empty() { groups } else { format!("to {groups}") };
        [self.marks(), to].into_iter().filter(|mark| !mark.is_empty()).collect::<Vec<_>>().join(", ")
    }

    /// The groups in its address: `@api, @ui`; empty if it has only names.
    pub fn groups_addressed(&self) -> String {
        self.groups.iter().map(|group| format!("@{group}")).collect::<Vec<_>>().join(", ")
    }

    /// The addressees for a reader: a recipient or all of them, after the groups that include them.
    pub fn addressees(&self, names: &[&str]) -> String {
        addressees(&self.groups_addressed(), names)
    }

    /// The name of its file in a mailbox, `TIME-SENDER-ID.json`. `ls` lists the mail in the order of sending, with
    /// senders, and the mail of one sender can be counted without reading any.
    pub fn file_name(&self) -> String {
        format!("{:013}-{}-{}.json", self.created, self.from.file_word(), self.id)
    }

    /// Its data without its text.
    pub fn envelope(&self) -> Envelope {
        Envelope {
            id: self.id.clone(),
            sequence: self.sequence,
            from: self.from.clone(),
            urgent: self.urgent,
            created: self.created,
        }
    }
}

/// A message without its text, for lists of many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    pub id: MessageId,
    pub sequence: u64,
    pub from: Address,
    pub urgent: bool,
    pub created: u64,
}

/// `names`, after the `groups` that include them (`@api, @ui`).
pub fn addressees(groups: &str, names: &[&str]) -> String {
    let names = names.join(", ");
    if groups.is_empty() { names } else { format!("{groups} ({names})") }
}

/// Sorts messages by the time of sending: by the clock, and those of one sender by their numbers, even if the clock
/// was set back between them. Each counts as sent no later than its sender's next messages.
pub fn order_sent<'a>(messages: impl Iterator<Item = &'a Envelope>) -> BTreeMap<MessageId, (u64, u64)> {
    let mut messages: Vec<&Envelope> = messages.collect();
    order::sort_by_key(&mut messages, |m| std::cmp::Reverse(m.sequence));
    let mut first: BTreeMap<&Address, u64> = BTreeMap::new();
    let mut order = BTreeMap::new();
    for message in messages {
        let at = first.entry(&message.from).or_insert(u64::MAX);
        *at = message.created.min(*at);
        order.insert(message.id.clone(), (*at, message.sequence));
    }
    order
}

/// The sender and the id in the name of a message's file.
pub fn parse_file_name(file: &str) -> Option<(&str, MessageId)> {
    let (rest, id) = file.strip_suffix(".json")?.rsplit_once('-')?;
    let (_, sender) = rest.split_once('-')?;
    Some((sender, MessageId::parse(id)?))
}

/// When a message was sent (ms since the epoch), from the name of its file.
pub fn sent_at(file: &str) -> Option<u64> {
    parse_file_name(file)?;
    file.split_once('-')?.0.parse().ok()
}

/// A message with its signature, in the stored form. Nothing in it is trusted before it is verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    pub(super) message: Message,
    pub(super) sig: String,
}

impl Signed {
    /// The name of its file in a mailbox.
    pub fn file_name(&self) -> String {
        self.message.file_name()
    }

    /// The intent that it claims, for counting.
    pub fn claimed_wish(&self) -> Option<Intent> {
        self.message.wish()
    }

    /// The id that it claims, for a report of its refusal.
    pub fn claimed_id(&self) -> &MessageId {
        &self.message.id
    }
}

/// A message whose signature was checked with the project's key. Only this may be shown or typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub(super) message: Message,
    pub(super) sig: String,
}

impl Verified {
    /// The first eight digits of the signature, as shown in a typed line.
    pub fn short_sig(&self) -> &str {
        self.sig.get(..8).unwrap_or(&self.sig)
    }

    /// Who gets reports about it: its sender by the present name, or the human if the sender is gone; nobody if swarm
    /// itself wrote it.
    pub fn reports_to(&self, agents: &[Agent]) -> Vec<Name> {
        // swarm itself has no mailbox, and a sender on another host gets its reports from that host.
        let Some(from) = self.from.local().filter(|from| !from.is_system()) else { return Vec::new() };
        let sender = agents.iter().find(|a| a.is_live() && a.answers_to(from));
        vec![sender.map_or_else(Name::human, |a| a.name.clone())]
    }
}

impl std::ops::Deref for Verified {
    type Target = Message;
    fn deref(&self) -> &Message {
        &self.message
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    use crate::core::signing::Key;

    pub(crate) fn message() -> Message {
        let id = MessageId::from_entropy(42);
        Message {
            version: MESSAGE_VERSION,
            id: id.clone(),
            sequence: 1,
            from: Name::new("claude-code-1").unwrap().into(),
            identity: Identity::Process,
            to: vec![Name::new("reviewer").unwrap()],
            kind: MessageType::Question,
            thread: id,
            reply_to: None,
            ack_required: false,
            urgent: false,
            intent: None,
            round: 0,
            groups: Vec::new(),
            created: 1_234,
            body: Body::new("is the parser done?").unwrap(),
        }
    }

    #[test]
    fn the_name_of_a_file_tells_when_who_and_which() {
        let message = message();
        let file = message.file_name();
        assert_eq!(file, format!("0000000001234-claude-code-1-{}.json", message.id));
        assert_eq!(parse_file_name(&file), Some(("claude-code-1", message.id)));
        assert_eq!(sent_at(&file), Some(1_234));
        for other in ["", "x.json", "0000000001234-claude-1.json", "a-k3f9a2xy.json", "0-a-k3f9a2xy.tmp"] {
            assert_eq!((parse_file_name(other), sent_at(other)), (None, None), "{other}");
        }
    }

    #[test]
    fn what_was_signed_keeps_its_file_and_shows_eight_digits_of_its_signature() {
        let key = Key::new([1; 32]);
        let signed = key.sign(message());
        assert_eq!((signed.file_name(), signed.claimed_id()), (message().file_name(), &message().id));
        let verified = key.verify(signed.clone()).unwrap();
        assert_eq!(*verified, message());
        assert_eq!((verified.short_sig(), verified.short_sig().len()), (&signed.sig[..8], 8));
    }

    #[test]
    fn a_type_is_read_in_any_case_and_written_as_in_the_record() {
        for kind in MessageType::ALL {
            assert_eq!(kind.word().to_lowercase().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
            assert_eq!(format!("{kind:<15}|"), format!("{:<15}|", kind.word()));
        }
        let told = "CHAT".parse::<MessageType>().unwrap_err();
        assert!(
            told.ends_with("QUESTION, REVIEW-REQUEST, BLOCKED, COMPLETED, CHALLENGE, INFO, ACK"),
            "{told}"
        );
    }

    #[test]
    fn a_message_without_an_intent_is_written_as_before_there_were_any_and_read_so() {
        let text = serde_json::to_string(&message()).unwrap();
        assert!(!text.contains("intent") && !text.contains("round"), "{text}");
        assert_eq!(serde_json::from_slice::<Message>(text.as_bytes()).unwrap(), message());
        for intent in [Intent::Fyi, Intent::Reply, Intent::Action] {
            let message = Message { intent: Some(intent), round: 3, ..message() };
            let value = serde_json::to_value(&message).unwrap();
            assert_eq!((&value["intent"], &value["round"]), (&intent.word().into(), &3.into()));
            assert_eq!(serde_json::from_value::<Message>(value).unwrap(), message);
        }
    }

    #[test]
    fn a_list_says_what_a_message_wants_and_an_acknowledgement_wants_no_answer() {
        let plain = message();
        for (message, marks, wish) in [
            (plain.clone(), "", None),
            (Message { intent: Some(Intent::Reply), ..plain.clone() }, "wants answer", Some(Intent::Reply)),
            (
                Message { urgent: true, ack_required: true, intent: Some(Intent::Action), ..plain.clone() },
                "urgent, to do, wants ack",
                Some(Intent::Action),
            ),
            (Message { kind: MessageType::Ack, ..plain.clone() }, "", Some(Intent::Fyi)),
        ] {
            assert_eq!((message.marks().as_str(), message.wish()), (marks, wish));
        }
    }

    #[test]
    fn people_see_the_word_for_an_identity_that_stands_in_the_record() {
        use Identity::{Env, Human, Namespace, Pane, Process, System};
        for identity in [Process, Pane, Namespace, Env, Human, System] {
            assert_eq!(serde_json::to_value(identity).unwrap(), identity.word());
        }
    }

    #[test]
    fn a_clock_that_was_set_back_turns_no_senders_messages_round() {
        // a sends at 1000, and again after the clock was set back to 10; b sends at 20 and 1500.
        let sent = |id, from, sequence, created| {
            let (id, from) = (MessageId::from_entropy(id), Address::parse(from).unwrap());
            Message { id, sequence, from, created, ..message() }
        };
        let all = [
            sent(1, "a-1", 1000, 1000),
            sent(2, "a-1", 1001, 10),
            sent(3, "b-1", 20, 20),
            sent(4, "b-1", 1500, 1500),
        ];
        let envelopes = all.each_ref().map(Message::envelope);
        let order = order_sent(envelopes.iter());
        let mut sorted: Vec<&Message> = all.iter().collect();
        order::sort_by_key(&mut sorted, |m| order[&m.id]);
        let numbers: Vec<u64> = sorted.iter().map(|m| m.sequence).collect();
        assert_eq!(numbers, [1000, 1001, 20, 1500]);
    }
}
