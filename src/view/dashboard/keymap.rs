//! The keys of commands: the table with the person's own keys, and how both are shown.

use super::keys::{Command, Row, TABLE, rows};
use super::panel::Panel;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// The end of every last row.
const ALWAYS: [(Command, &str); 4] = [
    (Command::Search, "search"),
    (Command::Commands, "commands"),
    (Command::Keys, "keys"),
    (Command::Quit, "quit"),
];

/// The text after the table on the page of keys.
const MORE: &str = "
While you write
  Enter sends, Alt-Enter or Ctrl-J begins a new line, Esc keeps the draft,
  @ and a few letters name more recipients, Ctrl-T changes the type,
  Ctrl-A asks for an acknowledgement, Ctrl-N says what the message wants,
  Ctrl-E or Ctrl-G opens the text in $VISUAL or $EDITOR
";

/// A key, and whether Ctrl is held.
type Key = (KeyCode, bool);

/// Which of Ctrl, Alt and similar keys are held. They make another key of a letter. Shift is already part of the
/// letter.
pub(super) fn held(key: &KeyEvent) -> KeyModifiers {
    key.modifiers - KeyModifiers::SHIFT
}

/// The commands of the keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Keymap {
    keys: Vec<(Key, Command)>,
}

impl Keymap {
    /// The keys of the table, with the person's own: `write=w answer=Ctrl-R`. Also returns the error in these.
    pub(super) fn new(own: &str) -> (Self, Option<String>) {
        let mut keys: Vec<(Key, Command)> = Vec::new();
        let mut wrong = Vec::new();
        for part in own.split_whitespace() {
            let taken = |key: Key| keys.iter().find(|(known, _)| *known == key).map(|(_, command)| *command);
            match chosen(part).map(|(key, command)| (key, command, taken(key))) {
                Ok((key, command, None)) => keys.push((key, command)),
                Ok((_, command, Some(other))) if command == other => {}
                Ok((key, command, Some(other))) => {
                    let (key, command, other) = (name(key), called(command), called(other));
                    wrong.push(format!(
                        "{key} cannot be both {other} and {command}, so {command} does not get it"
                    ));
                }
                Err(why) => wrong.push(why),
            }
        }
        let own = keys.clone();
        for row in rows().filter(|row| !own.iter().any(|(_, command)| *command == row.command)) {
            let free =
                row.keys.iter().map(|code| (*code, false)).filter(|key| !own.iter().any(|(k, _)| k == key));
            keys.extend(free.map(|key| (key, row.command)));
        }
        (
            Self { keys },
            Some(wrong.join("; ")).filter(|why| !why.is_empty()).map(|why| format!("dashboard.keys: {why}")),
        )
    }

    /// The command of a key, if it has one. With Alt it is another key, without a command.
    pub(super) fn command(&self, key: &KeyEvent) -> Option<Command> {
        let control = held(key) == KeyModifiers::CONTROL;
        if !control && !held(key).is_empty() {
            return None;
        }
        let key = (key.code, control);
        self.keys.iter().find(|(known, _)| *known == key).map(|(_, command)| *command)
    }

    /// The keys of a command for people.
    pub(super) fn names(&self, command: Command) -> Vec<String> {
        self.keys.iter().filter(|(_, c)| *c == command).map(|(key, _)| name(*key)).collect()
    }

    /// The page of keys.
    pub(super) fn page(&self) -> String {
        let mut text = String::from("Keys of the dashboard\n\n");
        for group in &TABLE {
            text.push_str(&format!("{}\n", group.title));
            for row in group.rows {
                text.push_str(&format!("  {:<10} {}\n", self.names(row.command).join(" "), row.effect));
            }
            text.push('\n');
        }
        text.pop();
        text + MORE
    }

    /// The last row: the keys that matter in the panel, as far as there is room, and those that always matter.
    /// `asks`: the selected agent has an open dialog.
    pub(super) fn footer(&self, panel: Panel, opened: bool, asks: bool, columns: usize) -> String {
        let entry = |command: Command, word: &str| {
            self.names(command).first().map(|key| format!(" {key} {word} ")).unwrap_or_default()
        };
        // If there is little room, the keys that show the rest and that leave are the most important.
        let ends = |always: &[(Command, &str)]| -> String {
            always.iter().map(|(command, word)| entry(*command, word)).collect()
        };
        let mut always = &ALWAYS[..];
        while always.len() > 1 && ends(always).chars().count() > columns {
            always = &always[1..];
        }
        let last = ends(always);
        let word =
            |row: &Row| if row.command == Command::Open && panel == Panel::Agents { "go" } else { row.word };
        // The keys of Enter's command come first.
        let (open, others): (Vec<&Row>, Vec<&Row>) =
            rows().filter(|row| row.footer.contains(&panel)).partition(|row| row.command == Command::Open);
        let back = Some(entry(Command::Back, "back")).filter(|_| opened && columns >= 60);
        let mut text = back.unwrap_or_default();
        let open = open.into_iter().filter(|_| !opened).map(|row| (row.command, word(row)));
        let answer = asks.then_some((Command::Dialog, "answer its dialog"));
        for (command, word) in
            open.chain(answer).chain(others.into_iter().map(|row| (row.command, word(row))))
        {
            let entry = entry(command, word);
            if text.chars().count() + entry.chars().count() + last.chars().count() <= columns {
                text.push_str(&entry);
            }
        }
        text + &last
    }
}

/// The name of a command in the setting.
fn called(command: Command) -> &'static str {
    rows().find(|row| row.command == command).map_or("", |row| row.name)
}

/// A part of the setting: `NAME=KEY`.
fn chosen(part: &str) -> Result<(Key, Command), String> {
    let shown = crate::core::escape::short(part, 40);
    let (name, key) = part
        .split_once('=')
        .filter(|(_, key)| !key.is_empty())
        .ok_or_else(|| format!("'{shown}' is not ACTION=KEY, such as write=w"))?;
    let near = || {
        let far = |row: &&Row| strsim::damerau_levenshtein(row.name, name);
        rows().min_by_key(far).map(|row| row.name).unwrap_or_default()
    };
    let row = (rows().find(|row| row.name == name))
        .ok_or_else(|| format!("no action is called as in '{shown}'; did you mean {}?", near()))?;
    let key = named(key)
        .ok_or_else(|| format!("'{shown}' names no key: it is one character, F5, Enter or Ctrl-X"))?;
    Ok((key, row.command))
}

const NAMED: [(&str, KeyCode); 13] = [
    ("Space", KeyCode::Char(' ')),
    ("Enter", KeyCode::Enter),
    ("Esc", KeyCode::Esc),
    ("Tab", KeyCode::Tab),
    ("Shift-Tab", KeyCode::BackTab),
    ("Up", KeyCode::Up),
    ("Down", KeyCode::Down),
    ("Left", KeyCode::Left),
    ("Right", KeyCode::Right),
    ("PgUp", KeyCode::PageUp),
    ("PgDn", KeyCode::PageDown),
    ("Home", KeyCode::Home),
    ("End", KeyCode::End),
];

fn name((code, control): Key) -> String {
    let plain = match code {
        KeyCode::F(number) => format!("F{number}"),
        _ => match NAMED.iter().find(|(_, known)| *known == code) {
            Some((name, _)) => (*name).to_owned(),
            None => code.as_char().map(String::from).unwrap_or_default(),
        },
    };
    if control { format!("Ctrl-{}", plain.to_uppercase()) } else { plain }
}

/// The key with this name.
fn named(text: &str) -> Option<Key> {
    let (text, control) = text.strip_prefix("Ctrl-").map_or((text, false), |rest| (rest, true));
    let function = text.strip_prefix('F').and_then(|n| n.parse().ok()).filter(|n| (1..=12).contains(n));
    let mut chars = text.chars();
    let letter = match (chars.next(), chars.next()) {
        (Some(c), None) if !crate::core::escape::is_unsafe(c) => Some(KeyCode::Char(c)),
        _ => None,
    };
    let named = NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, code)| *code);
    let code = match named.or(function.map(KeyCode::F)).or(letter)? {
        KeyCode::Char(c) if control => KeyCode::Char(c.to_ascii_lowercase()),
        code => code,
    };
    // Ctrl-C leaves, or closes the view over the panels.
    (!(control && code == KeyCode::Char('c'))).then_some((code, control))
}

#[cfg(test)]
mod tests {
    use super::super::keys::MailCommand;
    use super::*;

    const fn char(letter: char) -> KeyCode {
        KeyCode::Char(letter)
    }

    #[test]
    fn a_person_chooses_other_keys_and_gets_to_know_what_is_wrong_with_them() {
        let press = |map: &Keymap, code, modifiers| map.command(&KeyEvent::new(code, modifiers));
        let (map, wrong) = Keymap::new("write=g  answer=Ctrl-r open=F5");
        assert_eq!(wrong, None);
        assert_eq!(press(&map, char('g'), KeyModifiers::NONE), Some(Command::Write));
        assert_eq!(press(&map, char('m'), KeyModifiers::NONE), None);
        assert_eq!(press(&map, char('r'), KeyModifiers::CONTROL), Some(Command::Mail(MailCommand::Reply)));
        assert_eq!(press(&map, KeyCode::F(5), KeyModifiers::NONE), Some(Command::Open));
        assert!(map.names(Command::Go).is_empty() && map.page().contains("Ctrl-R     answer it"));
        for (own, why) in [
            ("wirte=w", "did you mean write?"),
            ("write", "is not ACTION=KEY"),
            ("write=xy", "names no key"),
            ("write=Ctrl-c", "names no key"),
            ("answer=w open=w", "w cannot be both answer and open, so open does not get it"),
        ] {
            let (map, wrong) = Keymap::new(own);
            assert!(wrong.as_ref().is_some_and(|w| w.contains(why)), "{own}: {wrong:?}");
            assert_eq!(press(&map, char('m'), KeyModifiers::NONE), Some(Command::Write));
        }
    }

    #[test]
    fn all_that_is_wrong_with_a_persons_keys_is_said_and_the_rest_counts() {
        let (map, wrong) = Keymap::new("write=w answer=w write=w open=xy");
        let wrong = wrong.unwrap();
        assert!(
            wrong.contains("w cannot be both write and answer") && wrong.contains("'open=xy'"),
            "{wrong}"
        );
        assert_eq!(
            (map.names(Command::Write), map.names(Command::Mail(MailCommand::Reply))),
            (vec!["w".to_owned()], vec!["r".to_owned()])
        );
    }

    #[test]
    fn a_letter_with_alt_is_another_key() {
        let (map, _) = Keymap::new("");
        let press = |modifiers| map.command(&KeyEvent::new(char('q'), modifiers));
        assert_eq!(press(KeyModifiers::NONE), Some(Command::Quit));
        for modifiers in [KeyModifiers::ALT, KeyModifiers::ALT | KeyModifiers::CONTROL, KeyModifiers::SUPER] {
            assert_eq!(press(modifiers), None, "{modifiers:?}");
        }
        assert_eq!(map.command(&KeyEvent::new(char('M'), KeyModifiers::SHIFT)), Some(Command::WriteToAll));
    }

    #[test]
    fn the_last_row_always_says_how_to_find_the_rest_and_how_to_leave() {
        let (map, _) = Keymap::new("");
        assert_eq!(map.footer(Panel::Agents, true, false, 20), " ? keys  q quit ");
        let asks = map.footer(Panel::Agents, false, true, 80);
        assert!(asks.contains(" A answer its dialog "), "{asks}");
        for panel in Panel::ALL {
            for columns in [60, 80, 200] {
                let text = map.footer(panel, false, false, columns);
                assert!(map.footer(panel, true, false, columns).starts_with(" Esc back "));
                assert!(text.chars().count() <= columns, "{text}");
                assert!(
                    text.starts_with(" Enter ") && text.ends_with(" : commands  ? keys  q quit "),
                    "{text}"
                );
            }
        }
        assert!(map.page().lines().all(|line| line.chars().count() <= 80), "{}", map.page());
    }
}
