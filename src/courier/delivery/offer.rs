//! Gives one text to one agent by a channel of the agent's own, exactly once.
//!
//! The mark `offered` is recorded before the text is written, with the file in which the text will appear and the
//! length of that file. From then on only the agent's own records count, so a crash before, during or after the write
//! makes no difference. `docs/carriers.md` (Each text is given once) has the rules for a text that does not appear.

use super::record::Turn;
use super::{Attempt, Outcome};
use crate::carriers::transcript::Follower;
use crate::carriers::{self, Channel, Trace};
use crate::core::agent::Status;
use crate::core::carrier::Offer;
use crate::core::delivery::{Progress, Stage};
use crate::core::few::Few;
use crate::core::frame;
use crate::core::process_id::ProcessId;
use crate::core::span;
use crate::courier::gate::Hold;
use crate::os::process;
use crate::store::{fault, lock, now_ms};
use anyhow::Result;
use sha2::{Digest as _, Sha256};
use std::time::{Duration, Instant};

/// How long the courier waits for a text right after the write.
const PROOF: Duration = Duration::from_millis(2500);

/// How long it waits for a text that has entered the agent's queue: a busy agent leaves it there.
const QUEUED: Duration = Duration::from_millis(400);

/// How long a channel that lost a text is not used.
const SUSPECT: Duration = Duration::from_secs(600);

/// The pause between two looks doubles from the first to the second value.
const LOOK_PAUSE: (Duration, Duration) = (Duration::from_millis(4), Duration::from_millis(40));

/// The evidence for a text that the model got.
const GIVEN: &str = "it stands in its own transcript";

/// The evidence for a text that the model got during a turn: urgent mail does not wait for the end of the turn.
const WITHIN: &str = "it stands in its own transcript, taken within a turn";

/// The evidence for a text that arrived after the courier had stopped waiting.
const LATE: &str = "it stands in its own transcript, where it came late";

/// What the courier remembers about offered texts. All of it can be found again in the records.
#[derive(Default)]
pub struct Offered {
    /// How far the agents' records have been read, by message and reminder.
    followers: Few<(String, Option<u32>), Follower>,
    /// The open channels that took these texts.
    open: Few<(String, Option<u32>), Box<dyn Channel>>,
    /// The processes whose channel lost a text, and when that was noticed.
    suspects: Few<(i32, u64), Instant>,
}

impl Offered {
    /// Whether the channel to that process lost a text a short while ago.
    pub fn suspects(&self, process: &ProcessId) -> bool {
        self.suspects.get(&(process.pid, process.start)).is_some_and(|since| since.elapsed() < SUSPECT)
    }

    /// Forgets texts that are no longer under way, for example because they were read.
    pub fn keep(&mut self, under_way: &[(String, Option<u32>)]) {
        self.followers.retain(|key, _| under_way.contains(key));
        self.open.retain(|key, _| under_way.contains(key));
    }

    /// Forgets that text.
    fn forget(&mut self, key: &(String, Option<u32>)) {
        self.followers.remove(key);
        self.open.remove(key);
    }
}

impl Attempt<'_> {
    /// Gives the agent its text by that channel.
    #[inline(never)]
    pub fn offer(&self, mut channel: Box<dyn Channel>, offered: &mut Offered) -> Result<Outcome> {
        let place = &self.agent.place;
        let Some(_pane) = lock::pane(&place.socket, &place.pane)? else {
            return Ok(Outcome::Held(Hold::PaneBusy));
        };
        let name = &self.agent.name;
        let text = self.text(name);
        let (proof, from) = channel.proof();
        let offer = Offer {
            carrier: channel.carrier().word().to_owned(),
            at: now_ms(),
            proof: proof.clone(),
            from,
            digest: digest(&text),
        };
        let turn = self.take_turn(None, |way| {
            way.advance(Stage::Offered, "", now_ms());
            way.typed_into = Some(self.agent.process.clone());
            way.typed_as = Some(name.clone());
            // A channel gets the whole text, so the message is not only announced.
            (way.enters, way.plain) = (1, false);
            way.offer = Some(offer.clone());
        })?;
        match turn {
            Turn::Ours => {}
            Turn::Settled => return Ok(Outcome::Settled),
            Turn::Hook => return self.conclude(Outcome::Held(Hold::HookBusy)),
        }
        offered.followers.insert(self.key(), Follower::new(&proof, from));
        fault::point("before-offer");
        let written = channel.give(&text);
        fault::point("after-offer");
        offered.open.insert(self.key(), channel);
        self.look_for(&text, &offer, offered, PROOF, written.err())
    }

    /// Checks once more, before the announcement, whether the agent got a text that did not appear.
    pub fn was_given_after_all(&self) -> Result<bool> {
        let way = self.current()?;
        let Some(offer) = way.offer.filter(|_| !way.stage.is_under_way()) else { return Ok(false) };
        let text = self.text(way.typed_as.as_ref().unwrap_or(&self.agent.name));
        let mut follower = Follower::new(&offer.proof, offer.from);
        let given = carriers::trace(&offer, self.agent, &text, &mut follower) >= Trace::Given;
        if given {
            self.mark(|way| {
                way.plain = false;
                way.advance(Stage::Submitted, LATE, now_ms());
            })?;
        }
        Ok(given)
    }

    /// Finds out what became of an offered text.
    pub fn look_after(&self, offered: &mut Offered) -> Result<Outcome> {
        let place = &self.agent.place;
        let Some(_pane) = lock::pane(&place.socket, &place.pane)? else {
            return Ok(Outcome::Held(Hold::PaneBusy));
        };
        let way = self.current()?;
        let Some(offer) = way.offer.clone() else {
            self.mark(|way| *way = Progress::queued(now_ms()))?;
            return Ok(Outcome::Settled);
        };
        let text = self.text(way.typed_as.as_ref().unwrap_or(&self.agent.name));
        // Another version may build the text differently. Then its beginning is searched for.
        let text = if digest(&text) == offer.digest { text } else { frame::head(&text).to_owned() };
        let key = self.key();
        if !offered.followers.contains_key(&key) {
            offered.followers.insert(key, Follower::new(&offer.proof, offer.from));
        }
        self.look_for(&text, &offer, offered, Duration::ZERO, None)
    }

    fn look_for(
        &self,
        text: &str,
        offer: &Offer,
        offered: &mut Offered,
        patience: Duration,
        trouble: Option<anyhow::Error>,
    ) -> Result<Outcome> {
        let key = self.key();
        let Some(follower) = offered.followers.get_mut(&key) else { return Ok(Outcome::Settled) };
        let (begun, mut pause, mut queued) = (Instant::now(), LOOK_PAUSE.0, None);
        let trace = loop {
            let trace = carriers::trace(offer, self.agent, text, follower);
            let waited = queued.map(|since: Instant| since.elapsed());
            if trace >= Trace::Given || begun.elapsed() >= patience || waited.is_some_and(|w| w >= QUEUED) {
                break trace;
            }
            // An idle agent takes it from its queue at once.
            if trace == Trace::Queued {
                queued.get_or_insert_with(Instant::now);
            }
            // Its hook saw the text and recorded that.
            if !self.is_due() {
                offered.forget(&key);
                return Ok(Outcome::Settled);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LOOK_PAUSE.1);
        };
        if trace >= Trace::Given {
            fault::point("before-submitted-mark");
            let evidence = if trace == Trace::Within { WITHIN } else { GIVEN };
            self.mark(|way| {
                way.advance(Stage::Submitted, evidence, now_ms());
            })?;
            fault::point("after-submitted-mark");
            offered.forget(&key);
            return Ok(Outcome::Submitted(evidence));
        }
        if !self.is_due() {
            offered.forget(&key);
            return Ok(Outcome::Settled);
        }
        if self.current()?.typed_into.as_ref() != Some(&self.agent.process) {
            // A text that was given to a process ends with that process.
            offered.forget(&key);
            self.mark(|way| *way = Progress::queued(now_ms()))?;
            return Ok(Outcome::Settled);
        }
        let why = self.why_not(offer, trace);
        if why == Waits::Swallowed {
            offered.forget(&key);
            // The channel received the text, and the turn was interrupted. Other messages may use it.
            if trace < Trace::Queued {
                let process = &self.agent.process;
                offered.suspects.insert((process.pid, process.start), Instant::now());
            }
            // The offer stays recorded. From now on the message is announced in the pane.
            self.mark(|way| {
                way.advance(Stage::Held, "its own channel took it, and it came to nothing", now_ms());
                (way.plain, way.enters, way.typed_into) = (true, 0, None);
            })?;
            return Ok(Outcome::Settled);
        }
        let trouble =
            trouble.map(|error| format!(" ({})", crate::core::escape::short(&format!("{error:#}"), 120)));
        let detail = format!("{}{}", why.text(), trouble.unwrap_or_default());
        self.mark(|way| {
            way.advance(Stage::Offered, &detail, now_ms());
        })?;
        Ok(Outcome::Offered(trace == Trace::Queued))
    }

    /// Why an offered text is not in the agent's records.
    fn why_not(&self, offer: &Offer, trace: Trace) -> Waits {
        let suspended = process::look(&self.agent.process).is_none_or(|p| p.stopped);
        let said = carriers::said(self.agent, &self.profile.carriers).map(|said| said.status);
        if suspended {
            Waits::Suspended
        } else if said == Some(Status::Dialog) {
            Waits::Asks
        } else if trace == Trace::Queued && said != Some(Status::Idle) {
            Waits::InQueue
        } else if now_ms().saturating_sub(offer.at) < span::ms(self.profile.timing.offer) {
            Waits::Looked
        } else {
            Waits::Swallowed
        }
    }

    fn key(&self) -> (String, Option<u32>) {
        (self.message.id.to_string(), self.reminder)
    }
}

/// What an offered text waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    InQueue,
    Suspended,
    Asks,
    Looked,
    Swallowed,
}

impl Waits {
    fn text(self) -> &'static str {
        match self {
            Waits::InQueue => "it waits in the agent's own queue",
            Waits::Suspended => "it was given to the agent, which is suspended",
            Waits::Asks => "it was given to the agent, which asks its person something first",
            Waits::Looked | Waits::Swallowed => {
                "it was given to the agent, and does not stand in its transcript yet"
            }
        }
    }
}

/// The digest of a text, as it is kept on record.
fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(16).map(|b| format!("{b:02x}")).collect()
}
