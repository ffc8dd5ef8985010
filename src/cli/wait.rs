use super::session::Session;
use super::{inbox, print};
use crate::core::delivery::Stage;
use crate::courier::start;
use crate::store::mail::Folder;
use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// Wait for mail, or for the answer to a message you sent
///
/// Without an id it waits for unread mail, and lists it. With an id it waits until a recipient answers or
/// acknowledges that message. It ends with 1 when the time is up.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm-msg wait\n  swarm-msg wait p5kg9tyf --timeout 60")]
pub(super) struct Args {
    /// The message you sent
    id: Option<String>,
    /// The longest time to wait, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u64,
}

/// Between two looks at a directory: one system call each.
const PAUSE: Duration = Duration::from_millis(50);

/// How often it checks that a courier runs, which could deliver something.
const LOOK_EVERY: Duration = Duration::from_secs(2);

pub(super) fn run(args: &Args) -> Result<()> {
    let session = Session::open()?;
    let deadline = Instant::now() + Duration::from_secs(args.timeout);
    let sent = args.id.as_ref().map(|id| session.find(id, false)).transpose()?;
    let mut looked = Instant::now();
    loop {
        match &sent {
            None if session.store.count_unread(&session.caller.name)? > 0 => {
                return inbox::run(&inbox::Args { all: false, limit: None, json: false });
            }
            None => {}
            Some((_, message)) => {
                for folder in [Folder::New, Folder::Given, Folder::Cur] {
                    let mail = session.store.mail(&session.caller.name, &session.caller.aliases, folder)?;
                    print::refused(&mail.refused);
                    if let Some(answer) =
                        mail.messages.iter().find(|m| m.reply_to.as_ref() == Some(&message.id))
                    {
                        return print::out(&print::message(answer, crate::store::now_ms()));
                    }
                }
                for name in &message.to {
                    let delivery = session.store.delivery(name, &message.id)?;
                    if delivery.is_some_and(|d| d.way.stage == Stage::Acked) {
                        return print::out(&format!("{name} acknowledged {}\n", message.id));
                    }
                }
            }
        }
        if looked.elapsed() >= LOOK_EVERY {
            start::revive(&session.store);
            looked = Instant::now();
        }
        if Instant::now() >= deadline {
            bail!("nothing came within {} s", args.timeout);
        }
        std::thread::sleep(PAUSE);
    }
}
