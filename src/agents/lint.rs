//! Finds suspicious rules in a valid profile: rules that cannot work, that match everything, or that need another
//! rule.
//!
//! Each finding is one sentence that begins with its key. A profile with findings is still used: only recorded
//! screens show whether a rule is right.

use super::profile::Profile;
use super::{caseless, is_interpreter};
use crate::core::escape;
use regex_syntax::hir::{Hir, HirKind, Look};

/// Names under which anything may run, beside the interpreters of agents: another interpreter, a shell, or a tool that
/// starts others. Also editors and pagers, which would take mail for commands.
const ANYBODY: [&str; 20] = [
    "ruby", "perl", "java", "npx", "npm", "uv", "sh", "bash", "zsh", "fish", "docker", "ssh", "sudo", "vi",
    "vim", "nvim", "emacs", "nano", "less", "man",
];

/// Keys whose patterns must match from the beginning of a text.
const FROM_THE_BEGINNING: [&str; 6] = [
    "screen.top",
    "screen.bottom",
    "screen.prompt",
    "screen.continuation",
    "screen.collapsed",
    "screen.placeholders",
];

/// Rows that may stand on any screen. A pattern that matches all of them distinguishes nothing.
const ANY_ROWS: [&str; 3] = ["", "Some words of an answer, as any agent writes them.", "  · 12% x"];

pub fn lint(profile: &Profile) -> Vec<String> {
    let mut found = of_one(profile);
    for (at, when) in profile.when.iter().enumerate() {
        let range = escape::short(when.versions.as_str(), 60);
        if let Some(wider) = profile.when[..at].iter().find(|before| before.versions.covers(&when.versions)) {
            let wider = escape::short(wider.versions.as_str(), 60);
            found.push(format!(
                "when.version.'{range}': it never counts: all of it is in '{wider}', which comes first"
            ));
        }
        let own = of_one(&when.profile).into_iter().filter(|what| !found.contains(what)).collect::<Vec<_>>();
        found.extend(own.into_iter().map(|what| format!("when.version.'{range}': {what}")));
    }
    found
}

/// The suspicious rules for one range of versions.
fn of_one(profile: &Profile) -> Vec<String> {
    let mut found = Vec::new();
    // Without rules for a screen, the agent is found, but nothing is typed into it.
    let rules = profile.has_screen.then(|| profile.screen.named()).into_iter().flatten();
    for (key, pattern) in rules {
        let source = escape::short(pattern.as_str(), 60);
        let mut say = |what: &str| found.push(format!("{key}: '{source}' {what}"));
        let Ok(hir) = regex_syntax::parse(&caseless::spelled_out(pattern.as_str())) else { continue };
        let ends = hir.properties();
        if never_matches(&hir) {
            say("never matches: a row is one line, begins at ^ and ends at $");
        } else if FROM_THE_BEGINNING.contains(&key) && !ends.look_set_prefix().contains(Look::Start) {
            say("does not begin with ^: it counts only where a row begins with it");
        } else if key == "screen.right" && !ends.look_set_suffix().contains(Look::End) {
            say("does not end with $: it counts only where a row ends with it");
        } else if key == "screen.prompt" || key == "screen.continuation" {
            if key == "screen.prompt" && profile.screen.top.is_none() && pattern.prefix(ANY_ROWS[1]).is_some()
            {
                say("matches at the beginning of any row, and no rule `top` tells where the composer begins");
            }
        } else if ANY_ROWS.iter().all(|row| pattern.matches(row)) {
            say("matches any row");
        } else if pattern.as_str().ends_with(" $") {
            say("never matches: the blanks at the end of a row are cut off");
        }
    }
    found.extend(contradictions(profile));
    found
}

/// Keys that need or exclude another key.
fn contradictions(profile: &Profile) -> Vec<String> {
    let Profile { process, screen, timing, .. } = profile;
    let busy = [&screen.busy, &screen.busy_above, &screen.busy_title].iter().all(|list| list.is_empty());
    let generic = process.names.iter().find(|name| is_interpreter(name) || ANYBODY.contains(&name.as_str()));
    let generic = generic.filter(|_| process.path.is_empty()).map(|name| {
        format!(
            "process.names: anything may run as {name}; name its script in process.scripts, or its command line in process.path"
        )
    });
    let rules = [
        (
            !screen.collapsed.is_empty() && screen.collapses_above == usize::MAX,
            "screen.collapsed without collapses_above: a long paste is never recognised as the message",
        ),
        (
            screen.collapsed.is_empty() && screen.collapses_above != usize::MAX,
            "screen.collapses_above without collapsed: it has no effect",
        ),
        (
            screen.bottom.is_some() && screen.below == 0,
            "screen.below counts the closing row at the bottom as well: with `bottom` it must be at least 1",
        ),
        (
            screen.top.is_none() && (screen.scrolled.is_some() || screen.lead),
            "screen.scrolled and screen.lead are about the rows at `top`, which is missing",
        ),
        (
            screen.cursor_glyph.is_some() && !screen.drawn_cursor,
            "screen.cursor_glyph without drawn_cursor: it has no effect",
        ),
        (screen.rows_max == Some(0), "screen.rows_max is 0: no message fits"),
        (timing.enters == 0, "timing.enters is 0: no message is ever submitted"),
        (busy, "screen.busy, busy_above and busy_title are all missing: nothing says that it is in a turn"),
        (
            screen.dialog.is_empty() && screen.dialog_title.is_empty() && screen.dialog_footer.is_empty(),
            "screen.dialog, dialog_title and dialog_footer are all missing: its questions are not recognised",
        ),
        (
            process.names.is_empty() && process.scripts.is_empty(),
            "process.names and process.scripts are both missing: no process is recognised",
        ),
    ];
    let counts = |what: &str| profile.has_screen || what.starts_with("process.");
    let said =
        rules.into_iter().filter(|(applies, what)| *applies && counts(what)).map(|(_, what)| what.to_owned());
    said.chain(generic).collect()
}

/// Whether no row can match: the pattern contains a line feed, or something before ^ or behind $.
fn never_matches(hir: &Hir) -> bool {
    let takes = |part: &Hir| part.properties().minimum_len().is_none_or(|least| least > 0);
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(text) => text.0.contains(&b'\n'),
        HirKind::Class(_) => hir.properties().minimum_len().is_none(),
        HirKind::Repetition(repeated) => repeated.min > 0 && never_matches(&repeated.sub),
        HirKind::Capture(capture) => never_matches(&capture.sub),
        HirKind::Alternation(all) => all.iter().all(never_matches),
        HirKind::Concat(all) => {
            let is = |part: &Hir, look| *part.kind() == HirKind::Look(look);
            all.iter().enumerate().any(|(at, part)| {
                never_matches(part)
                    || is(part, Look::Start) && all[..at].iter().any(takes)
                    || is(part, Look::End) && all[at + 1..].iter().any(takes)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::Profiles;

    const GOOD: &str = "kind = 'x'\ntitle = 'X'\n[process]\nnames = ['x']\n[screen]\ntop = '^─{3,}'\nbottom = '^─{3,}'\n\
        prompt = '^> '\ncontinuation = '^  '\nbelow = 1\nbusy = ['working']\ndialog = ['\\[y/n\\]']\n";

    fn said(text: &str) -> String {
        lint(&Profile::parse(text, "x").unwrap()).join("\n")
    }

    #[test]
    fn a_good_profile_and_every_built_in_one_has_nothing_suspicious() {
        assert_eq!(said(GOOD), "");
        assert_eq!(said(include_str!("../../docs/profile.toml")), "");
        for profile in Profiles::builtin().unwrap().all() {
            assert_eq!(lint(profile), [""; 0], "{}", profile.kind);
        }
    }

    #[test]
    fn a_profile_without_a_screen_lacks_nothing_of_one() {
        let text = "kind = 'x'\n[process]\nnames = ['x']\n";
        assert_eq!(said(text), "");
        assert!(said(&text.replace("'x']", "'x', 'node']")).contains("anything may run as node"));
    }

    #[test]
    fn each_rule_that_cannot_work_is_named_with_its_key() {
        for (old, new, expected) in [
            ("prompt = '^> '", "prompt = '> '", "screen.prompt: '> ' does not begin with ^"),
            ("'^─{3,}'\nbottom", "'─'\nbottom", "screen.top: '─' does not begin with ^"),
            ("below = 1", "below = 1\nright = '│'", "screen.right: '│' does not end with $"),
            ("below = 1", "below = 0", "screen.below counts the closing row"),
            (
                "below = 1",
                "below = 1\ncollapsed = ['^\\[Pasted']",
                "screen.collapsed without collapses_above",
            ),
            ("below = 1", "below = 1\ncollapses_above = 9", "screen.collapses_above without collapsed"),
            ("below = 1", "below = 1\nrows_max = 0", "screen.rows_max is 0"),
            ("below = 1", "below = 1\ncursor_glyph = '▋'", "screen.cursor_glyph without drawn_cursor"),
            ("below = 1", "below = 1\nplaceholders = ['^.*']", "screen.placeholders: '^.*' matches any row"),
            ("['working']", "['.*']", "screen.busy: '.*' matches any row"),
            ("['working']", "['']", "screen.busy: '' matches any row"),
            ("['working']", "['a$b']", "screen.busy: 'a$b' never matches"),
            ("['working']", "['a^b']", "screen.busy: 'a^b' never matches"),
            ("['working']", "['(x|y)\\n']", "never matches"),
            ("['working']", "['[a&&b]']", "never matches"),
            ("['working']", "['working $']", "screen.busy: 'working $' never matches"),
            ("busy = ['working']\n", "", "screen.busy, busy_above and busy_title are all missing"),
            ("dialog = ['\\[y/n\\]']\n", "", "screen.dialog, dialog_title and dialog_footer are all missing"),
            ("names = ['x']", "", "process.names and process.scripts are both missing"),
            ("names = ['x']", "names = ['x', 'node']", "process.names: anything may run as node"),
            ("names = ['x']", "names = ['less']", "process.names: anything may run as less"),
        ] {
            let text = GOOD.replace(old, new);
            assert_ne!(text, GOOD, "{old}");
            let said = said(&text);
            assert!(said.contains(expected), "{new}: {said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
        // The command line distinguishes it from other programs.
        assert_eq!(said(&GOOD.replace("names = ['x']", "names = ['node']\npath = ['/x$']")), "");
        assert!(said(&format!("{GOOD}[timing]\nenters = 0\n")).contains("timing.enters is 0"));
        let open = "[[screen.open]]\nname = 'x'\nis = 'mode'\nfooter = ['.*']\n";
        assert!(said(&format!("{GOOD}{open}")).contains("screen.open.footer: '.*' matches any row"));
        // Rules for some versions, and the ranges of these versions, are checked as well.
        let when = |rest: &str| said(&format!("{GOOD}{rest}"));
        assert_eq!(when("[when.version.'<2'.screen]\nbusy = ['busy']\n"), "");
        let loose = when("[when.version.'<2'.screen]\nbusy = ['.*']\n");
        assert_eq!(loose, "when.version.'<2': screen.busy: '.*' matches any row");
        let covered = when("[when.version.'<3']\n[when.version.'<2']\n");
        assert_eq!(covered, "when.version.'<2': it never counts: all of it is in '<3', which comes first");
        // Without a row at the top, only the prompt shows where the composer begins.
        let bare = GOOD.replace("top = '^─{3,}'\n", "").replace("'^> '", "'^'");
        assert!(said(&bare).contains("screen.prompt: '^' matches at the beginning of any row"));
    }
}
