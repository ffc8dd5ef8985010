//! Adds, removes and finds swarm's entries in the settings file of an agent.
//!
//! Pure: text in, text out. The file is the user's, so everything else keeps its place, its comments and its form. An
//! entry is swarm's if its command ends in `swarm hook KIND EVENT`. Claude Code, Codex and Gemini CLI share the
//! structure: `hooks`, event, groups with a matcher, commands.

use super::HookKind;
use crate::core::escape;
use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstNode, CstObject, CstObjectProp, CstRootNode};
use serde_json::Value;
use std::collections::BTreeSet;

/// How many of swarm's entries a text contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// None of them.
    None,
    /// Some of them, or with another program's path.
    Partial,
    Full,
}

/// The hooks of `kind`: each event, and the tools for which it runs.
pub(super) fn wanted(kind: HookKind) -> &'static [(&'static str, Option<&'static str>)] {
    const CLAUDE_TOOLS: Option<&str> = Some("Write|Edit|MultiEdit|NotebookEdit|Bash");
    const GEMINI_TOOLS: Option<&str> = Some("write_file|replace|run_shell_command");
    match kind {
        HookKind::Claude => &[
            ("SessionStart", None),
            ("SessionEnd", None),
            ("UserPromptSubmit", None),
            ("PreToolUse", CLAUDE_TOOLS),
            ("PostToolUse", CLAUDE_TOOLS),
            ("Stop", None),
            ("Notification", None),
        ],
        HookKind::Codex => &[
            ("SessionStart", None),
            ("UserPromptSubmit", None),
            ("PreToolUse", None),
            ("PostToolUse", None),
            ("PermissionRequest", None),
            ("Stop", None),
        ],
        HookKind::Gemini => &[
            ("SessionStart", None),
            ("SessionEnd", None),
            ("BeforeAgent", None),
            ("BeforeTool", GEMINI_TOOLS),
            ("AfterTool", GEMINI_TOOLS),
            ("AfterAgent", None),
            ("Notification", None),
        ],
        // It has a plugin instead of settings.
        HookKind::OpenCode => &[],
    }
}

/// The installed hooks, for a person.
pub fn summary(kind: HookKind) -> String {
    let events: Vec<&str> = wanted(kind).iter().map(|(event, _)| *event).collect();
    if events.is_empty() { "a plugin".to_owned() } else { events.join(", ") }
}

/// How long the agent may wait for a hook: 10 s, in the unit of each kind.
pub(super) fn timeout(kind: HookKind) -> u32 {
    if kind == HookKind::Gemini { 10_000 } else { 10 }
}

/// The command of one hook. `program` is quoted for a shell.
fn command(program: &str, kind: HookKind, event: &str) -> String {
    format!("'{}' hook {} {event}", program.replace('\'', "'\\''"), kind.word())
}

/// The mark that some editors put before the text of a file. It stays there.
const BYTE_ORDER_MARK: char = '\u{feff}';

fn bare(text: &str) -> &str {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// Puts the mark of `text` before `after`.
pub(super) fn marked(text: &str, after: String) -> String {
    if text.starts_with(BYTE_ORDER_MARK) { format!("{BYTE_ORDER_MARK}{after}") } else { after }
}

/// The text with all of swarm's hooks, and none for an earlier path of the program.
pub fn with_hooks(text: &str, kind: HookKind, program: &str) -> Result<String, String> {
    if presence(text, kind, program)? == Presence::Full {
        return Ok(text.to_owned());
    }
    let root = parse(&without_hooks(text, kind)?)?;
    let top = object(&root)?;
    let hooks = top.object_value_or_create("hooks").ok_or("its \"hooks\" is not an object")?;
    for (event, matcher) in wanted(kind) {
        let groups = hooks
            .array_value_or_create(event)
            .ok_or_else(|| format!("its \"hooks.{event}\" is not an array"))?;
        let string = |text: &str| CstInputValue::String(text.to_owned());
        let hook = CstInputValue::Object(vec![
            ("type".to_owned(), string("command")),
            ("command".to_owned(), string(&command(program, kind, event))),
            ("timeout".to_owned(), CstInputValue::Number(timeout(kind).to_string())),
        ]);
        let mut group = Vec::new();
        if let Some(matcher) = matcher {
            group.push(("matcher".to_owned(), string(matcher)));
        }
        group.push(("hooks".to_owned(), CstInputValue::Array(vec![hook])));
        groups.append(CstInputValue::Object(group));
    }
    Ok(marked(text, root.to_string()))
}

/// The text without swarm's hooks, and without groups and lists that this empties.
pub fn without_hooks(text: &str, kind: HookKind) -> Result<String, String> {
    let root = parse(text)?;
    let top = object(&root)?;
    let Some(hooks) = top.object_value("hooks") else { return Ok(text.to_owned()) };
    let mut changed = false;
    // An object that was empty before is the user's, and stays.
    for event in hooks.properties() {
        let Some(groups) = event.array_value() else { continue };
        let mut emptied = false;
        for group in groups.elements() {
            let Some(commands) = group.as_object().and_then(|g| g.array_value("hooks")) else { continue };
            let ours: Vec<CstNode> = commands.elements().into_iter().filter(|c| is_ours(c, kind)).collect();
            if ours.is_empty() {
                continue;
            }
            changed = true;
            ours.into_iter().for_each(CstNode::remove);
            if commands.elements().is_empty() {
                group.remove();
                emptied = true;
            }
        }
        if emptied && groups.elements().is_empty() {
            event.remove();
        }
    }
    if !changed {
        return Ok(text.to_owned());
    }
    if hooks.properties().is_empty()
        && let Some(property) = top.get("hooks")
    {
        property.remove();
    }
    Ok(marked(text, root.to_string()))
}

/// The list of plugins in an agent's settings.
const PLUGINS: &str = "plugin";

/// Whether the settings name that plugin, alone or with options.
pub fn has_plugin(text: &str, plugin: &str) -> Result<bool, String> {
    let value = value(text)?;
    let names = |one: &Value| one == plugin || one[0] == plugin;
    Ok(value[PLUGINS].as_array().is_some_and(|all| all.iter().any(names)))
}

/// The text with that plugin in its list.
pub fn with_plugin(text: &str, plugin: &str) -> Result<String, String> {
    if has_plugin(text, plugin)? {
        return Ok(text.to_owned());
    }
    let root = parse(text)?;
    let list = object(&root)?.array_value_or_create(PLUGINS);
    let list = list.ok_or_else(|| format!("its \"{PLUGINS}\" is not an array"))?;
    list.append(CstInputValue::String(plugin.to_owned()));
    Ok(marked(text, root.to_string()))
}

/// The text without that plugin, and without a list that this empties.
pub fn without_plugin(text: &str, plugin: &str) -> Result<String, String> {
    // A text that is not understood, and does not mention the plugin, contains nothing of swarm.
    if !text.contains(plugin) || !has_plugin(text, plugin)? {
        return Ok(text.to_owned());
    }
    let root = parse(text)?;
    let top = object(&root)?;
    let Some(list) = top.array_value(PLUGINS) else { return Ok(text.to_owned()) };
    let names = |node: &CstNode| match node.as_array() {
        Some(pair) => pair.elements().first().is_some_and(|first| is_string(first, plugin)),
        None => is_string(node, plugin),
    };
    list.elements().into_iter().filter(names).for_each(CstNode::remove);
    if list.elements().is_empty()
        && let Some(property) = top.get(PLUGINS)
    {
        property.remove();
    }
    Ok(marked(text, root.to_string()))
}

fn is_string(node: &CstNode, text: &str) -> bool {
    node.as_string_lit().and_then(|s| s.decoded_value().ok()).is_some_and(|said| said == text)
}

/// The settings as a value.
pub fn value(text: &str) -> Result<Value, String> {
    Ok(object(&parse(text)?)?.to_serde_value().unwrap_or_default())
}

/// One of swarm's hooks, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub event: String,
    /// The index of its group among those of the event, and its own in the group.
    pub place: (usize, usize),
    pub command: String,
}

/// All of swarm's hooks in a text.
pub fn entries(text: &str, kind: HookKind) -> Result<Vec<Entry>, String> {
    let value = value(text)?;
    let mut found = Vec::new();
    for (event, groups) in value["hooks"].as_object().into_iter().flatten() {
        for (outer, group) in groups.as_array().into_iter().flatten().enumerate() {
            for (inner, hook) in group["hooks"].as_array().into_iter().flatten().enumerate() {
                if let Some(command) = hook["command"].as_str().filter(|c| ours(c, kind)) {
                    let (event, command) = (event.clone(), command.to_owned());
                    found.push(Entry { event, place: (outer, inner), command });
                }
            }
        }
    }
    Ok(found)
}

/// The path of the program that all of swarm's hooks in the text name.
pub fn program(text: &str, kind: HookKind) -> Option<String> {
    let entries = entries(text, kind).ok()?;
    let named = |e: &Entry| {
        let quoted = e.command.rsplit_once(&format!(" hook {} ", kind.word()))?.0;
        Some(quoted.strip_prefix('\'')?.strip_suffix('\'')?.replace("'\\''", "'"))
    };
    let first = named(entries.first()?)?;
    entries.iter().all(|e| named(e).as_ref() == Some(&first)).then_some(first)
}

/// How many of swarm's hooks the text contains.
pub fn presence(text: &str, kind: HookKind, program: &str) -> Result<Presence, String> {
    let entries = entries(text, kind)?;
    let commands: Vec<&str> = entries.iter().map(|e| e.command.as_str()).collect();
    let all: Vec<String> = wanted(kind).iter().map(|(event, _)| command(program, kind, event)).collect();
    Ok(
        match (
            commands.is_empty(),
            commands.len() == all.len() && all.iter().all(|c| commands.contains(&c.as_str())),
        ) {
            (_, true) => Presence::Full,
            (true, _) => Presence::None,
            _ => Presence::Partial,
        },
    )
}

pub(super) fn parse(text: &str) -> Result<CstRootNode, String> {
    CstRootNode::parse(bare(text), &ParseOptions::default()).map_err(|e| format!("it is not JSON: {e}"))
}

/// The object of a settings file; an empty file becomes one. If a name is there twice, one agent takes the first and
/// another the last, so an entry there might have no effect, and might not be found again.
pub(super) fn object(root: &CstRootNode) -> Result<CstObject, String> {
    let object = root.object_value_or_create().ok_or_else(|| "it is not a JSON object".to_owned())?;
    let named = |p: &CstObjectProp| name(p).as_deref() == Some("hooks");
    let mut hooks = object.properties().into_iter().filter(named);
    match (hooks.next(), hooks.next()) {
        (_, Some(_)) => Err("it has \"hooks\" twice".to_owned()),
        (Some(hooks), None) => hooks.value().map_or(Ok(()), |v| each_once(&v)).map(|()| object),
        (None, None) => Ok(object),
    }
}

pub(super) fn name(property: &CstObjectProp) -> Option<String> {
    property.name()?.decoded_value().ok()
}

/// Refuses a name that is twice in one object, however deep. The parser bounds the depth.
fn each_once(node: &CstNode) -> Result<(), String> {
    if let Some(object) = node.as_object() {
        let mut seen = BTreeSet::new();
        for property in object.properties() {
            let name = name(&property).unwrap_or_default();
            let shown = escape::short(&name, 40);
            if !seen.insert(name) {
                return Err(format!("its \"hooks\" have \"{shown}\" twice in one place"));
            }
            property.value().map_or(Ok(()), |value| each_once(&value))?;
        }
    }
    node.as_array().map_or(Ok(()), |array| array.elements().iter().try_for_each(each_once))
}

fn is_ours(hook: &CstNode, kind: HookKind) -> bool {
    let command = hook.as_object().and_then(|h| h.get("command")).and_then(|p| p.value());
    let text = command.and_then(|v| v.as_string_lit()).and_then(|s| s.decoded_value().ok());
    text.is_some_and(|c| ours(&c, kind))
}

fn ours(command: &str, kind: HookKind) -> bool {
    let Some((program, event)) = command.rsplit_once(&format!(" hook {} ", kind.word())) else {
        return false;
    };
    program.trim_end_matches('\'').ends_with("swarm") && event.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = "/opt/it's here/swarm";

    #[test]
    fn what_is_not_ours_keeps_its_form() {
        let text = "// mine\r\n{\r\n\t\"z\": 1, // last\r\n\t\"hooks\": {\"Stop\": [{\"hooks\": [{\"type\": \"command\", \"command\": \"beep\"}]}]},\r\n\t\"a\": [1,2,],\r\n}\r\n";
        let with = with_hooks(text, HookKind::Claude, PROGRAM).unwrap();
        assert!(with.starts_with("// mine\r\n{\r\n\t\"z\": 1, // last\r\n"), "{with}");
        assert!(with.contains("\"beep\"") && with.contains("\"a\": [1,2,]"), "{with}");
        assert_eq!(presence(&with, HookKind::Claude, PROGRAM), Ok(Presence::Full));
        let without = without_hooks(&with, HookKind::Claude).unwrap();
        assert!(without.contains("\"beep\"") && !without.contains("swarm"), "{without}");
    }

    #[test]
    fn putting_in_twice_is_putting_in_once_and_an_older_place_is_replaced() {
        for kind in [HookKind::Claude, HookKind::Codex, HookKind::Gemini] {
            let once = with_hooks("{}", kind, PROGRAM).unwrap();
            assert_eq!(with_hooks(&once, kind, PROGRAM).unwrap(), once);
            let older = with_hooks("", kind, "/old/swarm").unwrap();
            assert_eq!(presence(&older, kind, PROGRAM), Ok(Presence::Partial));
            let newer = with_hooks(&older, kind, PROGRAM).unwrap();
            assert!(
                !newer.contains("/old/swarm") && newer.matches(" hook ").count() == wanted(kind).len(),
                "{newer}"
            );
        }
    }

    #[test]
    fn a_plugin_is_named_once_beside_others_and_taken_out_alone() {
        for (text, rest) in [
            ("", "{}"),
            ("{\n  // mine\n  \"theme\": \"x\",\n}\n", "{\n  // mine\n  \"theme\": \"x\",\n}\n"),
            ("{\"plugin\": [\"a\", [\"b\", {}]]}", "{\"plugin\": [\"a\", [\"b\", {}]]}"),
        ] {
            let with = with_plugin(text, "./s.js").unwrap();
            assert!(has_plugin(&with, "./s.js").unwrap() && with.matches("./s.js").count() == 1, "{with}");
            assert_eq!(with_plugin(&with, "./s.js").unwrap(), with);
            let without = without_plugin(&with, "./s.js").unwrap();
            assert_eq!(value(&without), value(rest), "{without}");
            assert!(!text.contains("mine") || without.contains("// mine"), "{without}");
        }
        let options = "{\"plugin\": [[\"./s.js\", {\"x\": 1}], \"a\"]}";
        assert_eq!(with_plugin(options, "./s.js").unwrap(), options);
        assert_eq!(value(&without_plugin(options, "./s.js").unwrap()).unwrap()["plugin"][0], "a");
        for odd in ["[]", "{", "{\"plugin\": 7}"] {
            assert!(with_plugin(odd, "./s.js").is_err(), "{odd}");
        }
    }

    #[test]
    fn a_byte_order_mark_stays_where_it_is() {
        let with = with_hooks("\u{feff}{\"a\": 1}", HookKind::Claude, PROGRAM).unwrap();
        assert!(
            with.starts_with("\u{feff}{") && presence(&with, HookKind::Claude, PROGRAM) == Ok(Presence::Full)
        );
        assert_eq!(program(&with, HookKind::Claude).as_deref(), Some(PROGRAM));
        let without = without_hooks(&with, HookKind::Claude).unwrap();
        assert!(without.starts_with("\u{feff}{") && without.matches('\u{feff}').count() == 1);
        assert_eq!(value(&without), Ok(serde_json::json!({"a": 1})));
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        for text in ["[]", "{", "{\"hooks\": 7}", "{\"hooks\": {\"Stop\": {}}}", "\"x\""] {
            assert!(with_hooks(text, HookKind::Claude, PROGRAM).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_that_is_there_twice_is_refused_since_it_is_not_known_which_serves() {
        for text in [
            r#"{"hooks": {}, "hooks": {"Stop": []}}"#,
            r#"{"hooks": {}, "h\u006foks": {}}"#,
            r#"{"hooks": {"Stop": [], "Stop": []}}"#,
            r#"{"hooks": {"Stop": [{"hooks": [{"command": "a", "command": "'/x/swarm' hook claude Stop"}]}]}}"#,
        ] {
            for refused in [
                with_hooks(text, HookKind::Claude, PROGRAM).err(),
                without_hooks(text, HookKind::Claude).err(),
                presence(text, HookKind::Claude, PROGRAM).err(),
            ] {
                assert!(refused.is_some_and(|why| why.contains("twice")), "{text}");
            }
        }
        assert!(with_hooks(r#"{"a": 1, "a": 2}"#, HookKind::Claude, PROGRAM).is_ok(), "none of ours");
    }

    #[test]
    fn only_commands_of_swarm_are_ours() {
        assert!(ours("'/a b/swarm' hook claude Stop", HookKind::Claude));
        for other in [
            "'/a/swarm' hook codex Stop",
            "swarm hook claude Stop; rm x",
            "beehive hook claude Stop",
            "swarm",
        ] {
            assert!(!ours(other, HookKind::Claude), "{other}");
        }
    }

    #[test]
    fn each_agent_gets_its_events_its_tools_and_ten_seconds() {
        for (kind, events, matcher, timeout) in [
            (HookKind::Claude, 7, "Write|Edit|MultiEdit|NotebookEdit|Bash", 10),
            (HookKind::Codex, 6, "", 10),
            (HookKind::Gemini, 7, "write_file|replace|run_shell_command", 10_000),
            (HookKind::OpenCode, 0, "", 10),
        ] {
            let text = with_hooks("{}", kind, PROGRAM).unwrap();
            let value = object(&parse(&text).unwrap()).unwrap().to_serde_value().unwrap();
            let none = serde_json::Map::new();
            let hooks = value["hooks"].as_object().unwrap_or(&none);
            assert_eq!(hooks.len(), events, "{text}");
            for (event, groups) in hooks {
                let group = &groups[0];
                let command = format!("'/opt/it'\\''s here/swarm' hook {} {event}", kind.word());
                assert_eq!(
                    group["hooks"][0],
                    serde_json::json!({"type": "command", "command": command, "timeout": timeout})
                );
                let tools = event.contains("Tool") && !matcher.is_empty();
                assert_eq!(group["matcher"].as_str(), tools.then_some(matcher), "{event}");
            }
        }
    }

    #[test]
    fn taking_out_takes_what_is_ours_and_leaves_what_was_empty_before() {
        let ours = "{\"type\": \"command\", \"command\": \"'/a/swarm' hook claude Stop\"}";
        let beep = "{\"type\": \"command\", \"command\": \"beep\"}";
        for (with, without) in [
            // Beside another program's hook, in one group and in two.
            (
                format!("{{\"hooks\": {{\"Stop\": [{{\"hooks\": [{beep}, {ours}]}}]}}}}"),
                format!("{{\"hooks\": {{\"Stop\": [{{\"hooks\": [{beep}]}}]}}}}"),
            ),
            (
                format!("{{\"hooks\": {{\"Stop\": [{{\"hooks\": [{beep}]}}, {{\"hooks\": [{ours}]}}]}}}}"),
                format!("{{\"hooks\": {{\"Stop\": [{{\"hooks\": [{beep}]}}]}}}}"),
            ),
            // The file contains nothing else.
            (
                format!("{{\"a\": 1, \"hooks\": {{\"Stop\": [{{\"hooks\": [{ours}]}}]}}}}"),
                "{\"a\": 1}".into(),
            ),
            // An empty list of the user's, also beside swarm's hooks.
            (
                format!(
                    "{{\"hooks\": {{\"PreToolUse\": [], \"Stop\": [{{\"hooks\": [{ours}]}}], \"PostToolUse\": [{{\"matcher\": \"X\", \"hooks\": []}}]}}}}"
                ),
                "{\"hooks\": {\"PreToolUse\": [], \"PostToolUse\": [{\"matcher\": \"X\", \"hooks\": []}]}}"
                    .into(),
            ),
            // Nothing of swarm: not a byte changes.
            ("{\"hooks\": {}}".into(), "{\"hooks\": {}}".into()),
            ("{\"hooks\": { \"Stop\": [] }}".into(), "{\"hooks\": { \"Stop\": [] }}".into()),
            ("{ }".into(), "{ }".into()),
        ] {
            let now = without_hooks(&with, HookKind::Claude).unwrap();
            let value = |text: &str| object(&parse(text).unwrap()).unwrap().to_serde_value().unwrap();
            assert_eq!(value(&now), value(&without), "{with} → {now}");
            if with == without {
                assert_eq!(now, with);
            }
        }
    }

    #[test]
    fn what_is_there_is_told_as_nothing_some_or_all() {
        let full = with_hooks("{}", HookKind::Claude, PROGRAM).unwrap();
        let stop = "{\"hooks\": {\"Stop\": [{\"hooks\": [{\"command\": \"'/opt/it'\\\\''s here/swarm' hook claude Stop\"}]}]}}";
        let twice = full.replacen(
            "\"Stop\": [",
            "\"Stop\": [{\"hooks\": [{\"command\": \"'/opt/it'\\\\''s here/swarm' hook claude Stop\"}]}, ",
            1,
        );
        assert_ne!(twice, full);
        for (text, kind, presence_is) in [
            ("", HookKind::Claude, Presence::None),
            (
                "{\"hooks\": {\"Stop\": [{\"hooks\": [{\"command\": \"beep\"}]}]}}",
                HookKind::Claude,
                Presence::None,
            ),
            (stop, HookKind::Claude, Presence::Partial),
            (&twice, HookKind::Claude, Presence::Partial),
            (&full, HookKind::Claude, Presence::Full),
            (&full, HookKind::Codex, Presence::None),
            ("{}", HookKind::OpenCode, Presence::Full),
        ] {
            assert_eq!(presence(text, kind, PROGRAM), Ok(presence_is), "{text}");
        }
    }
}
