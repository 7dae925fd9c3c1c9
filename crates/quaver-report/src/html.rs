//! Reports as one HTML file each, which opens anywhere and for as long as there are browsers: no network, no fonts,
//! no libraries, and without scripts still a readable page.
//!
//! The caller says what there is to see, in sections; this module knows how it looks. Everything from outside is
//! text and is escaped, and the page's own content policy forbids it to load anything.

mod figure;
mod record;
mod section;
mod table;

use std::collections::HashSet;
use std::path::Path;

pub use figure::Figure;
pub use section::{Section, Tone};
pub use table::{Order, RankingTable, TableRow};

use crate::atomic::atomic_write;
use crate::error::ReportError;
use crate::markup::Markup;
use crate::record::RunRecord;

/// Only what is in the file: no network, no frames, no forms.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// A report.
#[derive(Debug, Clone)]
pub struct Page {
    title: String,
    lead: Vec<String>,
    sections: Vec<Section>,
    record: Option<RunRecord>,
}

impl Page {
    /// A page with nothing but its title.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            lead: Vec::new(),
            sections: Vec::new(),
            record: None,
        }
    }

    /// Adds a paragraph below the title: what was measured, and what came out.
    #[must_use]
    pub fn lead(mut self, text: impl Into<String>) -> Self {
        self.lead.push(text.into());
        self
    }

    /// Adds a section.
    #[must_use]
    pub fn section(mut self, section: Section) -> Self {
        self.sections.push(section);
        self
    }

    /// Puts the run record at the end of the page.
    #[must_use]
    pub fn record(mut self, record: RunRecord) -> Self {
        self.record = Some(record);
        self
    }

    /// The page as the text of an HTML file.
    pub fn to_html(&self) -> String {
        let mut page = Markup::new();
        page.own("<!DOCTYPE html>\n");
        page.element("html", &[("lang", "en")], |html| {
            self.write_head(html);
            html.element("body", &[], |body| self.write_body(body));
        });
        page.line();
        page.finish()
    }

    /// Writes the page to the file at `path`.
    pub fn save(&self, path: &Path) -> Result<(), ReportError> {
        atomic_write(path, self.to_html().as_bytes())
    }

    fn write_head(&self, html: &mut Markup) {
        html.element("head", &[], |head| {
            head.void("meta", &[("charset", "utf-8")]);
            head.void(
                "meta",
                &[
                    ("http-equiv", "Content-Security-Policy"),
                    ("content", POLICY),
                ],
            );
            let viewport = "width=device-width, initial-scale=1";
            head.void("meta", &[("name", "viewport"), ("content", viewport)]);
            head.void(
                "meta",
                &[("name", "color-scheme"), ("content", "light dark")],
            );
            // A browser asks a server for an icon unless the page has one.
            head.void("link", &[("rel", "icon"), ("href", "data:,")]);
            head.leaf("title", &[], &self.title);
            head.element("style", &[], |style| {
                style.own(include_str!("assets/page.css"));
                style.own(include_str!("assets/table.css"));
                style.own(include_str!("assets/chart.css"));
            });
        });
    }

    fn write_body(&self, body: &mut Markup) {
        let mut ids = Ids::default();
        let section_ids: Vec<String> = self
            .sections
            .iter()
            .map(|section| ids.of(section.heading()))
            .collect();
        body.line();
        body.element("header", &[], |header| {
            header.leaf("h1", &[], &self.title);
            for text in &self.lead {
                header.leaf("p", &[("class", "lead")], text);
            }
            self.write_contents(header, &section_ids);
        });
        body.line();
        body.element("main", &[], |main| {
            for (section, id) in self.sections.iter().zip(&section_ids) {
                section.write(main, id);
                main.line();
            }
            if let Some(record) = &self.record {
                record::write(main, record);
            }
        });
        body.line();
        body.leaf(
            "footer",
            &[],
            concat!("Written by Quaver ", env!("CARGO_PKG_VERSION"), "."),
        );
        body.line();
        body.element("script", &[], |script| {
            script.own(include_str!("assets/page.js"));
        });
    }

    /// Links to the sections, once there are enough to be lost in.
    fn write_contents(&self, header: &mut Markup, ids: &[String]) {
        if self.sections.len() < 3 {
            return;
        }
        header.element("nav", &[("aria-label", "Contents")], |nav| {
            nav.element("ul", &[], |list| {
                for (section, id) in self.sections.iter().zip(ids) {
                    list.element("li", &[], |item| {
                        item.leaf("a", &[("href", &format!("#{id}"))], section.heading());
                    });
                }
            });
        });
    }
}

/// Names for parts of a page that links can point to, each given once.
#[derive(Default)]
struct Ids {
    given: HashSet<String>,
}

impl Ids {
    fn of(&mut self, heading: &str) -> String {
        let mut id = String::new();
        for c in heading.chars().take(60) {
            match c {
                c if c.is_alphanumeric() => id.extend(c.to_lowercase()),
                _ if id.ends_with('-') || id.is_empty() => {}
                _ => id.push('-'),
            }
        }
        let id = match id.trim_end_matches('-') {
            "" => "section".to_owned(),
            id => id.to_owned(),
        };
        let mut free = id.clone();
        let mut number = 2;
        while !self.given.insert(free.clone()) {
            free = format!("{id}-{number}");
            number += 1;
        }
        free
    }
}

#[cfg(test)]
mod tests;
