//! Finds, among its arguments, the program that another program only runs (`env`, `sudo`, `sh -c`, `find -exec`, …).

use super::word::Word;

/// Programs that run a script.
pub(super) const SHELLS: [&str; 7] = ["sh", "bash", "dash", "zsh", "ksh", "ash", "fish"];

/// How many of the first arguments are options. An option's value in the next argument counts as well.
pub(super) fn skip_options(args: &[Word], short: &str, long: &[&str]) -> usize {
    let mut at = 0;
    while let Some(text) = args.get(at).map(|w| w.text.as_str()) {
        match text.strip_prefix('-') {
            Some("") | None => break,
            Some("-") => return at + 1,
            Some(_) if long.contains(&text) => at += 1,
            // The first letter that takes a value takes the rest of the word as the value.
            Some(letters) => {
                let value = letters.find(|c| short.contains(c));
                at += usize::from(!letters.starts_with('-') && value == Some(letters.len() - 1));
            }
        }
        at += 1;
    }
    at.min(args.len())
}

/// For a program that only runs another one: how many of its arguments come before the name of the other, and the new
/// directory.
pub(super) fn wrapped(program: &str, args: &[Word]) -> Option<(usize, Option<Word>)> {
    let dir = |option: &str, long: &str| {
        let attached = |w: &Word| {
            let text = w.text.strip_prefix(long)?.strip_prefix('=')?;
            Some(Word { text: text.to_owned(), exact: w.exact })
        };
        if let Some(dir) = args.iter().take_while(|w| w.text.starts_with('-')).find_map(attached) {
            return Some(dir);
        }
        let at = args.iter().position(|w| w.text == option || w.text == long)?;
        args.get(at + 1).cloned()
    };
    Some(match program {
        "env" => (skip_options(args, "uCS", &["--unset", "--chdir"]), dir("-C", "--chdir")),
        "sudo" | "doas" => (
            skip_options(args, "ughpCrtTUDR", &["--user", "--group", "--chdir", "--prompt"]),
            dir("-D", "--chdir"),
        ),
        "command" if args.first().is_some_and(|w| w.text.starts_with("-v") || w.text.starts_with("-V")) => {
            return None;
        }
        "command" | "builtin" | "nohup" | "setsid" | "caffeinate" | "unbuffer" | "chronic" | "busybox" => {
            (skip_options(args, "", &[]), None)
        }
        "exec" => (skip_options(args, "a", &[]), None),
        "time" => (skip_options(args, "fo", &["--format", "--output"]), None),
        "nice" => (skip_options(args, "n", &["--adjustment"]), None),
        "ionice" => (skip_options(args, "cnp", &["--class", "--classdata"]), None),
        "taskset" | "chrt" | "flock" => {
            let skipped = skip_options(args, "wE", &["--wait", "--timeout", "--conflict-exit-code"]);
            ((skipped + 1).min(args.len()), None)
        }
        "uv" | "poetry" | "pipenv" | "pdm" if args.first().is_some_and(|w| w.text == "run") => (1, None),
        "mise" | "direnv" if args.first().is_some_and(|w| matches!(w.text.as_str(), "exec" | "x")) => {
            let end = args.iter().position(|w| w.text == "--");
            (end.map_or(2, |end| end + 1).min(args.len()), None)
        }
        "stdbuf" => (skip_options(args, "ioe", &["--input", "--output", "--error"]), None),
        // The duration comes first.
        "timeout" => {
            let skipped = skip_options(args, "sk", &["--signal", "--kill-after"]);
            ((skipped + 1).min(args.len()), None)
        }
        _ => return None,
    })
}

/// The text of `env -S TEXT`, and the arguments after it.
pub(super) fn split_string(args: &[Word]) -> Option<(&str, &[Word])> {
    let mut at = 0;
    while let Some(word) = args.get(at).filter(|w| w.text.starts_with('-')) {
        at += 1;
        if matches!(word.text.as_str(), "-u" | "-C" | "--unset" | "--chdir") {
            at += 1;
            continue;
        }
        let attached = match word.text.strip_prefix("--split-string") {
            Some("") => "",
            Some(rest) => rest.strip_prefix('=')?,
            None if word.text.starts_with("--") => continue,
            None => match word.text.split_once('S') {
                Some((_, rest)) => rest,
                None => continue,
            },
        };
        if !attached.is_empty() {
            return Some((attached, &args[at..]));
        }
        return Some((args.get(at)?.get()?, &args[at + 1..]));
    }
    None
}

/// The script after `-c`.
pub(super) fn with_script(args: &[Word]) -> Option<&Word> {
    let at = args.iter().position(|w| {
        w.text == "--command" || w.text.starts_with('-') && !w.text.starts_with("--") && w.text.ends_with('c')
    })?;
    args.get(at + 1)
}

/// The script of `sh -c SCRIPT NAME ARGUMENT…`, and its arguments.
pub(super) fn shell_script(args: &[Word]) -> Option<(&str, &[Word])> {
    let mut wanted = false;
    let mut at = 0;
    while let Some(word) = args.get(at) {
        let text = word.text.as_str();
        if !text.starts_with(['-', '+']) || text.len() < 2 || text == "--" {
            let at = at + usize::from(text == "--");
            let text = args.get(at).filter(|_| wanted)?.get()?;
            return Some((text, args.get(at + 2..).unwrap_or_default()));
        }
        wanted |= text.starts_with('-') && !text.starts_with("--") && text.contains('c');
        let takes_value = matches!(text, "--rcfile" | "--init-file")
            || text.ends_with(['o', 'O']) && !text.starts_with("--");
        at += 1 + usize::from(takes_value);
    }
    None
}

/// Whether a shell with these arguments reads its script from its input.
pub(super) fn reads_stdin(args: &[Word]) -> bool {
    let first = args.iter().find(|w| !w.text.starts_with(['-', '+']) || w.text == "-");
    first.is_none_or(|w| matches!(w.text.as_str(), "-" | "/dev/stdin")) || args.iter().any(|w| w.text == "-s")
}

/// Removes from a command the text that replaces `place`, which is unknown. The rest of a shell's script stays known.
pub(super) fn blank(words: &mut [Word], place: &str) {
    let is_shell =
        words.first().is_some_and(|w| SHELLS.contains(&w.text.rsplit('/').next().unwrap_or_default()));
    for word in words.iter_mut().filter(|w| w.text.contains(place)) {
        if is_shell {
            word.text = word.text.replace(place, "$SWARM_UNKNOWN");
        } else {
            word.exact = false;
        }
    }
}

/// The commands that `find` runs, with its own words for the found names.
pub(super) fn executed(args: &[Word]) -> Vec<Vec<Word>> {
    let starts = |word: &Word| matches!(word.text.as_str(), "-exec" | "-execdir" | "-ok" | "-okdir");
    let mut found = Vec::new();
    let mut rest = args;
    while let Some(at) = rest.iter().position(starts) {
        rest = &rest[at + 1..];
        let end = rest.iter().position(|w| matches!(w.text.as_str(), ";" | "+")).unwrap_or(rest.len());
        let mut words = rest[..end].to_vec();
        blank(&mut words, "{}");
        found.push(words);
        rest = &rest[end..];
    }
    found
}
