//! Ctrl-C: the first ends the work cleanly, the second ends the program.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::Failure;

static STOP: AtomicBool = AtomicBool::new(false);

/// A flag that Ctrl-C, SIGTERM and SIGHUP set. Temporary files are removed on the way out.
pub fn stop_flag() -> Result<&'static AtomicBool, Failure> {
    // A command may have several runs, and a program one handler.
    static IS_SET: OnceLock<Result<(), String>> = OnceLock::new();
    let is_set = IS_SET.get_or_init(|| {
        let set = ctrlc::set_handler(|| {
            if STOP.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
        });
        set.map_err(|error| format!("no handler for Ctrl-C can be set: {error}"))
    });
    is_set.clone().map_err(Failure::Input)?;
    Ok(&STOP)
}
