//! Shows the rules that a project brings, and asks the person whether they may be used.

use crate::agents::{Profile, Profiles, lint};
use crate::cli::print;
use crate::cli::session::Session;
use crate::core::escape;
use crate::core::plural::plural;
use crate::core::refusal::Refusal;
use crate::store::profiles::{Allowance, OF_PROJECT, Shelf, Text};
use anyhow::Result;

pub(super) fn run(revoke: bool, yes: bool) -> Result<()> {
    let usage = |text: String| anyhow::Error::from(Refusal::Usage(text));
    let session = Session::open()?;
    session.require_human("allow a project to bring rules for agents")?;
    let shelf = Shelf::of(Some(session.store.root()));
    if revoke {
        let changed = shelf.allow(None)?;
        let said = if changed { "are not used any more" } else { "were not allowed" };
        return print::out(&format!("the rules of this project {said}\n"));
    }
    let texts = shelf.of_project();
    if texts.is_empty() {
        return Err(usage(format!("this project brings no rules: there is no {OF_PROJECT}/*.toml in it")));
    }
    let before = shelf.allowance(&texts);
    if before == Allowance::Allowed {
        return print::out("the rules of this project are allowed as they are; --revoke takes that back\n");
    }
    let built_in = Profiles::builtin()?;
    let own: Vec<(String, String)> = shelf.own().iter().filter_map(kind_of).collect();
    let mut shown = Vec::new();
    for (at, one) in texts.iter().enumerate() {
        // Later files have priority.
        let later: Vec<(String, String)> = texts[at + 1..].iter().filter_map(kind_of).collect();
        shown.push(describe(one, &built_in, &later, &own).map_err(usage)?);
    }
    let again = if before == Allowance::Changed { "they have changed since you allowed them; " } else { "" };
    print::out(&shown.concat())?;
    let asked = format!(
        "{again}such rules decide when swarm types into an agent here, and which processes are agents. Use {}? [y/N] ",
        plural(texts.len(), "file")
    );
    if !yes {
        if !print::is_interactive() {
            return Err(usage("nobody is here to be asked: look at the files, then say --yes".into()));
        }
        if !print::agrees(&asked)? {
            return print::out("nothing was changed\n");
        }
    }
    // The texts that were shown, and not those that may be there by now.
    shelf.allow(Some(&texts))?;
    print::out("allowed, until one of the files changes; `swarm profile list` shows what is used\n")
}

/// The kind of a file, and the file.
fn kind_of(one: &Text) -> Option<(String, String)> {
    let profile = Profile::parse(one.text.as_ref().ok()?, &one.file).ok()?;
    Some((profile.kind, one.file.clone()))
}

/// The contents of a file and the changes that it makes, in a few lines; or its error. `later` and `own` are other
/// files, with their kinds, that have priority: of the project, and of the person.
fn describe(
    one: &Text,
    built_in: &Profiles,
    later: &[(String, String)],
    own: &[(String, String)],
) -> Result<String, String> {
    let file = escape::line(&one.file);
    let text = one.text.as_ref().map_err(Clone::clone)?;
    let profile = Profile::parse(text, &one.file).map_err(|why| why.to_string())?;
    let programs = [&profile.process.names[..], &profile.process.scripts].concat().join(", ");
    let typed = if profile.has_screen { "typed into where its screen is idle" } else { "never typed into" };
    let mut said =
        format!("{file}: kind {}, {typed}; recognised by {}\n", profile.kind, escape::line(&programs));
    let of_kind = |files: &[(String, String)]| {
        files.iter().find(|(kind, _)| *kind == profile.kind).map(|(_, file)| escape::line(file))
    };
    if let Some(other) = of_kind(own) {
        said += &format!("  it is not used: your own {other} is of the same kind and counts more\n");
    } else if let Some(other) = of_kind(later) {
        said += &format!("  it is not used: {other} is of the same kind and counts more\n");
    } else if let Some(replaced) = built_in.get(&profile.kind) {
        said += &format!("  it replaces the built-in profile of {}\n", replaced.title);
    }
    said.extend(lint(&profile).iter().map(|what| format!("  suspicious: {}\n", escape::line(what))));
    Ok(said)
}
