//! A background server that runs commands for whoever asks, as those of Codex and Cline run the tools of all their windows: a
//! connection brings a directory and a script, and takes what the script wrote. One that brings `end` ends it.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

const END: &str = "end";

/// Where to listen, if these arguments ask for such a server: `app-server PATH`, as Codex calls it, or `hub PATH`.
pub(crate) fn place(args: &[String]) -> Option<&Path> {
    let asked = matches!(args.get(1).map(String::as_str), Some("app-server" | "hub"));
    args.get(2).filter(|_| asked).map(Path::new)
}

pub(crate) fn serve(place: &Path) -> io::Result<()> {
    let listener = UnixListener::bind(place)?;
    let says_where = place.extension().is_some();
    for stream in listener.incoming() {
        let (mut stream, mut text) = (stream?, String::new());
        stream.read_to_string(&mut text)?;
        if text == END {
            break;
        }
        let Some((dir, script)) = text.split_once('\n') else { continue };
        let mut task = Command::new("bash");
        task.args(["-c", script]).current_dir(dir).stdin(Stdio::null()).process_group(0);
        if says_where {
            task.env("PWD", dir);
        }
        let told = task.output()?;
        stream.write_all(&[told.stdout, told.stderr].concat())?;
    }
    Ok(())
}
