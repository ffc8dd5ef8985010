//! Takes over the terminal and gives it back.
//!
//! It is given back in all cases: on return, on an error, on a panic (the hook runs before a release build aborts)
//! and on SIGTERM, SIGHUP and SIGINT, which end the loop. While a person writes, keys that come together are
//! distinguished from pressed keys: a line break within a burst belongs to a pasted text.

use super::clipboard;
use super::editor;
use super::input::Input;
use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ratatui::Frame;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{
    self, DisableBracketedPaste, EnableBracketedPaste, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers,
};
use ratatui::crossterm::execute;
use ratatui::crossterm::style::Print;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use std::io::{Stdout, stdin, stdout};
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Keys that come within this time were not pressed one by one.
const BURST: Duration = Duration::from_millis(30);

/// The terminal while this process has it.
pub(super) struct Screen {
    pub(super) terminal: Terminal<CrosstermBackend<Stdout>>,
    ended: Arc<AtomicBool>,
    /// An event that was read too early.
    next: Option<Event>,
    /// When the last part of a paste without marks arrived.
    pasted: Option<Instant>,
    /// Whether the terminal reports the mouse.
    mouse: bool,
}

impl Screen {
    /// Takes the terminal over.
    pub(super) fn enter() -> Result<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP, signal_hook::consts::SIGINT]
        {
            signal_hook::flag::register(signal, Arc::clone(&ended)).context("cannot watch for signals")?;
        }
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            leave();
            before(panic);
        }));
        take()?;
        let terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
        Ok(Self { terminal, ended, next: None, pasted: None, mouse: false })
    }

    /// Makes the terminal report clicks, the wheel and drags; not every move, which would wake the process for
    /// nothing.
    pub(super) fn watch_mouse(&mut self) -> Result<()> {
        self.mouse = true;
        Ok(execute!(stdout(), Print("\x1b[?1000h\x1b[?1002h\x1b[?1006h"))?)
    }

    /// Puts a text into the clipboard of this terminal, if the terminal allows that. Returns whether the text is
    /// short enough.
    pub(super) fn copy(text: &str) -> Result<bool> {
        let Some(escape) = clipboard::escape(text) else { return Ok(false) };
        execute!(stdout(), Print(escape))?;
        Ok(true)
    }

    /// The next event, if there is one. While a person is `writing`, an Enter that more input follows at once, as
    /// when a terminal pastes without marks, is a line break of the pasted text, and so is one right after such a
    /// text. Escape followed at once by Enter is Alt-Enter, in whatever way the two bytes arrive.
    pub(super) fn read(&mut self, writing: bool) -> Result<Option<Event>> {
        let event = match self.next.take() {
            Some(event) => event,
            None if event::poll(Duration::ZERO)? => event::read()?,
            None => return Ok(None),
        };
        if !writing {
            return Ok(Some(event));
        }
        let pasting = self.pasted.take().is_some_and(|at| at.elapsed() < BURST);
        if is_plain(&event, KeyCode::Enter) && (pasting || event::poll(BURST)?) {
            self.pasted = Some(Instant::now());
            return Ok(Some(Event::Paste("\n".to_owned())));
        }
        if is_plain(&event, KeyCode::Esc) && event::poll(BURST)? {
            let next = event::read()?;
            if is_plain(&next, KeyCode::Enter) {
                return Ok(Some(Event::Key(KeyEvent::new(KeyCode::Enter, KeyModifiers::ALT))));
            }
            self.next = Some(next);
        }
        if pasting {
            self.pasted = Some(Instant::now());
        }
        Ok(Some(event))
    }

    /// Lets a person change a text in their own editor. The inner error says why the text is unchanged.
    pub(super) fn edit(&mut self, input: &mut Input) -> Result<Result<(), String>> {
        leave();
        let edited = editor::edit(&input.text());
        take()?;
        if self.mouse {
            self.watch_mouse()?;
        }
        self.terminal.clear()?;
        Ok(edited.map(|text| *input = Input::of(&text)).map_err(|error| format!("{error:#}")))
    }

    /// Waits for a key, a new size or a signal, at most this long. `false`: it is time to end, because of a signal or
    /// because the terminal is gone. It asks the system, because the event reader would wait for a closed terminal
    /// for ever.
    pub(super) fn wait(&self, at_most: Duration) -> Result<bool> {
        // Input that was read together with an earlier key waits here, and not in the system.
        if self.next.is_some() || event::poll(Duration::ZERO).unwrap_or(false) {
            return Ok(!self.ended.load(Ordering::Relaxed));
        }
        let input = stdin();
        let mut fds = [PollFd::new(input.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(at_most).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error).context("cannot wait for a key"),
        }
        let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
        let hung_up = fds[0].revents().is_some_and(|seen| seen.intersects(gone));
        Ok(!hung_up && !self.ended.load(Ordering::Relaxed))
    }
}

/// A view that fills the terminal and gets the person's input, until it has an outcome.
pub(super) trait Popup {
    type Outcome;
    /// How long one wait for a key takes.
    const TICK: Duration = Duration::from_secs(1);

    fn draw(&mut self, frame: &mut Frame<'_>);

    /// Handles changes without a key. Called with each key, and in between.
    fn tick(&mut self) -> ControlFlow<Self::Outcome> {
        ControlFlow::Continue(())
    }

    fn press(&mut self, key: KeyEvent, screen: &mut Screen) -> Result<ControlFlow<Self::Outcome>>;

    /// Whether the person is writing a text.
    fn is_writing(&self) -> bool {
        false
    }

    fn paste(&mut self, _text: &str) {}
}

/// Shows it until it has an outcome. `None`: a signal came, or the terminal is gone.
pub(super) fn show<P: Popup>(mut popup: P) -> Result<Option<P::Outcome>> {
    let mut screen = Screen::enter()?;
    loop {
        screen.terminal.draw(|frame| popup.draw(frame))?;
        if !screen.wait(P::TICK)? {
            return Ok(None);
        }
        let came = match popup.tick() {
            ControlFlow::Break(outcome) => ControlFlow::Break(outcome),
            ControlFlow::Continue(()) => match screen.read(popup.is_writing())? {
                Some(Event::Key(key)) if key.kind != KeyEventKind::Release => {
                    popup.press(key, &mut screen)?
                }
                Some(Event::Paste(text)) => {
                    popup.paste(&text);
                    ControlFlow::Continue(())
                }
                _ => ControlFlow::Continue(()),
            },
        };
        if let ControlFlow::Break(outcome) = came {
            return Ok(Some(outcome));
        }
    }
}

/// Whether a key is Control with that letter.
pub(super) fn is_control(key: &KeyEvent, letter: char) -> bool {
    key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char(letter)
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

/// Takes the terminal over.
fn take() -> Result<()> {
    enable_raw_mode().context("cannot take the terminal over")?;
    Ok(execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste)?)
}

/// Whether an event is this key without modifiers.
fn is_plain(event: &Event, code: KeyCode) -> bool {
    matches!(event, Event::Key(key) if key.code == code && key.modifiers.is_empty() && key.kind != KeyEventKind::Release)
}

/// Gives the terminal back. An error is ignored, because the terminal may be gone.
fn leave() {
    let _ = execute!(
        stdout(),
        Print("\x1b[?1006l\x1b[?1002l\x1b[?1000l"),
        DisableBracketedPaste,
        LeaveAlternateScreen,
        Show
    );
    let _ = disable_raw_mode();
}
