//! Checks signatures of files with OpenSSH, never with code of swarm's.

use super::child;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How long a check may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a signature was not accepted.
#[derive(Debug, PartialEq, Eq)]
pub enum Unsigned {
    /// No program can check it, or the program is too old.
    NoProgram(String),
    /// The signer is not among those who may sign, or the text was changed.
    Bad(String),
}

/// Checks that one of `signers` (a file of allowed signers in OpenSSH's format) has signed `text` as `signer`, which
/// is also the purpose of the signature. `signature` is its file.
pub fn check(text: &[u8], signature: &Path, signers: &Path, signer: &str) -> Result<(), Unsigned> {
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", "verify", "-I", signer, "-n", signer, "-f"]).arg(signers).arg("-s").arg(signature);
    let output = match child::output(command.env("LC_ALL", "C"), Some(text), PATIENCE) {
        Ok(Some(output)) => output,
        Ok(None) => return Err(Unsigned::NoProgram("ssh-keygen did not end".to_owned())),
        Err(why) if why.kind() == ErrorKind::NotFound => {
            return Err(Unsigned::NoProgram("there is no ssh-keygen on PATH".to_owned()));
        }
        Err(why) => return Err(Unsigned::NoProgram(format!("ssh-keygen cannot be run: {why}"))),
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        return Ok(());
    }
    if said.contains("unknown option") || said.contains("illegal option") {
        return Err(Unsigned::NoProgram("ssh-keygen is older than OpenSSH 8.1".to_owned()));
    }
    Err(Unsigned::Bad(said.lines().next().unwrap_or("it is not accepted").to_owned()))
}
