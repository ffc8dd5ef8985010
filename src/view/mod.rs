//! The views of a project for a person: the dashboard, and the small views in the plugin's popups (a page, a list of
//! choices, a form, the inbox).
//!
//! The keys run this program's own commands, so closing a view at any moment loses nothing.

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
