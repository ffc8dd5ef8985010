//! Lists of words, each for one agent or for all of one kind: `claude-1=pane codex=hook,pane`.

use super::value::Value;
use crate::core::name::Name;
use crate::core::order;
use serde_json::Map;

/// The list for one agent, or for all agents of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// The agent's name, or the kind.
    pub of: String,
    /// The words, in their order.
    pub words: Vec<&'static str>,
}

/// Reads words separated by commas, each at most once.
pub(super) fn words(known: &'static [&'static str], text: &str) -> Option<Vec<&'static str>> {
    let one = |text: &str| known.iter().find(|w| **w == text.trim()).copied();
    let all: Vec<&'static str> = text.split(',').map(one).collect::<Option<_>>()?;
    let once = all.iter().enumerate().all(|(n, w)| !all[..n].contains(w));
    once.then_some(all)
}

/// Reads lists separated by spaces, each name at most once. An empty text has no lists.
pub(super) fn parse(known: &'static [&'static str], text: &str) -> Option<Vec<List>> {
    let one = |text: &str| {
        let (of, all) = text.split_once('=')?;
        Name::for_agent(of).ok()?;
        Some(List { of: of.to_owned(), words: words(known, all)? })
    };
    let all: Vec<List> = text.split_whitespace().map(one).collect::<Option<_>>()?;
    let once = all.iter().enumerate().all(|(n, list)| all[..n].iter().all(|l| l.of != list.of));
    once.then_some(all)
}

/// The lists as people write them.
pub(super) fn texts(lists: &[List]) -> Vec<String> {
    lists.iter().map(|list| format!("{}={}", list.of, list.words.join(","))).collect()
}

/// The lists for scripts.
pub(super) fn json(lists: &[List]) -> serde_json::Value {
    let one = |list: &List| (list.of.clone(), list.words.iter().copied().collect());
    order::collect::<_, Map<_, _>>(lists.iter().map(one)).into()
}

/// A project's lists together with the person's, if they only leave out words that the person allows for that agent.
/// If the person has no list for an agent, `base` applies; but a list for its kind, which its name does not show, may
/// allow less.
pub(super) fn narrowed(yours: &[List], base: &Value, its: &[List]) -> Option<Vec<List>> {
    let Value::Words(base) = base else { return None };
    let given = |list: &List, word: &&'static str| match yours.iter().find(|l| l.of == list.of) {
        Some(own) => own.words.contains(word),
        None => base.contains(word) && yours.iter().all(|l| l.words.contains(word)),
    };
    let fewer = its.iter().all(|list| list.words.iter().all(|word| given(list, word)));
    let others = yours.iter().filter(|l| its.iter().all(|i| i.of != l.of));
    fewer.then(|| others.chain(its).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["inbox", "hook", "pane"];

    #[test]
    fn lists_are_read_and_written_alike_and_each_name_counts_once() {
        let text = "claude-1=pane codex=hook,pane";
        let read = parse(KNOWN, text).unwrap();
        assert_eq!(texts(&read).join(" "), text);
        assert_eq!(json(&read), serde_json::json!({"claude-1": ["pane"], "codex": ["hook", "pane"]}));
        assert_eq!(parse(KNOWN, "  "), Some(Vec::new()));
        for bad in [
            "claude-1",
            "claude-1=",
            "claude-1=owl",
            "=pane",
            "A=pane",
            "all=pane",
            "a=pane,pane",
            "a=pane a=hook",
        ] {
            assert_eq!(parse(KNOWN, bad), None, "{bad}");
        }
    }

    #[test]
    fn a_project_leaves_words_out_and_adds_none() {
        let lists = |text| parse(KNOWN, text).unwrap();
        let base = Value::Words(vec!["inbox", "pane"].into());
        let told = |yours, its| narrowed(&lists(yours), &base, &lists(its)).map(|all| texts(&all).join(" "));
        assert_eq!(told("", "a=pane"), Some("a=pane".into()));
        assert_eq!(told("", "a=hook"), None, "you use it for nobody");
        assert_eq!(told("a=hook,pane b=inbox", "a=hook"), Some("b=inbox a=hook".into()));
        assert_eq!(told("a=pane", "a=inbox"), None);
        // The agent b may be of the kind a.
        assert_eq!(told("a=pane", "b=inbox"), None);
        assert_eq!(told("a=pane", "b=pane"), Some("a=pane b=pane".into()));
    }
}
