//! `quaver report`: pages of several runs as one.

use std::path::PathBuf;

use clap::Args;
use quaver_report::{Page, ReportError};

use crate::console::Console;
use crate::failure::Failure;
use crate::pages;

/// Gather the pages of several runs into one.
///
/// Every command that writes a page (--report) writes the page's numbers beside it, as JSON. From these files one page is
/// made that has all of them, one after another.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quaver outliers net.onnx train.npz --report outliers.html
  quaver compare net.onnx --train train.npz --test test.npz --report compare.html
  quaver report outliers.json compare.json -o all.html")]
pub struct Report {
    /// The JSON files beside the pages.
    #[arg(required = true, value_name = "JSON")]
    pages: Vec<PathBuf>,

    /// The page to write.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,

    /// Its title.
    #[arg(long, value_name = "TEXT", default_value = "Sensitivity report")]
    title: String,
}

impl Report {
    pub fn run(&self, console: &Console) -> Result<(), Failure> {
        pages::check(Some(&self.out))?;
        let read = |path: &PathBuf| {
            let named =
                |why: &dyn std::fmt::Display| Failure::Input(format!("{}: {why}", path.display()));
            let json = std::fs::read(path).map_err(|error| named(&error))?;
            let json = String::from_utf8(json)
                .map_err(|_| named(&"not the JSON that lies beside a page"))?;
            Page::from_json(&json).map_err(|error: ReportError| named(&error))
        };
        let pages: Vec<Page> = self.pages.iter().map(read).collect::<Result<_, _>>()?;
        let n = pages.len();
        let beside = Page::gathered(&*self.title, pages).save(&self.out)?;
        console.note(format_args!(
            "{n} pages gathered in {}, their numbers in {}",
            self.out.display(),
            beside.display()
        ));
        Ok(())
    }
}
