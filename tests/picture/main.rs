//! Turns what `tmux capture-pane -p -e` prints into an SVG picture: the documentation's pictures are made from the real thing.
//!
//! Reads the screen on stdin, writes the picture to stdout; the first argument is its title, and a second one, `light`, shows it on a
//! light terminal. A tool of this project's scripts, never
//! installed.

mod cell;
mod sgr;
mod svg;

use std::io::Read;
use std::process::ExitCode;

fn main() -> ExitCode {
    let title = std::env::args().nth(1).unwrap_or_default();
    let mut screen = String::new();
    if let Err(e) = std::io::stdin().read_to_string(&mut screen) {
        eprintln!("picture: {e}");
        return ExitCode::FAILURE;
    }
    let is_light = std::env::args().nth(2).is_some_and(|word| word == "light");
    let palette = if is_light { sgr::LIGHT } else { sgr::DARK };
    let rows = cell::rows(&screen);
    print!("{}", svg::picture(&rows, &title, &palette));
    ExitCode::SUCCESS
}
