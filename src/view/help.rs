//! The page of keys.

/// What `?` shows.
pub(super) const TEXT: &str = "\
Moving
  Up Down, j k, PgUp PgDn      select
  Tab                          agents, or the list below
  1 2 3, Left Right            messages, leases, waiting mail
  /                            filter: words, or
                               type:question agent:codex since:10m
  Esc                          clear the filter; close; quit

An agent (the selected one, or the one that the selected row is of)
  Enter, g                     go to its pane
  p                            look at its pane from here
  m                            write to it          M   write to all
  R                            rename it
  e                            explain what its screen was read as

A message
  Enter                        read it
  r                            answer it            a   acknowledge it
  w                            how far it came, and why it waits
  s                            send it again, to somebody else if need be

A lease
  Enter                        details
  u                            give it back, or take it away (asks first)

While writing
  Enter sends, Alt-Enter or Ctrl-J begins a new line, Ctrl-T changes the type,
  Ctrl-A asks for an acknowledgement, Esc leaves it

Marks
  dialog: it waits for you. held: mail that cannot be typed now, with the reason.
  overdue: asked again for an acknowledgement. dead: its recipient ended.
";
