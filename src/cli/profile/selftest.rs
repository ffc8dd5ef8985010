//! Checks whether the rules for an agent still fit: they must read an empty composer, a draft and a cleared draft
//! correctly.
//!
//! A few letters are typed into the empty composer of a pane that a person has named, and removed again. Enter is never
//! pressed.

use crate::agents::{Profile, Reading};
use crate::cli::session::{self, Session};
use crate::cli::{explain, print, under};
use crate::core::agent::Status;
use crate::core::escape;
use crate::core::refusal::{Exit, Refusal};
use crate::os::{process, program};
use crate::roster::{discovery, observe};
use crate::store::{lock, tested};
use crate::tmux::Server;
use crate::tmux::pane::{Acted, Look};
use anyhow::Result;
use std::time::Duration;

/// The typed text.
const TEXT: &str = "swarm-check";

/// When to look after an act: an agent draws within this time.
const LOOKS: [Duration; 4] = [Duration::from_millis(400); 4];

#[inline(never)]
pub(super) fn run(word: &str, yes: bool) -> Result<()> {
    let usage = |text: String| anyhow::Error::from(Refusal::Usage(text));
    Session::look()?.require_human("have an agent's rules tested")?;
    let (server, pane, _) = explain::target(word)?;
    let profiles = session::profiles()?;
    let survey = discovery::survey(&server, &profiles)?;
    let found = survey.found.iter().map(|(sighting, _)| sighting).find(|s| s.place.pane == pane);
    let agent = found.ok_or_else(|| usage(format!("there is no agent in {pane}: `swarm explain {pane}`")))?;
    let pid = agent.process.pid;
    let profile = profiles.get(&agent.kind).ok_or_else(|| usage(profiles.why_not(&agent.kind).to_owned()))?;
    let profile = observe::for_version(profile, pid);
    if !yes {
        if !print::is_interactive() {
            return Err(usage("nobody is here to be asked: say --yes if its composer is empty".into()));
        }
        let question = format!(
            "{TEXT} is typed into the empty composer in {pane} and taken away again; nothing is submitted. Go on? [y/N] "
        );
        if !print::agrees(&question)? {
            return print::out("nothing was typed\n");
        }
    }
    let Some(_pane) = lock::pane(server.socket(), &pane)? else {
        return Err(usage("mail is being typed there; try again in a moment".into()));
    };
    let test = Test { server: &server, pane: &pane, profile, pid };
    let passed = test.run()?;
    if !passed {
        return Err(under::Ended(Exit::Failure.code()).into());
    }
    let version = program::version(pid, &process::arguments(pid));
    let noted = match &version {
        Some(version) => {
            tested::note(&agent.kind, version).map(|()| format!("; noted for {} {version}", agent.kind))?
        }
        None => String::new(),
    };
    print::out(&format!(
        "passed{}\nnot tested: a turn, a question and the modes; `swarm profile record` and `check` do that\n",
        escape::line(&noted)
    ))
}

/// When to look after a letter was deleted.
const SOON: [Duration; 20] = [Duration::from_millis(60); 20];

struct Test<'a> {
    server: &'a Server,
    pane: &'a str,
    profile: &'a Profile,
    pid: i32,
}

impl Test<'_> {
    /// Whether all three are read correctly; prints each result.
    fn run(&self) -> Result<bool> {
        let Some((look, reading)) = self.seen(&LOOKS, |_| false)? else { return self.gone() };
        if look.dead || look.in_mode || look.input_off {
            print::out(
                "the pane takes no keys now (it is in a mode of tmux, or its input is off); nothing was tested\n",
            )?;
            return Ok(false);
        }
        if !told("an empty composer", &reading, reading.state == Status::Idle)? {
            print::out("nothing was typed\n")?;
            return Ok(false);
        }
        let (acted, _) = self.server.paste(self.pane, &look, TEXT, &[])?;
        if acted == Acted::Stale {
            print::out("something changed there meanwhile; nothing was typed\n")?;
            return Ok(false);
        }
        let holds =
            |r: &Reading| r.state == Status::Draft && r.composer.as_ref().is_some_and(|c| c.holds(TEXT));
        let Some((_, reading)) = self.seen(&LOOKS, holds)? else { return self.gone() };
        let drafted = told("a draft", &reading, holds(&reading))?;
        // Only the text that was typed here is deleted.
        let erased = self.erase()?;
        let Some((_, reading)) = self.seen(&LOOKS, |r| r.state == Status::Idle)? else { return self.gone() };
        let cleared = told("a cleared draft", &reading, reading.state == Status::Idle)?;
        if !erased || !cleared {
            print::out(&format!("{TEXT} may still stand in its composer: remove it by hand\n"))?;
        }
        Ok(drafted && cleared)
    }

    /// Deletes the typed text while nothing else stands there. Letter by letter, because some agents take many
    /// deletions at once for a paste.
    fn erase(&self) -> Result<bool> {
        for left in (1..=TEXT.len()).rev() {
            let holds = |r: &Reading| r.composer.as_ref().is_some_and(|c| c.holds(&TEXT[..left]));
            let Some((look, reading)) = self.seen(&SOON, holds)? else { return Ok(false) };
            if !holds(&reading) || self.server.erase(self.pane, &look)? != Acted::Done {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Looks after each of these pauses until `enough`; the last look counts.
    fn seen(
        &self,
        pauses: &[Duration],
        enough: impl Fn(&Reading) -> bool,
    ) -> Result<Option<(Look, Reading)>> {
        let mut last = None;
        for pause in pauses {
            let Some(look) = self.server.looks_after(self.pane, &[*pause])?.pop() else { return Ok(None) };
            let reading = observe::reading(self.profile, self.pid, &look);
            let done = enough(&reading);
            last = Some((look, reading));
            if done {
                break;
            }
        }
        Ok(last)
    }

    fn gone(&self) -> Result<bool> {
        print::out(&format!("{} is gone\n", self.pane))?;
        Ok(false)
    }
}

/// Prints a reading, and whether it is correct.
fn told(what: &str, reading: &Reading, right: bool) -> Result<bool> {
    let verdict = if right { "ok" } else { "WRONG" };
    let why = reading.evidence.last().map(String::as_str).unwrap_or_default();
    let (state, why) = (reading.state.word(), escape::line(why));
    print::out(&format!("{verdict:<6} {what:<18} read as {state}: {why}\n"))?;
    Ok(right)
}
