//! The rules that let an agent run `swarm-msg` without asking the person.
//!
//! Pure: text in, text out. Only verbs that can neither run a command nor write a file have a rule. `lock` has none,
//! because a rule only gives the beginning of a command, and `lock PATH -- COMMAND` runs any command.
//!
//! Claude Code keeps its rules in the file with the hooks. Such a rule does not show who added it, so the caller
//! keeps a list. Codex and Gemini CLI read each file of a directory: there swarm's rules have a file of their own,
//! between two marked lines. All three check each command of a line, and ask about one that writes into a file.
//! `OpenCode` does not ask about the latter, so it gets no rules.

use super::HookKind;
use super::settings::{marked, name, object, parse};
use jsonc_parser::cst::{CstArray, CstInputValue, CstNode, CstObject, CstObjectProp};

/// The verbs that have a rule.
pub const VERBS: [&str; 18] = [
    "send", "reply", "ack", "resend", "handover", "inbox", "read", "show", "status", "dead", "wait", "who",
    "whoami", "verify", "unlock", "renew", "locks", "coord",
];

/// The rules for `kind` in its settings file, one for each name by which its tools may call the command. A name that
/// needs quotes in a shell has none: a rule gives the beginning of the command, letter by letter.
pub fn rules(kind: HookKind, names: &[&str]) -> Vec<String> {
    let of = move |name: &str, verb: &str| match kind {
        HookKind::Claude => Some(format!("Bash({name} {verb}:*)")),
        HookKind::Codex | HookKind::Gemini | HookKind::OpenCode => None,
    };
    names
        .iter()
        .filter(|name| is_plain(name))
        .flat_map(|name| VERBS.iter().filter_map(move |verb| of(name, verb)))
        .collect()
}

/// The line before swarm's rules in a file of rules.
const BEGIN: &str = "# >>> Added by swarm hooks install --allow; taken out by swarm hooks uninstall.";

/// The line after swarm's rules.
const END: &str = "# <<< The end of what swarm wrote.";

/// The rules for `kind` in the form for a file of rules; `None` if it reads no such file.
pub fn block(kind: HookKind, names: &[&str]) -> Option<String> {
    let quoted = |words: Vec<String>| format!("[{}]", words.join(", "));
    let names = names.iter().filter(|name| is_plain(name));
    let text = match kind {
        HookKind::Gemini => {
            let all = names.flat_map(|name| VERBS.iter().map(move |verb| format!("\"{name} {verb}\"")));
            format!(
                "[[rule]]\ntoolName = \"run_shell_command\"\ncommandPrefix = {}\ndecision = \"allow\"\npriority = 100\n",
                quoted(all.collect())
            )
        }
        HookKind::Codex => {
            let names = quoted(names.map(|name| format!("\"{name}\"")).collect());
            let verbs = quoted(VERBS.iter().map(|verb| format!("\"{verb}\"")).collect());
            format!("prefix_rule(\n    pattern = [{names}, {verbs}],\n    decision = \"allow\",\n)\n")
        }
        HookKind::Claude | HookKind::OpenCode => return None,
    };
    Some(format!("{BEGIN}\n{text}{END}\n"))
}

/// The text without the rules between swarm's two lines; `None` if there are none. A file with only one of the two
/// lines is an error.
pub fn without_block(text: &str) -> Result<Option<String>, String> {
    let (mut left, mut inside, mut found) = (String::new(), false, false);
    for line in text.split_inclusive('\n') {
        match line.trim_end() {
            BEGIN if !inside => (inside, found) = (true, true),
            END if inside => inside = false,
            BEGIN | END => return Err("a line of swarm's stands there without the other".into()),
            _ if !inside => left.push_str(line),
            _ => {}
        }
    }
    if inside {
        return Err("a line of swarm's stands there without the other".into());
    }
    Ok(found.then_some(left))
}

/// The text with `block` at its end, in place of an earlier block.
pub fn with_block(text: &str, block: &str) -> Result<String, String> {
    if text.contains(block) {
        return Ok(text.to_owned());
    }
    let mut text = without_block(text)?.unwrap_or_else(|| text.to_owned());
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text + block)
}

/// Whether a name needs no quotes in a shell: a rule gives the beginning of the command, letter by letter.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-+".contains(&b))
}

/// The object with the rules, and the name of its list.
const PLACE: (&str, &str) = ("permissions", "allow");

/// The rules that the text lacks.
pub fn missing(text: &str, rules: &[String]) -> Result<Vec<String>, String> {
    let root = parse(text)?;
    let there: Vec<String> = list(&object(&root)?)?.map_or_else(Vec::new, |(_, _, l)| strings(&l));
    Ok(rules.iter().filter(|rule| !there.contains(rule)).cloned().collect())
}

/// The text with the rules that it lacks.
pub fn with_rules(text: &str, rules: &[String]) -> Result<String, String> {
    let missing = missing(text, rules)?;
    if missing.is_empty() {
        return Ok(text.to_owned());
    }
    let root = parse(text)?;
    let (outer, inner) = PLACE;
    let holder = object(&root)?
        .object_value_or_create(outer)
        .ok_or_else(|| format!("its \"{outer}\" is not an object"))?;
    let list = holder
        .array_value_or_create(inner)
        .ok_or_else(|| format!("its \"{outer}.{inner}\" is not an array"))?;
    for rule in missing {
        list.append(CstInputValue::String(rule));
    }
    Ok(marked(text, root.to_string()))
}

/// The text without `rules`, and without lists and objects that this empties.
pub fn without_rules(text: &str, rules: &[String]) -> Result<String, String> {
    let root = parse(text)?;
    let top = object(&root)?;
    let Some((holder, property, list)) = list(&top)? else { return Ok(text.to_owned()) };
    let is_ours = |node: &CstNode| string(node).is_some_and(|rule| rules.contains(&rule));
    let ours: Vec<CstNode> = list.elements().into_iter().filter(is_ours).collect();
    if ours.is_empty() {
        return Ok(text.to_owned());
    }
    ours.into_iter().for_each(CstNode::remove);
    if list.elements().is_empty() {
        property.remove();
        if holder.properties().is_empty()
            && let Some(property) = top.get(PLACE.0)
        {
            property.remove();
        }
    }
    Ok(marked(text, root.to_string()))
}

/// The object with the list, the list's property, and the list. If a name is there twice, it is not known which one
/// counts.
fn list(top: &CstObject) -> Result<Option<(CstObject, CstObjectProp, CstArray)>, String> {
    let (outer, inner) = PLACE;
    let once = |object: &CstObject, wanted: &str| {
        let mut all = object.properties().into_iter().filter(|p| name(p).as_deref() == Some(wanted));
        let first = all.next();
        if all.next().is_some() { Err(format!("it has \"{wanted}\" twice")) } else { Ok(first) }
    };
    let Some(holder) = once(top, outer)? else { return Ok(None) };
    let holder = holder.object_value().ok_or_else(|| format!("its \"{outer}\" is not an object"))?;
    let Some(property) = once(&holder, inner)? else { return Ok(None) };
    let list = property.array_value().ok_or_else(|| format!("its \"{outer}.{inner}\" is not an array"))?;
    Ok(Some((holder, property, list)))
}

fn strings(list: &CstArray) -> Vec<String> {
    list.elements().iter().filter_map(string).collect()
}

fn string(node: &CstNode) -> Option<String> {
    node.as_string_lit()?.decoded_value().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claude() -> Vec<String> {
        rules(HookKind::Claude, &["swarm-msg", "/opt/bin/swarm-msg", "/it's here/swarm-msg"])
    }

    #[test]
    fn no_rule_lets_a_command_through_that_runs_another() {
        let rules = claude();
        assert_eq!(rules.len(), 2 * VERBS.len(), "a name in quotes has none");
        assert!(rules.contains(&"Bash(swarm-msg send:*)".to_owned()));
        assert!(rules.contains(&"Bash(/opt/bin/swarm-msg send:*)".to_owned()));
        for rule in &rules {
            assert!(!rule.contains(" lock:") && !rule.contains("msg:"), "{rule}");
        }
    }

    #[test]
    fn a_file_of_rules_holds_the_verbs_once_and_leaves_what_is_the_users() {
        let names = ["swarm-msg", "/opt/bin/swarm-msg", "/it's \"here\"/swarm-msg"];
        for kind in [HookKind::Codex, HookKind::Gemini] {
            let block = block(kind, &names).unwrap();
            assert!(
                !block.contains("lock\"]") && !block.contains(" lock\"") && !block.contains("here"),
                "{block}"
            );
            for verb in VERBS {
                assert!(block.contains(&format!("{verb}\"")), "{verb}: {block}");
            }
            if kind == HookKind::Gemini {
                let rule = block.parse::<toml::Table>().unwrap()["rule"][0].clone();
                assert_eq!(rule["commandPrefix"].as_array().unwrap().len(), 2 * VERBS.len());
            }
            for text in ["", "# mine\n", "# mine, without an end"] {
                let with = with_block(text, &block).unwrap();
                assert_eq!(with_block(&with, &block).unwrap(), with);
                assert_eq!(without_block(&with).unwrap().unwrap().trim_end(), text.trim_end());
                // The rules of a program at another path.
                let other = super::block(kind, &["swarm-msg"]).unwrap();
                assert_eq!(with_block(&with, &other).unwrap().matches(BEGIN).count(), 1);
            }
            for odd in [block.replace(END, ""), block.replace(BEGIN, ""), block.replace(END, BEGIN)] {
                without_block(&odd).unwrap_err();
            }
        }
        assert_eq!(without_block("# mine\n"), Ok(None));
        assert_eq!(super::block(HookKind::OpenCode, &names), None);
    }

    #[test]
    fn rules_of_the_users_own_stay_where_they_are() {
        let text = "{ // mine\n  \"permissions\": {\"allow\": [\"Bash(ls:*)\", \"Bash(swarm-msg send:*)\"], \"deny\": []}\n}\n";
        let put: Vec<String> = missing(text, &claude()).unwrap();
        assert_eq!(put.len(), claude().len() - 1);
        let with = with_rules(text, &claude()).unwrap();
        assert_eq!(with_rules(&with, &claude()).unwrap(), with);
        assert_eq!(missing(&with, &claude()), Ok(vec![]));
        let without = without_rules(&with, &put).unwrap();
        assert!(without.starts_with("{ // mine\n") && without.contains("\"deny\": []"), "{without}");
        assert!(without.contains("Bash(ls:*)") && without.matches("swarm-msg").count() == 1, "{without}");
    }

    #[test]
    fn what_the_rules_leave_empty_goes_with_them() {
        let with = with_rules("{\"a\": 1}", &claude()).unwrap();
        assert!(with.contains("\"allow\""), "{with}");
        let without = without_rules(&with, &claude()).unwrap();
        assert!(without.contains("\"a\": 1") && !without.contains("permissions"), "{without}");
        for text in [
            "{\"permissions\": 7}",
            "{\"permissions\": {}, \"permissions\": {}}",
            "{\"permissions\": {\"allow\": {}}}",
        ] {
            assert!(with_rules(text, &claude()).is_err(), "{text}");
        }
    }
}
