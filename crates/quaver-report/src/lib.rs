//! How Quaver writes its results down: tables streamed to files, tables for the terminal, and self-contained HTML
//! pages with plots.
//!
//! It is its own crate because formats, fonts and pixels have nothing to do with networks: it knows rows, columns and
//! points, and no model, dataset or measure. It prints nothing, reads no clock and draws no random numbers, so the
//! same result always gives the same bytes.
//!
//! ```
//! use quaver::table::{Column, Kind};
//! use quaver_report::{RunRecord, TableWriter, TextOptions, text_table};
//!
//! let columns = [
//!     Column::new("sample", Kind::Int, "Index of the sample, from 0."),
//!     Column::new("fi", Kind::Float, "Influence measure."),
//! ];
//! let rows = vec![vec![0.into(), 0.25.into()], vec![1.into(), 0.5.into()]];
//!
//! let folder = tempfile::tempdir()?;
//! let record = RunRecord::new().with("command", "quaver fi model.onnx");
//! let mut table = TableWriter::create(&folder.path().join("scores.parquet"), &columns, &record)?;
//! for row in &rows {
//!     table.write_row(row)?;
//! }
//! table.finish()?;
//!
//! let text = text_table(&columns, &rows, &TextOptions::default());
//! assert!(text.ends_with("     1  0.5000\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod atomic;
mod error;
mod html;
mod json;
mod markup;
mod npz;
mod number;
mod picture;
mod plot;
mod record;
mod sheet;
mod text;
mod writer;

pub use atomic::{AtomicFile, atomic_write, check_output};
pub use error::{ReportError, ReportErrorKind};
pub use html::{Figure, Order, Page, Panel, RankingTable, Section, TableRow, Tone, unlike};
pub use npz::{NpzWriter, check_npz_path};
pub use number::{grouped, typeset};
pub use picture::{Pixels, Thumbnail, png_data_uri};
pub use plot::*;
pub use record::RunRecord;
pub use sheet::{Sheet, Tile, viridis};
pub use text::{TextOptions, text_table};
pub use writer::{TableWriter, check_table_path, table_extensions};
