//! What the user is told, and what the outputs say about where they come from.

use quaver::{AttackOptions, AttackSummary, Bounds, Dataset};
use quaver_report::{RunRecord, TextOptions, text_table};
use quaver_results::{Examples, attack_json, attack_page, attack_table, remarks};
use quaver_store::record;
use serde_json::{Value as Json, json};

use super::Attack;
use crate::console::Console;
use crate::failure::Failure;
use crate::pages;
use crate::sources::Sources;

/// One run of the command.
pub struct Run<'a> {
    pub command: &'a Attack,
    pub sources: &'a Sources,
    pub options: &'a AttackOptions,
    pub bounds: Bounds,
    pub dataset: &'a dyn Dataset,
}

impl Run<'_> {
    /// What was run. No time of day, no number of threads: the same run writes the same bytes.
    pub fn record(&self) -> Result<RunRecord, Failure> {
        let of_one = |mut data: Vec<Json>| data.pop().unwrap_or_default();
        let record = self.sources.record("attack", of_one)?;
        let class_names = self.dataset.class_names();
        Ok(record::of_attacks(
            record,
            self.options,
            self.bounds,
            class_names,
        ))
    }

    /// Tells the user what came out, and writes the page.
    pub fn report(
        &self,
        console: &Console,
        summary: &AttackSummary,
        examples: &Examples,
        record: RunRecord,
    ) -> Result<(), Failure> {
        let json = RunRecord::new()
            .with("run", json!(record))
            .with("summary", attack_json(summary));
        if let Some(path) = &self.command.report {
            let page = attack_page(self.bounds, summary, examples, record)?;
            pages::save(console, path, &page)?;
        }
        let out = self.command.out.as_deref();
        let rows_on_stdout = out.is_some_and(|path| path.as_os_str() == "-");
        let text = match self.command.json {
            true => json.to_json_pretty(),
            false => summary_text(summary),
        };
        match rows_on_stdout {
            true => console.note(text.trim_end()),
            false => console.result(&text)?,
        }
        if let Some(path) = out.filter(|_| !rows_on_stdout) {
            console.note(format_args!("rows written to {}", path.display()));
        }
        if let Some(path) = &self.command.save {
            console.note(format_args!(
                "perturbed samples written to {}",
                path.display()
            ));
        }
        Ok(())
    }
}

fn summary_text(summary: &AttackSummary) -> String {
    let (n, correct) = (summary.n_samples(), summary.n_correct());
    let (columns, rows) = attack_table(summary);
    let mut text = format!(
        "{n} samples, {correct} of them classified as their label says\n\n{}",
        text_table(&columns, &rows, &TextOptions::default())
    );
    for sentence in remarks(summary) {
        text.push_str("\n- ");
        text.push_str(&sentence);
        text.push('\n');
    }
    text
}
