//! The people at the terminals: a line on their status lines.

use super::Server;
use anyhow::Result;
use tmux_interface::{DisplayMessage, ListClients};

impl Server {
    /// Shows `text` on the status line of every attached client. Two calls, one if nobody is attached.
    pub fn alert(&self, text: &str) -> Result<()> {
        let out = self.run(vec![ListClients::new().format("#{client_name}").build()], None)?;
        let clients: Vec<&str> = out.stdout.lines().filter(|l| !l.is_empty()).collect();
        if clients.is_empty() {
            return Ok(());
        }
        // A message is expanded like a format: `#` is doubled, and `%`, which strftime reads, too.
        let literal = format!("swarm: {text}").replace('#', "##").replace('%', "%%");
        let show = |client| DisplayMessage::new().target_client(client).message(literal.as_str()).build();
        self.run(clients.into_iter().map(show).collect(), None)?;
        Ok(())
    }
}
