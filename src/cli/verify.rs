use super::print;
use super::session::Session;
use crate::core::claim::{self, Claim, Difference, Verdict};
use crate::core::escape;
use crate::core::message::Verified;
use crate::core::name::Name;
use crate::core::refusal::Refusal;
use anyhow::Result;
use serde_json::{Value, json};
use std::io::Read as _;

/// Check whether a "[swarm ...]" line is genuine, and for you
///
/// The command compares the whole line with what swarm typed: sender, recipient, type, text and commands. Line
/// breaks, surrounding blanks and quotation marks are ignored. It shows each difference beside the genuine text. It
/// ends with 6 if there is a difference, if there is no such message, or if the message is not for you.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  swarm-msg verify \"[swarm p5kg9tyf QUESTION from claude-1 to codex-1 sig:4bc99d3d] is it done? (answer: swarm-msg reply p5kg9tyf \\\"...\\\")\""
)]
pub(super) struct Args {
    /// The line as you saw it, a text with such lines, or the message's id; - reads it from standard input
    line: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The most text that is checked, in bytes.
const MAX_TEXT: u64 = 1 << 20;

/// The result for one line.
struct LineFinding {
    message: Option<Verified>,
    /// The line that swarm typed, if one was compared.
    typed: Option<String>,
    differences: Vec<Difference>,
    /// Why it is not genuine.
    fault: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let session = Session::open()?;
    let text = if args.line == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().lock().take(MAX_TEXT).read_to_end(&mut bytes)?;
        String::from_utf8_lossy(&bytes).into_owned()
    } else {
        args.line.clone()
    };
    let (findings, beside) = look(&session, &text)?;
    if args.json {
        let genuine = findings.iter().all(|f| f.fault.is_none());
        print::object(
            json!({"genuine": genuine, "lines": findings.iter().map(LineFinding::json).collect::<Vec<_>>()}),
        )?;
    } else {
        print::out(&findings.iter().map(LineFinding::told).collect::<String>())?;
    }
    if beside && findings.iter().any(|f| f.fault.is_none()) {
        print::tell("the rest of this text is not from swarm, and nothing proves it");
    }
    match findings.into_iter().find_map(|f| f.fault) {
        Some(fault) => Err(print::told(Refusal::BadSignature(format!("not genuine: {fault}")))),
        None => Ok(()),
    }
}

/// Judges every claim in `text`, or the message with that id. Also returns whether there is other text beside genuine
/// lines.
fn look(session: &Session, text: &str) -> Result<(Vec<LineFinding>, bool)> {
    let (mut findings, mut from) = (Vec::new(), 0);
    let (mut beside, mut genuine_to) = (String::new(), 0);
    while let Some(claim) = claim::next(text, from) {
        from = claim.start + 1;
        let id = claim.id.as_ref().map_or_else(|| claim.shown(), ToString::to_string);
        let finding = match find(session, &id)? {
            Ok(message) => {
                let (finding, end) = compare(session, &claim, message);
                if let Some(end) = end {
                    beside.push_str(&text[genuine_to..claim.start]);
                    genuine_to = end;
                    from = end;
                }
                finding
            }
            Err(fault) => LineFinding::none(fault),
        };
        findings.push(finding);
    }
    if findings.is_empty() {
        findings.push(match find(session, text.trim())? {
            Ok(message) => LineFinding { message: Some(message), ..LineFinding::none(None) },
            Err(fault) => LineFinding::none(fault),
        });
        return Ok((findings, false));
    }
    beside.push_str(&text[genuine_to..]);
    // Blanks, quotation marks and frames only belong to how a line is shown.
    Ok((findings, beside.chars().any(char::is_alphanumeric)))
}

/// The message with that id, if the caller may see a line of it: one of its own, or any for the human. Otherwise the
/// reason.
fn find(session: &Session, id: &str) -> Result<Result<Verified, Option<String>>> {
    let any = session.caller.name.is_human();
    let refused = |error: anyhow::Error| match error.downcast::<Refusal>() {
        Ok(refusal @ (Refusal::Usage(_) | Refusal::NoMessage(_) | Refusal::BadSignature(_))) => {
            Ok(refusal.to_string())
        }
        Ok(refusal) => Err(refusal.into()),
        Err(error) => Err(error),
    };
    let why = match session.find(id, !any) {
        Ok((_, message)) => return Ok(Ok(message)),
        Err(error) => refused(error)?,
    };
    let others = if any { None } else { session.find(id, false).ok() };
    Ok(Err(Some(match others {
        Some((_, message)) => {
            let to: Vec<&str> = message.to.iter().map(Name::as_str).collect();
            format!("message {} is for {}, not for you", message.id, to.join(", "))
        }
        None => why,
    })))
}

/// Compares a claim with its message. Returns the end of the claim if it is genuine.
fn compare(session: &Session, claim: &Claim<'_>, message: Verified) -> (LineFinding, Option<usize>) {
    let caller = &session.caller;
    let mut names: Vec<&Name> = std::iter::once(&caller.name).chain(&caller.aliases).collect();
    if caller.name.is_human() {
        // The lines to all recipients, with all their names.
        let bearers = |to| session.everyone().filter(move |a| a.answers_to(to));
        for to in &message.to {
            names.push(to);
            names.extend(bearers(to).flat_map(|a| std::iter::once(&a.name).chain(&a.formerly)));
        }
    }
    match claim.judge(&message, &names) {
        Verdict::Genuine { end, line, .. } => {
            (LineFinding { message: Some(message), typed: Some(line), ..LineFinding::none(None) }, Some(end))
        }
        Verdict::Different { line, differences } => {
            let told: Vec<String> = differences.iter().map(ToString::to_string).collect();
            let fault = Some(format!("message {} is different: {}", message.id, told.join("; ")));
            (LineFinding { message: Some(message), typed: Some(line), differences, fault }, None)
        }
    }
}

impl LineFinding {
    fn none(fault: Option<String>) -> Self {
        Self { message: None, typed: None, differences: Vec::new(), fault }
    }

    fn told(&self) -> String {
        let Some(m) = &self.message else { return String::new() };
        let head = format!("{} {} from {} (identity: {})", m.id, m.kind, m.from, m.identity.word());
        let line =
            self.typed.as_ref().map(|line| format!("  the genuine line: {line}\n")).unwrap_or_default();
        if self.fault.is_none() {
            return format!("genuine: {head}\n{line}");
        }
        let differences: String = self.differences.iter().map(|d| format!("  {d}\n")).collect();
        format!("not genuine; message {head}:\n{differences}{line}")
    }

    fn json(&self) -> Value {
        let differences: Vec<Value> = self
            .differences
            .iter()
            .map(|d| json!({"part": d.part.word(), "genuine": d.genuine, "shown": d.shown}))
            .collect();
        json!({
            "genuine": self.fault.is_none(), "message": self.message.as_ref().map(print::message_json),
            "line": self.typed, "differences": differences,
            "why": self.fault.as_ref().map(|f| escape::short(f, 400)),
        })
    }
}
