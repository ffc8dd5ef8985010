//! What an agent's hook hands in, what it is answered, and the settings file that its hooks are put into.

use super::assert_plain;
use serde_json::Value;
use swarm::core::escape;
use swarm::core::hook::{HookAnswer, HookEvent, HookKind, Tool, settings};

/// The moments of all agents, and one of none.
const EVENTS: [&str; 13] = [
    "SessionStart",
    "SessionEnd",
    "UserPromptSubmit",
    "BeforeAgent",
    "PreToolUse",
    "BeforeTool",
    "PostToolUse",
    "AfterTool",
    "Stop",
    "AfterAgent",
    "PermissionRequest",
    "Notification",
    "\u{1b}]0;none\u{7}",
];

/// An answer is printed as one line of JSON that steers no terminal and says what was to be said.
fn printed(answer: &HookAnswer, kind: HookKind, name: &str, event: &HookEvent) {
    let json = answer.render(kind, name, event);
    assert!(json.is_none() || answer.context.is_some() || answer.deny.is_some());
    if matches!(event, HookEvent::BeforeTool(_)) && answer.deny.is_some() {
        let said = json.as_ref().map(ToString::to_string).unwrap_or_default();
        assert!(said.contains("deny"), "a refusal is never lost: {said}");
    }
    let Some(json) = json else { return };
    let line = escape::json(&json);
    assert_plain(&line);
    assert_eq!(serde_json::from_str::<Value>(&line).ok().as_ref(), Some(&json), "{line}");
}

fn events(input: &Value, text: &str) {
    for kind in HookKind::ALL {
        for name in EVENTS {
            let event = HookEvent::parse(kind, name, input);
            if let HookEvent::BeforeTool(Tool { writes, .. }) | HookEvent::AfterTool(Tool { writes, .. }) =
                &event
            {
                assert!(writes.len() <= 64);
            }
            for (context, deny) in
                [(Some(text), None), (None, Some(text)), (Some(text), Some(text)), (None, None)]
            {
                let answer =
                    HookAnswer { context: context.map(str::to_owned), deny: deny.map(str::to_owned) };
                printed(&answer, kind, name, &event);
            }
        }
    }
}

/// What is installed is found, and gone when it was taken out; everything else stays.
fn installed(text: &str) {
    const PROGRAM: &str = "/bin/it's swarm";
    let others = |text: &str| -> Option<Value> {
        let mut value: Value = serde_json::from_str(text).ok()?;
        value.as_object_mut()?.remove("hooks");
        Some(value)
    };
    for kind in HookKind::ALL {
        if kind == HookKind::OpenCode {
            // It has a plugin instead.
            continue;
        }
        let _ = settings::presence(text, kind, PROGRAM);
        let Ok(with) = settings::with_hooks(text, kind, PROGRAM) else { continue };
        assert_eq!(settings::presence(&with, kind, PROGRAM), Ok(settings::Presence::Full));
        assert_eq!(settings::with_hooks(&with, kind, PROGRAM).as_ref(), Ok(&with));
        let without = settings::without_hooks(&with, kind).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(settings::presence(&without, kind, PROGRAM), Ok(settings::Presence::None));
        if let Some(before) = others(text) {
            assert_eq!(others(&with).as_ref(), Some(&before), "{with}");
            assert_eq!(others(&without).as_ref(), Some(&before), "{without}");
        }
    }
}

pub fn hook(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(input) = serde_json::from_slice(data) {
        events(&input, &text);
    }
    // A patch as it stands, without JSON around it.
    let patch =
        serde_json::json!({"tool_name": "apply_patch", "tool_input": {"command": text, "patchText": text}});
    for kind in [HookKind::Codex, HookKind::OpenCode] {
        let HookEvent::BeforeTool(tool) = HookEvent::parse(kind, "PreToolUse", &patch) else {
            panic!("it is a tool")
        };
        for path in tool.writes {
            assert!(!path.is_empty() && !path.contains('\n'), "{path:?}");
        }
    }
    if let Ok(text) = std::str::from_utf8(data) {
        installed(text);
    }
}
