//! What the user is told of scores: a ranking and a summary.

use quaver::table::{Column, Value};
use quaver::{Block, ObjectiveChoice, ScoreOptions, Summary};
use quaver_report::{RunRecord, TextOptions, text_table};
use serde_json::{Map, Value as Json, json};

use super::Score;
use super::summaries::Summaries;
use crate::console::Console;
use crate::failure::Failure;
use crate::scoring::COMPAT;

/// What the terminal's table shows of the columns: enough to read FI by.
const SHOWN: [&str; 13] = [
    "index",
    "key",
    "block",
    "label",
    "predicted",
    "p_label",
    "fi",
    "rank",
    "fi_max",
    "saturation",
    "fi_lambda",
    "grad_norm",
    // There only if it was asked for.
    COMPAT,
];

/// One run of the command: what its outputs say about where they come from.
pub struct Run<'a> {
    pub command: &'a Score,
    pub options: &'a ScoreOptions,
    /// Samples that are a row with an error.
    pub n_failed: usize,
    pub one_block: bool,
}

impl Run<'_> {
    /// Tells the user what came out.
    pub fn report(
        &self,
        console: &Console,
        columns: &[Column],
        summaries: &Summaries,
        ranking: Vec<Vec<Value>>,
        record: RunRecord,
    ) -> Result<(), Failure> {
        let out = self.command.out.as_deref();
        let rows_on_stdout = out.is_some_and(|path| path.as_os_str() == "-");
        if self.command.json && !rows_on_stdout {
            let rows: Vec<Json> = ranking
                .iter()
                .map(|row| json!(RunRecord::of_row(columns, row)))
                .collect();
            let object = RunRecord::new()
                .with("run", json!(record))
                .with("summary", summary_json(summaries.first()))
                .with("blocks", blocks_json(summaries))
                .with("most_influential", rows);
            return console.result(&object.to_json_pretty());
        }
        let mut text = String::new();
        if out.is_none() && !ranking.is_empty() {
            text.push_str(&self.ranking_text(columns, &ranking));
            text.push('\n');
        }
        if summaries.is_one() {
            text.push_str(&summary_text(summaries.first()));
            text.push_str(&self.verdict(summaries.first()));
        } else {
            text.push_str("medians by block\n\n");
            text.push_str(&summaries.table());
            text.push_str(SATURATION_NOTE);
        }
        match out {
            Some(_) if rows_on_stdout => {
                console.note(text.trim_end());
                Ok(())
            }
            Some(path) => {
                console.result(&text)?;
                console.note(format_args!(
                    "{} rows written to {}",
                    summaries.n_rows() + self.n_failed as u64,
                    path.display()
                ));
                Ok(())
            }
            None => console.result(&text),
        }
    }

    /// What the saturation means. Only for -log p does FI's ceiling depend on p_label alone.
    fn verdict(&self, summary: &Summary) -> String {
        if self.options.objective == ObjectiveChoice::Nll {
            return format!("{}\n", summary.verdict());
        }
        match summary.saturated_share() {
            None => String::new(),
            Some(share) => format!(
                "FI of {} is within 1 % of its ceiling for {:.1} % of the samples: there it is a function of the probabilities alone; compare them by fi_lambda or grad_norm.\n",
                self.options.objective,
                100.0 * share
            ),
        }
    }

    fn ranking_text(&self, columns: &[Column], ranking: &[Vec<Value>]) -> String {
        let by = &self.command.rank_by;
        let shown: Vec<usize> = (0..columns.len())
            .filter(|&at| {
                let column = &columns[at];
                let is_shown = column.name != "block" || !self.one_block;
                SHOWN.contains(&column.name.as_str()) && is_shown || column.name == *by
            })
            .collect();
        let heads: Vec<Column> = shown.iter().map(|&at| columns[at].clone()).collect();
        let rows: Vec<Vec<Value>> = ranking
            .iter()
            .map(|row| shown.iter().map(|&at| row[at].clone()).collect())
            .collect();
        let n = rows.len();
        let options = match self.one_block {
            true => TextOptions::default(),
            // With names of layers.
            false => TextOptions::uncut(),
        };
        format!(
            "the {n} samples with the largest {by}\n\n{}",
            text_table(&heads, &rows, &options)
        )
    }
}

fn summary_text(summary: &Summary) -> String {
    let mut lines = vec![("samples", summary.n_samples().to_string())];
    if let (Some(accuracy), (correct, labelled)) = (summary.accuracy(), summary.n_correct()) {
        let percent = 100.0 * accuracy;
        lines.push((
            "accuracy",
            format!("{percent:.2} % ({correct} of {labelled})"),
        ));
    }
    let medians: Vec<String> = summary
        .medians()
        .into_iter()
        .map(|(name, median)| format!("{name} {median:.4e}"))
        .collect();
    lines.push(("medians", medians.join(", ")));
    if let (Some(saturated), Some(full)) = (summary.saturated_share(), summary.full_rank_share()) {
        let (saturated, full) = (100.0 * saturated, 100.0 * full);
        lines.push((
            "ceiling",
            format!(
                "{saturated:.1} % of the samples at 99 % of it or above; full rank {full:.1} %"
            ),
        ));
    }
    let mut text: String = lines
        .iter()
        .map(|(name, fact)| format!("{name:<12}{fact}\n"))
        .collect();
    text.push('\n');
    text
}

/// What stands under a table of several blocks.
const SATURATION_NOTE: &str = "
saturation is FI as a share of its ceiling: blocks near 1 all have the FI that p_label dictates; compare them by
fi_lambda, or by the rel_ columns of the rows (-o), which take the size of the parameters into account.
";

fn blocks_json(summaries: &Summaries) -> Vec<Json> {
    let block = |(block, summary): &(Block, Summary)| {
        json!({
            "block": &*block.name, "n_coordinates": block.n_coordinates, "theta_norm": block.norm,
            "summary": summary_json(summary),
        })
    };
    summaries.iter().map(block).collect()
}

fn summary_json(summary: &Summary) -> Json {
    let finite = |number: f64| match number.is_finite() {
        true => json!(number),
        false => json!(number.to_string()),
    };
    let medians: Map<String, Json> = summary
        .medians()
        .into_iter()
        .map(|(name, median)| (name.to_owned(), finite(median)))
        .collect();
    let (correct, labelled) = summary.n_correct();
    json!({
        "n_samples": summary.n_samples(),
        "n_labelled": labelled,
        "n_correct": correct,
        "accuracy": summary.accuracy(),
        "medians": medians,
        "saturated_share": summary.saturated_share(),
        "full_rank_share": summary.full_rank_share(),
        "verdict": summary.verdict(),
    })
}
