//! The person's inbox: unread messages of one or several projects, which can be read, answered and acknowledged.
//!
//! The keys run this program's own commands, in the project of the message, as in the dashboard. swarm's own notices
//! are one row until it is unfolded. Only messages that were opened, answered or acknowledged are marked as read.

use super::action::{Action, ActionOutcome, sequence};
use super::form::Form;
use super::form_view;
use super::pager::Pager;
use super::rows;
use super::terminal::{Popup, Screen, show};
use super::text;
use crate::core::escape;
use crate::core::frame;
use crate::core::message::Verified;
use crate::core::name::Name;
use crate::core::order;
use crate::core::plural::plural;
use crate::core::span::age;
use crate::store::{Store, now_ms};
use anyhow::Result;
use ratatui::Frame;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

/// How often the mailboxes are read.
const REREAD: Duration = Duration::from_secs(2);

/// A project whose mail is shown.
pub struct Mailbox {
    pub store: Store,
    /// The project's name.
    pub label: String,
}

/// A message, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Letter {
    id: String,
    from: String,
    kind: &'static str,
    at: u64,
    marks: String,
    preview: String,
    text: String,
    notice: bool,
    /// The project: its index among the mailboxes, its label and its root.
    project: (usize, String, PathBuf),
}

/// A row of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    /// The message with this index.
    Letter(usize),
    Notices,
}

/// The part that gets the keys.
#[derive(Debug, Default)]
enum InboxMode {
    #[default]
    List,
    Reading(Letter, Pager),
    Writing(Letter, Form),
}

#[derive(Debug, Default)]
struct Inbox {
    /// The unread messages, newest first.
    letters: Vec<Letter>,
    /// How many mailboxes are shown, and how many others contain mail.
    shown: usize,
    others: Vec<String>,
    at: usize,
    unfolded: bool,
    mode: InboxMode,
    running: Option<String>,
    /// Whether the text in the form is on its way.
    sending: bool,
    told: Option<(String, bool)>,
}

/// The request of a key to the outside.
enum InboxWish {
    Nothing,
    Leave,
    /// Run these commands in that project.
    Run(Vec<Action>, PathBuf),
    /// Open the text in an editor.
    Edit,
    /// Show all mailboxes, or only the first again.
    Turn,
}

struct OpenInbox<'a> {
    mailboxes: &'a [Mailbox],
    /// Whether all mailboxes are shown, or only the first.
    all: bool,
    inbox: Inbox,
    outcomes: (Sender<ActionOutcome>, Receiver<ActionOutcome>),
    read: Instant,
}

/// Shows the mailboxes until the person leaves; only the first one at the start if it is the person's `own` project.
pub fn run(mailboxes: &[Mailbox], own: bool) -> Result<()> {
    let mut open = OpenInbox {
        mailboxes,
        all: !own,
        inbox: Inbox::default(),
        outcomes: mpsc::channel(),
        read: Instant::now(),
    };
    open.fill();
    show(open).map(drop)
}

impl OpenInbox<'_> {
    fn fill(&mut self) {
        self.inbox.fill(self.mailboxes, self.all);
        self.read = Instant::now();
    }
}

impl Popup for OpenInbox<'_> {
    type Outcome = ();
    const TICK: Duration = Duration::from_millis(250);

    fn draw(&mut self, frame: &mut Frame<'_>) {
        self.inbox.draw(frame, now_ms());
    }

    fn tick(&mut self) -> ControlFlow<()> {
        if let Ok(outcome) = self.outcomes.1.try_recv() {
            self.inbox.finish(&outcome);
            self.fill();
        } else if self.read.elapsed() >= REREAD {
            self.fill();
        }
        ControlFlow::Continue(())
    }

    fn press(&mut self, key: KeyEvent, screen: &mut Screen) -> Result<ControlFlow<()>> {
        match self.inbox.press(key) {
            InboxWish::Nothing => {}
            InboxWish::Leave => return Ok(ControlFlow::Break(())),
            InboxWish::Run(actions, root) => sequence(actions, root, self.outcomes.0.clone()),
            InboxWish::Edit => {
                if let InboxMode::Writing(_, form) = &mut self.inbox.mode {
                    self.inbox.told = screen.edit(&mut form.input)?.err().map(|why| (why, true));
                }
            }
            InboxWish::Turn => {
                self.all = !self.all;
                self.fill();
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn is_writing(&self) -> bool {
        matches!(self.inbox.mode, InboxMode::Writing(..))
    }

    fn paste(&mut self, text: &str) {
        if let (InboxMode::Writing(_, form), false) = (&mut self.inbox.mode, self.inbox.sending) {
            form.paste(text);
        }
    }
}

fn letter(message: &Verified, project: &(usize, String, PathBuf)) -> Letter {
    let marks = message.marks();
    let to: Vec<&str> = message.to.iter().map(Name::as_str).collect();
    let head =
        format!("{} from {} to {} in {}", message.kind, message.from, message.addressees(&to), project.1);
    let more = if marks.is_empty() { String::new() } else { format!(" ({marks})") };
    Letter {
        id: message.id.to_string(),
        from: message.from.to_string(),
        kind: message.kind.word(),
        at: message.created,
        marks: message.marks_in_a_list(),
        preview: frame::preview(message.body.as_str()),
        text: escape::text(&format!("{head}{more}\n\n{}", message.body.as_str())),
        notice: message.from.is_system(),
        project: project.clone(),
    }
}

impl Inbox {
    /// Reads the mailboxes again. Errors are shown, and so are the other mailboxes.
    fn fill(&mut self, mailboxes: &[Mailbox], all: bool) {
        let selected = self.selected();
        let shown = if all { mailboxes.len() } else { mailboxes.len().min(1) };
        let mut letters = Vec::new();
        for (number, mailbox) in mailboxes.iter().take(shown).enumerate() {
            let project = (number, mailbox.label.clone(), mailbox.store.root().to_owned());
            match mailbox.store.unread(&Name::human(), &[]) {
                Ok(mail) => letters.extend(mail.messages.iter().map(|m| letter(m, &project))),
                Err(error) => self.told = Some((escape::short(&format!("{error:#}"), 200), true)),
            }
        }
        order::sort_by_key(&mut letters, |l| std::cmp::Reverse(l.at));
        self.others = (mailboxes.iter().skip(shown))
            .filter_map(|m| m.store.count_unread(&Name::human()).ok().filter(|n| *n > 0).map(|n| (m, n)))
            .map(|(mailbox, count)| format!("{} {count}", mailbox.label))
            .collect();
        (self.letters, self.shown) = (letters, shown);
        // The selection stays on its message.
        let rows = self.rows();
        let same = selected.and_then(|id| rows.iter().position(|row| self.id(*row) == id));
        self.at = same.unwrap_or(self.at).min(rows.len().saturating_sub(1));
    }

    /// The rows: messages, and one for all notices, followed by the notices if they are unfolded.
    fn rows(&self) -> Vec<Row> {
        let numbered = || self.letters.iter().enumerate();
        let mut rows: Vec<Row> = numbered().filter(|(_, l)| !l.notice).map(|(n, _)| Row::Letter(n)).collect();
        let notices: Vec<Row> = numbered().filter(|(_, l)| l.notice).map(|(n, _)| Row::Letter(n)).collect();
        if !notices.is_empty() {
            rows.push(Row::Notices);
        }
        if self.unfolded {
            rows.extend(notices);
        }
        rows
    }

    fn id(&self, row: Row) -> String {
        match row {
            Row::Letter(number) => self.letters.get(number).map(|l| l.id.clone()).unwrap_or_default(),
            Row::Notices => String::new(),
        }
    }

    fn selected(&self) -> Option<String> {
        self.rows().get(self.at).map(|row| self.id(*row))
    }

    /// Handles the outcome of a command.
    fn finish(&mut self, outcome: &ActionOutcome) {
        let word = outcome.action.args.first().map(String::as_str);
        let answered = word == Some("reply");
        self.running = None;
        self.sending &= !answered;
        let first = outcome.text.lines().next().unwrap_or("done").to_owned();
        // A refused text is not lost: it stays in its form, with the reason.
        if outcome.ok && answered {
            self.mode = InboxMode::List;
        }
        // The output of reading is already on the screen.
        let quiet = outcome.ok && word == Some("read");
        self.told = (!quiet).then_some((first, !outcome.ok));
    }

    fn run(&mut self, actions: Vec<Action>, root: PathBuf) -> InboxWish {
        self.running = actions.first().map(|action| action.what.clone());
        self.told = None;
        InboxWish::Run(actions, root)
    }

    fn press(&mut self, key: KeyEvent) -> InboxWish {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && key.code == KeyCode::Char('c') && !self.sending {
            return match std::mem::take(&mut self.mode) {
                InboxMode::List => InboxWish::Leave,
                _ => InboxWish::Nothing,
            };
        }
        match std::mem::take(&mut self.mode) {
            InboxMode::List => self.press_list(key),
            InboxMode::Reading(letter, mut pager) => match key.code {
                KeyCode::Char('r') if !letter.notice => self.answer(letter),
                KeyCode::Char('a') if !letter.notice => self.acknowledge(&letter),
                _ if pager.press(key) => {
                    self.mode = InboxMode::Reading(letter, pager);
                    InboxWish::Nothing
                }
                _ => InboxWish::Nothing,
            },
            InboxMode::Writing(letter, form) if self.sending => {
                // The text is on its way and cannot be taken back.
                self.mode = InboxMode::Writing(letter, form);
                InboxWish::Nothing
            }
            InboxMode::Writing(..) if key.code == KeyCode::Esc => InboxWish::Nothing,
            InboxMode::Writing(letter, mut form) => {
                let edits = form.is_edited(&key);
                let action = if edits { None } else { form.press(key) };
                let root = letter.project.2.clone();
                self.mode = InboxMode::Writing(letter, form);
                match action {
                    Some(action) => {
                        self.sending = true;
                        self.run(vec![action], root)
                    }
                    None if edits => InboxWish::Edit,
                    None => InboxWish::Nothing,
                }
            }
        }
    }

    fn press_list(&mut self, key: KeyEvent) -> InboxWish {
        self.told = None;
        let rows = self.rows();
        let last = rows.len().saturating_sub(1);
        let row = rows.get(self.at).copied();
        let letter = match row {
            Some(Row::Letter(number)) => self.letters.get(number).cloned(),
            _ => None,
        };
        match (key.code, letter) {
            (KeyCode::Char('q') | KeyCode::Esc, _) => return InboxWish::Leave,
            (KeyCode::Down | KeyCode::Char('j'), _) => self.at = (self.at + 1).min(last),
            (KeyCode::Up | KeyCode::Char('k'), _) => self.at = self.at.saturating_sub(1),
            (KeyCode::Home, _) => self.at = 0,
            (KeyCode::End, _) => self.at = last,
            (KeyCode::Char('P'), _) => return InboxWish::Turn,
            (KeyCode::Char('n'), _) => self.unfolded = !self.unfolded,
            (KeyCode::Enter | KeyCode::Right | KeyCode::Char(' '), None) if row == Some(Row::Notices) => {
                self.unfolded = !self.unfolded;
            }
            (KeyCode::Char('x'), None) if row == Some(Row::Notices) => return self.read_notices(),
            (KeyCode::Enter | KeyCode::Right | KeyCode::Char(' '), Some(letter)) => {
                let (action, root) = (read(&letter), letter.project.2.clone());
                self.mode = InboxMode::Reading(letter.clone(), Pager::new(&letter.text));
                return self.run(vec![action], root);
            }
            (KeyCode::Char('x'), Some(letter)) => return self.run(vec![read(&letter)], letter.project.2),
            (KeyCode::Char('r' | 'a'), Some(letter)) if letter.notice => {
                self.tell("that is a notice of swarm: nobody reads an answer (x marks it read)");
            }
            (KeyCode::Char('r'), Some(letter)) => return self.answer(letter),
            (KeyCode::Char('a'), Some(letter)) => return self.acknowledge(&letter),
            _ => self.tell("Enter reads, r answers, a acknowledges, x marks read, q leaves"),
        }
        InboxWish::Nothing
    }

    fn tell(&mut self, text: &str) {
        self.told = Some((text.to_owned(), false));
    }

    fn answer(&mut self, letter: Letter) -> InboxWish {
        let form = Form::reply(&letter.id, &letter.from);
        self.mode = InboxMode::Writing(letter, form);
        self.told = None;
        InboxWish::Nothing
    }

    fn acknowledge(&mut self, letter: &Letter) -> InboxWish {
        let action = Action::line(&format!("acknowledge {}", letter.id), &["ack", &letter.id]);
        self.run(vec![action], letter.project.2.clone())
    }

    /// Marks all notices of one project as read: the project of the newest notice.
    fn read_notices(&mut self) -> InboxWish {
        let mut notices = self.letters.iter().filter(|l| l.notice);
        let Some(first) = notices.next().cloned() else { return InboxWish::Nothing };
        let rest = notices.filter(|l| l.project == first.project).map(|l| l.id.clone());
        let ids: Vec<String> = std::iter::once(first.id.clone()).chain(rest).collect();
        // The system limits the arguments of a command.
        let actions = ids.chunks(200).map(|ids| {
            let args: Vec<&str> = std::iter::once("read").chain(ids.iter().map(String::as_str)).collect();
            Action::line("mark the notices read", &args)
        });
        let actions = actions.collect();
        self.run(actions, first.project.2)
    }

    fn draw(&mut self, frame: &mut Frame<'_>, now_ms: u64) {
        let said = self.said();
        match &mut self.mode {
            InboxMode::Reading(letter, pager) => {
                let keys = if letter.notice { "Esc: back" } else { "r answer  a ack  Esc back" };
                pager.draw(frame, Some(keys));
            }
            InboxMode::Writing(letter, form) => {
                let above = said.unwrap_or_else(|| letter.text.clone());
                let failed = self.told.as_ref().is_some_and(|(_, failed)| *failed);
                form_view::writing(frame, form, &above, failed);
            }
            InboxMode::List => self.draw_list(frame, said, now_ms),
        }
    }

    /// The running command, or its outcome.
    fn said(&self) -> Option<String> {
        let running = self.running.as_ref().map(|what| format!("{what} …"));
        running.or_else(|| self.told.as_ref().map(|(text, _)| text.clone()))
    }

    #[inline(never)]
    fn draw_list(&self, frame: &mut Frame<'_>, said: Option<String>, now_ms: u64) {
        let strong = Style::new().add_modifier(Modifier::BOLD);
        let dim = Style::new().add_modifier(Modifier::DIM);
        let [head, body, foot] = rows::around(frame.area(), 1, 1);
        let mail = self.letters.iter().filter(|l| !l.notice).count();
        let title = match (mail, self.others.is_empty()) {
            (0, true) => "No unread messages".to_owned(),
            (0, false) => format!("No unread messages here; elsewhere: {} (P)", self.others.join(", ")),
            (_, true) => format!("{mail} unread"),
            (_, false) => format!("{mail} unread; elsewhere: {} (P)", self.others.join(", ")),
        };
        frame.render_widget(Line::styled(title, strong), head);
        let rows = self.rows();
        let first = (self.at + 1).saturating_sub(usize::from(body.height));
        let line = |(number, row): (usize, &Row)| {
            let selected = number == self.at;
            let faint = rows::style(selected, dim);
            let line = match row {
                Row::Notices => {
                    let notices = self.letters.iter().filter(|l| l.notice).count();
                    let sign = if self.unfolded { '▾' } else { '▸' };
                    let text = format!("{sign} {} of swarm's own", plural(notices, "notice"));
                    let hint = "  (Enter: unfold, x: mark read)";
                    Line::from(vec![Span::raw(text), Span::styled(hint, faint)])
                }
                Row::Letter(at) => match self.letters.get(*at) {
                    None => Line::default(),
                    Some(letter) => {
                        let who = format!("{:>4} {}", age(letter.at, now_ms), self.people(letter));
                        let kind = format!("  {} {}", letter.kind, letter.marks);
                        let room = usize::from(body.width)
                            .saturating_sub(text::width(&who) + text::width(&kind) + 2);
                        // The preview is cut first: that it is a question is more important than its last words.
                        let preview = text::cut(&letter.preview, room);
                        Line::from(vec![Span::raw(format!("{who}  {preview}")), Span::styled(kind, faint)])
                    }
                },
            };
            line.style(rows::style(selected, Style::new()))
        };
        rows::draw(frame, body, rows.iter().enumerate().skip(first).map(line));
        // As much as 60 columns show.
        let keys = "Enter read  r answer  a ack  x mark read  q leaves  P all".to_owned();
        frame.render_widget(Line::styled(said.unwrap_or(keys), strong), foot);
    }

    /// The sender, and the project if several are shown.
    fn people(&self, letter: &Letter) -> String {
        if self.shown > 1 { format!("{} in {}", letter.from, letter.project.1) } else { letter.from.clone() }
    }
}

/// The action that marks a message as read.
fn read(letter: &Letter) -> Action {
    Action::line(&format!("read {}", letter.id), &["read", &letter.id])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn letter(id: &str, from: &str, project: &str, text: &str) -> Letter {
        Letter {
            id: id.into(),
            from: from.into(),
            kind: "QUESTION",
            at: 5,
            marks: String::new(),
            preview: text.into(),
            text: format!("QUESTION from {from}\n\n{text}"),
            notice: from == "swarm",
            project: (0, project.into(), PathBuf::from(format!("/p/{project}"))),
        }
    }

    fn inbox() -> Inbox {
        let letters = vec![
            letter("aaaa1111", "claude-1", "api", "which port?"),
            letter("bbbb1111", "swarm", "api", "held"),
            letter("cccc1111", "codex-1", "web", "done"),
            letter("dddd1111", "swarm", "web", "ended"),
            letter("eeee1111", "swarm", "api", "late"),
        ];
        Inbox { letters, shown: 2, ..Inbox::default() }
    }

    fn press(inbox: &mut Inbox, code: KeyCode) -> InboxWish {
        inbox.press(KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn screen(inbox: &mut Inbox) -> String {
        let mut terminal = Terminal::new(TestBackend::new(70, 12)).unwrap();
        terminal.draw(|frame| inbox.draw(frame, 1000)).unwrap();
        terminal.backend().to_string()
    }

    /// The commands of a wish.
    fn args(wish: InboxWish) -> (Vec<Vec<String>>, PathBuf) {
        match wish {
            InboxWish::Run(actions, root) => (actions.into_iter().map(|a| a.args).collect(), root),
            _ => panic!("nothing is run"),
        }
    }

    #[test]
    fn notices_are_one_row_until_it_is_unfolded() {
        let mut inbox = inbox();
        let shown = screen(&mut inbox);
        assert!(shown.contains("▸ 3 notices of swarm's own") && !shown.contains("held"), "{shown}");
        assert!(shown.contains("2 unread") && shown.contains("claude-1 in api  which port?"), "{shown}");
        press(&mut inbox, KeyCode::End);
        press(&mut inbox, KeyCode::Enter);
        let shown = screen(&mut inbox);
        assert!(shown.contains("▾") && shown.contains("held") && shown.contains("late"), "{shown}");
        let (ids, root) = args(press(&mut inbox, KeyCode::Char('x')));
        assert_eq!(
            (ids, root),
            (vec![vec!["read".into(), "bbbb1111".into(), "eeee1111".into()]], "/p/api".into())
        );
    }

    #[test]
    fn a_message_is_read_whole_answered_and_acknowledged_in_its_own_project() {
        let mut inbox = inbox();
        press(&mut inbox, KeyCode::Down);
        let (ids, root) = args(press(&mut inbox, KeyCode::Enter));
        assert_eq!((ids, root), (vec![vec!["read".into(), "cccc1111".into()]], PathBuf::from("/p/web")));
        assert!(screen(&mut inbox).contains("r answer  a ack  Esc back"));
        // Marking as read takes a moment, in which no typed text may be lost.
        press(&mut inbox, KeyCode::Char('r'));
        inbox.finish(&ActionOutcome {
            action: Action::line("read", &["read"]),
            ok: true,
            text: String::new(),
        });
        assert!(screen(&mut inbox).contains("Answer to cccc1111"));
        for c in "yes".chars() {
            press(&mut inbox, KeyCode::Char(c));
        }
        let (ids, root) = args(press(&mut inbox, KeyCode::Enter));
        assert_eq!(ids[0][..3], ["reply", "cccc1111", "-"].map(str::to_owned));
        assert_eq!(root, PathBuf::from("/p/web"));
        // A refusal keeps the text, and sending an answer closes the form.
        let outcome =
            |ok| ActionOutcome { action: Action::line("answer", &["reply"]), ok, text: "why".into() };
        inbox.finish(&outcome(false));
        let shown = screen(&mut inbox);
        assert!(shown.contains("why") && shown.contains("yes"), "{shown}");
        inbox.finish(&outcome(true));
        assert!(matches!(inbox.mode, InboxMode::List));
        let (ids, _) = args(press(&mut inbox, KeyCode::Char('a')));
        assert_eq!(ids[0], ["ack", "cccc1111"]);
    }

    #[test]
    fn a_long_message_leaves_room_for_what_it_is() {
        let mut inbox =
            Inbox { letters: vec![letter("aaaa1111", "claude-1", "api", &"so ".repeat(60))], ..inbox() };
        let shown = screen(&mut inbox);
        assert!(shown.contains("…  QUESTION"), "{shown}");
    }

    #[test]
    fn escape_leaves_an_answer_and_then_the_inbox() {
        let mut inbox = inbox();
        press(&mut inbox, KeyCode::Char('r'));
        press(&mut inbox, KeyCode::Char('q'));
        assert!(matches!(press(&mut inbox, KeyCode::Esc), InboxWish::Nothing));
        assert!(matches!(press(&mut inbox, KeyCode::Esc), InboxWish::Leave));
    }
}
