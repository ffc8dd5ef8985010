//! What tmux prints: a look at a pane with its screen, read by the built-in profiles; the list of panes; a server's health.

use super::assert_plain;
use std::sync::OnceLock;
use swarm::agents::{Content, Profile, Profiles, read};
use swarm::core::agent::{Status, is_pane_id};
use swarm::tmux::health::Health;
use swarm::tmux::pane::Look;
use swarm::tmux::panes::Pane;
use swarm::tmux::version;

// Their patterns take longer to build than to try.
static PROFILES: OnceLock<Profiles> = OnceLock::new();

fn look(text: &str, number: usize) {
    let mut lines = text.split_inclusive('\n');
    let Some(look) = Look::parse(&mut lines, "%1") else { return };
    assert!(look.screen.rows().len() <= usize::from(look.facts.height).max(1), "no row of the next look");
    let profiles = PROFILES.get_or_init(|| Profiles::builtin().unwrap_or_else(|why| panic!("{why}")));
    // The command in the foreground says which profile reads its pane.
    let all: Vec<&Profile> = profiles.all().collect();
    let profile = all.iter().find(|p| p.kind == look.command).unwrap_or(&all[number % all.len()]);
    let reading = read(profile, &look.screen, &look.facts);
    assert!(!reading.evidence.is_empty());
    for why in &reading.evidence {
        assert_plain(why);
    }
    let composer = reading.composer.as_ref();
    if let Some(composer) = composer {
        // The reverse does not hold: a composer of several rows without a character holds a person's line feeds.
        assert!(composer.content != Content::Empty || composer.text.is_empty(), "{composer:?}");
        assert!(!composer.holds("") || composer.content != Content::Empty);
    }
    if reading.state == Status::Idle {
        // What a message is pasted into.
        assert!(composer.is_some_and(|c| c.content == Content::Empty), "{reading:?}");
        assert!(usize::from(look.facts.cursor_y) < look.screen.rows().len());
    }
}

pub fn tmux(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    look(&text, data.len());
    if let Ok(panes) = Pane::parse_list(&text) {
        for pane in panes {
            assert!(is_pane_id(&pane.id), "{:?}", pane.id);
            assert_plain(&pane.place);
            assert!(!pane.path.contains('\n'));
        }
    }
    for pane in Health::parse(&text).panes {
        assert!(is_pane_id(&pane.id), "{:?}", pane.id);
    }
    let _ = version::is_supported(&text);
}
