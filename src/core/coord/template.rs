//! The text of a new coordination document.

/// The document that `swarm coord init` makes.
pub const TEMPLATE: &str = "\
# Coordination

Kept by people and agents together. Agents change it with `swarm-msg coord`, people with any editor.

## Sprint Goals

## Current Work

| Agent | Task | Files | Since |
|---|---|---|---|

## Blocked Items

## Code Review Queue

## Decisions
";
