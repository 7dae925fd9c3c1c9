//! Reports as one HTML file each, which opens anywhere and for as long as there are browsers: no network, no fonts,
//! no libraries, and without scripts still a readable page.
//!
//! The caller says what there is to see, in sections; this module knows how it looks. Everything from outside is
//! text and is escaped, and the page's own content policy forbids it to load anything.

mod figure;
mod panel;
mod record;
mod section;
mod table;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use figure::Figure;
pub use panel::Panel;
pub(crate) use panel::end as scale_end;
pub use section::{Section, Tone};
pub use table::{Order, RankingTable, TableRow};

use crate::atomic::atomic_write;
use crate::error::{ReportError, ReportErrorKind};
use crate::markup::Markup;
use crate::record::RunRecord;

/// Only what is in the file: no network, no frames, no forms.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// What the JSON of a page says it is, and the version of its form.
const FORM: &str = "quaver page 1";

/// A report.
///
/// Its JSON holds everything that the page shows, and all points of its plots where the page draws fewer; pages that
/// were saved can be read back and gathered into one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Page {
    #[serde(rename = "is")]
    form: String,
    title: String,
    lead: Vec<String>,
    sections: Vec<Section>,
    #[serde(rename = "run")]
    record: Option<RunRecord>,
}

impl Page {
    /// A page with nothing but its title.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            form: FORM.to_owned(),
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

    /// One page with what is on several, one after another. The run records come under the titles of their pages; pages
    /// of one title are numbered.
    pub fn gathered(title: impl Into<String>, pages: impl IntoIterator<Item = Page>) -> Self {
        let mut whole = Self::new(title);
        let mut records = RunRecord::new();
        let mut titles = HashSet::new();
        for page in pages {
            let title = unlike(&mut titles, &page.title);
            let mut opening = Section::new(&*title);
            for text in page.lead {
                opening = opening.paragraph(text);
            }
            whole.sections.push(opening);
            let within = page.sections.into_iter().map(Section::within);
            whole.sections.extend(within);
            if let Some(record) = page.record {
                records = records.with(title, serde_json::json!(record));
            }
        }
        whole.record(records)
    }

    /// The page as the text of an HTML file.
    pub fn to_html(&self) -> String {
        self.html("")
    }

    /// The page as JSON: every number of its tables and plots.
    pub fn to_json(&self) -> String {
        let mut json =
            serde_json::to_string(self).expect("text, numbers and lists have a JSON form");
        json.push('\n');
        json
    }

    /// Reads a page from its JSON.
    ///
    /// # Errors
    /// `Format` if it is not the JSON of a page of this version.
    pub fn from_json(json: &str) -> Result<Self, ReportError> {
        let page = serde_json::from_str::<Self>(json).map_err(|error| {
            let message = format!("is not the JSON of a page: {error}");
            ReportError::new(ReportErrorKind::Format, message).with_source(error)
        })?;
        match page.form == FORM {
            true => Ok(page),
            false => Err(ReportError::new(
                ReportErrorKind::Format,
                format!("says it is {:?}, and {FORM:?} is read", page.form),
            )),
        }
    }

    /// Writes the page to the file at `path`, and its numbers to a file of the same name that ends in `.json`, whose path
    /// is given back.
    ///
    /// # Errors
    /// `Format` if `path` itself ends in `.json`; `Io` if one of them cannot be written.
    pub fn save(&self, path: &Path) -> Result<PathBuf, ReportError> {
        let beside = path.with_extension("json");
        if beside == path {
            let message = "is where the page's numbers go; give the page a name that ends in .html";
            return Err(ReportError::at(ReportErrorKind::Format, path, message));
        }
        let name = beside.file_name().unwrap_or_default().to_string_lossy();
        atomic_write(&beside, self.to_json().as_bytes())?;
        atomic_write(path, self.html(&name).as_bytes())?;
        Ok(beside)
    }

    /// The page; `numbers` is the name of the file with its numbers, if there is one.
    fn html(&self, numbers: &str) -> String {
        let mut page = Markup::new();
        page.own("<!DOCTYPE html>\n");
        page.element("html", &[("lang", "en")], |html| {
            self.write_head(html);
            html.element("body", &[], |body| self.write_body(body, numbers));
        });
        page.line();
        page.finish()
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

    fn write_body(&self, body: &mut Markup, numbers: &str) {
        let mut ids = Ids::default();
        let section_ids: Vec<String> = self
            .sections
            .iter()
            .map(|section| ids.of(section.heading()))
            .collect();
        body.line();
        body.element("header", &[], |header| {
            header.phrase("h1", &[], &self.title);
            for text in &self.lead {
                header.phrase("p", &[("class", "lead")], text);
            }
            self.write_contents(header, &section_ids);
        });
        body.line();
        body.element("main", &[], |main| {
            for (at, (section, id)) in self.sections.iter().zip(&section_ids).enumerate() {
                let next = self.sections.get(at + 1);
                let is_part = next.is_some_and(|next| next.depth() > section.depth());
                section.write(main, id, is_part);
                main.line();
            }
            if let Some(record) = &self.record {
                record::write(main, record);
            }
        });
        body.line();
        body.element("footer", &[], |footer| {
            footer.text(concat!(
                "Written by Quaver ",
                env!("CARGO_PKG_VERSION"),
                "."
            ));
            if !numbers.is_empty() {
                footer.text(&format!(" Every number on this page is in {numbers}."));
            }
        });
        body.line();
        body.element("script", &[], |script| {
            script.own("\"use strict\";\n");
            script.own(include_str!("assets/table.js"));
            script.own(include_str!("assets/chart.js"));
            script.own(include_str!("assets/page.js"));
        });
    }

    /// Links to the sections, once there are enough to be lost in.
    fn write_contents(&self, header: &mut Markup, ids: &[String]) {
        if self.sections.len() < 3 {
            return;
        }
        header.element("nav", &[("aria-label", "Contents")], |nav| {
            let entries: Vec<(&Section, &str)> = self
                .sections
                .iter()
                .zip(ids)
                .map(|(section, id)| (section, &**id))
                .collect();
            write_entries(nav, &entries);
        });
    }
}

/// The title, with a number behind it if it was given before.
pub fn unlike(given: &mut HashSet<String>, title: &str) -> String {
    let numbered = (2..).map(|number| format!("{title} ({number})"));
    let mut titles = std::iter::once(title.to_owned()).chain(numbered);
    let free = titles.find(|title| given.insert(title.clone()));
    free.unwrap_or_else(|| title.to_owned())
}

/// A list of links to sections, and within an entry the list of those that are within its section.
fn write_entries(markup: &mut Markup, entries: &[(&Section, &str)]) {
    let Some((first, _)) = entries.first() else {
        return;
    };
    let depth = first.depth();
    let own: Vec<&[(&Section, &str)]> = entries
        .chunk_by(|_, (next, _)| next.depth() > depth)
        .collect();
    let is_nested = own.iter().any(|entries| entries.len() > 1);
    let class = if is_nested { "parts" } else { "flat" };
    markup.element("ul", &[("class", class)], |list| {
        for entries in own {
            let (section, id) = entries[0];
            list.element("li", &[], |item| {
                item.phrase("a", &[("href", &format!("#{id}"))], section.heading());
                write_entries(item, &entries[1..]);
            });
        }
    });
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
