//! Attacks: what came of them in a table, in words, and on a page with examples.

mod examples;
mod page;
mod summary;

pub use examples::Examples;
pub use page::build as attack_page;
pub use summary::{attack_json, attack_table, remarks};
