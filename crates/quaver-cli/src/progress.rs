//! How far the work is, how fast it goes, and how long it will take.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A progress bar on stderr. Cleared when dropped, so that results and errors stand alone.
pub struct Progress {
    bar: ProgressBar,
    start: Instant,
}

impl Progress {
    /// Over `n` samples; `wanted` false shows nothing, and so does a stderr that is no terminal.
    pub fn new(n: usize, wanted: bool) -> Self {
        let target = match wanted {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(n as u64), target);
        let template = "{bar:30} {human_pos}/{human_len} samples  {per_sec}  {eta} left";
        // A template that cannot be read leaves the library's own.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self {
            bar,
            start: Instant::now(),
        }
    }

    /// Calls `say` while the bar is out of the way.
    pub fn suspend(&self, say: impl FnOnce()) {
        self.bar.suspend(say);
    }

    /// One more sample is done.
    pub fn step(&self) {
        self.bar.inc(1);
    }

    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
