//! A summary for every block that was perturbed.

use quaver::table::{Column, Kind, Value};
use quaver::{Block, Score, Summary};
use quaver_report::{TextOptions, text_table};

/// Blocks in the order in which they were named, with what their scores say together.
pub struct Summaries {
    blocks: Vec<(Block, Summary)>,
}

impl Summaries {
    pub fn new(blocks: &[Block], n_classes: usize) -> Self {
        let summary = |block: &Block| (block.clone(), Summary::new(n_classes));
        Self {
            blocks: blocks.iter().map(summary).collect(),
        }
    }

    /// Takes a score in.
    pub fn add(&mut self, score: &Score) {
        let last = self.blocks.len() - 1;
        let at = self
            .blocks
            .iter()
            .position(|(block, _)| block.name == score.block);
        let at = at.unwrap_or(last);
        self.blocks[at].1.add(score);
    }

    /// Rows written: samples times blocks.
    pub fn n_rows(&self) -> u64 {
        self.blocks
            .iter()
            .map(|(_, summary)| summary.n_samples())
            .sum()
    }

    pub fn first(&self) -> &Summary {
        &self.blocks[0].1
    }

    pub fn is_one(&self) -> bool {
        self.blocks.len() == 1
    }

    pub fn iter(&self) -> impl Iterator<Item = &(Block, Summary)> {
        self.blocks.iter()
    }

    /// Medians block by block.
    pub fn table(&self) -> String {
        let mut columns = vec![
            Column::new("block", Kind::Text, ""),
            Column::new("coordinates", Kind::Int, ""),
            Column::new("theta_norm", Kind::Float, ""),
            Column::new("full_rank", Kind::Float, ""),
        ];
        let names: Vec<&str> = self
            .first()
            .medians()
            .iter()
            .map(|&(name, _)| name)
            .collect();
        columns.extend(names.iter().map(|name| Column::new(*name, Kind::Float, "")));
        let rows: Vec<Vec<Value>> = self
            .blocks
            .iter()
            .map(|(block, summary)| {
                let mut row: Vec<Value> = vec![
                    block.name.to_string().into(),
                    Value::Int(i64::try_from(block.n_coordinates).unwrap_or(i64::MAX)),
                    block.norm.into(),
                    summary.full_rank_share().into(),
                ];
                row.extend(
                    summary
                        .medians()
                        .into_iter()
                        .map(|(_, median)| median.into()),
                );
                row
            })
            .collect();
        text_table(&columns, &rows, &TextOptions::uncut())
    }
}
