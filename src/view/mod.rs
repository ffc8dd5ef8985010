//! What a person sees of a project: the dashboard, and the small views of the plugin's popups (a page, a list to choose from, a text to
//! write, the inbox).
//!
//! What the keys do is done by this program's own commands, so that closing a view at any moment loses nothing.

mod action;
pub mod checklist;
pub mod choose;
mod clipboard;
pub mod dashboard;
mod editor;
mod form;
mod form_view;
mod fuzzy;
pub mod inbox;
mod input;
pub mod pager;
mod rows;
mod starting;
mod terminal;
mod text;
mod wrap;
pub mod write;
