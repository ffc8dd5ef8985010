//! A first profile for an agent, drafted from its recorded screens.
//!
//! Each way in which a composer may be closed and its cursor drawn gives a candidate, and the recordings decide
//! between the candidates. A candidate that reads a recording as idle although the agent was not idle is dropped. The
//! signs of a turn or a question come from the recordings. Because these are few, the signs of other agents are
//! added: a superfluous rule only lets mail wait.

mod composer;
mod signs;
mod sketch;
#[cfg(test)]
mod tests;
mod text;

use super::recording::Recording;
use crate::core::agent::Status;
use composer::{CursorForm, EmptyComposer, closers, views};
use sketch::{Score, Sketch};

#[derive(Debug)]
pub struct Draft {
    pub text: String,
    /// What a person should know about the draft.
    pub notes: Vec<String>,
}

pub fn draft(kind: &str, all: &[Recording]) -> Result<Draft, String> {
    let of = |state: Status| all.iter().filter(move |r| r.state == state);
    for (state, what) in [
        (Status::Idle, "an empty composer"),
        (Status::Draft, "a draft in the composer"),
        (Status::Busy, "a turn"),
    ] {
        if of(state).next().is_none() {
            return Err(format!("there is no recording of {what} (`--state {}`)", state.word()));
        }
    }
    let (sketch, alike) = best(kind, all)?;
    Ok(Draft { text: sketch.text(kind), notes: notes(kind, all, &sketch, &alike) })
}

/// Finds the candidate that reads most recordings correctly. Also returns the recordings that other, perhaps better,
/// candidates were dropped for.
#[inline(never)]
fn best(kind: &str, all: &[Recording]) -> Result<(Sketch, Vec<String>), String> {
    let idle: Vec<&Recording> = all.iter().filter(|r| r.state == Status::Idle).collect();
    let mut best: Option<(Score, Sketch)> = None;
    let mut alike: Vec<String> = Vec::new();
    let mut why = "no cursor was found behind a prompt in the recordings of an empty composer".to_owned();
    for drawn in CursorForm::all() {
        let places: Vec<EmptyComposer<'_>> =
            idle.iter().filter_map(|r| EmptyComposer::new(r, drawn)).collect();
        if places.len() < idle.len() {
            continue;
        }
        for view in views(&places) {
            for (top, _) in closers(&view, true) {
                for bottom in closers(&view, false) {
                    let mut sketch = Sketch::new(all, &view, drawn, top.clone(), bottom);
                    match sketch.judge(kind, all) {
                        Ok(score) if best.as_ref().is_none_or(|(most, _)| score > *most) => {
                            best = Some((score, sketch));
                        }
                        Ok(_) => {}
                        Err(name) => {
                            why = format!("nothing in '{name}' distinguishes it from an empty composer");
                            text::add(&mut alike, name);
                        }
                    }
                }
            }
            // Later views leave some recordings out.
            let done = |(of_widths, _): &Score| of_widths.iter().sum::<usize>() == idle.len();
            if best.as_ref().is_some_and(|(score, _)| done(score)) {
                break;
            }
        }
    }
    match best {
        // A candidate that reads no empty composer correctly is useless.
        Some(((of_widths, _), _)) if !alike.is_empty() && of_widths.iter().sum::<usize>() == 0 => {
            Err(format!(
                "nothing in '{}' distinguishes it from an empty composer: record it again, or leave it out and add what tells it to the draft",
                alike.join("' or in '")
            ))
        }
        Some((_, sketch)) => Ok((sketch, alike)),
        None => Err(why),
    }
}

/// What a person should know of a draft.
fn notes(kind: &str, all: &[Recording], sketch: &Sketch, alike: &[String]) -> Vec<String> {
    let of = |state: Status| all.iter().filter(move |r| r.state == state);
    let mut notes = Vec::new();
    let missed: Vec<&str> =
        of(Status::Idle).filter(|r| !sketch.reads_idle(kind, r)).map(|r| r.name.as_str()).collect();
    if !missed.is_empty() {
        notes.push(format!(
            "these recordings of an empty composer are not read as idle, so mail would wait there: {} (is the composer empty in each, the cursor in it, and no turn under way?)",
            missed.join(", ")
        ));
        if !alike.is_empty() {
            notes.push(format!(
                "rules that would read more of them so were given up, because nothing in '{}' distinguishes it from an empty composer",
                alike.join("' or in '")
            ));
        }
    }
    for (key, pattern) in &sketch.guessed {
        notes.push(format!(
            "{key}: '{pattern}' is there because no other recording shows it: remove it if it only happened to stand there, or if an answer may hold it"
        ));
    }
    let sizes: Vec<String> = sketch.smallest.iter().map(|(x, y)| format!("{x}x{y}")).collect();
    notes.push(format!("nothing is typed in a pane smaller than {}: record it in a smaller one, idle and busy, if you use it there", sizes.join(" or ")));
    if of(Status::Dialog).next().is_none() {
        notes.push("no question of the agent is recorded (`--state dialog`): the rules for it are those of other agents".into());
    }
    match sketch.ordinary.first() {
        None => notes.push("nothing is shown only while it is idle: record every mode in which an empty composer means something else (`--state mode-NAME`)".into()),
        Some(row) if of(Status::Idle).count() == 1 => notes.push(format!(
            "nothing is typed unless '{row}' stands below the composer, and only one recording shows it: record an empty composer once more, after a turn (`--state idle-2`)"
        )),
        Some(_) => {}
    }
    notes
}
