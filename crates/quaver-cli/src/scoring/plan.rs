//! What a run would take, before it runs.

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use quaver::{Network, ScoreOptions, Source, evaluate_each};

use super::NetworkInput;
use crate::failure::Failure;

/// How long the calibration takes, about.
const CALIBRATION: Duration = Duration::from_secs(2);

/// As many threads as fit into `limit` bytes, and no more than the options ask for.
pub fn threads_within(
    input: &NetworkInput,
    options: &ScoreOptions,
    limit: usize,
) -> Result<NonZeroUsize, Failure> {
    let network = input.network(options)?;
    let (shared, per_thread) = memory(&network)?;
    let fitting = limit.saturating_sub(shared) / per_thread.max(1);
    let wanted = options.n_threads();
    NonZeroUsize::new(fitting.min(wanted.get())).ok_or_else(|| {
        Failure::Input(format!(
            "--memory {}: one thread needs {}; fewer blocks (--wrt) or classes (--classes) need less",
            size(limit),
            size(shared + per_thread)
        ))
    })
}

/// The plan, for people.
pub fn text(input: &NetworkInput, options: &ScoreOptions) -> Result<String, Failure> {
    let network = input.network(options)?;
    let described = network.description();
    let n = described.n_samples;
    let (shared, per_thread) = memory(&network)?;
    let threads = options.n_threads();
    let (n_timed, took) = calibrate(&network, options)?;
    let rate = n_timed as f64 / took.as_secs_f64();
    let k = described.n_outputs;
    let macs = input.model.graph().macs(input.model.head().logits);
    let gram_bytes = described.blocks.len() * 4 * k * (k + 1) + 16 * k;
    let merged = match described.merges_classes {
        true => " or less, where classes are merged",
        false => "",
    };
    let lines = [
        (
            "samples",
            format!("{n} of shape {:?}", input.dataset.shape()),
        ),
        (
            "blocks",
            format!(
                "{}, {k} classes{}",
                described.blocks.len(),
                match described.merges_classes {
                    true => " (improbable ones merged)",
                    false => "",
                }
            ),
        ),
        (
            "arithmetic",
            format!(
                "{:.3e} multiply-adds forward a sample, {:.3e} in all",
                macs as f64,
                macs as f64 * n as f64
            ),
        ),
        (
            "time",
            format!(
                "{} at {rate:.1} samples a second on {threads} threads (measured on {n_timed} samples)",
                duration(n as f64 / rate)
            ),
        ),
        (
            "memory",
            format!(
                "{} shared, {} a thread: {} in all",
                size(shared),
                size(per_thread),
                size(shared + threads.get() * per_thread)
            ),
        ),
        (
            "output",
            format!(
                "{} of rows as Parquet, about; {} in a store{merged}",
                size(n * described.blocks.len() * 150),
                size(n * gram_bytes)
            ),
        ),
    ];
    Ok(lines
        .iter()
        .map(|(name, fact)| format!("{name:<12}{fact}\n"))
        .collect())
}

/// Bytes that all threads share, and that each needs.
fn memory(network: &Network<'_>) -> Result<(usize, usize), Failure> {
    // What the counts leave out: stacks, decoding, what the allocator keeps; and rows and parts on their way to the disk.
    const PER_THREAD: usize = 2 << 20;
    const WRITING: usize = 16 << 20;
    let shared = resident() + WRITING;
    let per_thread = network.bytes_per_thread()?;
    Ok((shared, per_thread + per_thread / 4 + PER_THREAD))
}

/// What the process holds now, with the network compiled: the weights above all. Where the system does not tell, 0.
fn resident() -> usize {
    const PAGE: usize = 4096;
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).map(str::parse::<usize>);
    pages.and_then(Result::ok).unwrap_or(0) * PAGE
}

/// Evaluates the first samples for a while: how many, and how long it took.
fn calibrate(network: &Network<'_>, options: &ScoreOptions) -> Result<(usize, Duration), Failure> {
    let n = network.description().n_samples;
    let run = |count: usize| -> Result<Duration, Failure> {
        let start = Instant::now();
        let never = AtomicBool::new(false);
        let first = std::iter::once(0..count).collect::<Vec<_>>();
        evaluate_each(network, &first, options.threads, &never, |_| Ok(()))?;
        Ok(start.elapsed())
    };
    let threads = options.n_threads().get();
    let mut count = threads.min(n);
    // The first run fills the threads' memory.
    run(count)?;
    loop {
        let took = run(count)?;
        if took > CALIBRATION / 4 || count == n {
            return Ok((count, took));
        }
        let faster = CALIBRATION.as_secs_f64() / 2.0 / took.as_secs_f64().max(1e-6);
        let more = (count as f64 * faster.clamp(2.0, 1000.0)) as usize;
        count = more.min(n);
    }
}

fn size(bytes: usize) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ => format!("{value:.1} {}", units[unit]),
    }
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.1} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}
