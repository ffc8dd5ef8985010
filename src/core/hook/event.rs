//! The events in an agent's life that its hooks report.

use super::HookKind;
use crate::core::carrier::Moment;
use serde_json::Value;

/// The most paths of one tool call that are looked at.
const MAX_PATHS: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookEvent {
    /// A session began, or began again.
    SessionStart,
    SessionEnd,
    /// This text is about to be given to the model as the user's words.
    Prompt(String),
    /// A tool is about to run.
    BeforeTool(Tool),
    /// A tool has run.
    AfterTool(Tool),
    /// The turn is over.
    Stop {
        /// Whether a hook has prolonged this turn already.
        again: bool,
    },
    /// A permission dialog opened.
    Dialog,
    /// An event that does not matter here.
    Other,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tool {
    /// The files that it will write, as the agent names them.
    pub writes: Vec<String>,
    /// Whether it runs a shell command.
    pub shell: bool,
    pub command: Option<String>,
    /// Where it runs, if the agent reports it.
    pub dir: Option<String>,
}

impl HookEvent {
    /// The event that the hook `name` of `kind` reports with `input`.
    pub fn parse(kind: HookKind, name: &str, input: &Value) -> Self {
        let text = |key: &str| input.get(key).and_then(Value::as_str).unwrap_or_default();
        match name {
            "SessionStart" => HookEvent::SessionStart,
            "SessionEnd" => HookEvent::SessionEnd,
            "UserPromptSubmit" | "BeforeAgent" => HookEvent::Prompt(text("prompt").to_owned()),
            "PreToolUse" | "BeforeTool" => HookEvent::BeforeTool(tool(kind, input)),
            "PostToolUse" | "AfterTool" => HookEvent::AfterTool(tool(kind, input)),
            "Stop" | "AfterAgent" => HookEvent::Stop {
                again: input.get("stop_hook_active").and_then(Value::as_bool).unwrap_or(false),
            },
            "PermissionRequest" => HookEvent::Dialog,
            "Notification" if matches!(text("notification_type"), "permission_prompt" | "ToolPermission") => {
                HookEvent::Dialog
            }
            _ => HookEvent::Other,
        }
    }
}

impl HookEvent {
    /// The moment at which mail is handed over with the answer to this.
    pub fn moment(&self) -> Option<Moment> {
        match self {
            HookEvent::Prompt(_) => Some(Moment::Prompt),
            HookEvent::AfterTool(_) => Some(Moment::Tool),
            HookEvent::Stop { .. } => Some(Moment::Stop),
            _ => None,
        }
    }

    /// Whether the model has answered since the agent's hook handed mail over at that moment: a turn ends with an
    /// answer of the model, and a tool runs because of one. After a tool, another one may belong to the same answer.
    /// Another prompt says nothing: several are taken at once.
    pub fn shows_an_answer_since(&self, moment: Moment) -> bool {
        match self {
            HookEvent::Stop { .. } => true,
            HookEvent::BeforeTool(_) => moment != Moment::Tool,
            _ => false,
        }
    }
}

fn tool(kind: HookKind, input: &Value) -> Tool {
    let name = input.get("tool_name").and_then(Value::as_str).unwrap_or_default();
    let arguments = input.get("tool_input").unwrap_or(&Value::Null);
    let argument = |key: &str| arguments.get(key).and_then(Value::as_str).map(str::to_owned);
    let named = |keys: &[&str]| keys.iter().find_map(|key| argument(key)).into_iter().collect::<Vec<_>>();
    let mut writes = match (kind, name) {
        (HookKind::Claude, "Write" | "Edit" | "MultiEdit" | "NotebookEdit") => {
            named(&["file_path", "notebook_path"])
        }
        (HookKind::Codex, "apply_patch" | "Edit" | "Write") => {
            patched(&named(&["command", "input", "patch"]).concat())
        }
        (HookKind::Gemini, "write_file" | "replace" | "edit") => named(&["file_path", "absolute_path"]),
        (HookKind::OpenCode, "write" | "edit" | "multiedit") => named(&["filePath", "file_path"]),
        (HookKind::OpenCode, "patch" | "apply_patch") => {
            patched(&named(&["patchText", "patch", "input"]).concat())
        }
        _ => Vec::new(),
    };
    let shell = matches!(
        name,
        "Bash" | "bash" | "shell" | "local_shell" | "exec_command" | "unified_exec" | "run_shell_command"
    );
    let command = arguments.get("command").filter(|_| shell).and_then(command);
    // Codex also takes a patch from a here-document of its shell tool, and then runs no program.
    if let Some(text) = command.as_ref().filter(|_| kind == HookKind::Codex)
        && text.contains("apply_patch")
        && text.contains("*** Begin Patch")
    {
        writes = patched(text);
    }
    writes.truncate(MAX_PATHS);
    let dir = named(&["workdir", "cwd", "dir_path", "directory"]).pop();
    let session = || input.get("cwd").and_then(Value::as_str).map(str::to_owned);
    Tool { writes, shell, command, dir: dir.or_else(session) }
}

/// A command as one text: some agents give it as the words of a program's call.
fn command(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(words) => {
            let quoted = |word: &Value| Some(format!("'{}'", word.as_str()?.replace('\'', "'\\''")));
            Some(words.iter().map(quoted).collect::<Option<Vec<_>>>()?.join(" "))
        }
        _ => None,
    }
}

/// The files that a patch in the `*** Begin Patch` form writes; of a renamed file, both names.
fn patched(patch: &str) -> Vec<String> {
    let marks = ["*** Update File: ", "*** Add File: ", "*** Delete File: ", "*** Move to: "];
    let named =
        |line: &str| marks.iter().find_map(|mark| line.strip_prefix(mark)).map(|path| path.trim().to_owned());
    patch.lines().filter_map(named).filter(|path| !path.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn writes(kind: HookKind, event: &str, input: &Value) -> Vec<String> {
        match HookEvent::parse(kind, event, input) {
            HookEvent::BeforeTool(tool) => tool.writes,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_agents_editing_tools_name_their_files() {
        let claude = json!({"tool_name": "Edit", "tool_input": {"file_path": "/p/a.rs", "old_string": "x"}});
        assert_eq!(writes(HookKind::Claude, "PreToolUse", &claude), ["/p/a.rs"]);
        let notebook = json!({"tool_name": "NotebookEdit", "tool_input": {"notebook_path": "n.ipynb"}});
        assert_eq!(writes(HookKind::Claude, "PreToolUse", &notebook), ["n.ipynb"]);
        let patch = "*** Begin Patch\n*** Update File: a.rs\n*** Move to: b.rs\n@@\n-*** Add File: no\n*** Add File: c d\n*** End Patch";
        let codex = json!({"tool_name": "apply_patch", "tool_input": {"command": patch}});
        assert_eq!(writes(HookKind::Codex, "PreToolUse", &codex), ["a.rs", "b.rs", "c d"]);
        let gemini = json!({"tool_name": "write_file", "tool_input": {"file_path": "x"}});
        assert_eq!(writes(HookKind::Gemini, "BeforeTool", &gemini), ["x"]);
        let opencode = json!({"tool_name": "edit", "tool_input": {"filePath": "y"}});
        assert_eq!(writes(HookKind::OpenCode, "PreToolUse", &opencode), ["y"]);
        let read = json!({"tool_name": "Read", "tool_input": {"file_path": "/p/a.rs"}});
        assert!(writes(HookKind::Claude, "PreToolUse", &read).is_empty());
    }

    #[test]
    fn only_what_the_model_has_answered_shows_that_it_was_asked() {
        let (stop, before, after) = (
            HookEvent::Stop { again: true },
            HookEvent::BeforeTool(Tool::default()),
            HookEvent::AfterTool(Tool::default()),
        );
        let prompt = HookEvent::Prompt(String::new());
        for (moment, shown) in [
            (Moment::Prompt, [true, true, false, false]),
            (Moment::Tool, [true, false, false, false]),
            (Moment::Stop, [true, true, false, false]),
        ] {
            let said = [&stop, &before, &after, &prompt].map(|event| event.shows_an_answer_since(moment));
            assert_eq!(said, shown, "{moment:?}");
        }
        let moments = [&stop, &before, &after, &prompt, &HookEvent::SessionStart].map(HookEvent::moment);
        assert_eq!(moments, [Some(Moment::Stop), None, Some(Moment::Tool), Some(Moment::Prompt), None]);
    }

    #[test]
    fn hostile_input_is_no_error() {
        let inputs = [
            json!(null),
            json!([]),
            json!({"prompt": 7, "tool_name": {}, "tool_input": "x"}),
            json!({"tool_name": "Edit", "tool_input": {"file_path": ["a"]}}),
            json!({"stop_hook_active": "yes"}),
        ];
        for input in &inputs {
            for event in ["UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop", "Notification", "x"] {
                for kind in HookKind::ALL {
                    HookEvent::parse(kind, event, input);
                }
            }
        }
        let many = (0..1000).map(|n| format!("*** Add File: {n}\n")).collect::<String>();
        let input = json!({"tool_name": "apply_patch", "tool_input": {"command": many}});
        assert_eq!(writes(HookKind::Codex, "PreToolUse", &input).len(), MAX_PATHS);
    }

    #[test]
    fn each_agents_words_for_a_moment_are_understood() {
        let tool = || Tool { shell: true, ..Tool::default() };
        let shell = json!({"tool_name": "Bash"});
        let stop = |again: bool| json!({"stop_hook_active": again});
        for (name, input, event) in [
            ("SessionStart", json!({}), HookEvent::SessionStart),
            ("SessionEnd", json!({}), HookEvent::SessionEnd),
            ("UserPromptSubmit", json!({"prompt": "hi"}), HookEvent::Prompt("hi".into())),
            ("BeforeAgent", json!({"prompt": "hi"}), HookEvent::Prompt("hi".into())),
            ("PreToolUse", shell.clone(), HookEvent::BeforeTool(tool())),
            ("BeforeTool", shell.clone(), HookEvent::BeforeTool(tool())),
            ("PostToolUse", shell.clone(), HookEvent::AfterTool(tool())),
            ("AfterTool", shell.clone(), HookEvent::AfterTool(tool())),
            ("Stop", stop(true), HookEvent::Stop { again: true }),
            ("AfterAgent", stop(false), HookEvent::Stop { again: false }),
            ("Stop", json!({}), HookEvent::Stop { again: false }),
            ("PermissionRequest", json!({}), HookEvent::Dialog),
            ("Notification", json!({"notification_type": "permission_prompt"}), HookEvent::Dialog),
            ("Notification", json!({"notification_type": "ToolPermission"}), HookEvent::Dialog),
            ("Notification", json!({"notification_type": "idle_prompt"}), HookEvent::Other),
            ("SubagentStop", json!({}), HookEvent::Other),
        ] {
            assert_eq!(HookEvent::parse(HookKind::Claude, name, &input), event, "{name} {input}");
        }
    }

    #[test]
    fn a_shell_tool_tells_its_command_and_where_it_runs() {
        let told = |kind, name, input: &Value| match HookEvent::parse(kind, name, input) {
            HookEvent::BeforeTool(tool) => (tool.command, tool.dir),
            other => panic!("{other:?}"),
        };
        let some = |text: &str| Some(text.to_owned());
        let claude = json!({"tool_name": "Bash", "cwd": "/p/sub", "tool_input": {"command": "git stash"}});
        assert_eq!(told(HookKind::Claude, "PreToolUse", &claude), (some("git stash"), some("/p/sub")));
        let words = ["bash", "-lc", "echo 'a b'"];
        let codex =
            json!({"tool_name": "shell", "cwd": "/p", "tool_input": {"command": words, "workdir": "x"}});
        let text = r"'bash' '-lc' 'echo '\''a b'\'''";
        assert_eq!(told(HookKind::Codex, "PreToolUse", &codex), (some(text), some("x")));
        let gemini =
            json!({"tool_name": "run_shell_command", "tool_input": {"command": "ls", "dir_path": "d"}});
        assert_eq!(told(HookKind::Gemini, "BeforeTool", &gemini), (some("ls"), some("d")));
        let opencode = json!({"tool_name": "bash", "tool_input": {"command": "ls", "workdir": "/w"}});
        assert_eq!(told(HookKind::OpenCode, "PreToolUse", &opencode), (some("ls"), some("/w")));
        let edit = json!({"tool_name": "Edit", "tool_input": {"command": "git stash"}});
        assert_eq!(told(HookKind::Claude, "PreToolUse", &edit), (None, None));
        let odd = json!({"tool_name": "Bash", "tool_input": {"command": [7]}});
        assert_eq!(told(HookKind::Claude, "PreToolUse", &odd), (None, None));
    }

    #[test]
    fn a_patch_names_its_files_and_none_that_is_empty() {
        let patch = "*** Delete File: a\n*** Add File: \n*** Update File:  b \n";
        let input = json!({"tool_name": "patch", "tool_input": {"patchText": patch}});
        assert_eq!(writes(HookKind::OpenCode, "PreToolUse", &input), ["a", "b"]);
        let shell = json!({"tool_name": "exec_command", "tool_input": {"command": patch}});
        assert!(writes(HookKind::Codex, "PreToolUse", &shell).is_empty());
        let text = format!("apply_patch <<'EOF'\n*** Begin Patch\n{patch}*** End Patch\nEOF\n");
        let shell = json!({"tool_name": "Bash", "tool_input": {"command": text}});
        assert_eq!(writes(HookKind::Codex, "PreToolUse", &shell), ["a", "b"]);
        assert!(writes(HookKind::Claude, "PreToolUse", &shell).is_empty());
    }
}
