//! Gives a person's key in the dashboard to the dialog of an agent, if it is still the dialog that was seen.
//!
//! No command does this: only the dashboard calls it, with a key that a person pressed for a screen that it showed.
//! The screen is looked at again here, the agent must still be the one on record in the foreground of its pane, and
//! the tmux server compares the rows once more in the step in which it presses the key. Each key is in the journal
//! before it is pressed.

use super::session::Session;
use crate::core::agent::{Agent, Status};
use crate::core::escape;
use crate::core::event::Event;
use crate::courier::gate::Scene;
use crate::os::process;
use crate::roster::{observe, rules};
use crate::store::{Store, lock};
use crate::tmux::Server;
use crate::tmux::pane::{Acted, Look, PersonsKey};
use crate::view::dashboard::Answer;
use anyhow::{Context as _, Result, anyhow};
use std::time::Duration;

/// How long tmux may take for a look or a key. It does nothing after that.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often a key that tmux refused is tried again, if the dialog is the same: a key in another pane may have been
/// the reason.
const TRIES: usize = 3;

/// Gives a key to the dialog that was seen. Returns the result, for the person.
pub(super) fn answer(store: &Store, answer: &Answer) -> Result<String> {
    let session = Session::of(store.clone())?;
    session.require_human("answer an agent's dialog")?;
    let is_meant = |a: &&Agent| {
        a.is_live()
            && a.name.as_str() == answer.agent
            && a.place.pane == answer.pane
            && a.place.socket == answer.socket
    };
    let agent =
        session.agents.iter().find(is_meant).ok_or_else(|| changed(answer, "its pane is another's"))?;
    let Some(_pane) = lock::pane(&answer.socket, &answer.pane)? else {
        return Err(changed(answer, "something is being typed there"));
    };
    let server = Server::new(&answer.socket).patient(PATIENCE);
    for _ in 0..TRIES {
        let look = server.look(&answer.pane);
        let look = look.with_context(|| format!("nothing was pressed in {}", answer.agent))?;
        let look = look.ok_or_else(|| changed(answer, "the pane is gone"))?;
        let what = asks(agent, &look, answer)?;
        match press(&session.store, agent, &server, &look, (answer.key, &what))? {
            Acted::Done => return Ok(format!("{} was pressed in {}", answer.key, answer.agent)),
            Acted::Stale => {}
            Acted::Unclear(why) => {
                return Err(anyhow!(
                    "tmux did not say whether {} was pressed in {}; look there before you press it again: {why}",
                    answer.key,
                    answer.agent
                ));
            }
        }
    }
    Err(changed(answer, "the pane does not come to rest, or it is synchronized with others"))
}

/// The evidence that the agent still shows the dialog that the person saw.
fn asks(agent: &Agent, look: &Look, answer: &Answer) -> Result<String> {
    let rules = rules::load()?;
    let profile = rules.get(&agent.kind).ok_or_else(|| changed(answer, "its screen cannot be read"))?;
    let process = process::look(&agent.process).ok_or_else(|| changed(answer, "it has ended"))?;
    let reading = observe::reading(profile, agent.process.pid, look);
    let scene = Scene::of(look, !look.is_in(&agent.place), &reading, &process);
    scene.pane_is_open().map_err(|hold| changed(answer, &hold.to_string()))?;
    if reading.state != Status::Dialog {
        return Err(changed(answer, "its screen shows no dialog"));
    }
    if look.screen.fingerprint() != answer.screen {
        return Err(changed(answer, "its screen is another one"));
    }
    Ok(escape::short(reading.evidence.last().map_or("", String::as_str), 120))
}

/// Journals the key, and presses it if nothing has changed since the look.
fn press(
    store: &Store,
    agent: &Agent,
    server: &Server,
    look: &Look,
    (key, what): (PersonsKey, &str),
) -> Result<Acted> {
    let (name, pane, key_name) = (&agent.name, agent.place.pane.as_str(), key.to_string());
    let key_name = key_name.as_str();
    store.transact(|tx| tx.journal(&Event::DialogKey { name, pane, key: key_name, what }))?;
    let acted = server.press(pane, look, key)?;
    let tmux = match &acted {
        Acted::Done => "done",
        Acted::Stale => "not done: the pane had changed",
        Acted::Unclear(why) => why,
    };
    // The result of the key does not depend on this.
    let _ = store.transact(|tx| tx.journal(&Event::DialogAnswer { name, pane, key: key_name, tmux }));
    Ok(acted)
}

fn changed(answer: &Answer, why: &str) -> anyhow::Error {
    anyhow!("nothing was pressed in {}: it has changed ({why}); look again", answer.agent)
}
